"""The Datasource itself: retrieval data, identity, what it shows, and keeping it."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from embedtune_nb.data.copies import copy_groups
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.lengths import profile_lengths
from embedtune_nb.errors import DataError, IntegrityError

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'


@pytest.fixture
def data():
    return Datasource.from_dict(
        {"text": ["first text", "second text", "third", "fourth one"], "label": ["a", "b", "a", "b"]},
        name="mail",
    )


@pytest.fixture
def retrieval():
    return Datasource.from_retrieval(
        {"q1": "who is it", "q2": "where is it", "q3": "unanswered"},
        pd.DataFrame({"_id": ["d1", "d2", "d3"], "title": ["A", None, ""], "text": ["one", "two", "three"]}),
        pd.DataFrame(
            {
                "query-id": ["q1", "q1", "q2", "q2", "q9", "q1"],
                "corpus-id": ["d1", "d2", "d2", "d3", "d1", "d1"],
                "score": [2, 1, 1, 0, 1, 2],
            }
        ),
    )


def test_retrieval_keeps_grades_and_counts_what_it_drops(retrieval):
    assert retrieval.frames["qrels"].values.tolist() == [
        ["q1", "d1", 2.0],
        ["q1", "d2", 1.0],
        ["q2", "d2", 1.0],
    ]
    assert retrieval.frames["corpus"]["text"].tolist() == ["A\none", "two", "three"]
    assert {drop.reason: drop.count for drop in retrieval.dropped} == {
        "judgements: relevance of 0 or less": 1,
        "judgements of a query or document that is not there": 1,
        "judgements given twice (the first was kept)": 1,
        "queries without a relevant document": 1,
    }
    assert len(retrieval) == 2


def test_retrieval_from_dicts_and_numbers_as_ids():
    data = Datasource.from_retrieval({1: "who", 2: "where"}, {7: "one", 8: "two"}, {1: [7, 8], 2: {8: 3}})
    assert data.training_pairs()[["anchor", "positive"]].values.tolist() == [
        ["who", "one"],
        ["who", "two"],
        ["where", "two"],
    ]


def test_clashing_ids_and_foreign_ids_are_refused():
    clash = pd.DataFrame({"id": ["d1", "d1"], "text": ["one", "two"]})
    with pytest.raises(DataError, match="'d1'"):
        Datasource.from_retrieval({"q": "who"}, clash, {"q": ["d1"]})
    with pytest.raises(DataError, match="No query has a relevant document"):
        Datasource.from_retrieval({"q": "who"}, {"d": "one"}, {"x": ["d"]})


def test_the_fingerprint_is_of_the_content_alone(data):
    table = data.to_pandas()[["value", "label"]]
    shuffled_index = Datasource.from_pandas(table.set_index(np.array([9, 3, 5, 1])))
    as_objects = Datasource.from_pandas(table.astype(object))
    assert data.fingerprint == shuffled_index.fingerprint == as_objects.fingerprint
    dropped_before = Datasource.from_pandas(
        pd.concat([pd.DataFrame({"value": [None], "label": ["a"]}), table])
    )
    assert dropped_before.frames["examples"]["id"].tolist() == [1, 2, 3, 4]
    assert dropped_before.fingerprint == data.fingerprint
    others = [
        table.iloc[::-1],
        table.replace("third", "thirdly"),
        table.replace("a", "c"),
        table.assign(label=[1, 2, 1, 2]),
        table.assign(label=["1", "2", "1", "2"]),
    ]
    prints = {Datasource.from_pandas(other).fingerprint for other in others}
    assert len(prints | {data.fingerprint}) == len(others) + 1


def test_the_fingerprint_is_the_same_in_another_process(data):
    code = (
        "from embedtune_nb.data.datasource import Datasource;"
        "print(Datasource.from_dict({'text': ['first text', 'second text', 'third', 'fourth one'],"
        "'label': ['a', 'b', 'a', 'b']}).fingerprint)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == data.fingerprint


@pytest.mark.slow
def test_the_room_loads_no_torch():
    code = "import sys, embedtune_nb.data.split, embedtune_nb.datasets; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_written_data_is_read_back_the_same(tmp_path, data, retrieval):
    for place, source in enumerate((data, retrieval)):
        again = Datasource.read(source.write(tmp_path / str(place)))
        assert again.fingerprint == source.fingerprint
        assert again.dropped == source.dropped and again.notes == source.notes
        assert {role: choice.reason for role, choice in again.roles.items()} == {
            role: choice.reason for role, choice in source.roles.items()
        }
        for name, frame in source.frames.items():
            assert again.frames[name].values.tolist() == frame.values.tolist()


def test_changed_files_are_noticed(tmp_path, data):
    folder = data.write(tmp_path / "d")
    frame = pd.read_parquet(folder / "examples.parquet")
    frame.loc[0, "label"] = "b"
    frame.to_parquet(folder / "examples.parquet", index=False)
    with pytest.raises(IntegrityError, match="fingerprint"):
        Datasource.read(folder)


def test_the_text_form_tells_roles_and_counts():
    data = Datasource.from_dict(
        {"text": ["one", "two", None, "four"], "label": ["a", "b", "a", "b"]}, name="mail"
    )
    shown = repr(data)
    for part in (
        "'mail'",
        "labeled",
        "3 texts in 2 classes",
        "column 'text'",
        "usual name",
        "1: no text",
        "p99",
    ):
        assert part in shown
    assert "estimated without a tokenizer" in shown


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes = set(), set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize("kind", ["labeled", "pairs"])
def test_hostile_texts_names_and_columns_stay_text_in_html(kind):
    roles = {"labeled": ("value", "label"), "pairs": ("anchor", "positive")}[kind]
    columns = {HOSTILE + role: [HOSTILE + "a", "b" + HOSTILE, HOSTILE + "a2"] for role in roles}
    columns[HOSTILE + roles[1]] = [HOSTILE, "y", HOSTILE]
    data = Datasource.from_dict(
        columns, kind=kind, roles={role: HOSTILE + role for role in roles}, name=HOSTILE
    )
    parser = _Tags()
    parser.feed(data._repr_html_())
    assert not parser.tags & {"script", "img"}
    assert not {name for name in parser.attributes if name.startswith("on")}
    assert "&lt;script&gt;" in data._repr_html_()


def test_the_html_form_shows_what_the_text_form_tells(retrieval):
    shown = retrieval._repr_html_()
    for part in (
        "2 queries, 3 documents, 3 relevance judgements",
        "judgements given twice",
        "<svg",
        "document",
    ):
        assert part in shown


def test_labels_of_pairs_are_refused_and_pairs_of_labels_too(data, retrieval):
    assert data.labels == ["a", "b"]
    with pytest.raises(DataError):
        retrieval.label_counts()
    with pytest.raises(DataError):
        data.training_pairs()


def test_samples_are_seeded_and_never_more_than_there_are(data):
    assert data.sample(2, seed=3).equals(data.sample(2, seed=3))
    assert len(data.sample(99)) == 4
    assert set(data.sample(99)["value"]) == set(data.texts())


@pytest.fixture
def tokenizer_file(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    words.enable_truncation(2)
    words.enable_padding(length=50)
    words.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_lengths_are_counted_whole_with_a_tokenizer(tokenizer_file):
    texts = ["w " * count for count in range(1, 101)]
    profile = profile_lengths({"value": texts}, tokenizer_file)
    assert profile.percentiles == {"p50": 50, "p90": 90, "p95": 95, "p99": 99, "max": 100}
    assert not profile.estimated and not profile.sampled
    assert profile.truncated_share(80) == pytest.approx(0.2)
    assert profile.histogram()[0].sum() == 100


def test_the_longest_text_is_counted_even_in_a_sample(tokenizer_file):
    texts = ["w"] * 500 + ["w " * 77] + ["w"] * 500
    profile = profile_lengths({"value": texts}, tokenizer_file, sample=50)
    assert profile.sampled and profile.texts == 1001
    assert profile.percentiles["max"] == 77
    assert profile.percentiles["p50"] == 1


def test_an_estimate_says_so_and_a_broken_tokenizer_is_refused(data, tmp_path):
    assert data.profile().estimated
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(DataError, match=r"tokenizer\.json cannot be read"):
        data.profile(tmp_path / "tokenizer.json")


def test_near_copies_are_found_and_different_texts_are_not():
    texts = [
        "The parcel has not arrived at my door yet although it was sent last week",
        "the parcel has not arrived at my door yet, although it was sent last week!!",
        "The parcel has not arrived at my doors yet although it was sent last week",
        "The parcel was sent to another house by mistake",
        "!!!",
        "???",
        "a",
        "A.",
    ]
    groups = copy_groups(texts)
    assert groups[0] == groups[1] == groups[2]
    assert groups[6] == groups[7]
    assert len(set(groups)) == 5


@pytest.mark.slow
def test_near_copies_agree_with_a_comparison_of_all_pairs():
    generator = np.random.default_rng(3)
    words = np.array([f"w{place}x" for place in range(300)])
    texts = []
    for _ in range(120):
        base = list(words[generator.integers(0, 300, 15)])
        texts.append(" ".join(base))
        for place in range(2):
            base[generator.integers(0, 15)] = words[generator.integers(0, 300)]
            texts.append(" ".join(base) + " " * place)
    shingles = [{text.strip()[k : k + 5] for k in range(len(text.strip()) - 4)} for text in texts]
    groups = copy_groups(texts)
    near = np.array([[len(a & b) / len(a | b) >= 0.8 for a in shingles] for b in shingles])
    wanted = connected_components(csr_matrix(near), directed=False)[1]
    should, do = wanted[:, None] == wanted, groups[:, None] == groups
    assert should.sum() > len(texts) + 100
    assert not (do & ~should).any()
    assert (do & should).sum() >= 0.97 * should.sum()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Datasource.from_list(None),
        lambda: Datasource.from_dict(None),
        lambda: Datasource.from_dict([{"text": "a", "label": "b"}]),
        lambda: Datasource.from_dict({"text": ["a", "b"], "label": None}),
        lambda: Datasource.from_csv(None),
        lambda: Datasource.from_dict({"text": ["a", "b"], "label": ["x", "y"]}, roles=["text", "label"]),
        lambda: Datasource.from_dict({"text": ["a", "b"], "label": ["x", "y"]}, roles={"value": ["text"]}),
        lambda: Datasource.from_dict({"text": ["a", "b"], "label": [float("inf"), 1.0]}),
    ],
)
def test_arguments_of_a_wrong_type_are_refused_in_our_words(make):
    with pytest.raises(DataError):
        make()


def test_a_name_that_is_no_text_is_shown_as_one():
    data = Datasource.from_dict({"text": ["a", "b"], "label": ["x", "y"]}, name=5)
    assert ">5</b>" in data._repr_html_()
