"""The table of what got worse: what travels to the browser, what is ticked, what remains without a kernel."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from made_up.regressions import regressions

from embedtune_nb.errors import DataError
from embedtune_nb.widgets.regressions_table import ROWS_MAX, RegressionsTable


def test_rows_travel_as_plain_values_with_gaps_where_there_is_nothing():
    table = RegressionsTable(regressions())
    assert json.loads(json.dumps(table.rows)) == table.rows
    assert [row["text"] for row in table.rows] == ["text 2", "text 1", "text 0"]
    assert [row["rank_after"] for row in table.rows] == [4, 4, None]
    assert {row["displaced_by"] for row in table.rows} == {""}
    assert {(row["said_before"], row["said_after"]) for row in table.rows} == {("a", "0.25")}
    assert table.head["causes"] == [
        {"cause": "rare class", "count": 3, "advice": table.head["causes"][0]["advice"]}
    ]


def test_what_is_ticked_goes_on():
    found = regressions()
    with pytest.raises(DataError, match="No row is ticked"):
        found.selected
    found.widget.selected = [0, 2]
    assert found.selected.to_frame()["text"].tolist() == ["text 2", "text 0"]
    assert len(found.selected.to_datasource()) == 2


def test_more_rows_than_a_browser_should_hold_are_cut_and_that_is_said():
    table = RegressionsTable(regressions(ROWS_MAX + 5))
    assert len(table.rows) == ROWS_MAX
    assert any("1,005" in note for note in table.head["notes"])


def test_a_saved_notebook_shows_summary_and_table():
    found = regressions(text="<img src=x onerror=evil()>")
    data, _ = found._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "3 of 3 held-out texts got worse" in data["text/html"]
    assert "<img" not in data["text/html"] and "&lt;img" in data["text/html"]
    assert data["text/plain"].startswith("3 of 3")


def test_chosen_rows_are_counted_among_those_that_got_worse_and_the_map_knows_them():
    asked = []
    found = replace(regressions(5), model=SimpleNamespace(map=asked.append))
    chosen = found.where(ids=[4, 3])
    assert chosen.summary.startswith("2 of the 5 held-out texts that got worse in Accuracy")
    assert chosen.where(ids=[4]).summary.startswith("1 of the 5 held-out texts")
    chosen.map()
    told = asked[0].frames["examples"]["label"].tolist()
    assert told == ["not chosen"] * 3 + ["rare class"] * 2, "those did get worse"
