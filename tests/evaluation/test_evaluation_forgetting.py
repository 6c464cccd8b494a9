"""The general probe: what it holds, and what it says of models that kept, turned or lost their space."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import ttest_rel
from sklearn.neighbors import NearestNeighbors

from embedtune_nb.errors import DataError
from embedtune_nb.evaluation.forgetting import Forgetting, forgetting, general_probe


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def spread(noise: float, seed: int = 0, dimension: int = 24) -> np.ndarray:
    """Return vectors of the probe that lie around their topic's own, as far off as *noise*."""
    draw = np.random.default_rng(seed)
    topics = general_probe().topics
    centres = dict(
        zip(dict.fromkeys(topics), unit(np.random.default_rng(99).normal(size=(40, dimension))), strict=True)
    )
    return unit(
        np.stack([centres[topic] for topic in topics]) + noise * draw.normal(size=(len(topics), dimension))
    )


def test_the_probe_is_the_same_for_all_240_sentences_of_40_topics():
    probe = general_probe()
    assert len(set(probe.texts)) == len(probe.topics) == 240
    assert set(Counter(probe.topics).values()) == {6} and len(set(probe.topics)) == 40


def test_a_model_that_did_not_change_has_forgotten_nothing():
    vectors = spread(0.1)
    found = forgetting(vectors, vectors)
    assert found.neighbors_kept == 1.0
    assert found.drift == pytest.approx(0.0, abs=1e-6)
    assert found.change == found.low == found.high == 0.0
    assert found.answer == "no loss shown"


def test_turning_the_whole_space_drifts_but_forgets_nothing():
    vectors = spread(0.1)
    turned, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(24, 24)))
    found = forgetting(vectors, unit(vectors @ turned))
    assert found.neighbors_kept > 0.99
    assert found.drift > 0.3
    assert found.answer == "no loss shown"


def test_a_model_that_lost_its_topics_is_told_so_and_one_that_found_them_too():
    worse = forgetting(spread(0.1), spread(0.5))
    assert worse.answer == "forgotten" and worse.high < 0
    assert worse.topics_after < worse.topics_before and worse.neighbors_kept < 0.8
    assert "forgotten" in worse.text and "of neighbours kept" in worse.text
    assert forgetting(spread(0.5), spread(0.1)).answer == "gained"


def test_the_figures_agree_with_scikit_learn_and_scipy():
    before, after = spread(0.3), spread(0.3, seed=1)
    topics = np.array(general_probe().topics)

    def neighbours(vectors, k):
        found = NearestNeighbors(n_neighbors=k + 1, metric="cosine").fit(vectors).kneighbors(vectors)[1]
        return [[other for other in row if other != place][:k] for place, row in enumerate(found)]

    kept = [
        len(set(a) & set(b)) / 10 for a, b in zip(neighbours(before, 10), neighbours(after, 10), strict=True)
    ]
    own = [
        np.array([(topics[row] == topics[place]).mean() for place, row in enumerate(neighbours(side, 5))])
        for side in (before, after)
    ]
    by_topic = [side.reshape(40, 6).mean(axis=1) for side in own]
    interval = ttest_rel(by_topic[1], by_topic[0]).confidence_interval(0.95)
    found = forgetting(before, after)
    assert found.neighbors_kept == pytest.approx(np.mean(kept))
    assert (found.topics_before, found.topics_after) == pytest.approx((own[0].mean(), own[1].mean()))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.drift == pytest.approx(1 - (before * after).sum(axis=1).mean(), abs=1e-6)


def test_vectors_of_another_length_have_no_drift():
    found = forgetting(spread(0.1), spread(0.1, dimension=12))
    assert found.drift is None and "drift" not in found.text
    assert "forgetting/drift" not in found.metrics()
    assert Forgetting.from_dict(found.to_dict()) == found
    assert found.to_frame()["after"].isna().tolist() == [False, False, True]


def test_too_few_vectors_are_refused():
    with pytest.raises(DataError, match="Got 3 and 240 vectors"):
        forgetting(spread(0.1)[:3], spread(0.1))
