"""The studio's last step: what got worse, and the code for what is shown."""

from __future__ import annotations

import pytest
from made_up.job import ScriptedModel
from studio_hands import PATIENCE, control, pick

from embedtune_nb.widgets.regressions_table import RegressionsTable

pytestmark = pytest.mark.slow


class OpenedModel(ScriptedModel):
    def _repr_html_(self):
        return "<b>verdict</b>"


def ask_what_got_worse(studio, name):
    """Show the step Result with a model, and press the button."""
    step = studio._steps["result"]
    studio.step = "result"
    with studio._desk.lock:
        step.show(OpenedModel(name))
    control(studio, "What got worse").click()
    studio.wait(PATIENCE)
    return step


def test_the_result_shows_what_got_worse_and_the_code_for_it(studio_of, table):
    studio = pick(studio_of(table=table), "table")
    step = ask_what_got_worse(studio, "tuned")
    (shown,) = step._worse_place.children
    assert isinstance(shown, RegressionsTable) and len(shown.to_frame()) == 30
    assert studio.code.endswith("model = job.result()  # waits for the end\nmodel.regressions()")
    with studio._desk.lock:
        step._viewed("model.map()")
    assert studio.code.endswith("display(model.regressions())\nmodel.map()")
    step.show(OpenedModel("another"))
    assert step._worse_place.children == () and not control(studio, "What got worse").disabled


def test_what_cannot_be_told_is_said_and_may_be_asked_for_again(studio_of, table):
    studio = pick(studio_of(table=table), "table")
    step = ask_what_got_worse(studio, "lost")
    assert step._worse_place.children == () and not step._show_worse.disabled
    assert "no longer kept" in step._problem.value
    assert studio.code.endswith("model.verdict")
