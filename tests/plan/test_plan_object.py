import json

import pytest

from embedtune_nb.errors import PlanError
from embedtune_nb.plan import Plan

TRAP = "<img src=x onerror=alert(1)>&\"'"


@pytest.fixture
def plan(plan_for, labeled):
    return plan_for(labeled(), {"epochs": 2, "instruction": TRAP}, loss="contrastive")


def test_json_there_and_back(plan):
    text = json.dumps(plan.to_json(), allow_nan=False)
    again = Plan.from_json(text)
    assert again == plan
    assert again.to_json() == plan.to_json()
    assert again.recipe_fingerprint == plan.recipe_fingerprint
    assert Plan.from_json(json.loads(text)) == plan


def test_the_json_has_the_agreed_shape(plan):
    content = plan.to_json()
    assert (content["format"], content["kind"], content["name"], content["executor"]) == (
        1,
        "finetune",
        "toy",
        "process",
    )
    assert {"value", "source", "reason"} == set(content["settings"]["epochs"])
    assert {"kind", "name", "rows", "fingerprint", "roles", "dropped", "split"} <= set(content["data"])
    figures = {"seconds_low", "seconds_high", "peak_memory_bytes", "evaluation_share", "reason"}
    assert figures == set(content["estimate"])
    assert content["base"]["dimension"] == 16


def test_another_format_is_refused(plan):
    with pytest.raises(PlanError, match="format 99"):
        Plan.from_json({**plan.to_json(), "format": 99})


def test_a_plan_is_frozen(plan):
    with pytest.raises(AttributeError):
        plan.name = "other"
    with pytest.raises(TypeError):
        plan.settings["epochs"] = None
    with pytest.raises(AttributeError):
        plan.settings["epochs"].value = 5


def test_settings_by_name_with_a_hint(plan):
    assert plan["epochs"] == 2
    with pytest.raises(PlanError, match="Did you mean 'epochs'"):
        plan["epoch"]


def test_diff_names_what_changed_and_the_fingerprint_agrees(plan_for, labeled, write_base, plan):
    assert plan.diff(plan) == []
    other = plan_for(labeled(), {"epochs": 3, "instruction": TRAP}, loss="contrastive")
    assert ("epochs", 2, 3) in plan.diff(other)
    assert ("epochs", 3, 2) in other.diff(plan)
    assert plan.recipe_fingerprint != other.recipe_fingerprint
    more = plan_for(labeled(rows=210), {"epochs": 2, "instruction": TRAP}, loss="contrastive")
    assert "data" in [what for what, _, _ in plan.diff(more)]
    elsewhere = plan_for(
        labeled(), {"epochs": 2, "instruction": TRAP}, loss="contrastive", base=write_base(24)
    )
    assert "base model" in [what for what, _, _ in plan.diff(elsewhere)]


def test_a_denser_curve_is_the_same_recipe(plan_for, labeled):
    first, second = plan_for(labeled()), plan_for(labeled(), {"logging_steps": 5})
    assert first.recipe_fingerprint == second.recipe_fingerprint
    assert first.diff(second) == []


def test_the_frame_has_one_row_a_setting(plan):
    frame = plan.to_frame()
    assert list(frame.columns) == ["setting", "value", "source", "reason"]
    assert frame.set_index("setting").loc["epochs", "value"] == 2
    assert len(frame) == len(plan.settings)


def test_the_text_is_aligned_and_complete(plan):
    lines = repr(plan).splitlines()
    table = [line for line in lines if line.startswith("  ") and line.split()[0] in plan.settings]
    assert [line.split()[0] for line in table] and len(table) == len(plan.settings)
    epochs = next(line for line in table if line.split()[0] == "epochs")
    steps = next(line for line in table if line.split()[0] == "steps_total")
    assert epochs.index("user") == steps.index("inferred")


def test_the_html_shows_every_setting_and_runs_nothing(plan):
    html = plan._repr_html_()
    assert all(f"<td>{name}</td>" in html for name in plan.settings)
    assert "<img" not in html
    assert "&lt;img" in html
    assert "http" not in html.replace("https://github.com", "")
