"""The table of what got worse in a real browser: sorted, narrowed, unfolded, ticked, by mouse and keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
MAKE = f"""
import sys; sys.path.insert(0, {str(TESTS)!r})
from made_up.regressions import regressions
texts = ["<img src=x onerror=alert(1)> pin code", "where is my new card", "how do I change my pin"] + [
    f"question number {{n}} about something that takes a good many words to ask" for n in range(40)
]
found = regressions(
    43, text=texts, cause=["label conflict", "truncated"] + ["not clear"] * 41,
    displaced_by=[f"document {{n}} that stands before it now" for n in range(43)],
)
"""


@pytest.fixture
def table(open_notebook):
    def make(**options):
        page = open_notebook([MAKE, "found"], **options)
        page.run_all()
        root = page.cell(1).locator("[data-testid=regressions]")
        root.locator("tbody tr").first.wait_for(timeout=60_000)
        return page, root

    return make


def texts(root):
    return root.locator(".etn-reg-open").all_inner_texts()


def test_headings_sort_causes_and_words_narrow_and_more_is_asked_for(table, shots):
    page, root = table()
    worse = [float(text) for text in root.locator("td.etn-reg-worse_by").all_inner_texts()]
    assert worse == sorted(worse, reverse=True) and len(worse) == 25
    heading = root.locator("th[data-column=worse_by]")
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    worse = [float(text) for text in root.locator("td.etn-reg-worse_by").all_inner_texts()]
    assert worse == sorted(worse)
    root.get_by_role("button", name="Show 18 more of 18").click()
    assert len(texts(root)) == 43
    root.get_by_role("button", name="truncated 1").click()
    assert texts(root) == ["where is my new card"]
    assert "max_seq_length" in root.inner_text(), "what to do about the cause is told"
    root.get_by_role("button", name="truncated 1").click()
    root.get_by_role("searchbox").fill("PIN")
    assert sorted(texts(root)) == ["<img src=x onerror=alert(1)> pin code", "how do I change my pin"]
    assert root.locator("img").count() == 0, "texts of the data stay texts"
    page.screenshot(shots, "regressions-narrowed", "regressions")
    assert page.console_errors == []


def test_keys_alone_unfold_and_tick_rows_and_python_knows_them(table, shots, tmp_path):
    page, root = table(theme="dark", width=760)
    page.screenshot(shots, "regressions-dark-narrow", "regressions")
    root.locator(".etn-reg-open").nth(1).focus()
    page.page.keyboard.press("Enter")
    story = root.locator(".etn-reg-story")
    assert story.count() == 1 and "document 1 that stands before it now" in story.inner_text()
    assert root.locator(".etn-reg-open").nth(1).get_attribute("aria-expanded") == "true"
    heights = story.locator("dt").evaluate_all(
        "terms => terms.map(term => term.clientHeight / parseFloat(getComputedStyle(term).fontSize))"
    )
    assert all(height < 2 for height in heights), "the names of what is told stand on one line each"
    page.page.keyboard.press("Enter")
    assert story.count() == 0
    root.locator("tbody input").nth(0).focus()
    page.page.keyboard.press("Space")
    root.locator("tbody input").nth(2).focus()
    page.page.keyboard.press("Space")
    root.get_by_text("2 ticked").wait_for()
    first, second = (float(root.locator("td.etn-reg-worse_by").nth(n).inner_text()) for n in (0, 2))
    ticked = tmp_path / "ticked"
    for _ in range(50):  # the second change is sent when the kernel has answered the first
        page.execute(
            f"open({str(ticked)!r}, 'w').write(repr(found.selected.to_frame()['worse_by'].tolist()))"
        )
        values = [round(value, 3) for value in json.loads(ticked.read_text())]
        if len(values) == 2:
            break
        page.page.wait_for_timeout(100)
    assert values == [first, second]
    assert root.evaluate("node => node.scrollWidth <= node.clientWidth"), "nothing scrolls sideways"
    assert page.console_errors == []
