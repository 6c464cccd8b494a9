"""What a user asks for, checked: values to keep, and, for a sweep, ranges and choices to search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embedtune_nb.errors import PlanError, did_you_mean
from embedtune_nb.plan.hyperparam import Hyperparam
from embedtune_nb.plan.hyperparams import HYPERPARAMS
from embedtune_nb.plan.other_names import hyperparam_called
from embedtune_nb.plan.sweep_hyperparams import BASE_MODEL, SWEEP_HYPERPARAMS
from embedtune_nb.plan.values import is_whole, plain


@dataclass(frozen=True)
class Range:
    """Two ends, both included; whole numbers if both ends are."""

    low: int | float
    high: int | float


@dataclass(frozen=True)
class Wishes:
    """The hyperparameters of a sweep.

    Attributes
    ----------
    fixed
        Key -> checked value, the same in all trials.
    searched
        Key -> a :class:`Range`, or a list of checked choices, in the order given.
    sweep
        Those of the keys of ``SWEEP_HYPERPARAMS`` that were given, base models apart.
    base_models
        What was named to choose from; None where the base model is fixed.
    """

    fixed: dict[str, Any]
    searched: dict[str, Range | list[Any]]
    sweep: dict[str, Any]
    base_models: list[Any] | None


def check_trial_count(trial_count: Any) -> int:
    """Return how many trials are asked for.

    Raises
    ------
    PlanError
        If that is no whole number from 1.
    """
    count = plain(trial_count)
    if not is_whole(count) or count < 1:
        raise PlanError(
            f"trial_count is {_short(trial_count)}.",
            expected="a whole number: 1 for a single run, more for a sweep",
            fix="leave it out for a single run.",
        )
    return int(count)


def check_hyperparams(given: Mapping[str, Any] | None, *, loss: str | Sequence[str]) -> dict[str, Any]:
    """Return the checked, plain values of the hyperparameters of a single run.

    ``None`` as a value means "as if not given". Of several losses, one that uses a key is enough.

    Raises
    ------
    PlanError
        For an unknown key (with the nearest known one), a value out of range, a key that the loss
        does not use, or something that only a sweep can do.
    """
    losses = [loss] if isinstance(loss, str) else list(loss)
    found = {}
    for key, value in _given(given).items():
        if key in SWEEP_HYPERPARAMS:
            raise PlanError(
                f"{key} is for a sweep, and this is a single run.",
                expected=f"{key} together with trial_count above 1",
                fix=f"set trial_count, or leave {key} out."
                + (" The base model of a single run is the one that finetune is called on." * _is_base(key)),
            )
        entry, value = _entry(key), plain(value)
        if isinstance(value, (tuple, list)) and not entry.takes_list and entry.sweepable:
            raise PlanError(
                f"{key}={_short(value)} is a range to search, and trial_count=1 tries one value.",
                expected="a trial_count of at least 2n + 1 for n searched keys: 3 for one, 9 for four",
                fix=f"set trial_count, or give one value: {entry.allowed}.",
            )
        _check_effect(entry, losses)
        found[key] = _parsed(entry, value)
    return found


def read_wishes(given: Mapping[str, Any] | None, *, losses: Sequence[str]) -> Wishes:
    """Return what a sweep over *losses* keeps and what it searches.

    A tuple is a range, a list a set of choices, any other value is kept.

    Raises
    ------
    PlanError
        As :func:`check_hyperparams`, and for what cannot be searched: a range that is empty, reversed or of
        one value, choices that are one or repeat, a key that cannot be searched.
    """
    wishes = Wishes({}, {}, {}, None)
    for key, value in _given(given).items():
        value = plain(value)
        if _is_base(key):
            wishes = Wishes(wishes.fixed, wishes.searched, wishes.sweep, _base_models(value))
        elif key in SWEEP_HYPERPARAMS:
            wishes.sweep[key] = _parsed(SWEEP_HYPERPARAMS[key], value)
        else:
            entry = _entry(key)
            _check_effect(entry, losses)
            if isinstance(value, (tuple, list)) and not entry.takes_list:
                wishes.searched[key] = _searched(entry, value)
            else:
                wishes.fixed[key] = _parsed(entry, value)
    return wishes


def check_choices(key: str, choices: Sequence[Any]) -> list[Any]:
    """Return *choices* if they are at least two and all different.

    Raises
    ------
    PlanError
        Otherwise.
    """
    if len(choices) < 2:
        only = f" {_short(choices[0])}" if choices else ""
        raise PlanError(
            f"{key}={_short(list(choices))} leaves nothing to choose.",
            expected="a list of at least two values",
            fix=f"add values, or fix {key} by giving the value{only} itself.",
        )
    shown = [(type(choice), repr(choice)) for choice in choices]
    again = next((choice for choice, one in zip(choices, shown, strict=True) if shown.count(one) > 1), None)
    if len(set(shown)) < len(shown):
        raise PlanError(
            f"{key} lists {_short(again)} more than once.",
            expected="each choice once",
            fix="leave out the others.",
        )
    return list(choices)


def _given(given: Any) -> dict[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise PlanError(
            f"hyperparams is {_short(given)} ({type(given).__name__}).",
            expected="a dict such as {'epochs': 2, 'learning_rate': 3e-5}",
            fix="give a dict, or leave it out for the defaults.",
        )
    known = {*HYPERPARAMS, *SWEEP_HYPERPARAMS}
    return {str(key): value for key, value in (given or {}).items() if value is not None or key not in known}


def _is_base(key: str) -> bool:
    return key == BASE_MODEL


def _entry(key: str) -> Hyperparam:
    entry = HYPERPARAMS.get(key)
    if entry is None:
        ours = hyperparam_called(key)
        known = [*HYPERPARAMS, *SWEEP_HYPERPARAMS]
        hint = f"Did you mean {ours!r}? " if ours else did_you_mean(key, known)
        raise PlanError(
            f"There is no hyperparameter {key!r}.",
            expected=f"one of {', '.join(known)}",
            fix=f"{hint}Correct the key, or leave it out.",
        )
    return entry


def _check_effect(entry: Hyperparam, losses: Sequence[str]) -> None:
    if entry.losses and not set(entry.losses) & set(losses):
        raise PlanError(
            f"{entry.name} has no effect with {' or '.join(f'loss={loss!r}' for loss in losses)}.",
            expected=f"{entry.name} only with {' or '.join(f'loss={name!r}' for name in entry.losses)}",
            fix=f"leave {entry.name} out, or choose that loss.",
        )


def _parsed(entry: Hyperparam, value: Any, where: str = "") -> Any:
    try:
        return entry.parse(value)
    except (ValueError, OverflowError):
        quoted = entry.allowed.split("'")[1::2]
        hint = did_you_mean(value, quoted) if isinstance(value, str) else ""
        raise PlanError(
            f"{entry.name} is {_short(value)} ({type(value).__name__}){where}.",
            expected=entry.allowed,
            fix=f"{hint}Give such a value, or leave {entry.name} out for its default.",
        ) from None


def _searched(entry: Hyperparam, value: Any) -> Range | list[Any]:
    if not entry.sweepable:
        raise PlanError(
            f"{entry.name}={_short(value)} cannot be searched: {entry.not_searched}.",
            expected=f"one value: {entry.allowed}",
            fix=f"give one value, or leave {entry.name} out.",
        )
    if isinstance(value, tuple):
        return _range(entry, value)
    choices = [
        None if choice is None and entry.optional else _parsed(entry, plain(choice), " among the choices")
        for choice in value
    ]
    return check_choices(entry.name, choices)


def _range(entry: Hyperparam, value: tuple[Any, ...]) -> Range:
    name, ends = entry.name, [plain(end) for end in value]
    if any(isinstance(end, bool) or not isinstance(end, (int, float)) for end in ends):
        raise PlanError(
            f"{name}={_short(value)} is a tuple, which means a range of numbers.",
            expected=f"a list for choices: {name}={list(value)!r}",
            fix="write [ ] instead of ( ).",
        )
    if len(ends) != 2:
        raise PlanError(
            f"{name}={_short(value)} is a tuple of {len(ends)}.",
            expected=f"a range with two ends, {name}=(low, high), or a list of choices",
            fix=f"write {name}={list(value)!r} to try each of these values."
            if len(ends) > 2
            else f"give both ends, or fix {name} by giving the value itself.",
        )
    low, high = (_parsed(entry, end, " as an end of a range") for end in ends)
    if type(low) is not type(high):  # (0, 0.3): a share of the steps on both ends
        low, high = (_parsed(entry, float(end), " as an end of a range") for end in ends)
    if low == high:
        raise PlanError(
            f"{name}={_short(value)} is a range of one value.",
            expected="a low end below the high end",
            fix=f"widen it, or fix {name}={low!r}.",
        )
    if low > high:
        raise PlanError(
            f"{name}={_short(value)} is empty: its low end lies above its high end.",
            expected="(low, high)",
            fix=f"did you mean ({high!r}, {low!r})?",
        )
    return Range(low, high)


def _base_models(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise PlanError(
            f"base_model is {_short(value)} ({type(value).__name__}).",
            expected="a list of base models to choose from, such as ['MINILM_L6', 'MPNET_BASE']",
            fix="give a list; a single base model is the one that finetune is called on.",
        )
    return value


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."
