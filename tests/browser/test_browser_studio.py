"""The studio in a real JupyterLab: from a table to a verdict by clicks alone."""

from __future__ import annotations

import re

import pytest

STEPS = ("data", "model", "plan", "watch", "result")
STUDIO = ".etn-studio"
NAME = "Name of the new model"
STEP = "document.querySelector('[data-testid=step-watch]').innerText.match(/step ([\\d,]+) of/)"


def cells(rows):
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
    """Click a step in the rail; return when it alone is shown."""
    notebook.find(f"step-{step}").click()
    notebook.page.wait_for_function(
        "([root, step]) => { const title = document.querySelector(`${step}[aria-current] .etn-step-title`);"
        " const shown = [...document.querySelectorAll(`${root} h3`)].filter(e => e.getClientRects().length);"
        " return title && shown.length === 1 && shown[0].textContent === title.textContent; }",
        arg=[STUDIO, f"[data-testid='step-{step}']"],
    )


def field(notebook, label):
    return notebook.page.locator(f"{STUDIO} .etn-field", has_text=re.compile(f"^{label}")).locator(
        "input, select"
    )


def enter(notebook, label, text):
    entry = field(notebook, label)
    entry.fill(text)
    entry.press("Enter")


def press(notebook, button):
    notebook.page.locator(STUDIO).get_by_role("button", name=button, exact=True).click()


def pick_questions(notebook):
    field(notebook, "Data").first.select_option(label="questions (96 rows, 2 columns)")
    wait_mark(notebook, "data", "done")


def use_folder(notebook, folder):
    go(notebook, "model")
    notebook.page.get_by_role("radio", name="Another model").check()
    enter(notebook, "Hub id or folder", str(folder))


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
    enter(notebook, "epochs", "many")
    studio.locator(".etn-wrong .etn-say-error").wait_for()
    assert "a whole number from 1" in studio.locator(".etn-wrong").inner_text()
    shot("2-model-wrong")
    enter(notebook, "epochs", "2")
    batch_size = field(notebook, "batch_size")
    batch_size.fill("16")
    wait_mark(notebook, "plan", "done")
    batch_size.press("Enter")  # a plan has arrived while that was being typed
    studio.locator("[data-testid='code-text']", has_text='"batch_size": 16').wait_for()
    wait_mark(notebook, "plan", "done")
    shot("2-model")

    go(notebook, "plan")
    studio.locator(".etn-plan").wait_for()
    assert field(notebook, NAME).input_value() == "questions"
    enter(notebook, NAME, f"topics-{theme}")
    studio.locator(".etn-plan .h b", has_text=f"topics-{theme}").wait_for()
    shot("3-plan")
    code = notebook.find("code-text").inner_text()
    assert f'finetune(\n    "topics-{theme}"' in code and '"epochs": 2' in code

    notebook.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    notebook.find("code-copy").click()
    studio.get_by_role("button", name="Copied").wait_for()
    assert notebook.page.evaluate("navigator.clipboard.readText()") == code

    press(notebook, "Train")
    notebook.find("monitor").wait_for(timeout=60_000)
    shot("4-watch")
    wait_mark(notebook, "result", "done", seconds=240)
    shot("4-watch-done")
    go(notebook, "data")
    assert field(notebook, "label").locator("option:checked").inner_text() == "topic"

    go(notebook, "result")
    press(notebook, "Show map")
    studio.locator("[data-testid='code-text']", has_text="model.map()").wait_for(timeout=240_000)
    press(notebook, "What got worse")
    notebook.find("regressions").wait_for(timeout=60_000)
    studio.locator("[data-testid='code-text']", has_text="model.regressions()").wait_for()
    notebook.page.wait_for_timeout(800)
    shot("5-result")
    notebook.assert_no_traceback()
    assert notebook.console_errors == []


def choose_a_long_run(notebook, folder):
    """Choose a run that ends with a click only; return when what stands under its name is known."""
    pick_questions(notebook)
    use_folder(notebook, folder)
    enter(notebook, "epochs", "20000")
    enter(notebook, "early_stopping", "false")
    wait_mark(notebook, "plan", "done")
    go(notebook, "plan")
    enter(notebook, NAME, "long-run")


def wait_beyond(notebook, step):
    """Wait until the rail tells of a later step; return which."""
    told = f"Number({STEP}?.[1].replaceAll(',', ''))"
    notebook.page.wait_for_function(f"{told} > {step}", timeout=90_000)
    return notebook.page.evaluate(told)


def stop(notebook):
    notebook.find("stop").click()
    wait_mark(notebook, "watch", "attention")
    notebook.page.locator("[data-testid='step-watch']", has_text="long-run: stopped").wait_for()


@pytest.mark.jobs
def test_a_running_job_outlives_the_kernel_and_a_stopped_one_is_carried_on(
    open_notebook, shots, topic_rows, tiny_bert
):
    notebook = open_notebook(cells(topic_rows), height=1500)
    notebook.run()
    choose_a_long_run(notebook, tiny_bert)
    press(notebook, "Train")
    reached = wait_beyond(notebook, 0)

    notebook.restart_kernel()
    notebook.page.wait_for_function(
        "root => getComputedStyle(document.querySelector(root), '::before')"
        ".content.includes('run the cell again')",
        arg=STUDIO,
    )
    notebook.page.locator(STUDIO).screenshot(path=shots / "studio-kernel-gone.png")
    notebook.run()
    choose_a_long_run(notebook, tiny_bert)
    press(notebook, "Attach to the running job")
    reached = wait_beyond(notebook, reached)
    notebook.page.locator(STUDIO).screenshot(path=shots / "studio-attached.png")
    stop(notebook)
    press(notebook, "Carry on")
    reached = wait_beyond(notebook, reached)
    stop(notebook)
    go(notebook, "plan")
    press(notebook, "Carry on")
    wait_beyond(notebook, reached)
    stop(notebook)
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
