import numpy as np
import pytest

from embedtune_nb.errors import PlanError
from embedtune_nb.plan.resolve import resolve


def spread(row):
    """1 to 20 words: with the two special tokens, 3 to 22 tokens."""
    return 1 + row % 20


def token_counts(part):
    return np.array([len(text.split()) + 2 for text in part.frames["examples"]["value"]])


@pytest.mark.parametrize(("mark", "quantile"), [("p90", 0.90), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)])
def test_a_percentile_covers_that_share_of_the_training_texts(base, labeled, mark, quantile):
    plan, parts = resolve(
        base, labeled(rows=400, length=spread), name="toy", hyperparams={"max_seq_length": mark}
    )
    counts = token_counts(parts.train)
    assert (counts <= plan["max_seq_length"]).mean() >= quantile
    assert (counts <= plan["max_seq_length"] - 1).mean() < quantile
    assert plan.data["truncated_share"] == pytest.approx((counts > plan["max_seq_length"]).mean())
    assert plan.settings["max_seq_length"].source == "user"


def test_p99_is_the_default_and_inferred(plan_for, labeled):
    data = labeled(rows=400, length=spread)
    plan = plan_for(data)
    assert plan["max_seq_length"] == plan_for(data, {"max_seq_length": "p99"})["max_seq_length"]
    assert plan.settings["max_seq_length"].source == "inferred"
    assert "99 %" in plan.settings["max_seq_length"].reason


def test_a_number_cuts_and_the_share_is_told(base, labeled):
    plan, parts = resolve(
        base, labeled(rows=400, length=spread), name="toy", hyperparams={"max_seq_length": 10}
    )
    assert plan["max_seq_length"] == 10
    assert plan.data["truncated_share"] == pytest.approx((token_counts(parts.train) > 10).mean())
    assert any("cut at 10 tokens" in sentence for sentence in plan.advice)


@pytest.mark.parametrize("wanted", [500, "max"])
def test_no_more_than_the_model_reads(plan_for, write_base, labeled, wanted):
    data = labeled(rows=200, length=lambda row: 30)
    plan = plan_for(data, {"max_seq_length": wanted}, base=write_base(16))
    assert plan["max_seq_length"] == 16
    assert plan.settings["max_seq_length"].source == "inferred"
    assert str(wanted) in plan.settings["max_seq_length"].reason
    assert any("all that" in sentence for sentence in plan.advice)


def test_a_static_model_has_no_limit_and_refuses_one(plan_for, write_base, labeled):
    static = write_base(static=True)
    plan = plan_for(labeled(), base=static)
    assert plan["max_seq_length"] is None
    assert plan.data["truncated_share"] == 0.0
    assert plan["learning_rate"] > 5e-5
    assert plan_for(labeled(), {"learning_rate": 1e-3}, base=static)["learning_rate"] == 1e-3
    with pytest.raises(PlanError, match="no effect"):
        plan_for(labeled(), {"max_seq_length": 64}, base=static)


def test_both_texts_of_a_pair_count(plan_for, pairs):
    percentiles = plan_for(pairs()).data["token_percentiles"]
    # 4 and 9 words, and two special tokens each.
    assert (percentiles["p50"], percentiles["max"]) == (6, 11)


def test_a_model_without_a_tokenizer_file_is_told_as_an_estimate(plan_for, base, labeled, tmp_path):
    (tmp_path / "base-32-False" / "tokenizer.json").unlink()
    assert "estimated" in plan_for(labeled()).settings["max_seq_length"].reason


@pytest.mark.parametrize("given", [{}, {"max_seq_length": 10}])
def test_a_shorter_limit_is_said_to_hold_in_training_only(plan_for, write_base, labeled, given):
    plan = plan_for(labeled(rows=200, length=spread), given, base=write_base(64))
    assert "limits training only" in plan.settings["max_seq_length"].reason
    assert "limit of 64 tokens" in plan.settings["max_seq_length"].reason


def test_the_models_own_limit_is_no_limit_of_training_only(plan_for, write_base, labeled):
    plan = plan_for(labeled(rows=200, length=lambda row: 30), base=write_base(16))
    assert "training only" not in plan.settings["max_seq_length"].reason
