"""The keys of ``hyperparams`` that only a sweep has: how it is carried out, and what else it may search."""

from __future__ import annotations

from embedtune_nb.plan.hyperparam import Hyperparam
from embedtune_nb.plan.values import choice, integer, text

#: Key of a list of base models to try.
BASE_MODEL = "base_model"

SWEEP_HYPERPARAMS: dict[str, Hyperparam] = {
    entry.name: entry
    for entry in (
        Hyperparam(
            "confirm",
            "Train the best two again with two more seeds before one is named the winner; these runs are "
            "not counted in trial_count.",
            "True or False",
            choice(True, False),
            default=True,
            why="the best of many scores owes part of its lead to luck; fresh seeds show which part",
        ),
        Hyperparam(
            "keep_trials",
            "Of how many trials, the best ones, the weights are kept to be opened or published.",
            "a whole number from 0",
            integer(0),
            default=2,
            why="the best two; the weights of the others are removed",
        ),
        Hyperparam(
            "trial_workers",
            "Trials carried out at the same time, each in a process of its own.",
            "a whole number from 1",
            integer(1),
        ),
        Hyperparam(
            BASE_MODEL,
            "Base models to choose from, each a name, a folder or a hub id.",
            "a list of names, folders or hub ids",
            text,
        ),
    )
}
