import json
import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embedtune_nb.errors import DataError
from embedtune_nb.evaluation.bootstrap import bca_intervals
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.verdict import Verdict, paired_verdict


def evaluation(values, metric="ndcg@10", **others):
    columns = {metric: np.asarray(values, float)} | {name: np.asarray(part) for name, part in others.items()}
    per_query = pd.DataFrame(columns, index=[f"q{i}" for i in range(len(values))])
    return Evaluation(per_query.mean().to_dict(), per_query, metric, 1.0)


def compare(before, after, **options):
    return paired_verdict(evaluation(before), evaluation(after), **{"seed": 0, "resamples": 2_000} | options)


def test_a_clear_gain_is_better_and_reads_as_one_line():
    rng = np.random.default_rng(0)
    before = rng.uniform(0.2, 0.8, 650)
    verdict = compare(before, before + np.where(rng.random(650) < 0.4, rng.normal(0.2, 0.2, 650), 0))
    assert verdict.answer == "better"
    assert verdict.wins + verdict.losses + verdict.ties == verdict.queries == 650
    assert verdict.low < verdict.difference < verdict.high
    change = r"0\.\d{3} -> 0\.\d{3}, \+0\.\d{3} \[\+0\.\d{3}, \+0\.\d{3}\]"
    assert re.fullmatch(rf"Better: NDCG@10 {change}, \d+ wins, \d+ losses, \d+ ties", str(verdict))
    assert verdict.text == repr(verdict) == str(verdict)


def test_the_same_change_the_other_way_is_worse():
    rng = np.random.default_rng(0)
    low = rng.uniform(0.2, 0.5, 100)
    up, down = compare(low, low + rng.uniform(0, 0.2, 100)), compare(low + 0.1, low)
    assert (up.answer, down.answer) == ("better", "worse")
    assert str(down).startswith("Worse: NDCG@10") and (down.wins, down.losses) == (0, 100)


def test_an_interval_over_zero_shows_no_difference_and_says_how_many_queries_would():
    rng = np.random.default_rng(1)
    change = rng.normal(0, 1, 100)
    change = 0.1 * (change - change.mean()) / change.std(ddof=1) + 0.01
    verdict = compare(np.full(100, 0.5), 0.5 + change)
    assert verdict.low < 0 < verdict.high
    assert verdict.answer == "no difference shown"
    # (1.96 + 0.84)^2 * (0.1 / 0.01)^2 = 784
    assert "about 780 queries" in verdict.text


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ([0.5] * 200, [0.5] * 200, "Not one of the 200 queries changed"),
        ([0.0] * 8, [1.0] * 8, "8 queries are too few"),
        ([0.3], [0.9], "1 queries are too few"),
        ([0.0] * 100, [0.0] * 95 + [1.0] * 5, "Only 5 of 100 queries changed"),
    ],
)
def test_too_little_to_judge_is_said(before, after, reason):
    verdict = compare(before, after)
    assert verdict.answer == "no difference shown"
    assert reason in verdict.text and reason in verdict._repr_html_()
    assert np.isfinite([verdict.low, verdict.high, verdict.difference]).all()


def test_rounding_noise_counts_as_a_tie():
    verdict = compare(np.full(50, 0.5), np.full(50, 0.5 + 1e-12))
    assert (verdict.ties, verdict.difference) == (50, 0.0)


def test_every_query_gaining_the_same_is_better():
    verdict = compare(np.full(50, 0.5), np.full(50, 0.75))
    assert (verdict.answer, verdict.low, verdict.high) == ("better", 0.25, 0.25)


