"""An evaluation that is kept in the job folder comes back whole."""

import numpy as np
import pandas as pd
import pytest

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.evaluation.evaluate import evaluate
from embedtune_nb.evaluation.vectors import VectorCache
from embedtune_nb.evaluation.verdict import paired_verdict
from embedtune_nb.training.kept import load_evaluation, save_evaluation


class Random:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def embed(self, texts, *, role=None, progress=None):
        return self.rng.normal(size=(len(texts), 4)).astype(np.float32)


def test_a_kept_evaluation_gives_the_verdict_of_the_first(tmp_path):
    rows = [{"value": f"text {i}", "label": f"label {i % 3}", "group": f"book {i // 2}"} for i in range(90)]
    held_out, reference = Datasource.from_list(rows[:60]), Datasource.from_list(rows[60:])
    before, after = (evaluate(Random(seed), held_out, reference=reference) for seed in (0, 1))
    cache = VectorCache()
    cache.embed(Random(2), ["text"], role=None)
    save_evaluation(before, tmp_path / "before", cache)
    back = load_evaluation(tmp_path / "before")
    for name in ("per_query", "answers", "votes", "traits"):
        pd.testing.assert_frame_equal(getattr(back, name), getattr(before, name))
    assert (back.metrics, back.notes, back.unit) == (pytest.approx(before.metrics), before.notes, "texts")
    first, again = (paired_verdict(part, after, seed=0, resamples=500) for part in (before, back))
    assert first == again and first.groups == 30
    assert {"roc_auc", "pr_auc"} <= {row["metric"] for row in again.others}
