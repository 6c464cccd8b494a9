"""Where it got worse: the rows that lost, what displaced their right answer, and what to do with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import LABELED, PAIRS, RETRIEVAL, SCORED, TEXT_ROLES
from embedtune_nb.data.split_retrieval import as_retrieval
from embedtune_nb.errors import DataError, did_you_mean
from embedtune_nb.evaluation.causes import ADVICE, advice_on
from embedtune_nb.evaluation.metrics import directed_name, display_name
from embedtune_nb.evaluation.regressions_html import cut, regressions_html
from embedtune_nb.evaluation.search import exact_search
from embedtune_nb.latebound import late

_STAYED, _NOT_CHOSEN = "did not get worse", "not chosen"


@dataclass(frozen=True, repr=False)
class Regressions:
    """The held-out rows of one run, before and after; shown are those that got worse, the worst first.

    Attributes
    ----------
    frame
        One row a held-out row, the worst first: `id`, `text`, `answer`, `before`, `after` (the deciding
        metric; of one that single rows do not have, the error, rank error or rightness behind it),
        `worse_by` (above 0: it got worse), `rank_before`, `rank_after`, `displaced_by`, `said_before` and
        `said_after` (the label, score or similarity that was predicted), `cause`, `why`. The last two are
        empty for rows that did not get worse; what a kind of data does not have is missing.
    metric
        What `before` and `after` measure.
    unit
        What a row is: ``"queries"``, ``"texts"``, ``"triplets"`` or ``"pairs"``.
    data, reference
        The held-out and the training part.
    model
        The tuned model.
    notes
        What could not be looked for.
    chosen_from
        Of what :meth:`where` returned: how many rows got worse before it chose among them; else None.
    """

    frame: pd.DataFrame
    metric: str
    unit: str
    data: Datasource
    reference: Datasource
    model: Any
    notes: list[str] = field(default_factory=list)
    chosen_from: int | None = None

    def to_frame(self, *, everything: bool = False) -> pd.DataFrame:
        """Return the rows that got worse, the worst first; with *everything*, all rows, for wins and ties."""
        frame = self.frame if everything else self._worse
        return frame.reset_index(drop=True)

    def __len__(self) -> int:
        """Return how many rows got worse."""
        return len(self._worse)

    @property
    def causes(self) -> pd.DataFrame:
        """The likely causes, the most frequent first: `cause`, `count`, `share` (0 to 1), `advice`."""
        counts = self._worse["cause"].value_counts()
        return pd.DataFrame(
            {
                "cause": counts.index.astype(str),
                "count": counts.to_numpy(),
                "share": counts.to_numpy() / max(len(self), 1),
                "advice": [advice_on(cause, self.data.kind) for cause in counts.index],
            }
        )

    def where(self, cause: str | None = None, *, ids: Iterable[Any] | None = None) -> Regressions:
        """Return only some of the rows that got worse.

        Parameters
        ----------
        cause
            Only those with this likely cause; see :attr:`causes`.
        ids
            Only these; see the column `id`.

        Raises
        ------
        DataError
            If there is no such cause, or no row is left.
        """
        rows = self._worse
        if cause is not None:
            if cause not in ADVICE:
                raise DataError(
                    f"There is no cause {cause!r}.",
                    expected="one of " + ", ".join(map(repr, ADVICE)),
                    fix=did_you_mean(cause, ADVICE) + "Choose one of them.",
                )
            rows = rows[rows["cause"] == cause]
        if ids is not None:
            rows = rows[rows["id"].isin(set(ids))]
        if rows.empty:
            raise DataError(
                "No row that got worse is of this kind.",
                expected=f"causes that occur: {', '.join(map(repr, self.causes['cause'])) or 'none'}",
                fix="look at .causes and at the column `id` of .to_frame().",
            )
        return replace(self, frame=rows, chosen_from=self.chosen_from or len(self))

    @property
    def selected(self) -> Regressions:
        """The rows that are ticked in the table on screen.

        Raises
        ------
        DataError
            If none is.
        """
        ticked = list(self.widget.selected)
        if not ticked:
            raise DataError(
                "No row is ticked.", fix="tick rows of the table, or use .where(cause) or .where(ids=[...])."
            )
        return self.where(ids=self._worse["id"].iloc[ticked])

    # Where the rows go on to -----------------------------------------------------------------------------

    def to_datasource(self) -> Datasource:
        """Return the held-out rows that got worse, for ``lint``, ``fix`` or reading.

        They are what the model was judged on: a model trained on them needs other data for its verdict, and
        the notes of the result say so. Of retrieval data all documents stay.
        """
        column = "queries" if self.data.kind == RETRIEVAL else "examples"
        rows = self.data.filter(self.data.frames[column]["id"].isin(set(self._some["id"])).tolist())
        warning = (
            "These rows were held out to judge a model; one trained on them needs others for its verdict."
        )
        return _named(rows, f"{self.data.name}, got worse", [*rows.notes, warning])

    def training_rows(self, neighbors: int = 5) -> Datasource:
        """Return the training rows that bear on what got worse.

        Parameters
        ----------
        neighbors
            For each row that got worse, so many training rows nearest to it as the tuned model sees them.
            Of retrieval data and pairs also those whose right answer is what displaced another.

        Returns
        -------
        Datasource
            Of the kind of the training data, but retrieval data instead of pairs, with every document of the
            training part, among which negatives can be found.
        """
        if isinstance(neighbors, bool) or not isinstance(neighbors, (int, np.integer)) or neighbors < 1:
            raise DataError(f"neighbors is {neighbors!r}.", expected="a whole number from 1")
        train = self.reference
        if train.kind == PAIRS:
            train = Datasource(RETRIEVAL, as_retrieval(train), name=train.name, roles=train.roles)
        role: str | None = None if train.kind in (LABELED, SCORED, "scored_pairs", "nli") else "query"
        rows = train.frames["queries" if train.kind == RETRIEVAL else "examples"]
        texts = rows["text" if train.kind == RETRIEVAL else TEXT_ROLES[train.kind][0]]
        vectors = self.model.embed(texts.tolist(), role=role)
        asked = self.model.embed(self._some["text"].tolist(), role=role)
        _, nearest = exact_search(asked, vectors, neighbors)
        chosen = np.zeros(len(rows), bool)
        chosen[np.unique(nearest)] = True
        if train.kind == RETRIEVAL:
            displacing = set(self._some["displaced_by"].dropna())
            documents = train.frames["corpus"]["id"][train.frames["corpus"]["text"].isin(displacing)]
            taught = train.frames["qrels"]["query_id"][
                train.frames["qrels"]["corpus_id"].isin(set(documents))
            ]
            chosen |= rows["id"].isin(set(taught)).to_numpy()
        return _named(train.filter(chosen.tolist()), f"{train.name}, near what got worse", train.notes)

    def mine_hard_negatives(self, strategy: str = "model", **options: Any) -> Datasource:
        """Mine the training rows that bear on what got worse, as the tuned model sees them.

        Parameters
        ----------
        strategy, options
            As in ``Datasource.mine_hard_negatives``; `model` is the tuned one unless another is given.

        Returns
        -------
        MinedTriplets
            To train on, from the base or from the tuned model. No held-out row is among them.
        """
        return self.training_rows().mine_hard_negatives(strategy, **{"model": self.model, **options})

    def fix(self, *names: str, **options: Any) -> Datasource:
        """Mend faults of the training part; arguments as in ``Datasource.fix``, `names` by :attr:`causes`.

        Where vectors are needed, `model` is the tuned one unless another is given.
        """
        known = {} if "vectors" in options else {"model": self.model}
        return self.reference.fix(*names, **{**known, **options})

    def map(self, **options: Any) -> Any:
        """Show the held-out rows before and after in one picture, coloured by likely cause.

        Parameters
        ----------
        options
            As in ``model.map``.
        """
        cause = dict(zip(self._some["id"], self._some["cause"], strict=True))
        rest = _STAYED if self.chosen_from is None else _NOT_CHOSEN
        column = "queries" if self.data.kind == RETRIEVAL else "examples"
        told = self.data.frames[column]["id"].map(lambda id: cause.get(id, rest))
        rows = self.data.frames[column].assign(**{"label" if self.data.kind == LABELED else "group": told})
        if self.data.kind == SCORED:
            rows = rows.rename(columns={"group": "label"}).drop(columns="score")
        kind = LABELED if self.data.kind == SCORED else self.data.kind
        frames = {**self.data.frames, column: rows}
        return self.model.map(Datasource(kind, frames, name=f"{self.data.name}, what got worse"), **options)

    # Looking at it ---------------------------------------------------------------------------------------

    @property
    def widget(self) -> Any:
        """The sortable table; the same one at each display, so that what is ticked stays ticked."""
        if "_widget" not in self.__dict__:
            object.__setattr__(self, "_widget", late("regressions_table")(self))
        return self.__dict__["_widget"]

    @property
    def summary(self) -> str:
        """One line: how many rows got worse, and the likely causes."""
        total = len(self.frame)
        if not len(self):
            return f"None of {total:,} held-out {self.unit} got worse in {directed_name(self.metric)}."
        causes = ", ".join(
            f"{cause} {count:,}" for cause, count in self.causes[["cause", "count"]].to_numpy()
        )
        worse = f"held-out {self.unit} {{}}got worse in {directed_name(self.metric)}"
        shown = (
            f"{len(self):,} of {total:,} {worse.format('')}"
            if self.chosen_from is None
            else f"{len(self):,} of the {self.chosen_from:,} {worse.format('that ')}"
        )
        return f"{shown} (likely causes: {causes})."

    def __repr__(self) -> str:
        lines = [self.summary, *(f"  note: {note}" for note in self.notes)]
        for row in self._worse.head(5).itertuples():
            lines.append(f"  {cut(row.text, 60)!r}: {_moved(row)}, {row.cause}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return regressions_html(self)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.widget._repr_mimebundle_(**options)

    @property
    def _worse(self) -> pd.DataFrame:
        return self.frame[self.frame["worse_by"] > 0]

    @property
    def _some(self) -> pd.DataFrame:
        rows = self._worse
        if rows.empty:
            raise DataError(
                f"None of {len(self.frame):,} held-out {self.unit} got worse in {display_name(self.metric)}.",
                fix="there is nothing to mend here; .to_frame(everything=True) has all rows.",
            )
        return rows


def _named(data: Datasource, name: str, notes: list[str]) -> Datasource:
    return Datasource(
        data.kind,
        data.frames,
        name=name,
        kind_reason=data.kind_reason,
        roles=data.roles,
        dropped=data.dropped,
        notes=notes,
        score_range=data.score_range,
    )


def _moved(row: Any) -> str:
    if pd.isna(row.rank_before):
        return f"{row.before:.3g} -> {row.after:.3g}"
    return f"rank {row.rank_before} -> {row.rank_after}"


def worst_first(worse_by: pd.Series, columns: dict[str, Any]) -> pd.DataFrame:
    """Return a frame of *columns* with `id` and `worse_by`, the worst first, equal ones as in the data."""
    frame = pd.DataFrame({"id": worse_by.index, **columns, "worse_by": worse_by.to_numpy()})
    return frame.sort_values("worse_by", ascending=False, kind="stable").reset_index(drop=True)
