"""What the next trial tries: the defaults first, then a model of what came of the others; nothing twice."""

from __future__ import annotations

import math
import warnings

import optuna
import pytest

from embedtune_nb.plan.dimension import Dimension
from embedtune_nb.sweep.encoding import every_point, parents_first, start_values
from embedtune_nb.sweep.sampling import Sampling, propose
from embedtune_nb.sweep.trial_folder import TrialRecord


def dimension(name, kind, start, **more):
    return Dimension(name, kind, start, "default", "for a test", **more)


RATE = dimension("learning_rate", "float", 2e-5, low=1e-6, high=1e-2, log=True)
BATCH = dimension("batch_size", "choice", 32, choices=(64, 16, 32))
EPOCHS = dimension("epochs", "int", 2, low=1, high=4)
ADAPTER = dimension("adapter", "choice", None, choices=(None, "linear"))
LOSS = dimension("loss", "choice", "prediction", choices=("contrastive", "prediction"))
SCALE = dimension("loss_scale", "float", 20.0, low=5.0, high=50.0, only_with={"loss": ("contrastive",)})
FLAT = (RATE, BATCH, EPOCHS, ADAPTER)
GP = Sampling("gp", startup=2, higher_is_better=True, seed=7)
TPE = Sampling("tpe", startup=2, higher_is_better=True, seed=7)


def trial(index, values, score, state="done"):
    return TrialRecord(index, 42, state, values, score=score)


def hill(values):
    """Best at a learning rate of 1e-4 and the middle batch size."""
    return 1 - 0.2 * abs(math.log10(values["learning_rate"]) + 4) - 0.1 * (values["batch_size"] != 32)


def search(space, how, count, score):
    trials = []
    for index in range(count):
        values = propose(space, trials, how)
        trials.append(trial(index, values, score(values)))
    return trials


def test_the_first_trial_tries_the_start_of_every_dimension():
    assert propose(FLAT, [], GP) == {"learning_rate": 2e-5, "batch_size": 32, "epochs": 2, "adapter": None}


@pytest.mark.parametrize("how", [GP, TPE], ids=["gp", "tpe"])
def test_the_same_history_gives_the_same_proposal_and_another_seed_another(how):
    trials = search(FLAT, how, 3, hill)
    assert propose(FLAT, trials, how) == propose(FLAT, trials, how)
    drawn, other = trials[:1], Sampling(how.sampler, 2, True, seed=8)
    assert propose(FLAT, drawn, how) != propose(FLAT, drawn, other)


def test_a_sweep_with_the_next_seed_does_not_repeat_the_draws_of_this_one():
    def drawn(seed):
        how = Sampling("gp", startup=9, higher_is_better=True, seed=seed)
        return [one.values["learning_rate"] for one in search(FLAT, how, 6, hill)[1:]]

    assert not set(drawn(7)) & set(drawn(8))


def test_proposals_lie_in_the_space_with_the_types_of_the_plan_and_readable_digits():
    for one in search(FLAT, GP, 7, hill)[1:]:
        assert 1e-6 <= one.values["learning_rate"] <= 1e-2
        assert len(f"{one.values['learning_rate']:e}".rstrip("0").split("e")[0].rstrip("0")) <= 4
        assert one.values["batch_size"] in (16, 32, 64)
        assert type(one.values["epochs"]) is int and 1 <= one.values["epochs"] <= 4
        assert one.values["adapter"] in (None, "linear")


def test_values_of_an_even_range_are_rounded_by_its_width_not_by_their_size():
    warmup = dimension("warmup", "float", 0.1, low=0.0, high=0.3)
    narrow = dimension("loss_scale", "float", 100.5, low=100.0, high=101.0)
    trials = search((warmup, narrow), GP, 7, lambda values: -values["warmup"])
    shares = [one.values["warmup"] for one in trials]
    assert shares == [round(share, 4) for share in shares], "never 5.43e-18"
    assert len({one.values["loss_scale"] for one in trials}) > 3


@pytest.mark.slow
@pytest.mark.parametrize("how", [GP, TPE], ids=["gp", "tpe"])
def test_a_model_of_the_trials_finds_the_hill(how):
    trials = search(FLAT[:2], how, 14, hill)
    assert max(one.score for one in trials) > 0.9
    assert trials[0].score < 0.9


def test_training_gets_its_threads_back():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        propose(FLAT, search(FLAT, GP, 3, hill), GP)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_pruned_point_is_not_proposed_again_and_again():
    trials = search((RATE,), GP, 5, lambda values: hill({**values, "batch_size": 32}))
    first = propose((RATE,), trials, GP)
    trials.append(trial(5, first, -1.0, state="pruned"))
    second = propose((RATE,), trials, Sampling("gp", 2, True, seed=6))  # the seed of that turn once more
    assert abs(math.log10(first["learning_rate"] / second["learning_rate"])) > 0.05


def test_a_failed_trial_drives_the_search_away_from_its_values():
    def rises(values):
        return math.log10(values["learning_rate"])

    good = [trial(i, {"learning_rate": rate}, math.log10(rate)) for i, rate in enumerate((2e-5, 1e-4, 1e-3))]
    blind = propose((RATE,), good, GP)
    failed = [
        trial(3 + i, {"learning_rate": rate}, None, "failed") for i, rate in enumerate((9e-3, 6e-3, 8e-3))
    ]
    warned = propose((RATE,), [*good, *failed], GP)
    assert warned["learning_rate"] < blind["learning_rate"]


@pytest.mark.parametrize("how", [GP, TPE], ids=["gp", "tpe"])
def test_a_trial_at_work_is_not_proposed_to_a_second_worker(how):
    trials = search(FLAT, how, 4, hill)
    first = propose(FLAT, trials, how)
    at_work = TrialRecord(4, 42, "running", first)
    assert propose(FLAT, [*trials, at_work], how) != first


def test_a_finite_space_is_tried_point_by_point_and_then_exhausted():
    space = (BATCH, ADAPTER)
    trials = search(space, GP, 6, lambda values: float(values["batch_size"]))
    assert len({tuple(one.values.items()) for one in trials}) == 6 == len(every_point(space))
    assert propose(space, trials, GP) is None
    assert every_point((RATE,)) is None


def test_dimensions_without_effect_are_left_out():
    space = (SCALE, LOSS)
    assert [one.name for one in parents_first(space)] == ["loss", "loss_scale"]
    assert start_values(space) == {"loss": "prediction"}
    trials = search(space, TPE, 8, lambda values: values.get("loss_scale", 1.0))
    assert sum(one.values["loss"] == "prediction" for one in trials) == 1, "that is one run, however often"
    assert all(("loss_scale" in one.values) == (one.values["loss"] == "contrastive") for one in trials)


def test_values_queued_outside_the_space_do_not_disturb_the_sampler():
    trials = [trial(0, {"learning_rate": 0.5}, 1.0), trial(1, {"learning_rate": 1e-4}, 0.5)]
    assert 1e-6 <= propose((RATE,), trials, GP)["learning_rate"] <= 1e-2


def test_nothing_is_printed_or_warned_and_the_users_verbosity_stays(capfd):
    before = optuna.logging.get_verbosity()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search((SCALE, LOSS), TPE, 4, lambda values: values.get("loss_scale", 1.0))
        search(FLAT, GP, 4, hill)
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == before
