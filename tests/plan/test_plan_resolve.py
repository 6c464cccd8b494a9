import re
import subprocess
import sys

import pytest

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import DataError, EmbedtuneError, LossError, NameRefusedError, NotYetError, PlanError
from embedtune_nb.plan.resolve import resolve


def source(plan, name):
    return plan.settings[name].source


def test_every_setting_has_a_value_a_source_and_a_reason(plan_for, labeled, pairs):
    for data in (labeled(), pairs()):
        for name, setting in plan_for(data).settings.items():
            assert setting.source in ("user", "default", "inferred"), name
            assert setting.reason, name


def test_the_defaults_of_prediction(plan_for, labeled):
    plan = plan_for(labeled(rows=2000))
    expected = {
        "loss": "prediction",
        "epochs": 3,
        "early_stopping": 2,
        "eval_method": "head",
        "batch_size": 64,
        "learning_rate": 5e-5,
        "learning_rate_scheduler": "linear",
        "truncation_side": "right",
        "weight_decay": 0.0,
        "metric": "accuracy",
        "seed": 42,
    }
    assert {name: plan[name] for name in expected} == expected


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["labeled", "pairs"])
def test_the_defaults_of_contrastive(plan_for, labeled, pairs, kind):
    plan = plan_for(labeled(rows=9000) if kind == "labeled" else pairs(rows=9000), loss="contrastive")
    expected = {
        "epochs": 1,
        "early_stopping": 0,
        "eval_method": "neighbor" if kind == "labeled" else "retrieval",
        "eval_steps": "end",
        "batch_size": 128,
        "loss_scale": 20.0,
        "metric": "accuracy" if kind == "labeled" else "ndcg@10",
    }
    assert {name: plan[name] for name in expected} == expected


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "batch", "steps"), [(9000, 128, 53), (4000, 64, 50), (400, 32, 10)])
def test_a_short_run_has_a_smaller_batch_and_says_so(plan_for, pairs, rows, batch, steps):
    plan = plan_for(pairs(rows=rows), {"eval_steps": "end"})
    assert plan["batch_size"] == batch
    assert plan["steps_total"] >= steps
    if batch < 128:
        assert re.search(
            f"the usual 128 would make a run of .* {batch} makes it", plan.settings["batch_size"].reason
        )


def test_a_batch_that_was_asked_for_stays(plan_for, pairs):
    assert plan_for(pairs(rows=400), {"batch_size": 128})["batch_size"] == 128
    assert plan_for(pairs(rows=400), {"max_steps": 3})["batch_size"] == 128


def test_early_stopping_brings_three_epochs_and_evaluations_during_training(plan_for, pairs):
    plan = plan_for(pairs(), {"early_stopping": True})
    assert (plan["early_stopping"], plan["epochs"], plan["eval_steps"]) == (2, 3, "epoch")
    assert plan_for(pairs(), {"early_stopping": 5, "epochs": 7})["epochs"] == 7


def test_a_fast_method_stops_early_by_itself_and_can_be_told_not_to(plan_for, pairs, labeled):
    assert plan_for(pairs(), {"eval_method": "loss"})["early_stopping"] == 2
    off = plan_for(labeled(), {"early_stopping": False})
    assert (off["early_stopping"], off["epochs"]) == (0, 1)


def test_the_user_wins_and_is_named(plan_for, labeled):
    plan = plan_for(labeled(), {"learning_rate": 1e-4, "epochs": 2, "weight_decay": 0.1}, loss="contrastive")
    assert (plan["learning_rate"], plan["epochs"], plan["weight_decay"]) == (1e-4, 2, 0.1)
    assert {source(plan, name) for name in ("learning_rate", "epochs", "weight_decay", "loss")} == {"user"}
    assert source(plan, "learning_rate_scheduler") == "default"
    assert source(plan, "steps_total") == "inferred"


