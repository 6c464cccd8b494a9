"""Better here, worse there: the verdict on parts of the rows, by label, length and source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from embedtune_nb.evaluation.comparison import Comparison
from embedtune_nb.evaluation.correction import holm
from embedtune_nb.evaluation.decision import ROWS_MIN, decide_row
from embedtune_nb.evaluation.grouping import Grouping, grouping_of
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.statistics import ROW_VALUES

#: The largest so many labels and groups are judged: more would correct every one of them to silence.
_MOST = 12


def judge_slices(
    before: Evaluation, after: Evaluation, metric: str, *, seed: int, resamples: int
) -> tuple[list[dict[str, Any]], str]:
    """Compare two evaluations within each slice of their rows.

    Parameters
    ----------
    before, after
        Of the same rows.
    metric
        The deciding one. One that single rows do not have is replaced by that of single rows which stands
        for it, such as accuracy for macro F1.
    seed, resamples
        As for the verdict.

    Returns
    -------
    rows, note
        A dict a slice: `by` (``"label"``, ``"length"`` or ``"group"``, which is the source), `slice`,
        `queries`, what :meth:`Comparison.judge` returns, `p_adjusted` (Holm, over all slices) and
        `answer`. The note tells what was not judged.
    """
    traits = after.traits if after.traits is not None else before.traits
    if traits is None:
        return [], ""
    name = metric if metric in after.per_query else ROW_VALUES[metric]
    rows, groupings, notes = [], [], []
    for by, slices, left_out in _slicings(traits.loc[before.per_query.index]):
        if left_out:
            notes.append(f"{left_out:,} smaller {by}s")
        for title, index in slices:
            comparison = Comparison(before, after, [name], index)
            alone = by == "group"
            grouping = (
                Grouping.each_row(len(index))
                if alone
                else grouping_of(traits.loc[index], len(index), after.unit)
            )
            (row,) = comparison.judge(grouping.of_row, seed=seed, resamples=resamples)
            rows.append({"by": by, "slice": title, "queries": len(index), **row})
            groupings.append(grouping)
    adjusted = holm(np.array([row["p"] for row in rows]))
    for row, p, grouping in zip(rows, adjusted, groupings, strict=True):
        row |= {"p_adjusted": float(p), "answer": decide_row(row, float(p), grouping.groups)}
    return rows, f"Not judged by themselves: {', '.join(notes)}." if notes else ""


def _slicings(traits: pd.DataFrame) -> Iterator[tuple[str, list[tuple[str, pd.Index]], int]]:
    """Yield what it is sliced by, the slices with their rows, and how many were left out as too small."""
    for by in ("label", "length", "group"):
        if by == "length":
            of_row = length_classes(traits["words"])
        elif by in traits:
            of_row = traits[by]
        else:
            continue
        sizes = of_row.value_counts(sort=by != "length")
        large = sizes[sizes >= ROWS_MIN].iloc[:_MOST]
        if len(sizes) > 1 and len(large):
            slices = [(str(title), of_row.index[of_row == title]) for title in large.index]
            yield by, slices, len(sizes) - len(large)


def length_classes(words: pd.Series) -> pd.Series:
    """Return a class for each row, a third of the rows each as far as equal lengths allow: `1 to 5 words`."""
    edges = np.unique(np.quantile(words, [1 / 3, 2 / 3], method="lower"))
    place = np.searchsorted(edges, words, side="left")
    names = {}
    for number in np.unique(place):
        held = words[place == number]
        low, high = int(held.min()), int(held.max())
        names[number] = f"{low} words" if low == high else f"{low} to {high} words"
    return pd.Series(pd.Categorical([names[number] for number in place], list(names.values())), words.index)
