"""Data from elsewhere: Arrow, Hugging Face, torch, BEIR folders, TREC judgements, LlamaIndex."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections import namedtuple
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from embedtune_nb.data import hub
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import DataError

TEXTS = ["first text", "second text", "third text", "fourth text"]
LABELS = ["x", "y", "x", "y"]


def content(data):
    return data.to_pandas()[["value", "label"]].values.tolist()


EXPECTED = [list(row) for row in zip(TEXTS, LABELS, strict=True)]


def test_an_arrow_table_or_batch_is_read():
    table = pa.table({"text": TEXTS, "label": pa.array(LABELS).dictionary_encode()})
    assert content(Datasource.from_arrow(table)) == EXPECTED
    assert content(Datasource.from_arrow(table.to_batches()[0])) == EXPECTED
    with pytest.raises(DataError, match="given a DataFrame"):
        Datasource.from_arrow(pd.DataFrame({"text": TEXTS}))
    with pytest.raises(DataError, match="from_arrow"):
        Datasource.from_pandas(table)


# Hugging Face ----------------------------------------------------------------------------------------------


@pytest.fixture
def dataset():
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["x", "y"])}
    )
    return datasets.Dataset.from_dict({"text": TEXTS, "label": [0, 1, 0, 1]}, features=features)


def test_coded_classes_of_a_data_set_become_their_names(dataset):
    data = Datasource.from_hf(dataset)
    assert content(data) == EXPECTED
    assert any("'x', 'y'" in note for note in data.notes)
    assert content(Datasource.from_hf(dataset.with_format("numpy").select([2, 1]))) == [
        EXPECTED[2],
        EXPECTED[1],
    ]


def test_names_of_classes_beat_the_usual_codes_of_inference(dataset):
    import datasets

    names = ["contradiction", "entailment", "neutral"]
    coded = datasets.Dataset.from_dict(
        {"premise": TEXTS, "hypothesis": LABELS, "label": [0, 1, 2, -1]},
        features=datasets.Features(
            {
                "premise": datasets.Value("string"),
                "hypothesis": datasets.Value("string"),
                "label": datasets.ClassLabel(names=names),
            }
        ),
    )
    data = Datasource.from_hf(coded)
    assert data.kind == "nli"
    assert data.frames["examples"]["label"].tolist() == names
    assert [(drop.count, drop.reason) for drop in data.dropped] == [(1, "no label")]


def test_a_split_is_named_or_the_only_one(dataset, tmp_path):
    import datasets

    both = datasets.DatasetDict(train=dataset, test=dataset.select([0, 1]))
    assert len(Datasource.from_hf(both, split="test")) == 2
    with pytest.raises(DataError, match=r"'train' \(4 rows\), 'test' \(2 rows\)"):
        Datasource.from_hf(both)
    with pytest.raises(DataError, match="Did you mean 'train'"):
        Datasource.from_hf(both, split="trian")
    single = Datasource.from_hf(datasets.DatasetDict(train=dataset))
    assert any("one split, 'train'" in note for note in single.notes)
    with pytest.raises(DataError, match="has no splits"):
        Datasource.from_hf(dataset, split="train")
    both.save_to_disk(str(tmp_path / "mail"))
    kept = Datasource.from_hf(tmp_path / "mail", split="train")
    assert (kept.name, content(kept)) == ("mail train", EXPECTED)


def test_streams_loaders_and_other_folders_are_refused(dataset, tmp_path):
    with pytest.raises(DataError, match="stream"):
        Datasource.from_hf(dataset.to_iterable_dataset())
    with pytest.raises(DataError, match="cannot be read as a data set"):
        Datasource.from_hf(tmp_path)
    (tmp_path / "mail.csv").write_text("text,label\n")
    with pytest.raises(DataError, match=r"mail\.csv is a file"):
        Datasource.from_hf(tmp_path / "mail.csv")
    with pytest.raises(DataError, match="given a int"):
        Datasource.from_hf(5)


LOAD = """
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import DataError
try:
    Datasource.from_hf("someone/something", split="train")
