"""Is more data worth it: the same recipe on growing parts of the data, judged on the same held-out rows."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embedtune_nb.catalogue import BaseSpec
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import LABELED, SCORED
from embedtune_nb.data.split import split
from embedtune_nb.errors import DataError, PlanError
from embedtune_nb.evaluation.metrics import directed_name
from embedtune_nb.experiments.growth import gain_of_doubling
from embedtune_nb.experiments.noise_floor import spread_of
from embedtune_nb.experiments.repeats import Repeat, carry_out, evaluations_of
from embedtune_nb.experiments.to_label import rows_to_label
from embedtune_nb.latebound import late
from embedtune_nb.models.finetuned import FinetunedEmbeddingModel
from embedtune_nb.plan.metrics import lower_is_better
from embedtune_nb.plan.resolve import resolve

if TYPE_CHECKING:
    import altair as alt


#: Of the smallest part.
_ROWS_MIN = 2


@dataclass(frozen=True, repr=False)
class LearningCurve:
    """What came of the same recipe on growing parts of the data.

    Attributes
    ----------
    primary
        The metric that decides.
    runs
        One row a run: `fraction`, `rows` (trained on), `repeat`, `seed`, `name`, and a column a metric.
    base
        One row a run, as in `runs`, one column a metric: the base model on the same held-out rows. Where
        neighbours answer they are those of the run's own part, so the base grows with the data too.
    held_out
        How many rows all runs were judged on.
    trained_on
        The whole training part.
    model_name
        The model of the first run on all of it, kept for :meth:`label_next`.
    notes
        What is worth knowing about how it was made.
    """

    primary: str
    runs: pd.DataFrame
    base: pd.DataFrame
    held_out: int
    trained_on: Datasource
    model_name: str
    notes: list[str] = field(default_factory=list)

    def to_frame(self, metric: str | None = None) -> pd.DataFrame:
        """Return one row a fraction of the data.

        Parameters
        ----------
        metric
            None: the deciding one.

        Returns
        -------
        DataFrame
            `fraction`, `rows`, `runs`, `mean`, `low`, `high` (95 % t interval of the mean over runs with
            other rows and seeds; missing for one run), `base` (mean of the base model), `gain` (mean less
            base).
        """
        metric = self._checked(metric)
        points = []
        for fraction, part in self.runs.groupby("fraction", sort=True):
            mean, half = spread_of(part[metric].tolist())
            base = float(self.base.loc[part.index, metric].mean())
            points.append(
                {
                    "fraction": fraction,
                    "rows": round(part["rows"].mean()),
                    "runs": len(part),
                    "mean": mean,
                    "low": np.nan if half is None else mean - half,
                    "high": np.nan if half is None else mean + half,
                    "base": base,
                    "gain": mean - base,
                }
            )
        return pd.DataFrame(points)

    def expected_gain(self, metric: str | None = None) -> dict[str, float | None]:
        """Return what twice the data should bring.

        Parameters
        ----------
        metric
            None: the deciding one.

        Returns
        -------
        dict
            `rows` (twice those of now), `gain`, `low`, `high`; see
            :func:`embedtune_nb.experiments.growth.gain_of_doubling`. An error that falls has a negative gain.
        """
        metric = self._checked(metric)
        gain, low, high = gain_of_doubling(self.runs["rows"].to_numpy(), self.runs[metric].to_numpy())
        return {"rows": 2 * int(self.runs["rows"].max()), "gain": gain, "low": low, "high": high}

    def label_next(self, texts: Any, count: int = 20) -> pd.DataFrame:
        """Choose unlabelled texts that are worth a label: uncertain or uncovered ones.

        Parameters
        ----------
        texts
            A list of texts, or a column of a table.
        count
            How many.

        Returns
        -------
        DataFrame
            `row`, `text`, `why`, `because`, `uncertainty`, `similarity`; see
            :func:`embedtune_nb.experiments.to_label.rows_to_label`.
        """
        model = FinetunedEmbeddingModel.open(self.model_name)
        return rows_to_label(model, self.trained_on, texts, count=count)

    def chart(self, metric: str | None = None) -> alt.LayerChart:
        """Return the curve with its bands, the base model, and what twice the data should bring."""
        metric = self._checked(metric)
        return late("learning_curve_chart")(
            self.to_frame(metric),
            title=directed_name(metric),
            ahead=self.expected_gain(metric),
        )

    @property
    def summary(self) -> str:
        """The curve and the expected gain as sentences."""
        points = ", ".join(
            f"{row.mean:.3f} with {row.rows:,} rows (base {row.base:.3f})"
            for row in self.to_frame().itertuples(index=False)
        )
        ahead = self.expected_gain()
        band = "" if ahead["low"] is None else f" [{ahead['low']:+.3f}, {ahead['high']:+.3f}]"
        return (
            f"{directed_name(self.primary)}: {points}. Twice "
            f"the data ({ahead['rows']:,} rows) should bring {ahead['gain']:+.3f}{band}: "
            f"{self._worth(ahead)}."
        )

    def __repr__(self) -> str:
        return "\n".join([self.summary, *(f"  note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        table = self.to_frame().to_html(index=False, float_format="{:.3f}".format, na_rep="–")
        return f"<p>{escape(self.summary)}</p>{table}<ul>{notes}</ul>"

    def _worth(self, ahead: Mapping[str, float | None]) -> str:
        low, high = ahead["low"], ahead["high"]
        if low is None or high is None:
            return "a guess from too few runs for an interval"
        if lower_is_better(self.primary):
            low, high = -high, -low
        if low > 0:
            return "more data helps"
        if high < 0:
            return "more data of this kind would make it worse"
        return "these runs do not show that more data helps"

    def _checked(self, metric: str | None) -> str:
        metric = metric or self.primary
        if metric not in self.base:
            raise DataError(f"There is no metric {metric!r} here.", expected="one of " + ", ".join(self.base))
        return metric


def learning_curve(
    base: BaseSpec,
    data: Datasource,
    fractions: Sequence[float] = (0.25, 0.5, 1),
    *,
    repeats: int = 3,
    name: str | None = None,
    eval_datasource: Datasource | None = None,
    loss: str | None = None,
    hyperparams: Mapping[str, Any] | None = None,
    if_exists: str = "open",
    executor: str = "process",
    keep_models: bool = False,
    seed: int = 42,
) -> LearningCurve:
    """Train on growing parts of *data*; see :meth:`EmbeddingModel.learning_curve`."""
    shares = _fractions(fractions)
    if isinstance(repeats, bool) or not isinstance(repeats, numbers.Integral) or repeats < 1:
        raise PlanError(
            f"repeats is {repeats!r}.", expected="a whole number from 1", fix="3 give a first band."
        )
    whole = split(data, seed=seed, eval_datasource=eval_datasource)
    name = name or f"curve-{data.fingerprint[:8]}"
    planned: list[tuple[float, int, Repeat]] = []
    for repeat in range(int(repeats)):
        order = _order(whole.train, seed + repeat)
        for share in shares:
            part = _first(whole.train, order, share)
            if len(part) < _ROWS_MIN:
                raise PlanError(
                    f"A share of {share:g} is {len(part)} of {len(whole.train):,} training rows.",
                    expected=f"at least {_ROWS_MIN} rows in the smallest part",
                    fix="give larger fractions, or more data.",
                )
            plan, parts = resolve(
                base,
                part,
                name=f"{name}-{share:g}-run-{repeat + 1}",
                eval_datasource=whole.verdict,
                loss=loss,
                hyperparams=hyperparams,
                executor=executor,
                seed=seed + repeat,
            )
            # neighbours are asked among the training part, which grows
            first = None if data.kind in (LABELED, SCORED) or not planned else planned[0][2].plan.name
            planned.append((share, repeat, Repeat(plan, parts, same_base_as=first)))
    kept = f"{name}-{shares[-1]:g}-run-1"  # it is asked which texts to label next
    runs = [made for *_, made in planned]
    keep = [made.plan.name for made in runs] if keep_models else [kept]
    jobs = carry_out(runs, what="learning curve", if_exists=if_exists, keep=keep)
    rows, bases = [], []
    for (share, repeat, made), job in zip(planned, jobs, strict=True):
        before, after = evaluations_of(job)
        bases.append(before.metrics)
        rows.append(
            {
                "fraction": share,
                "rows": len(made.split.train),
                "repeat": repeat + 1,
                "seed": made.plan["seed"],
                "name": job.name,
                **after.metrics,
            }
        )
    notes = [
        f"Every run was judged on the same {len(whole.verdict):,} held-out rows; smaller parts lie within "
        "larger ones of the same repeat.",
        "Bands tell how runs with other rows and seeds differ; other held-out rows would add to that.",
        "Epochs, not steps, are the same for all parts, so smaller parts train for fewer steps.",
    ]
    return LearningCurve(
        primary=runs[0].plan["metric"],
        runs=pd.DataFrame(rows),
        base=pd.DataFrame(bases),
        held_out=len(whole.verdict),
        trained_on=whole.train,
        model_name=kept,
        notes=notes,
    )


def _fractions(fractions: Sequence[float]) -> list[float]:
    try:
        shares = sorted({float(share) for share in fractions})
    except (TypeError, ValueError):
        shares = []
    if len(shares) < 2 or shares[0] <= 0 or shares[-1] > 1:
        raise PlanError(
            f"fractions is {fractions!r}.",
            expected="at least two different shares of the data, above 0 and up to 1",
            fix="(0.25, 0.5, 1) is a good start.",
        )
    return shares


def _order(train: Datasource, seed: int) -> np.ndarray:
    """Return the rows of *train* at random; each beginning has the labels in proportion."""
    rng = np.random.default_rng(seed)
    if train.kind != LABELED:
        return rng.permutation(len(train))
    labels = train.frames["examples"]["label"].astype(str)
    shuffled = pd.Series(rng.permutation(len(labels)), index=labels.index)
    within = shuffled.groupby(labels).rank(method="first") - rng.random(len(labels))
    return np.argsort((within / labels.groupby(labels).transform("size")).to_numpy(), kind="stable")


def _first(train: Datasource, order: np.ndarray, share: float) -> Datasource:
    chosen = np.zeros(len(train), bool)
    chosen[order[: max(1, round(share * len(train)))]] = True
    return train if chosen.all() else train.filter(chosen.tolist())
