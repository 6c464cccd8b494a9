"""Weights between base and tuned model, and which of them to take."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.errors import PlanError
from embedtune_nb.evaluation.forgetting import forgetting, general_probe
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.training.merge import Merging, suggest


@pytest.fixture
def pair(tiny_bert):
    """Return a model that was moved by random steps, and the weights it came from."""
    tuned = Encoder(load_folder(tiny_bert, device="cpu"))
    base = {name: value.clone() for name, value in tuned.model.state_dict().items()}
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in tuned.model.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=draw))
    return tuned, base


def test_the_ends_are_base_and_tuned_model_exactly_and_the_middle_lies_between(pair):
    tuned, base = pair
    after = {name: value.clone() for name, value in tuned.model.state_dict().items()}
    merging = Merging(tuned, base)

    def inside(weight):
        with merging.at(weight) as encoder:
            return {name: value.clone() for name, value in encoder.model.state_dict().items()}

    assert all(torch.equal(inside(0.0)[name], value) for name, value in base.items())
    assert all(torch.equal(inside(1.0)[name], value) for name, value in after.items())
    for name, value in inside(0.25).items():
        assert torch.allclose(value.float(), 0.75 * base[name] + 0.25 * after[name], atol=1e-6), name
    assert all(torch.equal(tuned.model.state_dict()[name], value) for name, value in after.items())


def test_the_tuned_weights_come_back_even_after_an_error(pair):
    tuned, base = pair
    after = tuned.embed(["card bank"])
    with pytest.raises(ZeroDivisionError), Merging(tuned, base).at(0.0):
        1 / 0
    assert np.array_equal(tuned.embed(["card bank"]), after)


def test_models_of_other_weights_are_refused(pair):
    tuned, base = pair
    name = next(iter(base))
    with pytest.raises(PlanError, match="do not have the same weights"):
        Merging(tuned, {key: value for key, value in base.items() if key != name})


def evaluations(values: dict[float, np.ndarray], metric: str) -> dict[float, Evaluation]:
    return {
        weight: Evaluation({metric: float(rows.mean())}, pd.DataFrame({metric: rows}), metric)
        for weight, rows in values.items()
    }


def probe(noise: float) -> np.ndarray:
    """Return unit vectors of the general probe: the noisier, the fewer sentences of one topic are near."""
    draw = np.random.default_rng(3)
    _, topic = np.unique(general_probe().topics, return_inverse=True)
    vectors = draw.normal(size=(topic.max() + 1, 32))[topic] + noise * draw.normal(size=(len(topic), 32))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def told_by(found: dict[float, Evaluation], noise: dict[float, float], metric: str) -> pd.DataFrame:
    probes = {weight: probe(noise[weight]) for weight in found}
    curve = pd.DataFrame(
        {
            "weight": list(found),
            "score": [part.metrics[metric] for part in found.values()],
            "topics": [forgetting(probes[0.0], probes[weight]).topics_after for weight in found],
        }
    )
    return suggest(curve, found, probes, metric, seed=0).set_index("weight")


METRICS = pytest.mark.parametrize("metric", ["ndcg@10", "mae"])


@METRICS
def test_of_weights_that_forgot_more_and_more_the_first_within_one_standard_error_is_suggested(metric):
    draw = np.random.default_rng(0)
    sign = -1 if metric == "mae" else 1
    rows = 2 + sign * draw.normal(size=200)
    # how far each weight is behind the best: far, a hair, nothing, a little
    noise = {0.0: 0.5, 0.3: 0.005, 0.6: 0.0, 1.0: 0.02}
    values = {w: rows - sign * (loss + 0.1 * draw.normal(size=200) * (loss > 0)) for w, loss in noise.items()}
    around = draw.normal(size=200)
    values[0.3] = values[0.6] - sign * 0.005 * (1 + 20 * (around - around.mean()))
    told = told_by(evaluations(values, metric), {0.0: 0.8, 0.3: 1.0, 0.6: 1.3, 1.0: 1.6}, metric)
    differences = {w: sign * (values[0.6] - rows) for w, rows in values.items()}
    for weight, change in differences.items():
        assert told.loc[weight, "behind"] == pytest.approx(change.mean(), abs=1e-9)
        oracle = change.std(ddof=1) / np.sqrt(len(change))
        assert told.loc[weight, "standard_error"] == pytest.approx(oracle, rel=0.1, abs=1e-9)
    expected = min(w for w, c in differences.items() if c.mean() <= c.std(ddof=1) / np.sqrt(len(c)))
    assert expected == 0.3 and told.index[told["suggested"]].tolist() == [expected]
    assert told.loc[0.6, "topics_behind"] > told.loc[0.6, "topics_error"] > 0


@METRICS
def test_where_nothing_was_forgotten_nothing_of_the_gain_is_given_up(metric):
    draw = np.random.default_rng(0)
    sign = -1 if metric == "mae" else 1
    rows = draw.normal(size=200)
    behind = {0.0: 0.5, 0.3: 0.005, 0.6: 0.004, 1.0: 0.0}
    values = {w: rows + sign * (2 - by + 0.1 * draw.normal(size=200)) for w, by in behind.items()}
    for weight, by in behind.items():  # the same scores, however the noise fell
        values[weight] += sign * (2 - by) - values[weight].mean()
    even = told_by(evaluations(values, metric), dict.fromkeys(behind, 1.0), metric)
    assert (even["behind"] <= even["standard_error"]).tolist() == [False, True, True, True]
    assert even.index[even["suggested"]].tolist() == [1.0]
    # forgotten between 0.6 and 1: of the two that forgot nothing, the better one
    late = told_by(evaluations(values, metric), {0.0: 1.0, 0.3: 1.0, 0.6: 1.0, 1.0: 1.6}, metric)
    assert late.index[late["suggested"]].tolist() == [0.6]


def test_where_the_base_is_as_good_it_is_the_base():
    rows = np.random.default_rng(0).normal(size=200)
    values = {
        0.0: rows,
        0.5: rows + 0.001 * np.tile([1, -1], 100),
        1.0: rows + 0.01 * np.tile([11, -10], 100),
    }
    told = told_by(evaluations(values, "ndcg@10"), dict.fromkeys(values, 1.0), "ndcg@10")
    assert told.loc[1.0, "behind"] == 0 and told.index[told["suggested"]].tolist() == [0.0]
