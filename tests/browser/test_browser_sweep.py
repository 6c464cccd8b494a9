"""The trial browser in a real JupyterLab: what appears, what a brush, a click and a key do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lab import CURRENT, SECONDS, NotebookPage
from playwright.sync_api import expect

TESTS = Path(__file__).resolve().parent.parent
PREPARE = f"""
import sys, threading, time
sys.path.insert(0, {str(TESTS)!r})
from made_up.sweep import MadeUpSweep, finished_sweep
from embedtune_nb import Job, TrialBrowser
from embedtune_nb.widgets.watch import display_job, watch
"""
SHOW = "job = Job(sweep.folder)\nTrialBrowser(job)"
OpenNotebook = Callable[..., NotebookPage]


def show_sweep(open_notebook: OpenNotebook, sweep: str, **page: object) -> NotebookPage:
    """Open a notebook whose second cell browses *sweep*; return when its trials stand in the page."""
    notebook = open_notebook([PREPARE, f"sweep = {sweep}\n{SHOW}"], **page)
    notebook.run()
    wait(notebook, "root.querySelectorAll('.etn-line[data-key]').length > 0")
    return notebook


def wait(notebook: NotebookPage, condition: str, seconds: float = 30) -> None:
    """Wait until *condition*, JavaScript over `root`, the browser's element, is true."""
    notebook.page.wait_for_function(
        "([panel, condition]) => {"
        " const root = document.querySelector(`${panel} [data-testid=trial-browser]`);"
        " return root && Function('root', `return ${condition}`)(root); }",
        arg=[CURRENT, condition],
        timeout=seconds * SECONDS,
    )


def ask(notebook: NotebookPage, expression: str) -> object:
    """Return the value of *expression*, JavaScript over `root`."""
    return notebook.find("trial-browser").evaluate(
        "(root, expression) => Function('root', `return ${expression}`)(root)", expression
    )


def drag(notebook: NotebookPage, axis: str, start: float, end: float) -> None:
    """Drag the pointer along an axis, from *start* to *end* of its height (0 is the bottom)."""
    track = notebook.find(f"axis-{axis}")
    track.scroll_into_view_if_needed()
    box = track.bounding_box()
    x = box["x"] + box["width"] / 2
    mouse = notebook.page.mouse
    mouse.move(x, box["y"] + (1 - start) * box["height"])
    mouse.down()
    mouse.move(x, box["y"] + (1 - (start + end) / 2) * box["height"])
    mouse.move(x, box["y"] + (1 - end) * box["height"])
    mouse.up()


LINES = "[...root.querySelectorAll('.etn-line[data-key]')].filter(line => !line.hidden)"


def test_a_brush_filters_every_view(open_notebook: OpenNotebook, shots: Path) -> None:
    notebook = show_sweep(open_notebook, "finished_sweep()")
    assert ask(notebook, f"{LINES}.length") == 13
    drag(notebook, "learning_rate", 0.5, 1.0)
    wait(notebook, "Number(root.dataset.passing) < 9")
    passing = int(ask(notebook, "root.dataset.passing"))
    wait(notebook, f"{LINES}.filter(line => !line.classList.contains('etn-confirms')).length === {passing}")
    expect(notebook.find("passing")).to_have_text(f"{passing} of 9 pass")
    notebook.screenshot(shots, "trials-brushed-light", "trial-browser")
    notebook.find("clear-filters").click()
    wait(notebook, "root.dataset.passing === '9'")


def test_a_brush_by_keyboard(open_notebook: OpenNotebook) -> None:
    notebook = show_sweep(open_notebook, "finished_sweep()")
    handle = notebook.find("brush-low-learning_rate")
    handle.focus()
    expect(handle).to_have_attribute("aria-valuetext", "anything")
    for _ in range(12):
        notebook.page.keyboard.press("ArrowUp")
    expect(handle).to_have_attribute("aria-valuetext", "1.6e-4")
    wait(notebook, "Number(root.dataset.passing) < 9")
    notebook.page.keyboard.press("Delete")
    wait(notebook, "root.dataset.passing === '9'")
    notebook.find("trial-table").focus()
    notebook.page.keyboard.press("End")
    notebook.page.keyboard.press("Enter")
    wait(notebook, "root.dataset.selected !== ''")
    notebook.page.keyboard.press("i")
    wait(notebook, "root.querySelector('[data-testid=caution]')", seconds=60)
    expect(notebook.find("caution")).to_contain_text("below 15")
    notebook.page.keyboard.press("Escape")
    wait(notebook, "root.dataset.selected === ''")


