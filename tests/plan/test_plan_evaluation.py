"""How often a run is evaluated by itself, and which metric decides."""

from __future__ import annotations

import pytest

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import PlanError
from embedtune_nb.evaluation.metrics import parse_metric
from embedtune_nb.plan.metrics import RETRIEVAL_FAMILIES, selecting_metric

pytestmark = pytest.mark.slow


def test_pairs_are_evaluated_every_50_steps_and_the_best_weights_kept(base, plan_for, pairs):
    plan = plan_for(pairs(rows=6000), {"batch_size": 32})
    assert plan["steps_total"] >= 100
    assert (plan["eval_method"], plan["eval_steps"], plan["early_stopping"]) == ("retrieval", 50, 0)
    assert plan.data["split"]["counts"]["selection"] > 0


def test_a_run_shorter_than_twice_that_keeps_its_rows_for_training(plan_for, pairs):
    plan = plan_for(pairs(rows=1000))
    assert plan["eval_steps"] == "end"
    assert not plan.data["split"]["counts"].get("selection")
    assert plan_for(pairs(rows=6000), {"max_steps": 80})["eval_steps"] == "end"
    assert plan_for(pairs(rows=1000), {"max_steps": 120})["eval_steps"] == "epoch"


def test_a_large_pool_is_not_searched_again_and_again_unasked(plan_for):
    queries = {f"q{n}": f"question number {n}" for n in range(20_000)}
    corpus = {f"d{n}": f"document number {n}" for n in range(11_000)}
    answers = {f"q{n}": [f"d{n % 9000}"] for n in range(20_000)}
    small = Datasource.from_retrieval(queries, dict(list(corpus.items())[:9000]), answers)
    assert plan_for(small)["eval_steps"] == 50
    large = Datasource.from_retrieval(queries, corpus, answers)
    assert plan_for(large)["eval_steps"] == "end"
    assert plan_for(large, {"eval_steps": 50})["eval_steps"] == 50


def test_the_deciding_metric_can_be_named(plan_for, pairs, labeled):
    plan = plan_for(pairs(), {"metric": "mrr@5"})
    assert (plan["metric"], plan.settings["metric"].source) == ("mrr@5", "user")
    assert plan_for(labeled(), {"metric": "f1_macro"})["metric"] == "f1_macro"
    assert selecting_metric("retrieval", "mrr@5") == "mrr@5"
    assert selecting_metric("head", "r2") == "head_mae"


@pytest.mark.parametrize(
    ("kind", "metric", "message"),
    [
        ("pairs", "accuracy", "'accuracy' is no metric of pairs data"),
        ("pairs", "ndgc@5", "Did you mean 'ndcg@5'"),
        ("pairs", "ndcg", "Did you mean 'ndcg@10'"),
        ("pairs", "ndcg", "with a cutoff, such as 'ndcg@10'"),
        ("pairs", "MRR@3", "Did you mean 'mrr@3'"),
        ("pairs", "ndcg@0", "with a cutoff"),
        ("labeled", "f1_makro", "Did you mean 'f1_macro'"),
        ("labeled", "ndcg@10", "'accuracy' or 'f1_macro'"),
    ],
)
def test_a_metric_of_other_data_is_refused(plan_for, pairs, labeled, kind, metric, message):
    with pytest.raises(PlanError, match=message):
        plan_for(pairs() if kind == "pairs" else labeled(), {"metric": metric})


@pytest.mark.parametrize("family", RETRIEVAL_FAMILIES)
def test_what_a_plan_takes_an_evaluation_can_compute(plan_for, pairs, family):
    assert parse_metric(plan_for(pairs(), {"metric": f"{family}@7"})["metric"]) == (family, 7)


def test_neighbours_that_vote_alike_are_for_labels_and_scores(plan_for, pairs, labeled):
    assert plan_for(labeled())["neighbor_weighting"] == "similarity"
    assert plan_for(labeled(), {"neighbor_weighting": "uniform"})["neighbor_weighting"] == "uniform"
    with pytest.raises(PlanError, match="neighbor_weighting has no effect on pairs data"):
        plan_for(pairs(), {"neighbor_weighting": "uniform"})
