"""What the plan settles for each kind of data: rows, negatives, scores, lengths of embeddings."""

import re

import pytest

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import LossError, PlanError
from embedtune_nb.plan.metrics import PRIMARY
from embedtune_nb.plan.resolve import resolve
from embedtune_nb.plan.rows import training_rows

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove")


def text(row, salt):
    return " ".join(WORDS[(row * 7 + salt * 3 + place) % 7] + str(row * 31 + salt) for place in range(4))


@pytest.fixture
def make():
    def make(kind, rows=60):
        one = {
            "labeled": lambda i: {"value": text(i, 0), "label": f"class {i % 3}"},
            "scored": lambda i: {"value": text(i, 0), "score": float(i % 11)},
            "pairs": lambda i: {"anchor": text(i, 0), "positive": text(i, 1)},
            "retrieval": lambda i: {"query": text(i, 0), "document": text(i, 1)},
            "triplets": lambda i: {
                "anchor": text(i, 0),
                "positive": text(i, 1),
                "negatives": [text(i, 2 + place) for place in range(1 + i % 7)],
            },
            "scored_pairs": lambda i: {"sentence1": text(i, 0), "sentence2": text(i, 1), "score": i % 6},
            "nli": lambda i: {
                "premise": text(i // 3, 0),
                "hypothesis": text(i, 1),
                "label": ("entailment", "neutral", "contradiction")[i % 3],
            },
        }[kind]
        return Datasource.from_list([one(row) for row in range(rows)], kind=kind)

    return make


@pytest.mark.parametrize("kind", sorted(PRIMARY))
def test_every_kind_resolves_to_a_plan_that_explains_itself(plan_for, make, kind):
    plan = plan_for(make(kind))
    assert plan["metric"] == PRIMARY[kind]
    assert all(setting.reason for setting in plan.settings.values())
    assert plan["steps_total"] == plan["steps_per_epoch"] * plan["epochs"] > 0
    assert plan["micro_batch_size"] == "auto"


def test_triplets_bring_their_negatives_and_tell_how_many_are_used(plan_for, make):
    data = make("triplets")
    plan = plan_for(data)
    assert (plan["hard_negatives"], plan.settings["hard_negatives"].source) == (5, "inferred")
    assert re.search("up to 7", plan.settings["hard_negatives"].reason)
    assert any("hard negatives" in sentence for sentence in plan.data["not_trained_on"])
    fewer = plan_for(data, {"hard_negatives": 2})
    assert (fewer["hard_negatives"], fewer.settings["hard_negatives"].source) == (2, "user")
    assert plan_for(data, {"hard_negatives": 90})["hard_negatives"] == 7


def test_rows_of_triplets_for_both_losses(make):
    data = make("triplets", 7)
    rows = training_rows(data, "contrastive", 3)
    assert list(rows.texts) == ["anchor", "positive", "negative_1", "negative_2", "negative_3"]
    assert [sum(map(bool, rows.texts[name])) for name in rows.negatives] == [7, 6, 5]
    assert rows.left_out == ("10 hard negatives: more than 3 in their row (hard_negatives).",)
    assert rows.roles["anchor"] == "query" and rows.roles["negative_2"] == "document"
    each = training_rows(data, "triplet")
    assert len(each) == sum(1 + i % 7 for i in range(7)) and list(each.texts) == [
        "anchor",
        "positive",
        "negative",
    ]
    assert each.texts["negative"][1:3] == list(data.frames["examples"]["negatives"][1])


def test_rows_of_inference(make):
    rows = [
        ("a man eats", "he has food", "entailment"),
        ("a man eats", "a meal is had", "entailment"),
        ("a man eats", "he sleeps", "contradiction"),
        ("a man eats", "he is fed up", "neutral"),
        ("it rains", "it is dry", "contradiction"),
        ("she sings", "there is a voice", "entailment"),
    ]
    data = Datasource.from_list(
        [dict(zip(("premise", "hypothesis", "label"), row, strict=True)) for row in rows], kind="nli"
    )
    found = training_rows(data, "contrastive")
    assert found.texts == {
        "anchor": ["a man eats", "a man eats", "she sings"],
        "positive": ["he has food", "a meal is had", "there is a voice"],
        "negative_1": ["he sleeps", "he sleeps", ""],
    }
    assert set(found.roles.values()) == {None}
    assert re.match("1 neutral", found.left_out[0]) and re.match("1 contradictions", found.left_out[1])


def test_inference_without_an_entailment_is_refused(base):
    rows = [{"premise": text(i, 0), "hypothesis": text(i, 1), "label": "neutral"} for i in range(40)]
    rows += [{"premise": text(i, 2), "hypothesis": text(i, 3), "label": "contradiction"} for i in range(40)]
    with pytest.raises(LossError, match="is an entailment"):
        resolve(base, Datasource.from_list(rows, kind="nli"), name="toy")


@pytest.mark.parametrize(("kind", "loss"), [("scored", "prediction"), ("scored_pairs", "cosent")])
def test_equal_scores_are_refused(base, make, kind, loss):
    frame = make(kind).to_pandas().assign(score=0.5)
    try:
        data = Datasource.from_pandas(frame.drop(columns="id"), kind=kind)
    except ValueError as refused:
        assert "score" in str(refused)
        return
    with pytest.raises(PlanError, match="have the score"):
        resolve(base, data, name="toy", loss=loss)


def test_sigma_follows_the_scores_and_only_there(plan_for, make):
    plan = plan_for(make("scored"), loss="contrastive")
    assert plan["contrastive_sigma"] == pytest.approx(10**0.5 / 4, rel=0.15)
    assert (
        plan_for(make("scored"), {"contrastive_sigma": 2.0}, loss="contrastive")["contrastive_sigma"] == 2.0
    )
    with pytest.raises(PlanError, match="no kernel"):
        plan_for(make("labeled"), {"contrastive_sigma": 2.0}, loss="contrastive")


@pytest.mark.parametrize(("kind", "loss"), [("labeled", "contrastive"), ("scored_pairs", "cosent")])
def test_masking_false_negatives_needs_assumed_negatives(plan_for, make, kind, loss):
    with pytest.raises(PlanError, match="assumes no negatives"):
        plan_for(make(kind), {"false_negative_masking": True}, loss=loss)
    plan = plan_for(make("pairs"), {"false_negative_masking": True})
    assert plan["false_negative_masking"] is True
    assert plan.estimate["seconds_low"] >= plan_for(make("pairs")).estimate["seconds_low"]


@pytest.mark.parametrize(
    ("loss", "kind", "dims", "named"),
    [
        (None, "pairs", [512, 8], "512, but embeddings of .* have 16"),
        ("angle", "scored_pairs", [7], "even"),
        (None, "pairs", [8, 1], "from 2"),
        (None, "pairs", [], "matryoshka_dims is"),
        (None, "pairs", 8, "matryoshka_dims is 8"),
    ],
)
def test_matryoshka_lengths_that_cannot_be_are_refused(plan_for, make, loss, kind, dims, named):
    with pytest.raises(PlanError, match=named):
        plan_for(make(kind), {"matryoshka_dims": dims}, loss=loss)


def test_matryoshka_trains_the_whole_embedding_too_and_says_so(plan_for, make):
    plan = plan_for(make("labeled"), {"matryoshka_dims": [4, 8, 4]})
    assert plan["matryoshka_dims"] == [16, 8, 4]
    assert "16, is trained too" in plan.settings["matryoshka_dims"].reason
    assert plan_for(make("labeled"), {"matryoshka_dims": (16, 4)})["matryoshka_dims"] == [16, 4]


@pytest.mark.parametrize(
    ("key", "value", "loss"),
    [
        ("margin", 0.1, "contrastive"),
        ("loss_scale", 9.0, "triplet"),
        ("head_learning_rate", 0.1, "contrastive"),
    ],
)
def test_settings_of_other_losses_are_refused(plan_for, make, key, value, loss):
    with pytest.raises(PlanError, match="has no effect"):
        plan_for(make("labeled"), {key: value}, loss=loss)


@pytest.mark.parametrize(
    ("kind", "loss", "methods"),
    [
        ("scored", "prediction", ("head", "neighbor", "loss")),
        ("scored", "contrastive", ("neighbor", "loss")),
        ("labeled", "proxy", ("neighbor", "loss")),
        ("triplets", "triplet", ("triplet", "loss")),
        ("scored_pairs", "angle", ("similarity", "loss")),
        ("nli", "contrastive", ("similarity", "loss")),
    ],
)
def test_evaluation_methods_of_each_kind(plan_for, make, kind, loss, methods):
    assert plan_for(make(kind), loss=loss)["eval_method"] == methods[0]
    for method in methods:
        assert plan_for(make(kind), {"eval_method": method}, loss=loss)["eval_method"] == method
    with pytest.raises(PlanError, match="eval_method='retrieval'"):
        plan_for(make(kind), {"eval_method": "retrieval"}, loss=loss)