def test_a_click_selects_in_every_view_and_tells_plan_and_code(
    open_notebook: OpenNotebook, shots: Path
) -> None:
    notebook = show_sweep(open_notebook, "finished_sweep()")
    notebook.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    trial = notebook.page.locator(f"{CURRENT} .etn-line[data-key='0001']")
    trial.click()
    wait(notebook, "root.dataset.selected === '0001'")
    expect(trial).to_have_attribute("aria-selected", "true")
    expect(notebook.find("detail")).to_contain_text("#1")
    notebook.find("detail-panel").get_by_role("row", name="learning_rate").wait_for()
    notebook.find("tab-Plan").click()
    expect(notebook.find("detail-panel")).to_contain_text("searched")
    notebook.find("tab-Code").click()
    code = notebook.find("trial-code").inner_text()
    notebook.find("copy-code").click()
    notebook.page.wait_for_function(
        "async code => (await navigator.clipboard.readText()).trim() === code.trim()", arg=code
    )
    assert notebook.find("publish").is_disabled()
    assert "keep_trials" in notebook.find("publish").get_attribute("title")
    # a second trial joins from another view: the curves of both lie over each other
    history = notebook.find("history")
    history.focus()
    notebook.page.keyboard.press("Home")
    notebook.page.keyboard.press(" ")
    wait(notebook, "root.dataset.selected === '0001 0000'")
    wait(notebook, "root.querySelectorAll('[data-testid=curve-readout] .etn-swatch').length === 2")
    other = notebook.page.locator(f"{CURRENT} .etn-line[data-key='0000']")
    expect(other).to_have_attribute("aria-selected", "true")
    notebook.find("fold-slices").click()
    notebook.find("slice-learning_rate").wait_for()
    notebook.page.wait_for_timeout(300)
    notebook.screenshot(shots, "trials-selected-light", "trial-browser")
    assert notebook.console_errors == []


def test_the_table_sorts_searches_and_hides_states(open_notebook: OpenNotebook) -> None:
    notebook = show_sweep(open_notebook, "finished_sweep()")
    top = "getBoundingClientRect().top"
    first = f"{LINES}.sort((a, b) => a.{top} - b.{top})[0].dataset.key"
    notebook.page.locator(f"{CURRENT} [data-column='index']").click()
    wait(notebook, f"{first} === '0008'")
    notebook.page.locator(f"{CURRENT} [data-column='index']").click()
    wait(notebook, f"{first} === '0000'")
    notebook.find("chip-done").click()
    wait(notebook, "root.dataset.passing === '2'")
    # the chips were drawn anew, and the keyboard is still on the one that was clicked
    wait(notebook, "document.activeElement.dataset.testid === 'chip-done'")
    notebook.page.keyboard.press("Enter")
    wait(notebook, "root.dataset.passing === '9'")
    notebook.page.keyboard.press("/")
    notebook.page.keyboard.type("not a number")
    wait(notebook, "root.dataset.passing === '1'")
    notebook.page.keyboard.press("Escape")
    wait(notebook, "root.dataset.passing === '9'")


def test_a_sweep_is_live_while_a_cell_blocks_and_stop_and_more_trials_arrive(
    open_notebook: OpenNotebook, shots: Path
) -> None:
    blocking = """
sweep = MadeUpSweep(trial_count=40)
job = Job(sweep.folder)
added = []
Job.add_trials = lambda job, count: added.append(count)
display_job(job)
while not (sweep.folder.stop_flag.exists() and added):
    if len(sweep.trials()) < 30: sweep.trial()
    time.sleep(0.4)
print("ended by", "the clicks", added)
"""
    notebook = open_notebook([PREPARE, blocking])
    notebook.run_all()
    wait(notebook, f"{LINES}.length >= 3", seconds=60)
    assert notebook.cell(1).locator(".jp-InputPrompt").inner_text().strip() == "[*]:"
    notebook.screenshot(shots, "trials-running-light", "trial-browser")
    notebook.find("stop").click()
    notebook.find("add-trials").click()
    notebook.find("add-trials-field").fill("7")
    notebook.find("add-trials-go").click()
    notebook.wait_marker("ended by the clicks [7]", seconds=30)


def test_colours_of_both_themes_at_any_width(open_notebook: OpenNotebook, shots: Path) -> None:
    seen = {}
    for theme, width in (("light", 1400), ("dark", 1400), ("dark", 640)):
        notebook = show_sweep(open_notebook, "finished_sweep()", theme=theme, width=width)
        notebook.find("decided").wait_for()
        notebook.page.wait_for_timeout(500)
        seen[theme] = ask(notebook, "getComputedStyle(root).color")
        assert ask(notebook, "root.scrollWidth <= root.clientWidth + 1")
        notebook.screenshot(shots, f"trials-finished-{theme}-{width}", "trial-browser")
        assert notebook.console_errors == []
    assert seen["light"] != seen["dark"]


