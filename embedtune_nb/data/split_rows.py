"""Splitting rows of several texts (triplets, scored pairs, nli): rows that share a text stay in one part."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from embedtune_nb.data.components import linked
from embedtune_nb.data.copies import normalized
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import NLI, SCORED_PAIRS, TRIPLETS
from embedtune_nb.data.partition import SELECTION, TRAIN, VERDICT, bands, stratified_units, targets
from embedtune_nb.data.split_parts import Parts, far_off, part_of, realised, refuse_groups
from embedtune_nb.errors import DataError

_CLOSE = 0.8
# From the strictest rule on: which texts must not stand on two sides. The next one is used where so much
# hangs together by the rule before that a part would not come close to its size.
_RULES: dict[str, tuple[tuple[str, ...], ...]] = {
    TRIPLETS: (("anchor", "positive", "negatives"), ("anchor", "positive"), ("anchor",)),
    SCORED_PAIRS: (("sentence1", "sentence2"), ("sentence1",)),
    NLI: (("premise", "hypothesis"), ("premise",)),
}
# What makes a row of the data a copy of a held-out one.
_LEADING: dict[str, tuple[str, ...]] = {
    TRIPLETS: ("anchor",),
    SCORED_PAIRS: ("sentence1", "sentence2"),
    NLI: ("premise",),
}


def split_rows(data: Datasource, *, seed: int, selection: bool, eval_datasource: Datasource | None) -> Parts:
    """Split triplets, scored pairs or nli data; see :func:`embedtune_nb.data.split.split`."""
    examples = data.frames["examples"]
    removed: list[dict[str, object]] = []
    advice: list[str] = []
    if eval_datasource is not None:
        examples = _without_leaks(examples, eval_datasource, removed)
        if data.score_range != eval_datasource.score_range:
            advice.append(
                f"Scores of the data were read as {_range(data)}, those of eval_datasource as "
                f"{_range(eval_datasource)}: pass the same score_range to both."
            )
    want = targets(len(examples), selection=selection, verdict=eval_datasource is None)
    if any(want.values()):
        parts, how, reasons = _deal_out(data, examples, want, np.random.default_rng(seed))
    else:
        parts, how, reasons = np.full(len(examples), TRAIN), "nothing held out of the data", []
    return Parts(
        train=part_of(data, examples[parts == TRAIN], "train"),
        selection=part_of(data, examples[parts == SELECTION], "selection") if selection else None,
        verdict=part_of(data, examples[parts == VERDICT], "verdict")
        if eval_datasource is None
        else eval_datasource,
        how=how,
        reasons=reasons,
        advice=advice,
        removed=removed,
    )


def _deal_out(
    data: Datasource, examples: pd.DataFrame, want: dict[int, int], generator: np.random.Generator
) -> tuple[np.ndarray, str, list[str]]:
    count = len(examples)
    strata, proportion = _strata(data, examples, generator)
    rules = _RULES[data.kind]
    rows, keys, roles = _keys(examples, rules[0])
    groups = []
    if "group" in examples:
        groups = [(np.arange(count), pd.factorize(examples["group"])[0])]
    tried: list[_Attempt] = []
    for rule in rules:
        tried.append(_by_rule(rule, (rows, keys, roles), groups, strata, want, generator))
        if tried[-1].share >= _CLOSE:
            break
    best = max(attempt.share for attempt in tried)
    chosen = next(place for place, attempt in enumerate(tried) if attempt.share >= min(best, _CLOSE))
    reasons = [
        f"{int(attempt.sizes.max()):,} of {count:,} rows hang together through a shared "
        f"{_either(attempt.rule)}, too many to give every part its size."
        for attempt in tried[:chosen]
    ]
    rule, parts, sizes, got, _ = tried[chosen]
    column = data.roles["group"].column if "group" in data.roles else "group"
    if far_off(got, want) and groups:
        refuse_groups(column, sizes, want, "rows")
    if rule != rules[0]:
        torn = pd.Series(parts[rows]).groupby(keys).nunique()
        reasons.append(
            f"So rows were kept together by {_either(rule)} alone; {int((torn > 1).sum()):,} texts stand in "
            "more than one part."
        )
    else:
        reasons.append(f"{len(sizes):,} sets of rows share nothing with one another; each stays whole.")
    together = f"rows that share a text as {_either(rule)} together{proportion}"
    if not groups:
        return parts, together, reasons
    reasons.append(
        "Whole groups were dealt out, so the parts are as near to their sizes as the groups allow: "
        + realised(got, want, count)
    )
    return parts, f"whole groups of {column!r}; {together}", reasons


class _Attempt(NamedTuple):
    """Parts dealt out by one rule; *share* is how much the part that came off worst got of its size."""

    rule: tuple[str, ...]
    parts: np.ndarray
    sizes: np.ndarray
    got: dict[int, int]
    share: float


def _by_rule(
    rule: tuple[str, ...],
    texts: tuple[np.ndarray, np.ndarray, np.ndarray],
    groups: list[tuple[np.ndarray, np.ndarray]],
    strata: np.ndarray,
    want: dict[int, int],
    generator: np.random.Generator,
) -> _Attempt:
    rows, keys, roles = texts
    ruled = np.isin(roles, rule)
    units = linked(len(strata), [(rows[ruled], keys[ruled]), *groups])
    parts = stratified_units(strata, units, want, generator)
    got = {part: int((parts == part).sum()) for part in want}
    share = min(got[part] / wanted for part, wanted in want.items() if wanted)
    return _Attempt(rule, parts, np.bincount(units), got, share)


def _strata(
    data: Datasource, examples: pd.DataFrame, generator: np.random.Generator
) -> tuple[np.ndarray, str]:
    if data.kind == NLI:
        return pd.factorize(examples["label"], sort=True)[0], "; in proportion to the labels"
    if data.kind == SCORED_PAIRS:
        found = bands(examples["score"].to_numpy(), generator)
        return found, f"; in proportion to {found.max() + 1} bands of scores"
    return np.zeros(len(examples), dtype=int), ""


def _keys(examples: pd.DataFrame, roles: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for every text of the rows: its row, its number (equal but for case and signs), its role."""
    table = examples.reset_index(drop=True)
    columns = [table[role].explode() if role == "negatives" else table[role] for role in roles]
    texts = pd.concat(columns)
    codes, unique = pd.factorize(texts)
    keys = pd.factorize(np.array([normalized(text) for text in unique], dtype=object))[0][codes]
    return texts.index.to_numpy(), keys, np.repeat(roles, [len(column) for column in columns])


def _without_leaks(
    examples: pd.DataFrame, held_out: Datasource, removed: list[dict[str, object]]
) -> pd.DataFrame:
    roles = _LEADING[held_out.kind]
    known = {normalized(text) for role in roles for text in held_out.frames["examples"][role]}
    leaked = np.logical_or.reduce([examples[role].map(normalized).isin(known) for role in roles])
    if leaked.any():
        what = f"the {_either(roles)} also stands in eval_datasource"
        removed.append({"count": int(leaked.sum()), "reason": what})
    if leaked.all():
        raise DataError(
            f"Every row of the data shares its {_either(roles)} with eval_datasource.",
            expected="training rows that are not evaluated on",
            fix="pass other data for one of them.",
        )
    return examples[~leaked]


def _range(data: Datasource) -> str:
    return "{:g} to {:g}".format(*data.score_range) if data.score_range else "0 to 1"


def _either(roles: tuple[str, ...]) -> str:
    return " or ".join(filter(None, [", ".join(roles[:-1]), roles[-1]]))
