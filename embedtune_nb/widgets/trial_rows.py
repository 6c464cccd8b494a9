"""What the trial browser's browser side needs to know, as small plain dicts made from a sweep's snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from embedtune_nb.evaluation.metrics import display_name
from embedtune_nb.sweep.snapshot import SweepSnapshot
from embedtune_nb.sweep.trial_folder import COUNTED, TrialRecord
from embedtune_nb.widgets.summary import finite, short_name, summary_of

TEXT_MAX = 2_000
SPARK_MAX = 24


class RowMaker:
    """Make the rows of the table; a trial in which nothing has changed keeps its row, the same object."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {}

    def rows(self, snapshot: SweepSnapshot) -> list[dict[str, Any]]:
        """Return one row a trial, those that confirm another last."""
        ranks = snapshot.ranks
        return [self._row(snapshot, record, ranks.get(record.key)) for record in snapshot.trials]

    def _row(self, snapshot: SweepSnapshot, record: TrialRecord, rank: int | None) -> dict[str, Any]:
        curve = snapshot.curves.get(record.key, {}).get(f"eval/{snapshot.metric}")
        stamp = (record, rank, len(curve.value) if curve else 0)
        if record.key in self._made and self._made[record.key][0] == stamp:
            return self._made[record.key][1]
        row = {
            **{name: getattr(record, name) for name in _PLAIN},
            "key": record.key,
            "rank": rank,
            "score": finite(record.score),
            "seconds": finite(record.seconds),
            "reason": record.reason[:TEXT_MAX],
            "values": {name: _carried(value) for name, value in record.values.items()},
            "spark": _spark(curve, record.steps_total),
        }
        self._made[record.key] = stamp, row
        return row


_PLAIN = (
    "index", "seed", "state", "confirms", "steps_done", "steps_total", "retry_of", "is_default",
    "has_weights",
)  # fmt: skip


def _carried(value: Any) -> Any:
    """Return a value as JSON can carry it; what is no plain value is written as text."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, (list, tuple)):
        return [_carried(part) for part in value]
    if isinstance(value, Mapping):
        return {str(name): _carried(part) for name, part in value.items()}
    return str(value)[:TEXT_MAX]


def _spark(curve: Any, steps_total: int) -> list[list[float]]:
    """Return a small curve as two lists, share of the schedule and value."""
    if curve is None or not curve.value:
        return [[], []]
    count = len(curve.value)
    kept = sorted({round(place * (count - 1) / (SPARK_MAX - 1)) for place in range(SPARK_MAX)})
    whole = max(steps_total, curve.step[-1], 1)
    points = [
        (round(curve.step[i] / whole, 3), float(f"{value:.4g}"))
        for i in kept
        if (value := finite(curve.value[i])) is not None
    ]
    return [[share for share, _ in points], [value for _, value in points]]


def sweep_summary(snapshot: SweepSnapshot, *, can_grow: bool) -> dict[str, Any]:
    """Return the facts of the top line and of the pictures that no single trial tells.

    Parameters
    ----------
    snapshot
        The sweep.
    can_grow
        Whether trials can be added.
    """
    trials = [record for record in snapshot.trials if record.confirms is None]
    states = Counter(record.state for record in snapshot.trials)
    summary = summary_of(snapshot.job)
    return summary | {
        "notices": _without(summary["notices"], str((snapshot.decision or {}).get("reason", ""))),
        "line": _line(snapshot),
        "metric": display_name(snapshot.metric) if snapshot.metric else "",
        "metric_key": f"eval/{snapshot.metric}",
        "higher_is_better": snapshot.higher_is_better,
        "base": finite(snapshot.base_score),
        "trial_count": snapshot.trial_count,
        "done": sum(record.state in COUNTED for record in trials),
        "running": states["running"],
        "best": _leader(snapshot),
        "best_so_far": _steps(snapshot.best_so_far),
        "band": finite(snapshot.band),
        "decided": _decided(snapshot),
        "axes": [_axis(dimension) for dimension in snapshot.dimensions],
        "can_grow": can_grow,
    }


def _without(notices: list[dict[str, str]], told: str) -> list[dict[str, str]]:
    """Return *notices*, each once, without the sentence *told*, which stands above them already."""
    kept: dict[str, dict[str, str]] = {}
    for notice in notices:
        text = notice["text"]
        if told and text.lower().startswith(told.lower()):
            text = text[len(told) :].lstrip(" .;")
        if text:
            kept[text] = notice | {"text": text}
    return list(kept.values())


def _line(snapshot: SweepSnapshot) -> list[str]:
    plan = snapshot.job.plan
    searched = ", ".join(dimension.name for dimension in snapshot.dimensions)
    base = short_name(plan.get("base", {}).get("id", ""))
    return [part for part in (base, f"searches {searched}" if searched else "") if part]


def _leader(snapshot: SweepSnapshot) -> dict[str, Any] | None:
    """Return the winner, before there is one the trial with the best score."""
    wanted = (snapshot.decision or {}).get("winner")
    named = (record for record in snapshot.trials if record.confirms is None and record.index == wanted)
    leader = next(named, snapshot.best)
    if leader is None:
        return None
    return {"key": leader.key, "index": leader.index, "score": finite(leader.score)}


def _steps(line: list[tuple[int, float]]) -> list[list[float]]:
    """Return a line of steps by its corners."""
    corners: list[list[float]] = []
    for index, value in line:
        if not corners or corners[-1][1] != value:
            corners.append([index, value])
    return corners


def _decided(snapshot: SweepSnapshot) -> dict[str, Any] | None:
    decision = snapshot.decision
    if decision is None:
        return None
    runs = sorted(
        decision.get("confirmed", ()), key=lambda run: run["mean"], reverse=snapshot.higher_is_better
    )
    confirmed = [run["index"] for run in runs]  # the winner and who came next, whatever the search said
    head = f"#{decision['winner']} wins"
    if decision.get("tie") and len(confirmed) > 1:
        head = f"#{confirmed[0]} and #{confirmed[1]} are a tie, #{decision['proposed']} is proposed"
    facts = []
    if (gap := finite(decision.get("optimism_gap"))) is not None:
        facts.append(
            f"the search was too hopeful by {gap:.3f}" if gap > 0 else "the search was not too hopeful"
        )
    if (band := finite(decision.get("band"))) is not None:
        facts.append(f"noise between two trials ± {band:.3f}")
    return {"tie": bool(decision.get("tie")), "head": head, "reason": decision["reason"], "facts": facts}


def _axis(dimension: Any) -> dict[str, Any]:
    return {
        "name": dimension.name,
        "kind": dimension.kind,
        "low": finite(dimension.low),
        "high": finite(dimension.high),
        "log": bool(dimension.log),
        "choices": [_carried(choice) for choice in dimension.choices],
    }
