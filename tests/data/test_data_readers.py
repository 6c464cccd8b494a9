"""Files: what is read, and what a broken one is told."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys

import pandas as pd
import pytest

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import DataError

ROWS = [("first text, with a comma", "a"), ('second "quoted" text', "b"), ("third text\nin two lines", "a")]


@pytest.fixture
def table():
    return pd.DataFrame(ROWS, columns=["text", "label"])


def content(data):
    return [tuple(row) for row in data.to_pandas()[["value", "label"]].values.tolist()]


def test_csv_jsonl_and_parquet_give_the_same_data(tmp_path, table):
    table.to_csv(tmp_path / "mail.csv", index=False)
    (tmp_path / "mail.jsonl").write_text(
        "\n".join(json.dumps(row) for row in table.to_dict("records")) + "\n\n"
    )
    table.to_parquet(tmp_path / "mail.parquet")
    read = [
        Datasource.from_csv(tmp_path / "mail.csv"),
        Datasource.from_jsonl(str(tmp_path / "mail.jsonl")),
        Datasource.from_parquet(tmp_path / "mail.parquet"),
        Datasource.from_list(table.to_dict("records")),
    ]
    assert all(content(data) == ROWS for data in read)
    assert len({data.fingerprint for data in read}) == 1
    assert read[0].name == "mail"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_understood(tmp_path, table, encoding):
    table.to_csv(tmp_path / "mail.csv", index=False, encoding=encoding)
    assert content(Datasource.from_csv(tmp_path / "mail.csv")) == ROWS


def test_a_packed_csv_is_read(tmp_path, table):
    (tmp_path / "mail.csv.gz").write_bytes(gzip.compress(table.to_csv(index=False).encode()))
    assert content(Datasource.from_csv(tmp_path / "mail.csv.gz")) == ROWS


def test_words_that_look_like_nothing_are_texts(tmp_path):
    (tmp_path / "words.csv").write_text("text,label\nnull,NA\nnone,NA\nnan,None\n")
    assert content(Datasource.from_csv(tmp_path / "words.csv")) == [
        ("null", "NA"),
        ("none", "NA"),
        ("nan", "None"),
    ]


def test_another_encoding_names_the_line_and_the_way_out(tmp_path):
    path = tmp_path / "old.csv"
    path.write_bytes("text,label\nplain,a\ncafé,b\ntea,a\n".encode("cp1252"))
    with pytest.raises(DataError, match=r"old\.csv, line 3 .*0xe9") as caught:
        Datasource.from_csv(path)
    assert "encoding='cp1252'" in str(caught.value)
    assert content(Datasource.from_csv(path, encoding="cp1252"))[1] == ("café", "b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("text,label\nfine,a\ntoo, many,b\n", "line 3 has 3 fields, the header has 2"),
        ("text,label\nfine,a\nlonely\nfine too,b\n", "line 3 has 1 fields"),
        ('text,label\n"two\nlines",a\ntoo, many,b\n', "line 4 has 3 fields"),
        ('text,label\nfine,a\n"never closed,b\nmore,a\n', "quotation mark"),
        ("text;label\nfine;a\nother;b\n", "separator=';'"),
        ("", "is empty"),
    ],
)
def test_a_broken_csv_names_the_line_and_a_remedy(tmp_path, text, message):
    path = tmp_path / "broken.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        Datasource.from_csv(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"text": "a", "label": "x"}\n{"text": "b", "label"\n', "line 2 is no JSON"),
        ('{"text": "a"}\n\n["b"]\n', "line 3 holds a JSON list"),
        ('[\n{"text": "a"}]\n', "JSON array"),
        ("\n\n", "is empty"),
    ],
)
def test_a_broken_jsonl_names_the_line(tmp_path, text, message):
    path = tmp_path / "broken.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        Datasource.from_jsonl(path)


def test_jsonl_rows_with_missing_keys_are_dropped_and_counted(tmp_path):
    (tmp_path / "some.jsonl").write_text(
        '{"text": "a", "label": "x"}\n{"label": "y"}\n{"text": "c", "label": "y"}\n'
    )
    data = Datasource.from_jsonl(tmp_path / "some.jsonl")
    assert content(data) == [("a", "x"), ("c", "y")]
    assert [(drop.count, drop.reason) for drop in data.dropped] == [(1, "no text")]


def test_a_missing_file_names_the_nearest(tmp_path, table):
    table.to_csv(tmp_path / "questions.csv")
    with pytest.raises(DataError, match=r"Did you mean 'questions\.csv'"):
        Datasource.from_csv(tmp_path / "question.csv")
    with pytest.raises(DataError, match="is a folder"):
        Datasource.from_csv(tmp_path)


def test_a_csv_is_no_parquet(tmp_path, table):
    table.to_csv(tmp_path / "mail.parquet")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        Datasource.from_parquet(tmp_path / "mail.parquet")


def test_lists_and_columns_of_the_wrong_shape_are_refused():
    with pytest.raises(DataError, match="Entry 1 of the list is a tuple"):
        Datasource.from_list([{"text": "a"}, ("b", "c")])
    with pytest.raises(DataError, match="'text': 2, 'label': 3"):
        Datasource.from_dict({"text": ["a", "b"], "label": ["x", "y", "x"]})


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (b"text,label\na,b\n", {"separator": ";;"}),
        (b"text,label\na,b\n", {"separator": None}),
        (b"\x1f\x8b\x08\x00torn", {}),
    ],
)
def test_a_csv_that_cannot_be_read_that_way_is_refused_in_our_words(tmp_path, content, options):
    (tmp_path / "mail.csv").write_bytes(content)
    with pytest.raises(DataError):
        Datasource.from_csv(tmp_path / "mail.csv", **options)


def test_lines_may_end_as_on_an_old_mac(tmp_path):
    (tmp_path / "mail.csv").write_bytes(b"text,label\rfirst text,a\rsecond text,b\r")
    assert content(Datasource.from_csv(tmp_path / "mail.csv")) == [("first text", "a"), ("second text", "b")]


def test_halves_of_characters_in_jsonl_are_replaced_and_told(tmp_path):
    (tmp_path / "mail.jsonl").write_text('{"text": "\\ud800 a", "label": "x"}\n{"text": "b", "label": "y"}\n')
    data = Datasource.from_jsonl(tmp_path / "mail.jsonl")
    assert data.texts() == ["\ufffd a", "b"]
    assert any("broken characters" in note for note in data.notes)


@pytest.mark.slow
def test_reading_from_everywhere_loads_no_torch(tmp_path):
    code = (
        "import sys, datasets\n"
        "from embedtune_nb.data.datasource import Datasource\n"
        "rows = {'text': ['one', 'two'], 'label': ['x', 'y']}\n"
        "Datasource.from_hf(datasets.Dataset.from_dict(rows))\n"
        "Datasource.from_torch([{'text': 'one', 'label': 'x'}, {'text': 'two', 'label': 'y'}])\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
