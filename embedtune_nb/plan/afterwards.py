"""What the curves of a finished run say about the next one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from embedtune_nb.plan.metrics import lower_is_better, selecting_metric

# Fewer points than this are noise.
_LEAST_POINTS = 12
_LEAST_EVALUATIONS = 3
# The curve is read in so many stretches, each its median, so that one odd batch says nothing; a stretch
# holds at least so many points, and ups and downs are told from at least so many stretches.
_STRETCHES, _POINTS_OF_STRETCH, _STRETCHES_OF_TROUBLE = 12, 4, 6
# A loss that falls by less than this share of itself has hardly moved.
_FLAT = 0.02
# A loss above its start by this share has risen.
_RISE = 0.15
# The way up and down is so many times as long as the way down would have been alone, and at least
# this share of the loss: it swings.
_SWINGS, _SWING_SHARE = 4.0, 0.1
# Batches differ. What they alone do to a median is known from how neighbouring points differ: a rise or fall
# counts beyond so many standard errors of it, swings beyond so many times the way that noise alone would go.
_MOVE_ERRORS, _SWING_NOISE = 2.5, 2.0
# A normal spread is this many median absolute deviations; the error of a median so many of a mean; and
# two independent draws lie so many spreads apart.
_SPREAD, _OF_MEDIAN, _APART = 1.4826, 1.2533, 1.1284


class Curve(Protocol):
    """One metric over a run; both lists have equal length."""

    @property
    def step(self) -> Sequence[float]:
        """Optimizer steps."""
        ...

    @property
    def value(self) -> Sequence[float]:
        """What was measured there."""
        ...


def advise_on_run(series: Mapping[str, Curve], settings: Mapping[str, Any], *, answer: str = "") -> list[str]:
    """Return what a careful colleague would try next, most important first; empty if nothing stands out.

    Parameters
    ----------
    series
        Metric -> its curve: ``train/loss`` and the evaluations, as recorded.
    settings
        The settings of the run's plan as plain values.
    answer
        Of the run's verdict, where there is one: no trouble is told of a loss that led to ``"better"``.
    """
    found = []
    # the losses of several objectives differ in size; the first one decides
    loss = series.get("train/loss_1") or series.get("train/loss")
    if loss is not None and len(loss.value) >= _LEAST_POINTS and np.isfinite(loss.value).all():
        values, steps = np.asarray(loss.value, dtype=float), np.asarray(loss.step, dtype=float)
        found += _trouble_with_loss(values, steps, settings) if answer != "better" else []
        found += _end_of_loss(values, steps, settings, answer) if not found else []
    metric = selecting_metric(str(settings.get("eval_method")), str(settings.get("metric")))
    judged = series.get(f"eval/{metric}")
    if judged is not None:
        after_start = [(s, v) for s, v in zip(judged.step, judged.value, strict=True) if s > 0]
        if len(after_start) >= _LEAST_EVALUATIONS:
            found += _about_evaluations(after_start, metric, settings)
    return found


def _levels(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the median of every stretch, where each begins, and the standard error of a median.

    The noise of single batches is read from neighbouring points, so that a trend does not count as noise;
    that of the noisier half holds, as a loss that falls often gets quieter.
    """
    count = min(_STRETCHES, len(values) // _POINTS_OF_STRETCH)
    stretches = np.array_split(values, count)
    steps = np.diff(values)
    halves = np.array_split(np.abs(steps - np.median(steps)), 2)
    noise = _SPREAD * max(float(np.median(half)) for half in halves) / np.sqrt(2)
    starts = np.cumsum([0, *(len(part) for part in stretches[:-1])])
    return (
        np.array([np.median(part) for part in stretches]),
        starts,
        _OF_MEDIAN * noise / np.sqrt(len(values) / count),
    )


def _trouble_with_loss(values: np.ndarray, steps: np.ndarray, settings: Mapping[str, Any]) -> list[str]:
    """Return what a loss that rose or swings asks for, beyond what noise between batches would do."""
    level, starts, error = _levels(values)
    if len(level) < _STRETCHES_OF_TROUBLE:
        return []
    start, end, rate = level[0], level[-1], float(settings["learning_rate"])
    unit, worst = max(abs(start), 1e-12), level.max()
    if worst - start > max(_RISE * unit, _MOVE_ERRORS * np.sqrt(2) * error):
        when = steps[starts[int(level.argmax())]]
        warmup = settings.get("warmup", 0) / max(settings.get("steps_total") or 1, 1)
        longer = " and a warmup of 15 to 20 % of the steps" if warmup < 0.15 else ""
        return [
            f"The loss rose from {start:.3g} to {worst:.3g} around step {when:,.0f}: "
            f"try a learning_rate of {rate / 3:.2g} instead of {rate:.2g}{longer}."
        ]
    travelled, gained = np.abs(np.diff(level)).sum(), abs(start - end)
    by_noise = _APART * error * (len(level) - 1)
    if travelled > max(_SWINGS * max(gained, 1e-12), _SWING_NOISE * by_noise) and (
        np.ptp(level) > _SWING_SHARE * unit
    ):
        return [
            f"The loss swings between {level.min():.3g} and {worst:.3g} and ends at {end:.3g}: "
            f"try a learning_rate of {rate / 3:.2g} instead of {rate:.2g}, or a larger batch_size."
        ]
    return []


def _end_of_loss(
    values: np.ndarray, steps: np.ndarray, settings: Mapping[str, Any], answer: str
) -> list[str]:
    """Return what a loss that stopped falling asks for."""
    level, starts, error = _levels(values)
    start, end, rate = level[0], level[-1], float(settings["learning_rate"])
    unit = max(abs(start), 1e-12)
    if start - end < _FLAT * unit:
        # a move within the noise may have been one
        if answer == "better" or error > _FLAT * unit:
            return []
        return [
            f"The loss hardly moved ({start:.3g} to {end:.3g}): try a learning_rate of {rate * 3:.2g} "
            f"instead of {rate:.2g}. If it stays, the base model may already do what this loss asks for."
        ]
    total = start - level.min()
    early = int(np.argmax(level <= start - 0.95 * total))
    seen = total > _MOVE_ERRORS * np.sqrt(2) * error
    if seen and len(level) >= _STRETCHES_OF_TROUBLE and early <= len(level) // 3:
        when = steps[starts[early + 1] - 1]
        return [
            f"The loss fell until step {when:,.0f} of {steps[-1]:,.0f} and hardly after: try a higher "
            f"learning_rate (now {rate:.2g}), or save time with max_steps."
        ]
    return []


def _about_evaluations(
    judged: list[tuple[float, float]], metric: str, settings: Mapping[str, Any]
) -> list[str]:
    steps = [step for step, _ in judged]
    values = np.array([value for _, value in judged]) * (-1 if lower_is_better(metric) else 1)
    best = int(values.argmax())
    shown = {place: f"{judged[place][1]:.4g}" for place in (best, len(judged) - 1)}
    if best == len(judged) - 1 and values[-1] > values[-2]:
        if settings.get("max_steps"):
            more = "raise max_steps"
        else:
            more = f"epochs={settings.get('epochs', 1) + 1} or more"
        return [
            f"{metric} was best at the very end ({shown[best]}): more training may gain more; try {more}."
        ]
    if best <= (len(judged) - 1) / 2 and settings.get("early_stopping", 0) == 0:
        return [
            f"{metric} was best at step {steps[best]:,.0f} ({shown[best]}) and {shown[len(judged) - 1]} at "
            f"the end, step {steps[-1]:,.0f}: later steps did not help. Those weights were kept; "
            "train less, or set early_stopping."
        ]
    return []
