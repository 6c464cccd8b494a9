"""The training monitor in a real JupyterLab: what appears, what arrives, what a click does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lab import CURRENT, SECONDS, NotebookPage
from playwright.sync_api import expect

TESTS = Path(__file__).resolve().parent.parent
PREPARE = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from made_up.job import ScriptedJob
from made_up.verdict import UNCLEAR
from embedtune_nb.widgets.monitor import TrainingMonitor
from embedtune_nb.widgets.watch import show, watch
"""
OpenNotebook = Callable[..., NotebookPage]


def show_job(open_notebook: OpenNotebook, job: str, **page: object) -> NotebookPage:
    """Open a notebook whose second cell shows a monitor of *job*; return when it stands in the page."""
    notebook = open_notebook([PREPARE, f"job = {job}\nmonitor = TrainingMonitor(job)\nmonitor"], **page)
    notebook.run()
    notebook.find("monitor").wait_for()
    return notebook


COUNT_PIXELS = """([panel, metric]) => {
    const canvas = document.querySelector(`${panel} [data-metric='${metric}'] canvas`);
    if (!canvas) return 0;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let drawn = 0;
    for (let alpha = 3; alpha < data.length; alpha += 4) drawn += data[alpha] > 0;
    return drawn;
}"""

COUNT_OF_COLOUR = """([panel, colour]) => {
    const canvas = document.querySelector(`${panel} [data-metric='train/loss'] canvas`);
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let found = 0;
    const near = (at) => colour.every((part, i) => Math.abs(data[at + i] - part) < 3);
    for (let at = 0; at < data.length; at += 4) found += near(at);
    return found;
}"""


def points(notebook: NotebookPage, metric: str = "train/loss") -> int:
    """How many pixels of the chart of *metric* are drawn."""
    return notebook.page.evaluate(COUNT_PIXELS, [CURRENT, metric])


def wait_text(notebook: NotebookPage, testid: str, text: str, seconds: float = 30) -> None:
    """Wait until the element *testid* contains *text*."""
    notebook.page.wait_for_function(
        "([panel, id, text]) => document.querySelector(`${panel} [data-testid='${id}']`)"
        "?.textContent.includes(text)",
        arg=[CURRENT, testid, text],
        timeout=seconds * SECONDS,
    )


def test_the_first_click_stops_a_job_while_its_cell_waits(open_notebook: OpenNotebook) -> None:
    blocking = "import time\nwatch(ScriptedJob(seconds=600))\nprint('cell ended by', 'the click')"
    notebook = open_notebook([PREPARE, blocking])
    notebook.run_all()
    notebook.find("stop").wait_for(timeout=60 * SECONDS)
    assert notebook.cell(1).locator(".jp-InputPrompt").inner_text().strip() == "[*]:"
    notebook.find("stop").click()
    notebook.wait_marker("cell ended by the click", seconds=30)
    wait_text(notebook, "state", "stopped")
    notebook.assert_no_traceback()


REAL = """
import embedtune_nb as et, pandas as pd
frame = pd.DataFrame({
    "anchor": [f"how do I call the function number {i}" for i in range(400)],
    "positive": [f"function_{i} is called with {i} arguments and returns a list" for i in range(400)],
})
data = et.Datasource.from_pandas(frame, kind="pairs")
"""


@pytest.mark.model
@pytest.mark.jobs
def test_the_first_click_stops_a_blocking_finetune(open_notebook: OpenNotebook) -> None:
    call = 'et.PretrainedEmbeddingModel.MINILM_L6.finetune("stop-me", data, hyperparams={"epochs": 50})'
    notebook = open_notebook([REAL, call])
    notebook.run_all()
    notebook.find("stop").wait_for(timeout=60 * SECONDS)
    notebook.find("stop").click()
    wait_text(notebook, "state", "stopped", seconds=120)
    notebook.wait_cells()
    assert "JobStoppedError" in notebook.cell(1).inner_text()


