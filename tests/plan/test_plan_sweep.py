"""The plan of a sweep: how it is carried out, what it says, and that it survives JSON."""

import json
import sys

import pytest

from embedtune_nb.errors import PlanError
from embedtune_nb.plan import Plan, machine, sweep_settings
from embedtune_nb.plan.resolve import resolve


@pytest.fixture
def sweep(plan_for):
    def plan(data, hyperparams=None, trial_count=9, **options):
        return plan_for(data, hyperparams, trial_count=trial_count, **options)

    return plan


RATES = {"learning_rate": (1e-5, 1e-3)}


def test_all_trials_have_a_part_that_selects_and_evaluations_on_the_way(base, labeled, pairs):
    for data in (labeled(), pairs()):
        plan, parts = resolve(base, data, name="toy", trial_count=5)
        assert plan.kind == "sweep"
        assert len(parts.selection) > 0
        assert isinstance(plan["eval_steps"], int)
        assert 2 <= plan["steps_total"] / plan["eval_steps"] <= 10
        assert "equal parts of the trial" in plan.settings["eval_steps"].reason


def test_the_defaults_of_a_sweep(sweep, labeled):
    plan = sweep(labeled(rows=900), loss="prediction")
    assert plan["eval_method"] == "neighbor"  # which trials of every loss can be compared by
    assert (plan["epochs"], plan["early_stopping"]) == (2, 0)
    assert sweep(labeled(), {"early_stopping": True, **RATES})["epochs"] == 3
    assert sweep(labeled(), {"adapter": "linear", **RATES})["epochs"] == 20
    assert (plan["confirm"], plan["keep_trials"]) == (True, 2)
    assert plan["sampler"] == "gp"


@pytest.mark.parametrize(("trials", "startup"), [(2, 2), (6, 2), (9, 3), (12, 4), (40, 4)])
def test_the_sampler_starts_early(sweep, labeled, trials, startup):
    assert sweep(labeled(), RATES, trial_count=trials)["sampler_startup"] == startup


def test_pruning_where_it_pays(sweep, labeled):
    looks = {**RATES, "eval_steps": 3}
    assert sweep(labeled(), looks, trial_count=6)["pruning"] is True
    few = sweep(labeled(), looks, trial_count=5)
    assert few["pruning"] is False
    assert "5 trials are too few" in few.settings["pruning"].reason
    rare = sweep(labeled(), {**RATES, "eval_steps": 500}, trial_count=20)
    assert rare["pruning"] is False
    assert "evaluated once" in rare.settings["pruning"].reason


def test_what_was_asked_of_the_sweep_stands_in_the_plan(sweep, labeled):
    plan = sweep(labeled(), {**RATES, "confirm": False, "keep_trials": 5, "trial_workers": 2})
    assert (plan["confirm"], plan["keep_trials"], plan["trial_workers"]) == (False, 5, 2)
    assert {plan.settings[key].source for key in ("confirm", "keep_trials", "trial_workers")} == {"user"}
    confirmed = sweep(labeled(), RATES, seed=7)
    assert "seeds 8 and 9" in confirmed.settings["confirm"].reason


@pytest.mark.parametrize(
    ("cores", "gpus", "trials", "workers"),
    [(2, 0, 9, 1), (8, 0, 9, 2), (64, 0, 9, 3), (4, 2, 9, 2), (4, 8, 6, 2)],
)
def test_workers_follow_cores_and_gpus(monkeypatch, sweep, labeled, cores, gpus, trials, workers):
    monkeypatch.setattr(sweep_settings, "usable_cores", lambda: cores)
    monkeypatch.setattr(sweep_settings, "visible_gpus", lambda: gpus)
    plan = sweep(labeled(), RATES, trial_count=trials)
    assert plan["trial_workers"] == workers
    assert ("GPU" if gpus else "cores") in plan.settings["trial_workers"].reason


@pytest.mark.parametrize(("named", "gpus"), [("0,1,2", 3), ("1", 1), ("", 0), ("-1", 0)])
def test_gpus_are_those_that_a_worker_may_use(monkeypatch, named, gpus):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert machine.visible_gpus() == gpus


