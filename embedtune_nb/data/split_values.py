"""Splitting labeled and scored texts: labels or scores in proportion, near-copies and groups never torn."""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedtune_nb.data.components import linked
from embedtune_nb.data.copies import copy_groups, normalized
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import LABELED
from embedtune_nb.data.partition import SELECTION, TRAIN, VERDICT, bands, by_size, stratified, targets
from embedtune_nb.data.split_parts import Parts, far_off, part_of, refuse_groups
from embedtune_nb.errors import DataError

_TOO_LARGE = 0.05


def split_values(
    data: Datasource, *, seed: int, selection: bool, eval_datasource: Datasource | None
) -> Parts:
    """Split labeled or scored data; see :func:`embedtune_nb.data.split.split`."""
    examples = data.frames["examples"]
    reasons: list[str] = []
    removed: list[dict[str, object]] = []
    advice: list[str] = []
    if eval_datasource is not None:
        leaked = _also_in(examples["value"], eval_datasource.frames["examples"]["value"])
        if leaked.any():
            removed.append(
                {"count": int(leaked.sum()), "reason": "a copy or near-copy stands in eval_datasource"}
            )
            examples = examples[~leaked]
        if examples.empty:
            raise DataError(
                "Every text of the data also stands in eval_datasource.",
                expected="training texts that are not evaluated on",
                fix="pass other data for one of them.",
            )
        unseen = set(eval_datasource.labels) - set(examples["label"]) if data.kind == LABELED else set()
        if unseen:
            advice.append(
                f"Labels of eval_datasource that do not occur in the training part: {len(unseen)} "
                f"(for example {min(map(str, unseen))!r}); their texts cannot be answered rightly."
            )
    want = targets(len(examples), selection=selection, verdict=eval_datasource is None)
    generator = np.random.default_rng(seed)
    held_out = any(want.values())
    units, told = _units(examples) if held_out else (np.arange(len(examples)), [])
    reasons += told
    if data.kind == LABELED:
        strata, what = pd.factorize(examples["label"], sort=True)[0], "the labels"
    else:
        strata = bands(examples["score"].to_numpy(), generator)
        what = f"{strata.max() + 1} bands of scores"
    if not held_out:
        parts, how = np.full(len(examples), TRAIN), "nothing held out of the data"
    elif "group" in examples:
        parts, how = _grouped(data, units, want, generator, what)
    else:
        parts, how = (
            stratified(strata, units, want, generator),
            f"in proportion to {what}; near-copies together",
        )
    if eval_datasource is None and data.kind == LABELED:
        missing = set(examples["label"]) - set(examples["label"][parts == VERDICT])
        if missing:
            reasons.append(
                f"Labels too rare for the verdict part: {len(missing)} (for example "
                f"{min(map(str, missing))!r})."
            )
    return Parts(
        train=part_of(data, examples[parts == TRAIN], "train"),
        selection=part_of(data, examples[parts == SELECTION], "selection") if selection else None,
        verdict=eval_datasource
        if eval_datasource is not None
        else part_of(data, examples[parts == VERDICT], "verdict"),
        how=how,
        reasons=reasons,
        advice=advice,
        removed=removed,
    )


def _units(examples: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    units, told = _copies(examples["value"].tolist())
    copies = len(units) - len(np.unique(units))
    if copies:
        told.append(f"Near-copies of another text: {copies:,}; each stays in one part with its original.")
    if "group" in examples:
        rows = np.arange(len(examples))
        units = linked(len(examples), [(rows, units), (rows, pd.factorize(examples["group"])[0])])
    return units, told


def _copies(texts: list[str]) -> tuple[np.ndarray, list[str]]:
    units = copy_groups(texts)
    largest = int(np.bincount(units).max())
    if largest <= max(_TOO_LARGE * len(units), 2):
        return units, []
    # Texts made from one template chain into a lump that no split could place.
    told = (
        f"{largest:,} texts are near-copies of one another in a chain (made from a template?); "
        "only texts equal but for case and punctuation were kept together."
    )
    return pd.factorize(np.array([normalized(text) for text in texts], dtype=object))[0], [told]


def _also_in(texts: pd.Series, others: pd.Series) -> np.ndarray:
    units, _ = _copies([*texts, *others])
    return np.isin(units[: len(texts)], units[len(texts) :])


def _grouped(
    data: Datasource, units: np.ndarray, want: dict[int, int], generator: np.random.Generator, what: str
) -> tuple[np.ndarray, str]:
    sizes = np.bincount(units)
    parts = by_size(sizes, want, generator)
    got = {part: int(sizes[parts == part].sum()) for part in want}
    column = data.roles["group"].column if "group" in data.roles else "group"
    if far_off(got, want):
        refuse_groups(column, sizes, want, "texts")
    return parts[units], f"whole groups of {column!r}; near-copies together; {what} as they fall"
