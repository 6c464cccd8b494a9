"""Models on the same held-out rows, in one table with intervals."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embedtune_nb.errors import DataError
from embedtune_nb.evaluation.figures import figures
from embedtune_nb.evaluation.metrics import directed_name
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.verdict import Verdict
from embedtune_nb.latebound import late
from embedtune_nb.plan.metrics import lower_is_better

if TYPE_CHECKING:
    import altair as alt


@dataclass(frozen=True, repr=False)
class Comparison:
    """What :func:`embedtune_nb.experiments.compare.compare` found.

    Attributes
    ----------
    frame
        One row a model and metric; see :meth:`to_frame`.
    against
        The model that the others are compared with.
    primary
        The metric that decides.
    unit, rows
        What was scored, and how many of them.
    evaluations
        By model: all values of single rows.
    verdicts
        By model but *against*: the paired comparison with it.
    noise_band
        Differences up to this are ties of training; None where no noise floor was measured.
    notes
        Every choice that changes the figures, and which models have seen the rows.
    """

    frame: pd.DataFrame
    against: str
    primary: str
    unit: str
    rows: int
    evaluations: dict[str, Evaluation]
    verdicts: dict[str, Verdict]
    noise_band: float | None = None
    notes: list[str] = field(default_factory=list)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a model and metric.

        Returns
        -------
        DataFrame
            `model`, `metric`, `value` with `low` and `high`; `difference` from :attr:`against` with
            `difference_low` and `difference_high` (missing for that model itself), its `answer`
            (``"better"``, ``"worse"``, ``"no difference shown"``), and `rank`, 1 the best; models within the
            noise band of the best of their rank share it. Intervals at 95 %, over rows.
        """
        return self.frame.copy()

    def to_markdown(self, metrics: list[str] | None = None) -> str:
        """Return a table for a report: one row a model, one column a metric, differences in a second line.

        Parameters
        ----------
        metrics
            Which ones, in this order. None: all.
        """
        names = self._metrics(metrics)
        head = ["rank", "model", *map(directed_name, names)]
        lines = [_line(head), _line(["---:", "---", *["---"] * len(names)])]
        for rank, model in self._ranking():
            cells = [self._cell(model, name) for name in names]
            lines.append(
                _line(
                    [
                        str(rank),
                        model.replace("|", "\\|"),
                        *("<br>".join(filter(None, cell)) for cell in cells),
                    ]
                )
            )
        return "\n".join([*lines, "", *(f"- {note}" for note in self._told())])

    def chart(self, metrics: list[str] | None = None) -> alt.VConcatChart:
        """Return a chart of the gain over :attr:`against`, one panel a metric, with intervals around zero."""
        names = self._metrics(metrics)
        rows = self.frame[(self.frame["model"] != self.against) & self.frame["metric"].isin(names)]
        if rows.empty:
            raise DataError(
                "There is only one model, so there is no gain to draw.",
                fix="compare at least two models, or leave base=False out.",
            )
        shown = rows.assign(title=rows["metric"].map(directed_name))
        return late("gain_chart")(shown, names=[directed_name(name) for name in names], against=self.against)

    def __repr__(self) -> str:
        wide = max(len(model) for _, model in self._ranking())
        lines = [f"{directed_name(self.primary)} on {self.rows:,} held-out {self.unit}"]
        for rank, model in self._ranking():
            value, gain = self._cell(model, self.primary)
            lines.append(f"{rank:>3}  {model:<{wide}}  {value}  {gain}".rstrip())
        return "\n".join([*lines, *(f"  note: {note}" for note in self._told())])

    def _repr_html_(self) -> str:
        cell = "text-align:left;padding:2px 16px 2px 0;vertical-align:top;font-variant-numeric:tabular-nums"
        small = "font-size:11px;color:var(--jp-ui-font-color2,#767676)"
        names = self._metrics(None)
        head = "".join(
            f'<th style="{cell}">{escape(text)}</th>'
            for text in ("rank", "model", *map(directed_name, names))
        )
        body = ""
        for rank, model in self._ranking():
            texts = [self._cell(model, name) for name in names]
            cells = "".join(
                f'<td style="{cell}">{escape(value)}<div style="{small}">{escape(gain)}</div></td>'
                for value, gain in texts
            )
            body += f'<tr><td style="{cell}">{rank}</td><td style="{cell}">{escape(model)}</td>{cells}</tr>'
        notes = "".join(f"<li>{escape(note)}</li>" for note in self._told())
        return (
            f'<div style="overflow-x:auto"><table style="color:inherit"><tr>{head}</tr>{body}</table>'
            f'<ul style="{small};margin:4px 0">{notes}</ul></div>'
        )

    def _ranking(self) -> list[tuple[int, str]]:
        """Return rank and name of every model, the best first; those that share a rank by their value."""
        rows = self.frame[self.frame["metric"] == self.primary]
        rows = rows.sort_values("value", ascending=lower_is_better(self.primary), kind="stable")
        rows = rows.sort_values("rank", kind="stable")
        return list(zip(rows["rank"].astype(int), rows["model"], strict=True))

    def _metrics(self, asked: list[str] | None) -> list[str]:
        known = list(dict.fromkeys(self.frame["metric"]))
        wrong = [name for name in asked or () if name not in known]
        if wrong:
            raise DataError(f"There is no metric {wrong[0]!r} here.", expected="some of " + ", ".join(known))
        return list(asked or known)

    def _cell(self, model: str, metric: str) -> tuple[str, str]:
        """Return the value with its interval, and the difference with its interval and answer."""
        rows = self.frame[(self.frame["model"] == model) & (self.frame["metric"] == metric)]
        if rows.empty:
            return "–", ""
        row = rows.iloc[0]
        value = f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
        if not np.isfinite(row["difference"]):
            return value, ""
        shown = figures(
            {
                "metric": metric,
                "before": row["value"] - row["difference"],
                "after": row["value"],
                "difference": row["difference"],
                "low": row["difference_low"],
                "high": row["difference_high"],
            }
        )
        return value, f"{shown['difference']} {shown['interval']} {row['answer']}"

    def _told(self) -> list[str]:
        told = [
            f"Differences are from {self.against}, row by row; 95 % intervals over {self.rows:,} "
            f"{self.unit}.",
        ]
        if self.noise_band is None:
            told.append(
                "Ranks are the plain order: no noise floor of these models is known. model.noise_floor() "
                "measures how much the seed alone moves the figures."
            )
        else:
            told.append(
                f"Models within {self.noise_band:.3f} share a rank: so much the seed alone moves "
                f"{directed_name(self.primary)}."
            )
        return [*told, *self.notes]


def ranks_with_ties(values: pd.Series, band: float | None, *, lower: bool) -> pd.Series:
    """Rank *values*, 1 the best; within *band* of the best of a rank is a tie with it.

    Parameters
    ----------
    values
        One a model.
    band
        None or 0: only equal values tie.
    lower
        Whether less is better.
    """
    quality = -values if lower else values
    ranks = pd.Series(0, index=values.index)
    leader, rank = np.inf, 0
    for place, index in enumerate(quality.sort_values(ascending=False, kind="stable").index, start=1):
        if leader - quality[index] > (band or 0.0):
            leader, rank = quality[index], place
        ranks[index] = rank
    return ranks


def _line(cells: list[Any]) -> str:
    return "| " + " | ".join(cells) + " |"
