"""What a notebook has at hand becomes a Datasource; column arguments settle what is ambiguous."""

from __future__ import annotations

import pandas as pd
import pytest

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import ColumnError, DataError
from embedtune_nb.models.coerce import to_datasource, to_evaluation_data, to_training_data

FRAME = pd.DataFrame(
    {
        "body": [f"text number {row} of many" for row in range(20)],
        "sentiment": ["good", "bad"] * 10,
        "stars": [row % 5 + 0.5 for row in range(20)],
    }
)


@pytest.mark.parametrize("make", [lambda f: f, lambda f: f.to_dict("list"), lambda f: f.to_dict("records")])
@pytest.mark.parametrize(
    ("column", "kind", "target"),
    [({"label_column": "sentiment"}, "labeled", "label"), ({"score_column": "stars"}, "scored", "score")],
)
def test_the_target_column_decides_the_task(make, column, kind, target):
    source = to_datasource(make(FRAME), value_column="body", **column)
    assert source.kind == kind
    assert source.roles["value"].column == "body"
    assert source.frames["examples"][target].tolist() == FRAME[next(iter(column.values()))].tolist()


def test_the_default_value_column_stands_back_where_there_is_none():
    assert to_datasource(FRAME, score_column="stars").roles["value"].column == "body"
    named = FRAME.assign(value=FRAME["body"].str.upper())
    assert to_datasource(named, label_column="sentiment").roles["value"].column == "value"


def test_a_datasource_is_taken_as_it_is_if_the_columns_agree():
    source = Datasource.from_pandas(FRAME, kind="scored", roles={"value": "body", "score": "stars"})
    assert to_datasource(source, value_column="body", score_column="stars") is source
    with pytest.raises(ColumnError, match="kind 'scored'"):
        to_datasource(source, label_column="sentiment")
    with pytest.raises(ColumnError, match="'stars'"):
        to_datasource(source, score_column="sentiment")
    pairs = Datasource.from_dict({"anchor": ["a b", "c d"], "positive": ["e f", "g h"]})
    with pytest.raises(ColumnError, match="'labeled' or 'scored'"):
        to_datasource(pairs, value_column="body")


@pytest.mark.parametrize(
    ("columns", "error", "told"),
    [
        ({"label_column": "sentiment", "score_column": "stars"}, ColumnError, "both given"),
        ({"score_column": "star"}, ColumnError, "'stars'"),
        ({"score_column": "sentiment"}, DataError, "number"),
        ({"label_column": "stars"}, DataError, "score"),
    ],
)
def test_columns_that_cannot_serve_are_refused(columns, error, told):
    with pytest.raises(error, match=told):
        to_datasource(FRAME, value_column="body", **columns)


@pytest.mark.parametrize("data", ["texts.csv", 3, None, object()])
def test_what_is_no_data_is_refused(data):
    with pytest.raises(DataError, match="from_csv"):
        to_datasource(data)


def test_tables_in_a_list_of_objectives_become_datasources():
    labelled, scored = FRAME[["body", "sentiment"]], FRAME[["body", "stars"]]
    found = to_training_data([(labelled, "triplet"), (scored, None)])
    assert [(data.kind, loss) for data, loss in found] == [("labeled", "triplet"), ("scored", None)]
    given = to_evaluation_data([None, scored])
    assert given[0] is None and given[1].kind == "scored"
    assert to_evaluation_data(FRAME.to_dict("records"), score_column="stars").kind == "scored"


def test_a_list_of_data_needs_losses_and_no_columns():
    data = Datasource.from_pandas(FRAME[["body", "sentiment"]])
    with pytest.raises(DataError, match="without losses"):
        to_training_data([data, data])
    with pytest.raises(ColumnError, match="label_column='sentiment' was given beside a list"):
        to_training_data([(data, None), (data, None)], label_column="sentiment")
    with pytest.raises(DataError, match="one dict a row"):
        to_training_data([("a question", "an answer")] * 20)
