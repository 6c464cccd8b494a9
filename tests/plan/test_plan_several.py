"""Several objectives in one plan: each explains itself, settings go where they are used, steps add up."""

import math
import types

import pytest

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.split import Split
from embedtune_nb.errors import DataError, LossError, PlanError
from embedtune_nb.plan.plan import Plan
from embedtune_nb.plan.resolve import resolve


@pytest.fixture
def judged():
    rows = [
        {"sentence1": f"alpha {row} beta", "sentence2": f"gamma {row} delta", "score": row % 6}
        for row in range(150)
    ]
    return Datasource.from_list(rows, kind="scored_pairs", name="judged")


def test_each_objective_has_its_data_loss_metric_and_scale(plan_for, pairs, judged):
    plan = plan_for([(pairs(), "contrastive"), (judged, None)])
    assert (plan["loss"], plan["metric"]) == ("contrastive", "ndcg@10")
    (other,) = plan.further
    assert (other.settings["loss"].value, other.settings["metric"].value) == ("cosent", "spearman")
    assert other.settings["loss"].source == "default" and other.settings["loss"].reason
    assert other.data["kind"] == "scored_pairs" and other.data["rows"] == 150
    assert "Objective 2: cosent on judged" in repr(plan) and "Objective 2" in plan._repr_html_()
    names = plan.to_frame()["setting"].tolist()
    assert {"loss", "loss (objective 2)", "loss_scale (objective 2)"} <= set(names)
    assert Plan.from_json(plan.to_json()).further == plan.further
    first, second = plan.objectives
    assert (first["metric"], second["metric"]) == ("ndcg@10", "spearman")
    assert first["learning_rate"] == second["learning_rate"]


def test_an_epoch_has_the_batches_of_all(plan_for, pairs, judged):
    plan = plan_for([(pairs(), "contrastive"), (judged, "cosent")], {"batch_size": 32, "epochs": 2})
    rows = [plan.data["training_rows"], plan.further[0].data["training_rows"]]
    assert plan["steps_per_epoch"] == sum(math.ceil(count / 32) for count in rows)
    assert plan["steps_total"] == 2 * plan["steps_per_epoch"]
    assert all(f"{count:,}" in plan.settings["steps_per_epoch"].reason for count in rows)


def test_a_setting_goes_to_the_objectives_that_use_it(plan_for, pairs, labeled, judged):
    both = [(pairs(), "contrastive"), (labeled(), "triplet")]
    given = {"margin": 0.3, "loss_scale": 9.0, "false_negative_masking": True, "neighbor_count": 3}
    plan = plan_for(both, given)
    own = plan.further[0].settings
    assert (plan["loss_scale"], plan["false_negative_masking"]) == (9.0, True)
    assert "margin" not in plan.settings
    assert (own["margin"].value, own["neighbor_count"].value) == (0.3, 3)
    assert {"loss_scale", "false_negative_masking"}.isdisjoint(own)
    with pytest.raises(PlanError, match="margin has no effect with loss='contrastive' or loss='cosent'"):
        plan_for([(pairs(), "contrastive"), (judged, "cosent")], {"margin": 0.3})
    with pytest.raises(PlanError, match="contrastive_sigma has no effect"):
        plan_for(both, {"contrastive_sigma": 0.3})


def test_other_data_or_another_loss_is_another_recipe(plan_for, pairs, judged):
    first = plan_for([(pairs(), "contrastive"), (judged, "cosent")])
    assert plan_for([(pairs(), "contrastive"), (judged, "cosent")]).diff(first) == []
    changes = plan_for([(pairs(), "contrastive"), (judged, "angle")]).diff(first)
    assert ("loss (objective 2)", "angle", "cosent") in changes
    assert plan_for(pairs(), loss="contrastive").diff(first)


def test_the_parts_of_all_objectives_are_written_and_read(base, pairs, judged, tmp_path):
    _, parts = resolve(base, [(pairs(), "contrastive"), (judged, "cosent")], name="toy")
    read = Split.read(parts.write(tmp_path / "data"))
    assert len(read.further) == 1
    for mine, theirs in zip(parts.every_part, read.every_part, strict=True):
        assert mine.fingerprint == theirs.fingerprint
    assert parts.further[0].selection is None


def test_each_objective_may_bring_its_evaluation_data(plan_for, pairs, judged):
    both = [(pairs(), "contrastive"), (judged, "cosent")]
    own = judged.filter(lambda row: row["score"] < 0.5)
    plan = plan_for(both, eval_datasource=[None, own])
    assert plan.further[0].data["split"]["counts"]["verdict"] == len(own) < 150
    assert plan.data["split"]["counts"]["verdict"] < len(pairs())
    assert plan_for(both, eval_datasource=pairs(40)).data["split"]["counts"]["verdict"] == 40
    with pytest.raises(DataError, match="holds 3"):
        plan_for(both, eval_datasource=[None, None, judged])


def test_held_out_texts_that_another_objective_trains_on_are_told(plan_for, labeled, pairs):
    data = labeled()
    plan = plan_for([(data, "prediction"), (data, "contrastive")])
    assert not [sentence for sentence in plan.advice if "held-out texts" in sentence], "split alike"
    copy = Datasource.from_list(
        [{"text": text, "score": place / 10} for place, text in enumerate(data.texts())], kind="scored"
    )
    plan = plan_for([(data, "prediction"), (copy, "prediction")])
    told = [sentence for sentence in plan.advice if "held-out texts of objective 1" in sentence]
    assert len(told) == 1 and "training data of objective 2" in told[0]


def test_the_cell_repeats_the_call(base, plan_for, pairs, judged):
    plan = plan_for([(pairs(), "contrastive"), (judged, None)], {"epochs": 2}, eval_datasource=pairs(40))
    asked = {}

    def finetune(name, data, evaluation=None, **options):
        asked.update(name=name, data=data, evaluation=evaluation, **options)

    model = types.SimpleNamespace(finetune=finetune)
    cell = plan.code.replace("import embedtune_nb as et", "").replace("et.PretrainedEmbeddingModel", "Model")
    exec(cell, {"Model": lambda path: model, "data_1": 1, "data_2": 2, "eval_data_1": 3})
    assert asked["data"] == [(1, "contrastive"), (2, "cosent")]
    assert asked["evaluation"] == [3, None] and asked["hyperparams"] == {"epochs": 2}


@pytest.mark.parametrize(
    ("build", "error", "named"),
    [
        (lambda pairs, judged: [(pairs, "contrastive"), (judged, "proxy")], LossError, "does not fit"),
        (lambda pairs, judged: [(pairs, "contrastiv"), (judged, None)], LossError, "Did you mean"),
        (lambda pairs, judged: [pairs, judged], DataError, "list of pairs"),
        (lambda pairs, judged: [(pairs, "contrastive"), ("path.csv", "cosent")], DataError, "list of pairs"),
        (lambda pairs, judged: [], DataError, "list of pairs"),
    ],
)
def test_lists_that_are_no_objectives_are_refused(base, pairs, judged, build, error, named):
    with pytest.raises(error, match=named):
        resolve(base, build(pairs(), judged), name="toy")


def test_a_loss_beside_a_list_is_refused(base, pairs, judged):
    with pytest.raises(LossError, match="beside a list of objectives"):
        resolve(base, [(pairs(), "contrastive"), (judged, "cosent")], name="toy", loss="cosent")
