"""The studio in a real JupyterLab: from a table to a verdict by clicks alone."""

from __future__ import annotations

import re

import pytest

STEPS = ("data", "model", "plan", "watch", "result")
STUDIO = ".etn-studio"


def cells(rows, model_folder=""):
    return [
        "import pandas as pd\nimport embedtune_nb as et\n"
        f"questions = pd.DataFrame({rows!r}).rename(columns={{'value': 'question', 'label': 'topic'}})",
        "studio = et.Studio()\nstudio",
    ]


def wait_mark(notebook, step, mark, seconds=60):
    notebook.page.wait_for_selector(
        f"[data-testid='step-{step}'][data-mark='{mark}']", timeout=seconds * 1000, state="attached"
    )


def go(notebook, step):
    notebook.find(f"step-{step}").click()
    notebook.page.wait_for_selector(f"[data-testid='step-{step}'][aria-current='step']")


def field(notebook, label):
    return notebook.page.locator(f"{STUDIO} .etn-field", has_text=re.compile(f"^{label}")).locator(
        "input, select"
    )


def pick_questions(notebook):
    field(notebook, "Data").first.select_option(label="questions (96 rows, 2 columns)")
    wait_mark(notebook, "data", "done")


def use_folder(notebook, folder):
    go(notebook, "model")
    notebook.page.get_by_role("radio", name="Another model").check()
    entry = field(notebook, "Hub id or folder")
    entry.fill(str(folder))
    entry.press("Enter")


@pytest.mark.jobs
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_from_a_table_to_a_verdict_by_clicks(open_notebook, shots, topic_rows, tiny_bert, theme):
    notebook = open_notebook(cells(topic_rows), theme=theme, height=1500)
    notebook.run()
    studio = notebook.page.locator(STUDIO)
    studio.wait_for()
    shot = lambda name: studio.screenshot(path=shots / f"studio-{name}-{theme}.png")  # noqa: E731

    assert "nothing chosen yet" in studio.inner_text()
    shot("0-start")
    pick_questions(notebook)
    assert field(notebook, "label").locator("option:checked").inner_text() == "topic"
    assert field(notebook, "value").locator("option:checked").inner_text() == "question"
    studio.locator(".etn-data").wait_for()
    shot("1-data")

    use_folder(notebook, tiny_bert)
    wait_mark(notebook, "plan", "done")
    assert notebook.page.get_by_role("radio", name="prediction").is_checked()
    assert notebook.page.get_by_role("radio", name="cosent").count() == 0
    epochs = field(notebook, "epochs")
    epochs.fill("many")
    epochs.press("Enter")
    studio.locator(".etn-wrong .etn-say-error").wait_for()
    assert "a whole number from 1" in studio.locator(".etn-wrong").inner_text()
    shot("2-model-wrong")
    epochs.fill("2")
    epochs.press("Enter")
    wait_mark(notebook, "plan", "done")
    shot("2-model")

    go(notebook, "plan")
    studio.locator(".etn-plan").wait_for()
    name = field(notebook, "Name of the new model")
    assert name.input_value() == "questions"
    name.fill(f"topics-{theme}")
    name.press("Enter")
    studio.locator(".etn-plan .h b", has_text=f"topics-{theme}").wait_for()
    shot("3-plan")
    code = notebook.find("code-text").inner_text()
    assert f'finetune(\n    "topics-{theme}"' in code and '"epochs": 2' in code

    notebook.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    notebook.find("code-copy").click()
    studio.get_by_role("button", name="Copied").wait_for()
    assert notebook.page.evaluate("navigator.clipboard.readText()") == code

    studio.get_by_role("button", name="Train", exact=True).click()
    notebook.find("monitor").wait_for(timeout=60_000)
    shot("4-watch")
    wait_mark(notebook, "result", "done", seconds=240)
    shot("4-watch-done")
    go(notebook, "data")
    assert field(notebook, "label").locator("option:checked").inner_text() == "topic"

    go(notebook, "result")
    studio.get_by_role("button", name="Show map").click()
    studio.locator("[data-testid='code-text']", has_text="model.map()").wait_for(timeout=240_000)
    studio.get_by_role("button", name="What got worse").click()
    notebook.find("regressions").wait_for(timeout=60_000)
    studio.locator("[data-testid='code-text']", has_text="model.regressions()").wait_for()
    notebook.page.wait_for_timeout(800)
    shot("5-result")
    notebook.assert_no_traceback()
    assert notebook.console_errors == []


@pytest.mark.parametrize("width", [560, 1700])
def test_nothing_scrolls_sideways_and_keys_reach_every_step(open_notebook, shots, topic_rows, width):
    notebook = open_notebook(cells(topic_rows), width=width, height=1500)
    notebook.run()
    pick_questions(notebook)
    wait_mark(notebook, "plan", "done")
    notebook.find("step-data").focus()
    for step in STEPS:
        notebook.page.keyboard.press("Enter")
        notebook.page.wait_for_selector(f"[data-testid='step-{step}'][aria-current='step']")
        beyond = notebook.page.evaluate(
            "root => { const box = document.querySelector(root);"
            " const edge = box.getBoundingClientRect().right;"
            " return [...box.querySelectorAll('*')].filter(e => e.getClientRects().length"
            " && e.getBoundingClientRect().right > edge + 1 && !e.closest('.etn-hidden'))"
            ".map(e => e.tagName + '.' + e.className).slice(0, 5); }",
            STUDIO,
        )
        assert beyond == [], f"{step}: sticks out at {width} px"
        notebook.page.locator(STUDIO).screenshot(path=shots / f"studio-{step}-{width}.png")
        notebook.page.keyboard.press("ArrowDown")
    notebook.assert_no_traceback()
