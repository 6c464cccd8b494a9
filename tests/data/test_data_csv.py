"""CSV: nothing that stands in a field changes unseen, and no line is taken for something it is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from embedtune_nb.data.csv_files import read_csv
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import DataError


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "mail.csv"
        path.write_text(text)
        return path

    return write


def test_labels_with_leading_zeros_stay_apart(write):
    data = Datasource.from_csv(write("text,label\nfirst text,007\nsecond text,07\nthird text,7\n"))
    assert data.labels == ["007", "07", "7"]


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        (["1", "20", "-3"], [1, 20, -3]),
        (["0.5", "3", "1e-3"], [0.5, 3.0, 0.001]),
        (["+1", "2", "3"], ["+1", "2", "3"]),
        (["01", "2", "3"], ["01", "2", "3"]),
        (["nan", "1", "2"], ["nan", "1", "2"]),
        (["True", "False", "True"], ["True", "False", "True"]),
        (["12345678901234567890", "1", "2"], ["12345678901234567890", "1", "2"]),
        (["1_000", "2", "3"], ["1_000", "2", "3"]),
        (["0.12345678901234567", "0.5", "1"], [0.12345678901234567, 0.5, 1.0]),
    ],
)
def test_only_plainly_written_numbers_become_numbers(write, fields, values):
    lines = "\n".join(f"text {place},{field}" for place, field in enumerate(fields))
    column = read_csv(write(f"text,thing\n{lines}\n"))["thing"]
    assert column.tolist() == values
    assert pd.api.types.is_numeric_dtype(column.dtype) == (not isinstance(values[0], str))


def test_whole_numbers_stay_whole_where_one_is_missing(write):
    data = Datasource.from_csv(write("text,label\none,1\ntwo,2\nthree,\nfour,1\n"))
    assert data.labels == [1, 2]
    assert not any("1.0" in note for note in data.notes)
    assert [(drop.count, drop.reason) for drop in data.dropped] == [(1, "no label")]


WITHOUT_HEADER = "how do I reset it,help\nwhere is my parcel,parcel\nit broke,help\ncancel it,parcel\n"


@pytest.mark.parametrize(
    "text",
    [
        WITHOUT_HEADER,
        "5.0,a plane,an airplane\n3.8,a flute,a large flute\n",
        "the lid of the box is gone,where can I order another\nit broke at once,send it back\n",
    ],
)
def test_an_example_in_the_first_line_is_not_swallowed_as_a_header(write, text):
    with pytest.raises(DataError, match=r"first line of .*mail\.csv looks like an example") as caught:
        Datasource.from_csv(write(text))
    assert "header=None" in str(caught.value) and "names=" in str(caught.value)


def test_without_a_header_columns_are_numbered_or_named(write):
    path = write(WITHOUT_HEADER)
    numbered = Datasource.from_csv(path, header=None)
    named = Datasource.from_csv(path, names=["text", "label"])
    assert len(numbered) == len(named) == 4
    assert numbered.roles["value"].column == 0
    assert named.fingerprint == numbered.fingerprint
    assert len(read_csv(path, header=0)) == 3
    renamed = Datasource.from_csv(
        write("a,b\nfirst text,x\nsecond text,y\n"), header=0, names=["text", "label"]
    )
    assert renamed.texts() == ["first text", "second text"]


@pytest.mark.parametrize(
    "header",
    ["text,label", "Utterance,Intent", "id,body,kind", "0,1", "sentence1,sentence2,2019", "frage,antwort"],
)
def test_names_of_columns_are_taken_as_such(write, header):
    width = header.count(",") + 1
    rows = "\n".join(",".join(f"some text {row} {place}" for place in range(width)) for row in range(3))
    assert [str(name) for name in read_csv(write(f"{header}\n{rows}\n")).columns] == header.split(",")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"names": ["text"]}, "1 names were given, .* has 2 columns"),
        ({"names": ["text", "text"]}, "the same"),
        ({"names": "text"}, "names is 'text'"),
        ({"header": 3}, "header is 3"),
        ({"header": True}, "header is True"),
        ({"header": None, "separator": ";"}, "single column"),
    ],
)
def test_options_that_do_not_fit_are_refused(write, options, message):
    with pytest.raises(DataError, match=message):
        Datasource.from_csv(write(WITHOUT_HEADER), **options)


def test_columns_that_share_a_name_are_refused_and_can_be_renamed(write):
    path = write("text,text,label\none,uno,x\ntwo,dos,y\n")
    with pytest.raises(DataError, match="'text' stands more than once"):
        read_csv(path)
    assert read_csv(path, header=0, names=["a", "b", "c"])["b"].tolist() == ["uno", "dos"]
    assert read_csv(write(",text\n0,one\n1,two\n"))["text"].tolist() == ["one", "two"]


def test_a_ragged_line_of_a_file_without_header_is_named(write):
    with pytest.raises(DataError, match="line 2 has 3 fields, the first line has 2"):
        Datasource.from_csv(write("a text,x\nanother, text,y\n"), header=None)


def test_what_a_frame_writes_is_what_is_read(tmp_path):
    generator = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "text": [f'a "{place}", b' for place in range(50)],
            "label": generator.integers(-5, 1000, 50),
            "score": generator.normal(size=50) * 10.0 ** generator.integers(-20, 20, 50),
        }
    )
    frame.to_csv(tmp_path / "x.csv", index=False)
    pd.testing.assert_frame_equal(read_csv(tmp_path / "x.csv"), frame, check_dtype=False, rtol=1e-15)