def test_a_kernel_that_was_restarted_is_told(open_notebook: OpenNotebook) -> None:
    notebook = show_sweep(open_notebook, "MadeUpSweep()\nsweep.trial()")
    wait(notebook, "'live' in root.dataset")
    assert not notebook.find("no-kernel").is_visible()
    notebook.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart().then(() => true)"
    )
    notebook.find("no-kernel").wait_for(timeout=60 * SECONDS)
    assert "et.Job.open(" in notebook.find("no-kernel").inner_text()
    notebook.find("stop").click()
    notebook.page.locator(f"{CURRENT} [data-testid=stop]:has-text('No kernel')").wait_for()
    assert not any("Cannot send" in text for text in notebook.console_errors)


REAL = """
import sys
sys.path.insert(0, {folder!r})
from small_runs import labelled_texts
import embedtune_nb as et
job = et.PretrainedEmbeddingModel({base!r}).finetune(
    "searched", labelled_texts(), value_column="text", trial_count=5, background=True,
    hyperparams={{"learning_rate": (1e-4, 1e-1), "batch_size": [16, 32], "epochs": 2}},
)
job
"""


@pytest.mark.jobs
def test_a_real_sweep_is_browsed_grown_published_and_trained_again(
    open_notebook: OpenNotebook, tiny_static: Path, shots: Path
) -> None:
    folder = str(TESTS / "jobs")
    notebook = open_notebook([REAL.format(folder=folder, base=str(tiny_static))])
    notebook.run()
    wait(notebook, f"{LINES}.filter(line => line.dataset.state === 'done').length >= 3", seconds=180)
    drag(notebook, "learning_rate", 0.4, 1.0)
    wait(notebook, "Number(root.dataset.passing) < root.querySelectorAll('.etn-line[data-key]').length")
    notebook.screenshot(shots, "sweep-real-brushed-light", "trial-browser")
    notebook.page.keyboard.press("Escape")
    wait(notebook, "root.dataset.state === 'done'", seconds=300)
    wait(notebook, f"{LINES}.filter(line => line.classList.contains('etn-confirms')).length === 4")
    notebook.find("decided").wait_for()
    notebook.screenshot(shots, "sweep-real-done-light", "trial-browser")

    # the best is looked at while none is selected, and its weights were kept
    wait(notebook, "!root.querySelector('[data-testid=publish]').disabled")
    for action, name in (("publish", "published-one"), ("train-again", "trained-one")):
        notebook.find(action).click()
        notebook.find(f"{action}-field").fill(name)
        notebook.find(f"{action}-go").click()
        wait(notebook, f"root.querySelector('[data-testid=told]').textContent.includes('{name}')", seconds=60)
        assert not ask(notebook, "root.querySelector('.etn-told-problem')")
    notebook.find("tab-Code").click()
    assert "learning_rate" in notebook.find("trial-code").inner_text()

    notebook.find("add-trials").click()
    notebook.find("add-trials-field").fill("2")
    notebook.find("add-trials-go").click()
    wait(notebook, "root.dataset.state === 'running'", seconds=60)
    wait(notebook, "root.querySelector('[data-testid=trials]').textContent === '7/7'", seconds=180)
    wait(notebook, "root.dataset.state === 'done'", seconds=180)
    assert notebook.console_errors == []


HOSTILE = "<img src=x onerror=window.hacked=1>"


def test_hostile_texts_stay_text(open_notebook: OpenNotebook) -> None:
    sweep = f"MadeUpSweep()\nsweep.trial('failed', reason={HOSTILE!r}, batch_size={HOSTILE!r})"
    notebook = show_sweep(open_notebook, sweep)
    notebook.page.locator(f"{CURRENT} .etn-line[data-key='0000']").click()
    wait(notebook, "root.textContent.includes('<img src=x')")
    assert notebook.page.evaluate("window.hacked") is None
    assert ask(notebook, "root.querySelectorAll('img').length") == 0


def test_without_a_kernel_the_trials_are_still_there(open_notebook: OpenNotebook, shots: Path) -> None:
    notebook = open_notebook([PREPARE, "sweep = finished_sweep()\njob = Job(sweep.folder)\njob"])
    notebook.run()
    wait(notebook, f"{LINES}.length === 13")
    notebook.page.locator(f"{CURRENT} .etn-static img").wait_for(state="attached")
    saved = notebook.save()
    bundles = [output.data for output in saved.cells[1].outputs if "data" in output]
    html = " ".join(str(bundle.get("text/html", "")) for bundle in bundles)
    assert "data:image/svg+xml" in html
    assert "pruned: below the median" in html
    notebook.lab.server.end_sessions()
    notebook.reload()
    notebook.page.wait_for_timeout(1000)
    text = notebook.cell(1).inner_text()
    assert "pruned" in text
    notebook.screenshot(shots, "trials-without-kernel")