def test_curves_grow_while_a_cell_blocks_the_kernel(open_notebook: OpenNotebook) -> None:
    blocking = "import time\ndisplay(TrainingMonitor(ScriptedJob(seconds=30)))\ntime.sleep(25)"
    notebook = open_notebook([PREPARE, blocking])
    notebook.run_all()
    wait_text(notebook, "phase", "training")
    wait_text(notebook, "readout", "at step")
    before = notebook.find("readout").inner_text()
    notebook.page.wait_for_function(
        "([panel, before]) =>"
        " document.querySelector(`${panel} [data-testid='readout']`).textContent !== before",
        arg=[CURRENT, before],
    )
    assert notebook.cell(1).locator(".jp-InputPrompt").inner_text().strip() == "[*]:"


def test_a_curve_that_began_with_a_single_point_is_shown_to_its_end(open_notebook: OpenNotebook) -> None:
    notebook = show_job(open_notebook, "ScriptedJob(at=0.145)")
    figure = notebook.page.locator(f"{CURRENT} [data-metric='train/loss']")
    figure.get_by_text("at step 1", exact=False).wait_for()
    notebook.execute("job.at = 1")
    figure.get_by_text("at step 150", exact=False).wait_for()
    notebook.page.wait_for_function(
        "panel => document.querySelector(`${panel} [data-metric='train/loss']`).dataset.xTo === '150'",
        arg=CURRENT,
        timeout=5 * SECONDS,
    )


def test_the_loss_on_held_out_rows_is_drawn_in_the_chart_of_the_training_loss(
    open_notebook: OpenNotebook, shots: Path
) -> None:
    notebook = show_job(open_notebook, "ScriptedJob(at=0.2)")
    wait_text(notebook, "readout", "at step")
    assert notebook.page.evaluate(COUNT_OF_COLOUR, [CURRENT, [204, 121, 167]]) == 0
    notebook.execute("job.at = 1")
    wait_text(notebook, "beside", "eval/loss 0.7")
    assert notebook.page.evaluate(COUNT_OF_COLOUR, [CURRENT, [204, 121, 167]]) > 50
    shown = notebook.page.locator(f"{CURRENT} [data-metric]").evaluate_all(
        "charts => charts.map(chart => chart.dataset.metric)"
    )
    assert shown == ["train/loss", "eval/ndcg@10"]
    notebook.screenshot(shots, "monitor-held-out-light", "monitor")


def test_a_reloaded_page_shows_the_whole_curve(open_notebook: OpenNotebook) -> None:
    notebook = show_job(open_notebook, "ScriptedJob(at=0.6)")
    wait_text(notebook, "readout", "at step 97")
    drawn = points(notebook)
    notebook.save()
    notebook.reload()
    wait_text(notebook, "readout", "at step 97")
    notebook.page.wait_for_timeout(300)
    assert points(notebook) == pytest.approx(drawn, rel=0.02)
    notebook.find("stop").click()
    wait_text(notebook, "state", "stopped")


def test_a_finished_job_shows_its_verdict_in_colours_of_both_themes(
    open_notebook: OpenNotebook, shots: Path
) -> None:
    seen = {}
    for theme in ("light", "dark"):
        notebook = show_job(open_notebook, "ScriptedJob(at=1.0)", theme=theme)
        wait_text(notebook, "verdict", "0.521")
        verdict = notebook.find("verdict").inner_text()
        for words in ("Better", "NDCG@10", "0.597", "+0.076", "180 wins · 66 losses · 404 ties"):
            assert words in verdict
        assert not notebook.find("stop").is_visible()
        notebook.page.wait_for_timeout(500)
        assert points(notebook) > 500
        seen[theme] = notebook.find("monitor").evaluate(
            "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
        )
        notebook.screenshot(shots, f"monitor-finished-{theme}", "monitor")
        assert notebook.console_errors == []
    assert seen["light"] != seen["dark"]


def test_no_difference_comes_with_its_reason(open_notebook: OpenNotebook, shots: Path) -> None:
    notebook = show_job(open_notebook, "ScriptedJob(at=1.0, verdict=UNCLEAR)")
    wait_text(notebook, "explanation", "about 2,100 queries would be needed")
    verdict = notebook.find("verdict").inner_text()
    for words in ("No difference shown", "0.5214", "+0.0004", "[-0.0003, +0.0011]"):
        assert words in verdict
    notebook.screenshot(shots, "monitor-undecided-light", "monitor")


