"""What the trial browser tells of one trial: plan, differences from the defaults, code, what can be done."""

from __future__ import annotations

from typing import Any

from embedtune_nb.errors import NotFoundError
from embedtune_nb.sweep.trial import Trial
from embedtune_nb.widgets.summary import shown


def detail_of(trial: Trial, name: str) -> dict[str, Any]:
    """Return plan, differences, code and offers of *trial* as plain values.

    Parameters
    ----------
    trial
        One of a sweep, or a run that confirms one.
    name
        Of the model that the sweep makes; the names offered for new ones begin with it.
    """
    plan = trial.plan
    return {
        "settings": [
            [key, shown(setting.value), setting.source, setting.reason]
            for key, setting in plan.settings.items()
        ],
        "diff": [[row.setting, shown(row.default), shown(row.tried)] for row in trial.diff().itertuples()],
        "code": trial.code,
        "offers": {
            "publish": _offer(_why_not_publish(trial), f"{name}-trial-{trial.index}"),
            "again": _offer(_why_not_train(trial), f"{name}-again-{trial.index}"),
        },
    }


def _offer(why_not: str, name: str) -> dict[str, Any]:
    return {"can": not why_not, "why": why_not, "name": name}


def _why_not_publish(trial: Trial) -> str:
    if trial.state == "running":
        return "it is still running"
    try:
        trial.weights  # noqa: B018 - asked for the reason it gives
    except NotFoundError as error:
        return str(error)
    return ""


def _why_not_train(trial: Trial) -> str:
    return "" if trial.folder is not None else "the data of the sweep went with its job's folder"