def test_an_accelerator_that_cannot_be_counted_is_one(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(machine, "_accelerator", lambda: "mps")
    assert machine.visible_gpus() >= 1


def test_no_more_trials_at_once_than_memory_holds(monkeypatch, sweep, labeled):
    small = machine.Machine(flops=1e11, bf16=False, accelerator="", memory_bytes=2_000_000_000)
    monkeypatch.setattr(sys.modules["embedtune_nb.plan.sweep"], "this_machine", lambda: small)
    monkeypatch.setattr(sweep_settings, "usable_cores", lambda: 64)
    plan = sweep(labeled(), RATES, trial_count=30)
    assert plan["trial_workers"] == 2
    assert "memory holds about 2" in plan.settings["trial_workers"].reason
    asked = sweep(labeled(), {**RATES, "trial_workers": 8}, trial_count=30)
    assert asked["trial_workers"] == 8
    assert "memory holds about 2" in asked.settings["trial_workers"].reason


def test_a_thread_carries_out_one_trial_at_a_time(sweep, labeled):
    assert sweep(labeled(), RATES, executor="thread")["trial_workers"] == 1
    with pytest.raises(PlanError, match="needs processes"):
        sweep(labeled(), {**RATES, "trial_workers": 2}, executor="thread")


def test_more_workers_than_trials_are_not_started(sweep, labeled):
    plan = sweep(labeled(), {**RATES, "trial_workers": 8}, trial_count=3)
    assert plan["trial_workers"] == 3
    assert "you asked for 8" in plan.settings["trial_workers"].reason


def test_the_budget_rule_is_told_and_nine_trials_are_not_praised(sweep, labeled):
    few = sweep(labeled(), {**RATES, "epochs": (1, 3), "weight_decay": (0, 0.1)}, trial_count=4)
    assert "2n + 1 = 7" in few.settings["trial_count"].reason
    assert any("2n + 1 = 7 is the rule" in sentence for sentence in few.advice)
    nine = sweep(labeled(), RATES)
    assert any("as good as random search" in sentence for sentence in nine.advice)
    assert not any("is the rule" in sentence for sentence in nine.advice)
    assert not any("random search" in sentence for sentence in sweep(labeled(), RATES, trial_count=20).advice)


def test_fixed_keys_without_effect_in_some_trials_are_told(sweep, labeled):
    plan = sweep(labeled(), {"loss_scale": 30.0, **RATES}, loss=["prediction", "contrastive"])
    assert any(
        "loss_scale has an effect only with loss='contrastive'" in sentence for sentence in plan.advice
    )


def test_the_estimate_counts_trials_and_confirming_runs(sweep, labeled):
    estimates = {
        name: sweep(labeled(rows=400), {**RATES, **more}, trial_count=trials).estimate
        for name, trials, more in (
            ("few", 5, {"confirm": False}),
            ("many", 20, {"confirm": False}),
            ("confirmed", 5, {}),
        )
    }
    few, many, confirmed = estimates["few"], estimates["many"], estimates["confirmed"]
    assert few["seconds_low"] < few["seconds_high"]
    added = many["seconds_high"] - few["seconds_high"]
    assert added == pytest.approx(15 * few["trial_seconds_high"], rel=0.1)
    assert confirmed["seconds_high"] - few["seconds_high"] == pytest.approx(
        4 * few["trial_seconds_high"], rel=0.1
    )
    assert confirmed["reason"].startswith("5 trials and 4 runs that confirm the best 2; ")


def test_a_frozen_base_reads_the_texts_once_for_all_trials(sweep, labeled):
    adapter = {**RATES, "adapter": "linear", "confirm": False}
    few, many = (sweep(labeled(rows=600), adapter, trial_count=count).estimate for count in (3, 30))
    whole = sweep(labeled(rows=600), {**RATES, "epochs": 20, "confirm": False}, trial_count=3).estimate
    assert few["trial_seconds_low"] < whole["trial_seconds_low"]
    assert many["seconds_low"] - few["seconds_low"] == pytest.approx(27 * few["trial_seconds_low"], rel=0.3)


def test_longer_trials_are_expected_to_take_longer(sweep, labeled):
    short = sweep(labeled(rows=400), {**RATES, "epochs": (1, 2)}).estimate
    long = sweep(labeled(rows=400), {**RATES, "epochs": (2000, 4000)}).estimate
    assert long["trial_seconds_high"] > 5 * short["trial_seconds_high"]


def test_settings_that_follow_the_search_say_so(sweep, labeled):
    plan = sweep(labeled(), {"batch_size": [16, 32]})
    assert "that of the first trial" in plan.settings["steps_total"].reason
    assert "that of the first trial" not in plan.settings["weight_decay"].reason


def test_json_there_and_back(sweep, labeled):
    plan = sweep(
        labeled(), {**RATES, "loss_scale": (10, 20), "weight_decay": 0.1}, loss=["prediction", "contrastive"]
    )
    again = Plan.from_json(json.dumps(plan.to_json(), allow_nan=False))
    assert again == plan
    assert again.space == plan.space
    assert again.recipe_fingerprint == plan.recipe_fingerprint


def test_plans_differ_exactly_if_space_or_settings_do(sweep, labeled):
    plan = sweep(labeled(), {"learning_rate": (1e-5, 1e-3)})
    assert plan.diff(sweep(labeled(), {"learning_rate": (1e-5, 1e-3)})) == []
    wider = sweep(labeled(), {"learning_rate": (1e-5, 2e-3)})
    assert plan.diff(wider) == [
        ("searched learning_rate", "1e-05 to 0.001, by ratios", "1e-05 to 0.002, by ratios")
    ]
    assert plan.recipe_fingerprint != wider.recipe_fingerprint
    elsewhere = sweep(labeled(), {"learning_rate": (1e-5, 1e-3), "trial_workers": 2, "keep_trials": 4})
    assert plan.diff(elsewhere) == []  # neither changes the model
    more = sweep(labeled(), {"learning_rate": (1e-5, 1e-3)}, trial_count=12)
    assert "trial_count" in [what for what, _, _ in plan.diff(more)]


def test_the_code_repeats_the_sweep(sweep, labeled, plan_for):
    hyperparams = {**RATES, "batch_size": [16, 32], "weight_decay": 0.1, "confirm": False}
    plan = sweep(labeled(), hyperparams, loss=["prediction", "proxy"])
    assert 'loss=["prediction", "proxy"],' in plan.code
    assert "trial_count=9," in plan.code
    calls = {}

    class Model:
        def __init__(self, path):
            self.path = path

        def finetune(self, name, data, **options):
            calls.update(options)

    class Package:
        PretrainedEmbeddingModel = Model

    exec(plan.code.replace("import embedtune_nb as et", ""), {"et": Package, "data": None})
    assert calls["hyperparams"] == hyperparams
    again = plan_for(labeled(), calls["hyperparams"], trial_count=calls["trial_count"], loss=calls["loss"])
    assert again.diff(plan) == []


def test_text_and_html_show_the_space(sweep, labeled):
    trap = "<img src=x>"
    plan = sweep(labeled(), {**RATES, "instruction": [None, trap], "loss_scale": (8, 30)}, loss="contrastive")
    text, html = repr(plan), plan._repr_html_()
    assert text.startswith("Plan of the sweep 'toy'")
    row = next(line for line in text.splitlines() if line.strip().startswith("learning_rate"))
    assert "1e-05 to 0.001, by ratios" in row and "5e-05" in row
    assert "9 trials" in text.splitlines()[1]
    for name in plan.settings:
        assert name in text
        assert f"<td>{name}</td>" in html
    assert "1e-05 to 0.001" in html
    assert "<img" not in html


def test_single_runs_have_no_space(plan_for, labeled):
    plan = plan_for(labeled())
    assert (plan.kind, plan.space, dict(plan.asked)) == ("finetune", (), {})
    assert "Searched" not in repr(plan)


def test_a_memoryset_is_swept_like_any_data(base, labeled):
    data = labeled()

    class Memoryset:
        instruction = None

        def to_datasource(self):
            return data

    plan, _ = resolve(base, Memoryset(), name="toy", hyperparams=RATES, trial_count=3)
    assert [axis.name for axis in plan.space] == ["learning_rate"]
