"""Curves as they are known from practice, and what is to be said of them."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from embedtune_nb.plan.afterwards import advise_on_run

SETTINGS = {
    "learning_rate": 6e-5,
    "warmup": 6,
    "steps_total": 60,
    "epochs": 1,
    "max_steps": None,
    "early_stopping": 0,
    "eval_method": "retrieval",
    "metric": "ndcg@10",
}
STEPS = np.arange(1, 61)
RECORDED = json.loads(Path(__file__).with_name("recorded_losses.json").read_text(encoding="utf-8"))
NOISE = np.random.default_rng(0).normal(0, 0.03, 60)


@dataclass
class Curve:
    step: list
    value: list


def loss(values):
    return {"train/loss": Curve(list(STEPS), list(np.asarray(values) + NOISE))}


def evaluations(values, metric="ndcg@10"):
    return {f"eval/{metric}": Curve([20 * place for place in range(len(values))], values)}


def test_a_healthy_run_needs_no_advice():
    assert advise_on_run(loss(3 - 2 * STEPS / 60), SETTINGS) == []
    assert advise_on_run({}, SETTINGS) == []
    assert advise_on_run({"train/loss": Curve([1, 2], [2.0, 2.0])}, SETTINGS) == []


def test_a_plateau_asks_for_a_higher_rate():
    (sentence,) = advise_on_run(loss(np.full(60, 2.5)), SETTINGS)
    assert "hardly moved" in sentence and "0.00018" in sentence


def test_an_early_plateau_is_told_with_its_step():
    (sentence,) = advise_on_run(loss(1 + 2 * np.exp(-STEPS / 4)), SETTINGS)
    assert "higher learning_rate" in sentence and "of 60" in sentence


def test_swings_ask_for_a_lower_rate():
    (sentence,) = advise_on_run(loss(2.6 + 0.6 * np.sin(STEPS / 3.5) - 0.2 * STEPS / 60), SETTINGS)
    assert "2e-05" in sentence and ("swings" in sentence or "rose" in sentence)


@pytest.mark.parametrize(("warmup", "told"), [(6, True), (12, False)])
def test_an_early_rise_asks_for_a_longer_warmup_where_it_is_short(warmup, told):
    values = 2 + 1.5 * np.exp(-((STEPS - 15) ** 2) / 40) - STEPS / 100
    (sentence,) = advise_on_run(loss(values), {**SETTINGS, "warmup": warmup})
    assert "rose" in sentence and ("15 to 20 %" in sentence) == told


def test_better_to_the_end_asks_for_more():
    (sentence,) = advise_on_run(evaluations([0.5, 0.52, 0.55, 0.58]), SETTINGS)
    assert "very end" in sentence and "epochs=2" in sentence
    (sentence,) = advise_on_run(evaluations([0.5, 0.52, 0.55, 0.58]), {**SETTINGS, "max_steps": 60})
    assert "max_steps" in sentence


def test_best_long_before_the_end_asks_for_less():
    (sentence,) = advise_on_run(evaluations([0.5, 0.58, 0.57, 0.55, 0.54]), SETTINGS)
    assert "step 20" in sentence and "0.58" in sentence and "early_stopping" in sentence
    assert advise_on_run(evaluations([0.5, 0.55, 0.57, 0.58, 0.579]), SETTINGS) == []


def test_errors_are_read_the_other_way_round():
    settings = {**SETTINGS, "eval_method": "head", "metric": "mae"}
    (sentence,) = advise_on_run(evaluations([3.0, 2.0, 2.2, 2.4, 2.5], "head_mae"), settings)
    assert "best at step 20" in sentence
    (sentence,) = advise_on_run(evaluations([3.0, 2.5, 2.2, 2.0], "head_mae"), settings)
    assert "very end" in sentence


def test_of_several_objectives_the_first_ones_loss_is_read():
    swinging = [5.0 if place % 2 else 1.0 for place in range(60)]
    series = {**loss(swinging), "train/loss_1": Curve(list(STEPS), list(3 - 2 * STEPS / 60 + NOISE))}
    assert advise_on_run(series, SETTINGS) == []
    assert advise_on_run({**series, "train/loss_1": Curve(list(STEPS), [3.0] * 60)}, SETTINGS)


def advice_on_recorded(name: str, answer: str | None = None) -> list[str]:
    run = RECORDED[name]
    settings = {
        **SETTINGS,
        "learning_rate": run["learning_rate"],
        "steps_total": run["step"][-1],
        "warmup": 0,
    }
    series = {"train/loss": Curve(run["step"], run["loss"])}
    return advise_on_run(series, settings, answer=run["answer"] if answer is None else answer)


@pytest.mark.parametrize("name", ["noisy", "falling", "few points", "rising, yet better"])
def test_real_runs_whose_batches_differ_get_no_advice_on_swings(name):
    values = np.array(RECORDED[name]["loss"])
    assert (np.diff(values) > 0.15 * values[0]).any(), "single batches do rise"
    assert advice_on_recorded(name) == []


def test_a_real_run_with_a_rate_far_too_high_is_told(name="unstable"):
    (sentence,) = advice_on_recorded(name)
    assert "rose from 1.08 to 2.24" in sentence and "learning_rate of 0.33 instead of 1" in sentence
    assert "warmup of 15 to 20 %" in sentence
    assert advice_on_recorded(name, "better") == [], "nobody is told of trouble beside a better model"


def test_noise_around_a_flat_loss_is_no_trouble():
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(0, 0.3, 60)
        assert advise_on_run({"train/loss": Curve(list(STEPS), list(1 + noise))}, SETTINGS) == []