except DataError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("offline", ["silent", "declared"])
def test_without_a_network_a_name_fails_soon_with_a_remedy(offline, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment = {
            "silent": {"HF_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}", "NO_PROXY": "*"},
            "declared": {"HF_HUB_OFFLINE": "1"},
        }[offline]
        base = {"PATH": "/usr/bin:/bin", "HF_HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", LOAD], capture_output=True, text=True, env={**base, **environment}
        )
    assert "someone/something" in done.stdout, done.stderr
    assert "save_to_disk" in done.stdout and "from_csv" in done.stdout
    assert ("cannot be reached" if offline == "silent" else "HF_HUB_OFFLINE is set") in done.stdout
    assert hub.PROBE_SECONDS < 8


# torch -----------------------------------------------------------------------------------------------------


class MapStyle:
    """As torch's own: a length and items, and no end that an iterator would notice."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, place):
        return self.items[place % len(self.items)]


Pair = namedtuple("Pair", "text label")


@dataclass
class Example:
    text: str
    label: str


@pytest.mark.parametrize(
    "make",
    [
        lambda text, label: {"text": text, "label": label},
        Pair,
        Example,
    ],
)
def test_items_with_names_are_read_once(make):
    items = MapStyle([make(*row) for row in EXPECTED])
    assert content(Datasource.from_torch(items)) == EXPECTED


def test_tuples_get_names_and_tensors_become_numbers():
    torch = pytest.importorskip("torch")
    rows = [(text, torch.tensor(place % 2)) for place, text in enumerate(TEXTS)]
    data = Datasource.from_torch(torch.utils.data.Subset(MapStyle(rows), [0, 1, 3]), names=("text", "label"))
    assert content(data) == [[TEXTS[0], 0], [TEXTS[1], 1], [TEXTS[3], 1]]
    assert Datasource.from_torch(MapStyle(rows)).kind == "labeled"
    scored = Datasource.from_torch(
        MapStyle([(text, torch.tensor([0.5 + n])) for n, text in enumerate(TEXTS)]), names=("text", "score")
    )
    assert scored.frames["examples"]["score"].tolist() == [0.5, 1.5, 2.5, 3.5]
    loader = torch.utils.data.DataLoader(MapStyle(rows))
    with pytest.raises(DataError, match=r"loader\.dataset"):
        Datasource.from_torch(loader)


def test_a_data_set_without_a_length_needs_a_limit():
    class Endless:
        def __iter__(self):
            place = 0
            while True:
                yield {"text": f"text {place}", "label": "xy"[place % 2]}
                place += 1

    with pytest.raises(DataError, match="limit=100_000"):
        Datasource.from_torch(Endless())
    assert len(Datasource.from_torch(Endless(), limit=7)) == 7


def test_an_iterable_data_set_that_knows_its_length_is_iterated():
    torch = pytest.importorskip("torch")

    class Lines(torch.utils.data.IterableDataset):
        def __len__(self):
            return len(EXPECTED)

        def __iter__(self):
            return iter([{"text": text, "label": label} for text, label in EXPECTED])

    assert content(Datasource.from_torch(Lines())) == EXPECTED


def test_items_that_cannot_be_read_are_named():
    class Broken(MapStyle):
        def __getitem__(self, place):
            if place == 2:
                raise OSError("disk gone")
            return super().__getitem__(place)

    rows = [{"text": text, "label": label} for text, label in EXPECTED]
    with pytest.raises(DataError, match="Item 2 cannot be read: OSError: disk gone"):
        Datasource.from_torch(Broken(rows))
    with pytest.raises(DataError, match="Item 1 has 'text', item 0 has 'text', 'label'"):
        Datasource.from_torch(MapStyle([rows[0], {"text": "alone"}]))
    with pytest.raises(DataError, match="Item 0 is a str"):
        Datasource.from_torch(MapStyle(TEXTS))
    with pytest.raises(DataError, match="Item 0 has 2 entries, 3 names"):
        Datasource.from_torch(MapStyle(EXPECTED), names=("a", "b", "c"))
    with pytest.raises(DataError, match="given a dict"):
        Datasource.from_torch({"text": TEXTS})


# Retrieval files -------------------------------------------------------------------------------------------


@pytest.fixture
def beir(tmp_path):
    folder = tmp_path / "mail"
    (folder / "qrels").mkdir(parents=True)
    queries = [{"_id": "q1", "text": "who"}, {"_id": "q2", "text": "where"}]
    corpus = [
        {"_id": "1", "title": "One", "text": "first"},
        {"_id": "2", "title": "", "text": "second"},
        {"_id": "3", "text": "third"},
    ]
    for name, rows in (("queries", queries), ("corpus", corpus)):
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    (folder / "qrels" / "train.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\t1\t2\nq1\t3\t1\nq1\t2\t0\nq2\t9\t1\n"
    )
    return folder


def test_a_beir_folder_is_read_with_its_grades(beir):
    data = Datasource.from_beir(beir)
    assert data.name == "mail"
    assert data.frames["qrels"].values.tolist() == [["q1", "1", 2.0], ["q1", "3", 1.0]]
    assert data.frames["corpus"]["text"].tolist() == ["One\nfirst", "second", "third"]
    assert {drop.reason: drop.count for drop in data.dropped} == {
        "judgements: relevance of 0 or less": 1,
        "judgements of a query or document that is not there": 1,
        "queries without a relevant document": 1,
    }


def test_what_is_missing_in_a_beir_folder_is_named(beir, tmp_path):
    (beir / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq2\t2\t1\n")
    with pytest.raises(DataError, match="'test', 'train'"):
        Datasource.from_beir(beir)
    with pytest.raises(DataError, match="Did you mean 'test'"):
        Datasource.from_beir(beir, split="tset")
    assert Datasource.from_beir(beir, split="test").to_pandas()["document"].tolist() == ["second"]
    (beir / "corpus.jsonl").unlink()
    with pytest.raises(DataError, match=r"has no corpus\.jsonl"):
        Datasource.from_beir(beir, split="test")
    with pytest.raises(DataError, match="There is no folder"):
        Datasource.from_beir(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "judgements",
    [
        "q1 0 1 2\nq2 0 2 1\n",
        "q1\tQ0\t1\t2\nq2\tQ0\t2\t1\n\n",
        "q1 1 2\nq2 2 1\n",
        "query-id\tcorpus-id\tscore\nq1\t1\t2\nq2\t2\t1\n",
        "topic iter docno rel\nq1 0 1 2\nq2 0 2 1\n",
    ],
)
def test_judgements_in_their_usual_forms_give_the_same(judgements, tmp_path):
    (tmp_path / "qrels.txt").write_text(judgements)
    (tmp_path / "queries.tsv").write_text("q1\twho\nq2\twhere\n")
    (tmp_path / "corpus.tsv").write_text("docid\ttext\n1\tfirst\n2\tsecond\n")
    data = Datasource.from_retrieval(
        *(tmp_path / name for name in ("queries.tsv", "corpus.tsv", "qrels.txt"))
    )
    assert data.frames["qrels"].values.tolist() == [["q1", "1", 2.0], ["q2", "2", 1.0]]
    assert data.frames["queries"]["text"].tolist() == ["who", "where"]


@pytest.mark.parametrize(
    ("judgements", "message"),
    [
        ("q1 0 d1 1\nq1 d2 1\n", r"qrels\.txt, line 2 has 3 fields"),
        ("q1 0 d1 1\nq1 0 d2 high\n", r"line 2 has the grade 'high'"),
        ("q1 0 d1 1\nq1 0 d2 inf\n", r"line 2 has the grade 'inf'"),
        ("q1 0 d1 high\nq1 0 d2 1\n", "line 1 has the grade 'high'"),
        ("a b c d e\n", "line 1 has 5 fields"),
        ("\n", "has no judgements"),
    ],
)
def test_a_broken_line_of_judgements_is_named(judgements, message, tmp_path):
    (tmp_path / "qrels.txt").write_text(judgements)
    with pytest.raises(DataError, match=message):
        Datasource.from_retrieval({"q1": "who"}, {"d1": "one", "d2": "two"}, tmp_path / "qrels.txt")


def test_judgements_without_grades_and_in_tables(tmp_path):
    (tmp_path / "qrels.tsv").write_text("query_id\tcorpus_id\nq1\td1\nq1\td2\n")
    pd.DataFrame({"qid": ["q1", "q1"], "docid": ["d1", "d2"], "rel": [1, 3]}).to_csv(
        tmp_path / "qrels.csv", index=False
    )
    texts = {"q1": "who"}, {"d1": "one", "d2": "two"}
    plain = Datasource.from_retrieval(*texts, tmp_path / "qrels.tsv")
    assert plain.frames["qrels"]["relevance"].tolist() == [1, 1] and not plain.dropped
    graded = Datasource.from_retrieval(*texts, tmp_path / "qrels.csv")
    assert graded.frames["qrels"]["relevance"].tolist() == [1, 3]


def test_a_judgement_of_an_unknown_id_is_counted_and_the_first_is_named():
    data = Datasource.from_retrieval({"q1": "who"}, {"d1": "one"}, {"q1": ["d1", "d7"], "q9": ["d1"]})
    assert [drop.count for drop in data.dropped] == [2]
    assert any("query 'q1' and document 'd7'" in note for note in data.notes)


def test_texts_in_files_of_unknown_form_are_refused(tmp_path):
    (tmp_path / "corpus.xml").write_text("<a/>")
    (tmp_path / "queries.tsv").write_text("q1\twho\nq2 where\n")
    with pytest.raises(DataError, match=r"'corpus\.xml' has an ending"):
        Datasource.from_retrieval({"q": "who"}, tmp_path / "corpus.xml", {"q": ["d"]})
    with pytest.raises(DataError, match=r"queries\.tsv, line 2 has 1 fields"):
        Datasource.from_retrieval(tmp_path / "queries.tsv", {"d": "one"}, {"q1": ["d"]})


QA = {
    "queries": {"q1": "who", "q2": "where"},
    "corpus": {"n1": "one", "n2": "two"},
    "relevant_docs": {"q1": ["n1"], "q2": ["n2", "n1"]},
    "mode": "text",
}


def test_llama_index_question_answers_are_read_from_file_dict_and_object(tmp_path):
    (tmp_path / "qa.json").write_text(json.dumps(QA))
    read = [
        Datasource.from_llama_index(source) for source in (tmp_path / "qa.json", QA, SimpleNamespace(**QA))
    ]
    assert len({data.fingerprint for data in read}) == 1
    assert read[0].name == "qa"
    assert read[0].to_pandas()[["query", "document"]].values.tolist() == [
        ["who", "one"],
        ["where", "two"],
        ["where", "one"],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"queries": {}, "corpus": {}}', "has no object 'relevant_docs'; it has 'queries', 'corpus'"),
        ('{"queries": [], "corpus": {}, "relevant_docs": {}}', "'queries' is a list"),
        ('{"queries": ', "is no JSON"),
        ("[1]", "has no object 'queries'"),
        ('{"queries": {"q": "a"}, "corpus": {"d": "b"}, "relevant_docs": {"z": ["d"]}}', "No query has"),
    ],
)
def test_a_broken_question_answer_file_is_refused(text, message, tmp_path):
    (tmp_path / "qa.json").write_text(text)
    with pytest.raises(DataError, match=message):
        Datasource.from_llama_index(tmp_path / "qa.json")


def test_arrays_in_items_become_lists():
    data = Datasource.from_torch(
        MapStyle([{"anchor": a, "positive": a + "!", "negatives": np.array([a + "?"])} for a in TEXTS])
    )
    assert data.frames["examples"]["negatives"].tolist() == [[text + "?"] for text in TEXTS]
