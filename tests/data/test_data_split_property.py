"""Whatever the data: no text and no group on two sides of a split, no row lost, the same parts every time."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.split import split
from embedtune_nb.errors import DataError

pytestmark = pytest.mark.slow

# Stems of letters that near-copy detection cannot confuse; a text is a stem in one of three dresses.
STEMS = [chr(97 + n) * 3 + " " + chr(122 - n) * 4 + f" {n * 7919 % 1000:03d}" for n in range(26)]
DRESSES = (str, str.upper, lambda text: f"  {text}, !")
CLASSES = ("entailment", "neutral", "contradiction")
LEADING = {"triplets": {"anchor"}, "scored_pairs": {"sentence1"}, "nli": {"premise"}}
TEXT_ROLES = {
    "labeled": ("value",),
    "scored": ("value",),
    "pairs": ("anchor", "positive"),
    "triplets": ("anchor", "positive", "negatives"),
    "scored_pairs": ("sentence1", "sentence2"),
    "nli": ("premise", "hypothesis"),
}


def stem(text):
    return text.strip(" ,!").lower()


def texts(spread):
    """A text; the wider *spread*, the fewer rows share one."""
    plain = st.builds(
        lambda name, number: f"{name} {number * 104729 % 100003:06d}",
        st.sampled_from(STEMS),
        st.integers(0, spread),
    )
    return st.builds(lambda text, dress: dress(text), plain, st.sampled_from(DRESSES))


@st.composite
def tables(draw, kind):
    text = texts(draw(st.sampled_from([0, 3, 200])))
    columns = dict.fromkeys(TEXT_ROLES[kind], text)
    if kind == "triplets":
        columns["negatives"] = st.lists(text, min_size=1, max_size=3)
    if kind in ("labeled", "nli"):
        columns["label"] = st.sampled_from(CLASSES)
    if kind in ("scored", "scored_pairs"):
        columns["score"] = st.integers(0, 50).map(lambda n: n / 10)
    if draw(st.booleans()):
        columns["group"] = st.integers(0, draw(st.sampled_from([8, 60]))).map(str)
    return draw(st.lists(st.fixed_dictionaries(columns), min_size=12, max_size=80))


def split_of(kind, rows, seed):
    try:
        data = Datasource.from_list(rows, kind=kind)
        return data, split(data, seed=seed, selection=True)
    except DataError:  # too few rows left, or all of it one lump: refused in words of its own
        assume(False)


def rows_of(part):
    table = part.frames["examples"].copy()
    table["negatives"] = table.get("negatives", pd.Series([[]] * len(table), index=table.index))
    return table.explode("negatives")


def stems_of(part, roles):
    table = rows_of(part)
    return {stem(text) for role in roles for text in table[role].dropna()}


def assert_apart(sets):
    for place, first in enumerate(sets):
        for second in sets[place + 1 :]:
            assert not first & second


def parts_of(result):
    return [part for part in (result.train, result.selection, result.verdict) if len(part)]


@pytest.mark.parametrize("kind", ["labeled", "scored", "triplets", "scored_pairs", "nli"])
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), seed=st.integers(0, 9))
def test_no_text_and_no_group_stands_on_two_sides(kind, data, seed):
    whole, result = split_of(kind, data.draw(tables(kind)), seed)
    parts = parts_of(result)
    ids = [set(part.frames["examples"]["id"]) for part in parts]
    assert_apart(ids)
    assert set().union(*ids) == set(whole.frames["examples"]["id"])
    if "group" in whole.frames["examples"]:
        assert_apart([set(part.frames["examples"]["group"]) for part in parts])
    if kind in LEADING and any("kept together by" in reason for reason in result.report["reasons"]):
        # said aloud: so much hangs together that only some texts could be kept apart
        assert_apart([stems_of(part, LEADING[kind]) for part in parts])
    else:
        assert_apart([stems_of(part, TEXT_ROLES[kind]) for part in parts])
    again = split(whole, seed=seed, selection=True)
    assert [part.fingerprint for part in parts_of(again)] == [part.fingerprint for part in parts]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), seed=st.integers(0, 9))
def test_no_query_and_no_group_of_pairs_stands_on_two_sides(data, seed):
    whole, result = split_of("pairs", data.draw(tables("pairs")), seed)
    held_out = [part for part in (result.selection, result.verdict) if len(part)]
    asked = [{stem(text) for text in part.frames["queries"]["text"]} for part in held_out]
    asked.append(stems_of(result.train, ["anchor"]))
    assert_apart(asked)
    if "documents may answer" not in result.report["how"]:
        tables_of = [part.to_pandas() for part in held_out]
        every = [{stem(text) for text in [*table["query"], *table["document"]]} for table in tables_of]
        assert_apart([*every, stems_of(result.train, ["anchor", "positive"])])
    examples = whole.frames["examples"]
    if "group" in examples:
        group_of = examples.groupby("anchor")["group"].agg(set)
        held = [set().union(*group_of[part.frames["queries"]["text"]]) for part in held_out]
        assert_apart([*held, set(result.train.frames["examples"]["group"])])
