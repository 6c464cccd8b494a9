"""What the monitor's browser side needs to know, as small plain dicts made from a job's snapshot."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from embedtune_nb.evaluation.figures import figures
from embedtune_nb.jobs.feed import FINAL_STATES

if TYPE_CHECKING:
    import pandas as pd

_IMPORT = "import embedtune_nb as et"


def finite(value: Any) -> float | None:
    """Return *value* as a float that JSON can carry, or None."""
    if value is None:
        return None
    value = float(value)
    return value if math.isfinite(value) else None


def summary_of(snapshot: Any) -> dict[str, Any]:
    """Return the facts of the top line, the progress bar and the verdict."""
    best = snapshot.best
    return {
        "id": snapshot.id,
        "kind": snapshot.kind,
        "name": snapshot.name,
        "state": snapshot.state,
        "final": snapshot.state in FINAL_STATES,
        "reason": snapshot.reason or "",
        "levers": list(snapshot.levers or []),
        "phase": snapshot.phase or "",
        "phase_done": int(snapshot.phase_done or 0),
        "phase_total": int(snapshot.phase_total or 0),
        "steps": int(snapshot.steps_completed or 0),
        "steps_total": int(snapshot.steps_total or 0),
        "epoch": finite(snapshot.epoch),
        "epochs": finite(snapshot.epochs_total),
        "eta": finite(snapshot.eta_seconds),
        "rate": finite(snapshot.texts_per_second),
        "elapsed": finite(snapshot.elapsed),
        "primary": snapshot.primary,
        "higher_is_better": bool(snapshot.higher_is_better),
        "base": {name: finite(value) for name, value in (snapshot.base or {}).items()},
        "best": best and {**best, "value": finite(best["value"])},
        "verdict": _with_figures(snapshot.verdict) if snapshot.verdict else None,
        "python": _what_next(snapshot) if snapshot.state == "done" else [],
        "notices": [dict(notice) for notice in snapshot.notices or []],
    }


def _with_figures(verdict: dict[str, Any]) -> dict[str, Any]:
    others = [{**other, "shown": figures(other)} for other in verdict.get("others", [])]
    return {**verdict, "shown": figures(verdict), "others": others}


def _what_next(snapshot: Any) -> list[str]:
    """Lines that work in any notebook: the one that shows the job need not have it in a variable."""
    if snapshot.kind not in ("finetune", "sweep"):
        return [f"{_IMPORT}; et.Job.open({json.dumps(snapshot.id)}).result()"]
    return [
        f"{_IMPORT}; model = et.FinetunedEmbeddingModel.open({json.dumps(snapshot.name)})",
        "model.verdict",
        *(["model.trials.to_frame()"] if snapshot.kind == "sweep" else []),
        "model.map()",
        *(["model.regressions()"] if (snapshot.verdict or {}).get("losses") else []),
        f"model.save_report({json.dumps(f'{snapshot.name}.html')})",
    ]


def recipe_of(snapshot: Any) -> dict[str, Any]:
    """Return the plan line, the table of settings and the code that repeats the run."""
    plan = snapshot.plan or {}
    settings = plan.get("settings", {})
    measured = snapshot.measured or {}
    rows = [
        [name, shown(entry.get("value")), str(entry.get("source", "")), str(entry.get("reason", ""))]
        for name, entry in settings.items()
        if name not in measured
    ]
    rows += [
        [name, shown(entry.get("value")), "measured", str(entry.get("reason", ""))]
        for name, entry in measured.items()
    ]
    line = [
        short_name(plan.get("base", {}).get("id", "")),
        _value(settings, "loss"),
        f"batch {_value(settings, 'batch_size')}" if "batch_size" in settings else "",
    ]
    return {
        "line": [part for part in line if part],
        "settings": rows,
        "advice": [str(text) for text in plan.get("advice", [])],
        "code": snapshot.code or plan.get("code", ""),
    }


def series_frame(snapshot: Any) -> pd.DataFrame:
    """Return all series as one long frame: `metric`, `step`, `epoch`, `seconds`, `value`."""
    import pandas as pd

    parts = [
        pd.DataFrame(
            {
                "metric": name,
                "step": series.step,
                "epoch": series.epoch,
                "seconds": series.wall,
                "value": series.value,
            }
        )
        for name, series in snapshot.series.items()
        if len(series.step)
    ]
    columns = ["metric", "step", "epoch", "seconds", "value"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def live_metric(snapshot: Any) -> str:
    """Return the evaluation metric with a curve: the primary one, else the one that selects, else any."""
    measured = [name for name, series in snapshot.series.items() if name.startswith("eval/") and series.step]
    selecting = snapshot.best["name"] if snapshot.best else ""
    for name in (snapshot.primary, selecting):
        if name in measured:
            return name
    return measured[0] if measured else snapshot.primary


def short_name(model: str) -> str:
    """Return the last part of a model's id: `owner/all-MiniLM-L6-v2` -> `all-MiniLM-L6-v2`."""
    return model.rstrip("/").rsplit("/", 1)[-1]


def shown(value: Any) -> str:
    """Write a setting's value as a person would: `True` -> yes, `0.00002` -> 2e-05."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _value(settings: dict[str, Any], name: str) -> str:
    return shown(settings[name].get("value")) if name in settings else ""