def test_the_interval_is_the_bca_interval():
    """Against the textbook formulas, written out with a plain loop."""
    sample = np.random.default_rng(3).gamma(0.5, 1, 80) - 0.3
    low, high = bca_intervals(
        lambda counts: (counts @ sample / 80)[None], np.arange(80), seed=1, resamples=20_000, confidence=0.95
    )
    rng = np.random.default_rng(9)
    means = np.array([rng.choice(sample, 80).mean() for _ in range(20_000)])
    bias = stats.norm.ppf((means < sample.mean()).mean())
    centred = sample.mean() - np.array([np.delete(sample, i).mean() for i in range(80)])
    acceleration = (centred**3).sum() / (6 * (centred**2).sum() ** 1.5)
    z = bias + stats.norm.ppf([0.025, 0.975])
    expected = np.quantile(means, stats.norm.cdf(bias + z / (1 - acceleration * z)))
    assert [low[0], high[0]] == pytest.approx(expected, abs=0.006)
    percentile = np.quantile(means, [0.025, 0.975])
    assert abs(expected[0] - percentile[0]) > 0.006, "the example must tell BCa from the percentile interval"


@pytest.mark.slow
def test_chance_alone_is_rarely_called_a_difference():
    rng = np.random.default_rng(0)
    answers = []
    for draw in range(300):
        change = rng.choice([0, 0.37, -0.37, 0.63, -0.63, 1, -1], 100, p=[0.4] + [0.1] * 6)
        answers.append(compare(np.full(100, 0.5), 0.5 + change, resamples=500, seed=draw).answer)
    assert answers.count("better") <= 15
    assert answers.count("worse") <= 15


def test_the_seed_decides_the_interval():
    rng = np.random.default_rng(0)
    before, after = rng.random(60), rng.random(60)
    assert compare(before, after, seed=4) == compare(before, after, seed=4)
    assert compare(before, after, seed=4).low != compare(before, after, seed=5).low


def test_other_metrics_come_with_their_intervals():
    rng = np.random.default_rng(0)
    before = evaluation(rng.random(50), **{"recall@1": np.zeros(50), "mrr@10": np.full(50, 0.5)})
    after = evaluation(rng.random(50), **{"recall@1": np.ones(50), "mrr@10": np.full(50, 0.5)})
    verdict = paired_verdict(before, after, metric="ndcg@10", seed=0, resamples=500)
    others = {row["metric"]: row for row in verdict.others}
    assert set(others) == {"recall@1", "mrr@10"}
    assert (others["recall@1"]["low"], others["recall@1"]["high"]) == (1.0, 1.0)
    assert (others["mrr@10"]["low"], others["mrr@10"]["high"]) == (0.0, 0.0)


def test_queries_are_paired_by_id_not_by_place():
    before = evaluation(np.linspace(0, 1, 40))
    shuffled = evaluation(np.linspace(0, 1, 40))
    shuffled.per_query = shuffled.per_query.sample(frac=1, random_state=0)
    assert paired_verdict(before, shuffled, metric="ndcg@10", seed=0).ties == 40


def test_different_queries_cannot_be_compared():
    with pytest.raises(DataError, match="40 and 39 queries"):
        paired_verdict(evaluation(np.zeros(40)), evaluation(np.zeros(39)), metric="ndcg@10", seed=0)


def test_a_metric_without_values_for_queries_cannot_decide():
    with pytest.raises(DataError, match="Macro F1"):
        paired_verdict(evaluation(np.zeros(40)), evaluation(np.zeros(40)), metric="f1_macro", seed=0)


def test_a_verdict_survives_json():
    verdict = compare(np.linspace(0, 0.5, 60), np.linspace(0, 0.7, 60))
    back = Verdict.from_dict(json.loads(json.dumps(verdict.to_dict())))
    assert back == verdict and back.text == verdict.to_dict()["text"]


def test_the_picture_names_the_answer_and_the_interval():
    html = compare(np.linspace(0, 0.5, 60), np.linspace(0, 0.7, 60))._repr_html_()
    assert "Better" in html and "<svg" in html and "95% interval" in html
    assert "#009E73" in html and "#D55E00" not in html
    unclear = compare(np.full(60, 0.5), np.full(60, 0.5))._repr_html_()
    assert "#009E73" not in unclear and "#D55E00" not in unclear