@pytest.mark.parametrize(
    ("eval_steps", "selects"), [("end", False), ("off", False), ("epoch", True), (5, True)]
)
def test_a_selection_part_is_held_out_only_if_something_selects(base, labeled, eval_steps, selects):
    _, parts = resolve(base, labeled(), name="toy", hyperparams={"eval_steps": eval_steps})
    assert (parts.selection is not None) == selects


def test_steps_are_counted_from_the_training_part(base, labeled):
    plan, parts = resolve(base, labeled(rows=500), name="toy", hyperparams={"batch_size": 32, "epochs": 2})
    assert plan["steps_per_epoch"] == -(-len(parts.train) // 32)
    assert plan["steps_total"] == 2 * plan["steps_per_epoch"]


def test_max_steps_beats_epochs_and_says_so(plan_for, labeled):
    plan = plan_for(labeled(rows=500), {"max_steps": 7, "epochs": 40, "batch_size": 32})
    assert plan["steps_total"] == 7
    assert plan["epochs"] == 1
    assert "40" in plan.settings["epochs"].reason


@pytest.mark.parametrize(("warmup", "steps"), [(0.1, 3), (0.25, 9), (5, 5), (0.0, 0), (0, 0), (1.0, 39)])
def test_warmup_becomes_whole_steps_rounded_down(plan_for, labeled, warmup, steps):
    assert plan_for(labeled(), {"max_steps": 39, "warmup": warmup})["warmup"] == steps


def test_warmup_defaults_to_a_tenth_and_no_rounding_error_steals_a_step(plan_for, labeled):
    assert plan_for(labeled(), {"max_steps": 39})["warmup"] == 3
    assert plan_for(labeled(), {"max_steps": 100, "warmup": 0.29})["warmup"] == 29


def test_a_batch_larger_than_the_data_is_reduced_in_the_open(base, pairs):
    plan, parts = resolve(base, pairs(rows=40), name="toy", hyperparams={"batch_size": 256})
    assert plan["batch_size"] == len(parts.train)
    assert source(plan, "batch_size") == "inferred"
    assert "256" in plan.settings["batch_size"].reason


def test_evaluations_are_not_rarer_than_epochs(plan_for, labeled):
    short = plan_for(labeled(rows=300))
    assert short["steps_per_epoch"] < 50
    assert short["eval_steps"] == "epoch"
    assert plan_for(labeled(rows=600), {"batch_size": 4})["eval_steps"] == 50


@pytest.mark.parametrize("max_steps", [1, 39, 500, 20_000])
def test_a_loss_curve_has_at_least_fifty_points_or_every_step(plan_for, labeled, max_steps):
    points = max_steps // plan_for(labeled(), {"max_steps": max_steps})["logging_steps"]
    assert points >= min(50, max_steps)


@pytest.mark.parametrize(
    ("hyperparams", "named"),
    [
        ({"eval_method": "retrieval"}, "eval_method"),
        ({"early_stopping": True, "eval_steps": "end"}, "early_stopping"),
        ({"epoch": 2}, "epochs"),
    ],
)
def test_settings_that_contradict_the_data_or_each_other_are_refused(plan_for, labeled, hyperparams, named):
    with pytest.raises(PlanError, match=named):
        plan_for(labeled(), hyperparams)


def test_eval_method_neighbor_needs_labels(plan_for, pairs):
    with pytest.raises(PlanError, match="'retrieval'"):
        plan_for(pairs(), {"eval_method": "neighbor"})
    with pytest.raises(PlanError, match="nothing to vote on"):
        plan_for(pairs(), {"neighbor_count": 3})


@pytest.mark.parametrize(
    ("options", "error", "named"),
    [
        ({"name": "../x"}, NameRefusedError, "name"),
        ({"loss": "contrastve"}, LossError, "contrastive"),
        ({"loss": "cosent"}, LossError, "does not fit labeled data"),
        ({"trial_count": 0}, PlanError, "trial_count is 0"),
        ({"executor": "tread"}, PlanError, "thread"),
        ({"executor": "torchrun"}, NotYetError, "torchrun"),
        ({"seed": -1}, PlanError, "seed"),
        ({"hyperparams": {"batch_size": [32, 64]}}, PlanError, "range"),
        ({"loss": ["prediction", "contrastive"]}, PlanError, "list to search"),
    ],
)
def test_what_would_fail_later_is_refused_now(base, labeled, options, error, named):
    with pytest.raises(error, match=named):
        resolve(base, labeled(), **{"name": "toy", **options})


def test_evaluation_data_of_another_kind_is_refused(base, labeled, pairs):
    with pytest.raises(DataError, match="'pairs'"):
        resolve(base, labeled(), name="toy", eval_datasource=pairs())


def test_a_frame_that_is_no_datasource_is_told_how_to_become_one(base, labeled):
    with pytest.raises(DataError, match="from_pandas"):
        resolve(base, labeled().to_pandas(), name="toy")


def test_one_class_and_too_few_rows_are_refused(base, labeled, pairs):
    with pytest.raises(EmbedtuneError, match="class"):
        resolve(base, labeled(rows=40, classes=1), name="toy")
    with pytest.raises(EmbedtuneError, match="too few"):
        resolve(base, pairs(rows=2), name="toy")


def test_contrastive_without_two_texts_of_a_class_is_refused(base, labeled):
    held_out = Datasource.from_list(
        [{"text": f"held out {row}", "label": f"class {row}"} for row in range(30)]
    )
    with pytest.raises(PlanError, match="all 30 have one"):
        resolve(base, labeled(30, 30), name="toy", loss="contrastive", eval_datasource=held_out)


def test_given_evaluation_data_leaves_all_rows_to_training(base, pairs):
    own = Datasource.from_list(
        [{"anchor": f"e{i} x", "positive": f"f{i} y"} for i in range(20)], kind="pairs"
    )
    plan, parts = resolve(base, pairs(rows=60), name="toy", eval_datasource=own)
    assert len(parts.train) == 60
    assert "eval_data" in plan.code


def test_advice_names_small_data_and_never_stops(plan_for, labeled):
    assert any("training rows" in sentence for sentence in plan_for(labeled(rows=60)).advice)
    assert not any("training rows:" in sentence for sentence in plan_for(labeled(rows=600)).advice)


def test_advice_on_instructions_and_long_warmup(plan_for, pairs):
    plan = plan_for(pairs(), {"instruction": "Find:", "warmup": 50, "max_steps": 10})
    assert any("instruction" in sentence for sentence in plan.advice)
    assert any("warmup" in sentence for sentence in plan.advice)


def test_the_code_repeats_the_call(plan_for, labeled):
    plan = plan_for(labeled(), {"epochs": 2, "instruction": 'say "# hello"'}, loss="contrastive", seed=7)
    calls = {}

    class Model:
        def __init__(self, path):
            calls["base"] = path

        def finetune(self, *args, **options):
            calls.update(options, name=args[0])

    cell = plan.code.replace("import embedtune_nb as et", "").replace("et.PretrainedEmbeddingModel", "Model")
    exec(cell, {"Model": Model, "data": None})
    assert calls["base"] == plan.base["path"]
    assert calls["name"] == "toy"
    assert calls["hyperparams"] == {"epochs": 2, "instruction": 'say "# hello"'}
    assert (calls["loss"], calls["seed"]) == ("contrastive", 7)


def test_a_plan_is_the_same_every_time(plan_for, labeled):
    first, second = plan_for(labeled()), plan_for(labeled())
    assert first.recipe_fingerprint == second.recipe_fingerprint
    assert first.diff(second) == []


@pytest.mark.slow
def test_resolving_loads_no_torch(base):
    script = f"""
import sys
from embedtune_nb.catalogue import resolve_base
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.plan.resolve import resolve
rows = [{{"text": f"text number {{i}}", "label": f"class {{i % 4}}"}} for i in range(100)]
plan, _ = resolve(resolve_base({base.path!r}), Datasource.from_list(rows), name="toy")
plan._repr_html_(), repr(plan), plan.to_frame()
heavy = {{"torch", "transformers", "sentence_transformers", "datasets", "umap"}}
print(sorted(heavy & set(sys.modules)))
"""
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_a_setting_without_effect_says_why(plan_for, labeled):
    def reason(name, value, loss="prediction", **others):
        return plan_for(labeled(), {name: value, **others}, loss=loss).settings[name].reason

    idle = "no effect"
    assert idle in reason("neighbor_eval_count", 5)
    assert idle in reason("neighbor_eval_pool_subsample", 0.5, eval_method="neighbor", eval_steps="end")
    assert idle not in reason("neighbor_eval_count", 5, eval_method="neighbor", eval_steps=2)
    assert idle in reason("eval_method", "loss", eval_steps="off")
    assert idle not in reason("eval_method", "loss")
    assert idle in reason("early_stopping_threshold", 0.1, early_stopping=False)
    assert idle in reason("early_stopping_threshold", 0.1, loss="contrastive")
    assert idle not in reason("early_stopping_threshold", 0.1)


def test_a_curve_keeps_its_points_and_the_plan_says_so(plan_for, labeled):
    plan = plan_for(labeled(), {"max_steps": 200, "logging_steps": 90})
    assert plan["logging_steps"] == 4 and "you asked for 90" in plan.settings["logging_steps"].reason
    assert plan_for(labeled(), {"max_steps": 200, "logging_steps": 2})["logging_steps"] == 2


@pytest.mark.slow
def test_proxies_take_batches_small_enough_to_be_moved_often(plan_for, labeled):
    usual = plan_for(labeled(rows=3000), {"epochs": 3}, loss="contrastive")
    proxies = plan_for(labeled(rows=3000), {"epochs": 3}, loss="proxy")
    assert proxies["steps_total"] >= 200 > usual["steps_total"]
    assert "would make a run of" in proxies.settings["batch_size"].reason
    assert plan_for(labeled(rows=3000), {"batch_size": 100}, loss="proxy")["batch_size"] == 100


def test_held_out_rows_with_one_answer_are_refused_where_the_metric_needs_two(base, labeled):
    def judged(scores):
        rows = [
            {"sentence1": f"a{n} x", "sentence2": f"b{n} y", "score": score} for n, score in enumerate(scores)
        ]
        return Datasource.from_list(rows, kind="scored_pairs")

    data = judged([n % 5 / 5 for n in range(60)])
    alike = judged([0.0, *[0.6] * 20]).filter([False, *[True] * 20])
    with pytest.raises(
        DataError, match=r"'spearman' has no value on the verdict part: the score .* 20 rows is 0\.6"
    ):
        resolve(base, data, name="toy", eval_datasource=alike)
    one = labeled(40).filter([n % 4 == 0 for n in range(40)])
    with pytest.raises(DataError, match="'roc_auc' has no value"):
        resolve(base, labeled(), name="toy", eval_datasource=one, hyperparams={"metric": "roc_auc"})
    assert resolve(base, labeled(), name="toy", eval_datasource=one)[0]["metric"] == "accuracy"


def test_a_part_that_selects_by_rows_of_one_score_is_refused(base):
    scores = [1.0 if n == 0 else 0.0 for n in range(60)]
    rows = [{"sentence1": f"a{n} x", "sentence2": f"b{n} y", "score": s} for n, s in enumerate(scores)]
    data = Datasource.from_list(rows, kind="scored_pairs")
    judge = Datasource.from_list(
        [{"sentence1": f"c{n} x", "sentence2": f"d{n} y", "score": n % 2} for n in range(30)],
        kind="scored_pairs",
    )
    options = {"name": "toy", "eval_datasource": judge}
    with pytest.raises(DataError, match="no value on the selection part: the score of all 6 rows is 0"):
        resolve(base, data, **options, hyperparams={"early_stopping": True})
    by_loss = {"early_stopping": True, "eval_method": "loss"}
    assert resolve(base, data, **options, hyperparams=by_loss)[0]["eval_method"] == "loss"