def test_the_python_of_a_finished_job_can_be_copied(open_notebook: OpenNotebook) -> None:
    notebook = show_job(open_notebook, "ScriptedJob(at=1.0)")
    wait_text(notebook, "python", "model.verdict")
    notebook.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for line in ("model.map()", 'model.save_report("api-docs.html")'):
        notebook.page.get_by_role("button", name=f"Copy {line}").click()
        notebook.page.wait_for_function(
            "async line => await navigator.clipboard.readText() === line", arg=line, timeout=5 * SECONDS
        )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_got_worse_unfolds_by_mouse_and_key(
    theme: str, open_notebook: OpenNotebook, shots: Path
) -> None:
    notebook = show_job(open_notebook, "ScriptedJob(at=1.0, advice='More training may help.')", theme=theme)
    notebook.find("verdict").wait_for()
    wait_text(notebook, "notices", "advice More training may help.")
    button = notebook.find("fold-Worse")
    assert button.inner_text().startswith("What got worse")
    notebook.find("fold-Plan").focus()
    notebook.page.keyboard.press("w")
    table = notebook.find("regressions")
    table.wait_for(timeout=60 * SECONDS)
    assert button.get_attribute("aria-expanded") == "true"
    assert table.locator("tbody .etn-reg-open").count() == 25
    table.get_by_role("searchbox").fill("text 27")
    assert table.locator(".etn-reg-open").all_inner_texts() == ["text 27"]
    table.get_by_role("searchbox").press("p")
    assert not notebook.find("plan").is_visible(), "letters in the search are no commands"
    notebook.screenshot(shots, f"monitor-worse-{theme}", "monitor")
    button.click()
    assert not table.is_visible()
    notebook.assert_no_traceback()


def test_what_got_worse_is_offered_only_where_something_did(open_notebook: OpenNotebook) -> None:
    notebook = show_job(open_notebook, "ScriptedJob(at=0.5)")
    wait_text(notebook, "phase", "training")
    assert not notebook.find("fold-Worse").is_visible()
    lost = show_job(open_notebook, "ScriptedJob(at=1.0, name='lost')")
    lost.find("fold-Worse").click()
    told = lost.find("monitor").get_by_text("no longer kept")
    told.wait_for(timeout=60 * SECONDS)


def test_a_failed_job_gives_reason_levers_and_log(open_notebook: OpenNotebook, shots: Path) -> None:
    notebook = show_job(open_notebook, "ScriptedJob(end='failed', at=0.5)")
    wait_text(notebook, "trouble", "Out of memory at step 63 of 150")
    wait_text(notebook, "trouble", 'hyperparams={"batch_size": 64}')
    wait_text(notebook, "trouble", "RuntimeError: out of memory")
    notebook.page.get_by_role("button", name="Show log").click()
    wait_text(notebook, "log", "12:00:49 step 49")
    notebook.screenshot(shots, "monitor-failed-light", "monitor")


def test_options_work_with_mouse_and_keys(open_notebook: OpenNotebook, shots: Path) -> None:
    notebook = show_job(open_notebook, "ScriptedJob(at=0.55)")
    wait_text(notebook, "readout", "at step")
    notebook.screenshot(shots, "monitor-running-light", "monitor")
    notebook.find("axis-epoch").click()
    wait_text(notebook, "readout", "at epoch 1.7")
    notebook.page.keyboard.press("x")
    wait_text(notebook, "readout", "at 1:2")
    notebook.page.keyboard.press("p")
    assert notebook.find("plan").is_visible()
    assert notebook.find("plan").get_by_role("row").count() == 10
    notebook.page.keyboard.press("c")
    assert "hyperparams={" in notebook.find("code").inner_text()
    notebook.page.keyboard.press("g")
    assert notebook.find("log-scale").get_attribute("aria-pressed") == "true"
    notebook.page.keyboard.press("l")
    wait_text(notebook, "log", "12:00:49 step 49")
    notebook.page.keyboard.press("m")
    box = notebook.find("shows-train/learning_rate")
    box.check()
    notebook.page.locator(f"{CURRENT} [data-metric='train/learning_rate']").wait_for()
    expect(box).to_be_focused()
    notebook.page.keyboard.press("Escape")
    chart = notebook.page.locator(f"{CURRENT} [data-metric='train/loss'] .etn-plot")
    chart.focus()
    notebook.page.keyboard.press("Home")
    wait_text(notebook, "readout", "lr ")
    assert notebook.cell(1).locator(".jp-InputPrompt").inner_text().strip() == "[2]:"


