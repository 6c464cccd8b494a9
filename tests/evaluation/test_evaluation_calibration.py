"""How often the verdict errs, on real per-query differences; ``make calibrate`` asks more of it."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.feature_extraction.text import HashingVectorizer

from embedtune_nb import datasets
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import RETRIEVAL
from embedtune_nb.evaluation.calibration import _share_beyond, _weighted, answers_of, calibrate
from embedtune_nb.evaluation.evaluate import evaluate
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.verdict import paired_verdict

pytestmark = pytest.mark.slow


class Words:
    """Bags of hashed words: the fewer places, the more words are taken for one another."""

    def __init__(self, places):
        self.places = places

    def embed(self, texts, *, role=None, progress=None):
        return (
            HashingVectorizer(n_features=self.places, norm="l2").transform(texts).toarray().astype(np.float32)
        )


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory) -> tuple[Evaluation, Evaluation]:
    """Return real evaluations, before and after: who finds a function's documentation by its summary?"""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBEDTUNE_HOME", str(tmp_path_factory.mktemp("home")))
        docs = datasets.api_docs(libraries=("numpy", "sklearn"))
    frames = {name: frame.drop(columns="group", errors="ignore") for name, frame in docs.frames.items()}
    docs = Datasource(RETRIEVAL, frames, name="docs")
    before, after = (evaluate(Words(places), docs) for places in (128, 256))
    return before, after


@pytest.fixture(scope="module")
def changes(evaluations) -> np.ndarray:
    before, after = (part.per_query["ndcg@10"].to_numpy() for part in evaluations)
    return after - before


def test_errors_are_rare_and_power_is_that_of_a_t_test(changes):
    assert len(changes) > 300 and 0.05 < (changes != 0).mean() < 0.9, (
        "real differences: many ties, some jumps"
    )
    weighted = calibrate(changes, rows=(50,), draws=2_000, resamples=2_000)
    centred = calibrate(changes, rows=(200,), draws=2_000, resamples=2_000, null="centred")
    table = pd.concat([weighted, centred], ignore_index=True)
    assert (table[["better", "worse"]] <= 0.035).all(axis=None), table.to_string()
    assert (table[["better", "worse"]] > 0.005).all(axis=None), "an answer that is never given is no caution"
    assert table["null"].tolist() == ["weighted", "centred"]
    assert (table["t_power_equal"] - table["power"] <= 0.03).all(), table.to_string()
    assert table["t_power"][1] - table["power"][1] <= 0.03, table.to_string()
    assert table["t_power"].between(0.6, 0.95).all()


def test_weights_make_the_mean_zero_and_leave_ties_and_values(changes):
    draw = _weighted(changes, 50, 4_000, np.random.default_rng(0))
    still, moved = draw(0.0), draw(2.8)
    assert set(np.unique(still)) <= set(changes)
    assert abs(still.mean()) < 3 * still.std() / np.sqrt(still.size)
    assert moved.mean() == pytest.approx(2.8 * still.std() / np.sqrt(50), rel=0.1)
    assert 0.5 < (still == 0).mean() / (changes == 0).mean() < 1.2


def test_power_at_equal_error_is_that_of_a_test_with_that_error():
    rng = np.random.default_rng(0)
    still, moved = rng.normal(size=100_000), rng.normal(size=100_000) + 2.8
    assert _share_beyond(still, 0.025, moved) == pytest.approx(stats.norm.sf(1.96 - 2.8), abs=0.01)
    assert _share_beyond(still, 0.01, moved) == pytest.approx(stats.norm.sf(2.326 - 2.8), abs=0.01)


def test_what_is_calibrated_is_what_a_verdict_says(evaluations, changes):
    rng = np.random.default_rng(0)
    before, after = evaluations
    answers = set()
    lucky = np.argsort(-changes)[: len(changes) // 2]
    for pool in [np.arange(len(changes)), lucky] * 4:
        drawn = rng.choice(pool, 50, replace=False)
        parts = [
            Evaluation(part.metrics, part.per_query.iloc[drawn], part.primary) for part in (before, after)
        ]
        verdict = paired_verdict(*parts, seed=0, resamples=1_000)
        assert answers_of(changes[drawn][None], resamples=1_000).tolist() == [verdict.answer]
        answers.add(verdict.answer)
    assert answers == {"better", "no difference shown"}
