"""What an evaluation found: metrics, the value of every query, and what was left out."""

from __future__ import annotations

import html
from dataclasses import dataclass, field

import pandas as pd

from embedtune_nb.errors import DataError
from embedtune_nb.evaluation.guidance import guide_table
from embedtune_nb.evaluation.guidance_html import guide_html
from embedtune_nb.evaluation.metrics import directed_name


@dataclass
class Evaluation:
    """The quality of one encoder on one set of held-out data.

    Attributes
    ----------
    metrics
        Name to value. Those that `per_query` has are plain means over its rows (macro-averaged over
        queries); the others (F1, areas under curves, RMSE, R², correlations) are computed from all
        `answers` or `votes` at once.
    per_query
        One row a query, text, triplet or pair (index: its id), one column a metric that single rows
        have. Pairs have `rank_error`: how far the rank of a pair's similarity lies from the rank of its
        score, as a share of all ranks. Labels have `vote_share`: the share of the votes that the right
        label got.
    primary
        The metric that decides.
    seconds
        How long it took.
    notes
        Every choice that changes the figures, as sentences.
    answers
        `truth` and `predicted` of every row, indexed as `per_query`; None for retrieval and triplets.
    votes
        Of labels, the share of the neighbours' votes that each label (column) got, indexed as `per_query`.
    traits
        What is known of every row whatever the model, indexed as `per_query`; see
        :func:`embedtune_nb.evaluation.traits.traits_of`. Slices and resampling by group rest on it.
    unit
        What a row is: ``"queries"``, ``"texts"``, ``"triplets"`` or ``"pairs"``.
    truncated
        Dimension to the deciding metric where only so many numbers of each vector are kept; empty
        unless the model was trained for it (Matryoshka).
    """

    metrics: dict[str, float]
    per_query: pd.DataFrame
    primary: str
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    answers: pd.DataFrame | None = None
    votes: pd.DataFrame | None = None
    traits: pd.DataFrame | None = None
    unit: str = "queries"
    truncated: dict[int, float] = field(default_factory=dict)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a metric: `metric`, `value`, and its count of rows; the deciding one first."""
        names = sorted(self.metrics, key=lambda name: name != self.primary)
        return pd.DataFrame(
            {
                "metric": names,
                "value": [self.metrics[name] for name in names],
                self.unit: len(self.per_query),
            }
        )

    def guide(self) -> pd.DataFrame:
        """Return what each metric means and is for, and from where on it is usually called good.

        Returns
        -------
        pandas.DataFrame
            `metric`, `name`, `value`, `good_from` (NaN where it depends on the data), `good` (None there),
            `meaning`, `use`, `direction`; the deciding metric first. Look at one metric that heeds the
            order (MRR, NDCG) and one that does not (precision, recall).
        """
        table = guide_table(self.to_frame()["metric"])
        values = table["metric"].map(self.metrics)
        good = [
            None if pd.isna(least) else bool(value >= least)
            for value, least in zip(values, table["good_from"], strict=True)
        ]
        told = table.assign(value=values, good=pd.Series(good, dtype=object))
        return told[["metric", "name", "value", "good_from", "good", "meaning", "use", "direction"]]

    def confusion(self) -> pd.DataFrame:
        """Return how many texts of each label (row) were given each label (column).

        Raises
        ------
        DataError
            If the data has no labels to predict.
        """
        if self.votes is None or self.answers is None:
            raise DataError(
                f"A confusion matrix counts predicted labels; {self.unit} of this evaluation have none.",
                expected="an evaluation of labeled data",
            )
        labels = sorted({*self.answers["truth"], *self.answers["predicted"]})
        counts = pd.crosstab(self.answers["truth"], self.answers["predicted"])
        return counts.reindex(index=labels, columns=labels, fill_value=0)

    @property
    def figures(self) -> str:
        """All metrics in one line, the deciding one first, and how many rows they rest on."""
        values = "  ".join(f"{name} {value:.3f}" for name, value in self._shown())
        return f"{values}  ({len(self.per_query):,} {self.unit}, {self.seconds:.1f} s)"

    def __repr__(self) -> str:
        return "\n".join([self.figures, *(f"  note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        cell = "text-align:right;padding:2px 16px 2px 0;font-variant-numeric:tabular-nums"
        small = "font-size:11px;color:var(--jp-ui-font-color2,#666)"
        shown = self._shown()
        head = "".join(f'<th style="{cell}">{html.escape(name)}</th>' for name, _ in shown)
        values = "".join(f'<td style="{cell}">{value:.3f}</td>' for _, value in shown)
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        return (
            f"<div><table><tr>{head}</tr><tr>{values}</tr></table>"
            f'<div style="{small}">{len(self.per_query):,} {self.unit} in {self.seconds:.1f} s</div>'
            + (f'<ul style="{small};margin:4px 0">{notes}</ul>' if notes else "")
            + guide_html(self.guide())
            + "</div>"
        )

    def _shown(self) -> list[tuple[str, float]]:
        frame = self.to_frame()
        return [
            (directed_name(name), value) for name, value in zip(frame["metric"], frame["value"], strict=True)
        ]
