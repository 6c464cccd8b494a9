"""What all trials of a sweep share, and the call that one trial amounts to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from embedtune_nb.catalogue import BaseSpec
from embedtune_nb.plan.conditions import STRUCTURE, conditions
from embedtune_nb.plan.dimension import Dimension
from embedtune_nb.plan.hyperparams import HYPERPARAMS
from embedtune_nb.plan.losses import LOSSES
from embedtune_nb.plan.objectives import Wanted
from embedtune_nb.plan.settle import Call
from embedtune_nb.plan.sweep_hyperparams import BASE_MODEL


@dataclass(frozen=True)
class Ground:
    """What all trials of a sweep share.

    Attributes
    ----------
    name
        Of the model to be made.
    base
        The model that finetune was called on.
    bases
        The base models to choose from, by id; empty where the base model is fixed.
    wanted
        The objectives; a searched loss is that of the first.
    fixed
        The hyperparameters that are the same in all trials, if they have an effect there.
    seed
        Of the split and of the trials.
    space
        What is searched.
    """

    name: str
    base: BaseSpec
    bases: Mapping[str, BaseSpec]
    wanted: tuple[Wanted, ...]
    fixed: Mapping[str, Any]
    seed: int
    space: tuple[Dimension, ...] = ()

    @property
    def structure(self) -> dict[str, Dimension]:
        """The searched dimensions that others depend on, by name."""
        return {axis.name: axis for axis in self.space if axis.name in STRUCTURE and axis.kind == "choice"}

    def applied(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of *values* that have an effect beside the others, in the order of the space."""
        found: dict[str, Any] = {}
        for axis in self.space:  # what others depend on stands before them
            if axis.name in values and axis.applies(found):
                found[axis.name] = values[axis.name]
        return found

    def given(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the hyperparameters of the trial with *values*: fixed ones and searched ones."""
        structure, applied = self.structure, self.applied(values)
        kept = {
            key: value
            for key, value in self.fixed.items()
            if all(
                applied.get(part) in allowed
                for part, allowed in conditions(key, structure, self.bases).items()
            )
        }
        chosen = {key: value for key, value in applied.items() if key in HYPERPARAMS and value is not None}
        return {**kept, **chosen}

    @property
    def start(self) -> dict[str, Any]:
        """What the first trial tries: the nearest admissible point to the defaults."""
        return self.applied({axis.name: axis.start for axis in self.space})

    def call(self, values: Mapping[str, Any], seed: int | None = None) -> Call:
        """Return what the trial with *values* asks for; a seed of its own changes nothing of the split."""
        values = self.applied(values)
        first, *others = self.wanted
        if "loss" in values:
            loss = LOSSES[values["loss"]]
            first = replace(first, loss=loss, source="user", reason=loss.best_for)
        base = self.bases[values[BASE_MODEL]] if BASE_MODEL in values else self.base
        return Call(
            name=self.name,
            base=base,
            wanted=(first, *others),
            given=self.given(values),
            seed=self.seed if seed is None else seed,
            searching=True,
        )
