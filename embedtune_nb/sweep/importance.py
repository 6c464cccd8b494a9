"""How much each dimension mattered for the best trials of a sweep."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from embedtune_nb.sweep.ranking import scored
from embedtune_nb.sweep.snapshot import SweepSnapshot

if TYPE_CHECKING:
    import pandas as pd

#: With fewer trials the order of the dimensions is mostly chance.
FEW = 15
_FEWEST = 2


def importance(snapshot: SweepSnapshot) -> pd.DataFrame:
    """Return how much each dimension mattered for being among the best tenth of the trials (PED-ANOVA).

    Parameters
    ----------
    snapshot
        The sweep. Trials that ended done count; lost, pruned and confirming ones do not.

    Returns
    -------
    pandas.DataFrame
        `dimension` and `importance`, shares that add up to 1, the largest first; no row where fewer than
        two trials were scored. ``frame.attrs["caution"]`` is what to bear in mind; empty if nothing.

    Notes
    -----
    Watanabe, Bansal and Hutter, PED-ANOVA (https://arxiv.org/abs/2304.10255), as in Optuna, which by the
    same name weighs a dimension that only some trials have. The numbers are those that
    ``optuna.importance.get_param_importances(job.study)`` gives.
    """
    import pandas as pd

    trials = scored(snapshot.trials)
    shares = _shares(snapshot) if len(trials) >= _FEWEST and snapshot.dimensions else {}
    frame = pd.DataFrame(
        sorted(shares.items(), key=lambda item: -item[1]), columns=["dimension", "importance"]
    )
    frame.attrs["caution"] = caution(len(trials))
    if len(shares) > 1 and len(set(shares.values())) == 1:
        alike = "all shares are equal: no trial stands out as the best"
        frame.attrs["caution"] = "; ".join(filter(None, [frame.attrs["caution"], alike]))
    return frame


def caution(finished: int) -> str:
    """Return what to say beside importances that rest on *finished* trials; empty where they are enough."""
    if finished >= FEW:
        return ""
    return f"{finished} finished trials: below {FEW} this order is mostly chance"


def _shares(snapshot: SweepSnapshot) -> dict[str, float]:
    import optuna

    from embedtune_nb.sweep.encoding import shown, shown_distribution
    from embedtune_nb.sweep.studies import quiet

    searched = {dimension.name: shown_distribution(dimension) for dimension in snapshot.dimensions}
    with quiet():
        study = optuna.create_study(direction="maximize" if snapshot.higher_is_better else "minimize")
    for trial in scored(snapshot.trials):
        tried = {name: shown(value) for name, value in trial.values.items() if name in searched}
        study.add_trial(
            optuna.trial.create_trial(
                params=tried, distributions={name: searched[name] for name in tried}, value=trial.score
            )
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of trials that are few or alike: the caution tells it
        return optuna.importance.get_param_importances(study)