@pytest.mark.parametrize("width", [480, 700, 1600])
def test_nothing_scrolls_sideways(width: int, open_notebook: OpenNotebook, shots: Path) -> None:
    notebook = show_job(open_notebook, "ScriptedJob(at=0.55)", width=width + 150)
    notebook.find("monitor").evaluate("(e, width) => { e.style.width = `${width}px`; }", width)
    notebook.find("fold-Plan").click()
    notebook.page.wait_for_timeout(400)
    overflow = notebook.find("monitor").evaluate(
        "root => [...root.querySelectorAll('*')].filter(e => !e.closest('svg, .etn-hidden, .etn-fold'))"
        ".filter(e => e.getBoundingClientRect().right > root.getBoundingClientRect().right + 1)"
        ".map(e => e.className)"
    )
    assert overflow == []
    notebook.screenshot(shots, f"monitor-{width}", "monitor")


def test_markup_in_names_stays_text(open_notebook: OpenNotebook) -> None:
    notebook = show_job(
        open_notebook, "ScriptedJob(at=0.5, name='<img src=x onerror=\"document.title=1\"><b>bold</b>')"
    )
    wait_text(notebook, "name", "<b>bold</b>")
    assert notebook.find("monitor").locator("img").count() == 0
    assert notebook.page.title() != "1"


def test_the_height_is_reserved_before_the_first_value(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([PREPARE, "job = ScriptedJob(at=0.01)", "TrainingMonitor(job)", "job.at = 0.5"])
    notebook.page.evaluate("() => undefined")
    notebook.run()
    heights = notebook.find("monitor")
    wait_text(notebook, "phase", "training")
    after = heights.bounding_box()["height"]
    fresh = show_job(open_notebook, "ScriptedJob(at=0.01)")
    wait_text(fresh, "phase", "starting: loading model")
    before = fresh.find("monitor").bounding_box()["height"]
    assert abs(after - before) <= 30  # the notice is one line more


def test_an_evaluation_shows_what_it_found_and_no_curves(
    open_notebook: OpenNotebook, tiny_static: Path, topic_rows: list[dict[str, str]]
) -> None:
    prepare = f"import embedtune_nb as et\nbase = et.PretrainedEmbeddingModel({str(tiny_static)!r})"
    score = f"job = base.evaluate({topic_rows!r}, background=True).wait()\njob"
    notebook = open_notebook([prepare, score])
    notebook.run()
    monitor = notebook.find("monitor")
    monitor.get_by_text("Accuracy").wait_for()
    assert monitor.locator(".etn-charts").is_hidden() and monitor.get_by_text("smoothing").is_hidden()
    assert notebook.console_errors == []


def test_a_watched_job_leaves_its_story_in_the_saved_notebook(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([PREPARE, "watch(ScriptedJob(seconds=3))"])
    notebook.run()
    wait_text(notebook, "verdict", "Better")
    outputs = notebook.save().cells[1].outputs
    widget, twin = outputs[0].data, outputs[1].data
    assert "application/vnd.jupyter.widget-view+json" in widget
    assert "Better: NDCG@10 0.521 -&gt; 0.597" in twin["text/html"]
    assert "data:image/svg+xml;base64," in twin["text/html"]
    # beside the living monitor the twin would be a repetition
    assert not notebook.cell(1).locator(".etn-static").is_visible()
