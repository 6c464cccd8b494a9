"""Documentation of installed libraries as data: what is read, what is cleaned away, what is kept."""

from __future__ import annotations

import sys

import pytest

from embedtune_nb import datasets
from embedtune_nb.data.markup import summary_and_description
from embedtune_nb.data.split import split
from embedtune_nb.errors import DataError

SOURCE = '''
"""The module's own docstring is not read."""
raise RuntimeError("this package must never be imported")


def {name}_reader(path):
    """Read a {name} from a path on disk.

    {reader}

    Parameters
    ----------
    path : the place of secrets

    Examples
    --------
    >>> {name}_reader("x")
    """


class {name}Store:
    """Keep every {name} in order of arrival.

    {store}
    """

    def drop(self):
        """Drop it."""

    def _hidden(self):
        """Hide the {name} from everybody who looks.

        Nobody should ever see this description of a private {name} method at all.
        """


def undocumented():
    pass
'''


PROSE = {
    "Apple": {
        "reader": "Orchards are loaded into memory at once, so that later steps need no open file.",
        "store": "New fruit goes to the end, the oldest leaves first when room runs out.",
    },
    "Circle": {
        "reader": "Radius and centre come from the header; a missing header makes a unit disc.",
        "store": "Overlapping ones are merged, and :meth:`~Store.find` returns the merged ``shape``.",
    },
}


def source(name):
    prose = PROSE.get(
        name, {"reader": f"Nobody reads this of {name} at all.", "store": "Nor is this to be read."}
    )
    return SOURCE.format(name=name, **prose)


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A package whose import would fail, with public, private and broken modules."""
    root = tmp_path / "site" / "fakelib"
    for folder in ("", "shapes", "tests", "_core"):
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (root / "alpha.py").write_text(source("Apple"))
    (root / "shapes" / "round.py").write_text(source("Circle"))
    (root / "shapes" / "same.py").write_text(source("Circle"))
    (root / "_core" / "secret.py").write_text(source("Secret"))
    (root / "tests" / "test_it.py").write_text(source("Probe"))
    (root / "_private.py").write_text(source("Inner"))
    (root / "broken.py").write_text("def broken(:\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("EMBEDTUNE_HOME", str(tmp_path / "home"))
    return root


def test_public_docstrings_become_queries_and_documents(library):
    data = datasets.api_docs(libraries=["fakelib"])
    table = data.to_pandas().set_index("query")
    assert set(table.index) == {
        "Read a Apple from a path on disk.",
        "Keep every Apple in order of arrival.",
        "Read a Circle from a path on disk.",
        "Keep every Circle in order of arrival.",
    }
    row = table.loc["Keep every Circle in order of arrival."]
    assert row["document"] == "Overlapping ones are merged, and find returns the merged shape."
    assert row["group"] == "fakelib.shapes"
    assert table.loc["Read a Apple from a path on disk.", "group"] == "fakelib.alpha"
    assert "fakelib" not in sys.modules


def test_what_was_left_out_is_counted(library):
    data = datasets.api_docs(libraries=["fakelib"])
    dropped = {drop.reason: drop.count for drop in data.dropped}
    assert dropped["no description to find"] == 3
    assert dropped["summary equal or nearly equal to an earlier one"] == 2
    assert any("1 source files could not be parsed" in note for note in data.notes)


def test_libraries_that_are_not_there_are_named(library):
    data = datasets.api_docs(libraries=["fakelib", "nosuchlib"])
    assert any("Not installed" in note and "nosuchlib" in note for note in data.notes)
    with pytest.raises(DataError, match="None of nosuchlib"):
        datasets.api_docs(libraries=["nosuchlib"])


def test_another_kind_is_refused():
    with pytest.raises(DataError, match="Did you mean 'labeled'"):
        datasets.api_docs("labelled")


def test_the_second_call_reads_the_cache(library):
    first = datasets.api_docs(libraries=["fakelib"])
    for path in library.rglob("*.py"):
        path.write_text("")
    assert datasets.api_docs(libraries=["fakelib"]).fingerprint == first.fingerprint


def test_a_damaged_cache_is_read_anew(library, tmp_path):
    first = datasets.api_docs(libraries=["fakelib"])
    (cached,) = (tmp_path / "home" / "cache" / "api_docs").iterdir()
    cached.write_text(cached.read_text()[:50])
    assert datasets.api_docs(libraries=["fakelib"]).fingerprint == first.fingerprint


def test_a_home_that_cannot_be_written_is_told_and_does_not_stop_it(library, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EMBEDTUNE_HOME", str(tmp_path / "file"))
    data = datasets.api_docs(libraries=["fakelib"])
    assert len(data) == 4
    assert any("Not kept for the next call" in note for note in data.notes)


@pytest.mark.slow
def test_numpy_gives_both_kinds(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBEDTUNE_HOME", str(tmp_path))
    retrieval = datasets.api_docs(libraries=["numpy"])
    assert len(retrieval) > 100
    parts = split(retrieval)
    train, verdict = (set(part.frames["queries"]["group"]) for part in (parts.train, parts.verdict))
    assert train and verdict and not train & verdict
    assert len(set(retrieval.texts())) == len(retrieval.texts())

    labeled = datasets.api_docs("labeled", libraries=["numpy"])
    assert labeled.label_counts().min() >= 30
    assert "numpy.ma" in labeled.labels
    parts = split(labeled)
    assert set(parts.train.labels) == set(parts.verdict.labels) == set(labeled.labels)
    for text in [*retrieval.texts(), *labeled.texts()]:
        assert ":func:" not in text and ">>>" not in text and "``" not in text


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("Short summary.\n\nThe rest.", ("Short summary.", "The rest.")),
        ("One sentence. And more\nof it.", ("One sentence.", "And more of it.")),
        ("Use e.g. this one.", ("Use e.g. this one.", "")),
        ("f(x, y) -> Tensor\n\nAdds :math:`x` to it.\n\nArgs:\n    x: no", ("Adds x to it.", "")),
        ("A. Odd start here.\n\nReturns\n-------\nno", ("A. Odd start here.", "")),
        ("See :class:`~torch.nn.Linear` or `the docs <http://a.b>`_.", ("See Linear or the docs.", "")),
        (
            "First.\n\nBoth ``a`` and *b*.\n\n.. note::\n\n   hidden\n\nLast.",
            ("First.", "Both a and b. Last."),
        ),
        ("First.\n\nLike this::\n\n    code = 1\n\nLast.", ("First.", "Like this: Last.")),
        ("First.\n\n>>> f()\n1\n\n```python\nx\n```\n\nLast.", ("First.", "Last.")),
        ("First.\n\nHere :math:`\\frac{a}{b}` counts. It is small.", ("First.", "It is small.")),
        ("Fill %(klass)s in.\n\nMore of it.", ("", "")),
        (":param x: only fields", ("", "")),
    ],
)
def test_mark_up_is_removed(docstring, expected):
    assert summary_and_description(docstring) == expected
