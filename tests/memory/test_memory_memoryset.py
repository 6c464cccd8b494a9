"""A memoryset keeps texts, labels and vectors under a name, and finds the nearest ones."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from datasets import Dataset
from sentence_transformers import SentenceTransformer

import embedtune_nb as et
from embedtune_nb.errors import (
    AlreadyExistsError,
    ColumnError,
    DataError,
    EmbedtuneError,
    IntegrityError,
    NameRefusedError,
    NotFoundError,
    PlanError,
)

pytestmark = [pytest.mark.filterwarnings("ignore:Opened the memoryset"), pytest.mark.slow]


@pytest.fixture
def base(tiny_bert, home):
    return et.PretrainedEmbeddingModel(str(tiny_bert))


@pytest.fixture
def memoryset(base, topics):
    return et.LabeledMemoryset.from_pandas("topics", topics, embedding_model=base)


def plain(folder, texts, **how):
    """Embed with the library alone."""
    return SentenceTransformer(str(folder), device="cpu").encode(texts, normalize_embeddings=True, **how)


def test_it_shows_itself_as_the_guide_does(memoryset, tiny_bert):
    assert repr(memoryset) == (
        "LabeledMemoryset({\n"
        "    name: 'topics',\n"
        f"    length: {len(memoryset)},\n"
        "    label_names: ['kitchen', 'money', 'travel', 'weather'],\n"
        f"    embedding_model: PretrainedEmbeddingModel({{name: {tiny_bert}, embedding_dim: 32, "
        "max_seq_length: 64}),\n"
        "})"
    )
    assert "<script>" not in memoryset._repr_html_()


def test_a_scored_one_shows_its_range(base, topics):
    scored = et.ScoredMemoryset.from_pandas("lengths", topics, embedding_model=base)
    assert "    score_range: [2, 30],\n" in repr(scored)
    assert scored.search("rain on the road", 3)["score"].dtype == float


def test_vectors_and_rows_are_those_of_the_texts(memoryset, topics, tiny_bert):
    frame = memoryset.to_pandas()
    kept = topics.iloc[frame["id"]]
    assert frame["value"].tolist() == kept["value"].tolist()
    assert frame["label"].tolist() == kept["label"].tolist()
    assert len(memoryset) == len(frame) == len(list(memoryset))
    assert next(iter(memoryset)) == {"id": 0, "value": topics["value"][0], "label": topics["label"][0]}
    assert memoryset.embeddings.dtype == np.float32
    assert memoryset.embeddings == pytest.approx(plain(tiny_bert, frame["value"].tolist()), abs=1e-5)
    with pytest.raises(ValueError, match="read-only"):
        memoryset.embeddings[0] = 0


def test_search_finds_what_a_plain_comparison_of_cosines_finds(memoryset, tiny_bert):
    queries = ["rain on the road", "my card was late"]
    frame = memoryset.to_pandas()
    cosines = plain(tiny_bert, queries) @ plain(tiny_bert, frame["value"].tolist()).T
    found = memoryset.search(queries, count=4)
    assert found["query"].tolist() == [0] * 4 + [1] * 4
    for number, text in enumerate(queries):
        order = np.argsort(-cosines[number], kind="stable")[:4]
        mine = found[found["query"] == number]
        assert mine["similarity"].tolist() == pytest.approx(cosines[number][order], abs=1e-5)
        assert set(mine["value"]) == set(frame["value"].iloc[order])
        alone = memoryset.search(text, count=4)
        assert alone["value"].tolist() == mine["value"].tolist()
        assert "query" not in alone
    assert len(memoryset.search("rain", count=10_000)) == len(memoryset)


def test_a_text_finds_itself_with_its_label(memoryset):
    row = memoryset.to_pandas().iloc[7]
    first = memoryset.search(row["value"], count=1).iloc[0]
    assert (first["value"], first["label"]) == (row["value"], row["label"])
    assert first["similarity"] == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("query", ["", "  ", [], ["rain", None], 3, None, {"a": "rain"}])
def test_what_is_no_query_is_refused(memoryset, query):
    with pytest.raises(DataError):
        memoryset.search(query)


@pytest.mark.parametrize("count", [0, -1, 2.5, True, "3"])
def test_what_is_no_count_is_refused(memoryset, count):
    with pytest.raises(DataError, match="count"):
        memoryset.search("rain", count)


def test_opened_again_it_is_the_same(memoryset):
    again = et.LabeledMemoryset.open("TOPICS")
    assert again.name == "topics"
    assert repr(again) == repr(memoryset)
    pd.testing.assert_frame_equal(again.to_pandas(), memoryset.to_pandas())
    assert (again.embeddings == memoryset.embeddings).all()
    pd.testing.assert_frame_equal(again.search("rain", 3), memoryset.search("rain", 3))


def test_all_and_drop_by_class(memoryset, base, topics):
    et.ScoredMemoryset.from_pandas("lengths", topics, embedding_model=base)
    assert [one.name for one in et.LabeledMemoryset.all()] == ["topics"]
    assert [one.name for one in et.ScoredMemoryset.all()] == ["lengths"]
    with pytest.raises(PlanError, match=r"ScoredMemoryset\.open"):
        et.LabeledMemoryset.open("lengths")
    with pytest.raises(PlanError, match="scored"):
        et.LabeledMemoryset.drop("lengths")
    et.LabeledMemoryset.drop("topics")
    assert et.LabeledMemoryset.all() == []
    with pytest.raises(NotFoundError, match="lengths"):
        et.LabeledMemoryset.open("length")
    with pytest.raises(NotFoundError):
        et.LabeledMemoryset.drop("topics")
    et.LabeledMemoryset.drop("topics", if_not_exists="ignore")
    with pytest.raises(PlanError, match="ignore"):
        et.LabeledMemoryset.drop("topics", if_not_exists="silently")


def test_the_same_cell_again_opens_and_embeds_nothing(memoryset, base, topics, monkeypatch):
    with pytest.raises(AlreadyExistsError, match="if_exists='open'"):
        et.LabeledMemoryset.from_pandas("Topics", topics, embedding_model=base)
    monkeypatch.setattr(type(base), "embed", lambda *_, **__: pytest.fail("embedded again"))
    with pytest.warns(UserWarning, match="nothing was embedded.$"):
        again = et.LabeledMemoryset.from_pandas("topics", topics, embedding_model=base, if_exists="open")
    assert len(again) == len(memoryset)


def test_what_differs_from_the_memoryset_that_is_opened_is_told(memoryset, base, topics, tiny_rope):
    fewer = {"embedding_model": base, "if_exists": "open", "instruction": "find the topic"}
    with pytest.warns(UserWarning, match="here 40 rows") as told:
        et.LabeledMemoryset.from_pandas("topics", topics.head(40), **fewer)
    assert "here 'find the topic'" in str(told[0].message)
    assert told[0].filename == __file__
    other = et.PretrainedEmbeddingModel(str(tiny_rope))
    with pytest.raises(PlanError, match="embedded with"):
        et.LabeledMemoryset.from_pandas("topics", topics, embedding_model=other, if_exists="open")
    with pytest.raises(PlanError, match="kind 'labeled'"):
        et.ScoredMemoryset.from_pandas("topics", topics, embedding_model=base, if_exists="open")
    with pytest.raises(PlanError, match="replace"):
        et.LabeledMemoryset.from_pandas("topics", topics, embedding_model=base, if_exists="replace")


def test_rows_that_cannot_serve_are_left_out_and_counted(base, topics):
    broken = pd.concat(
        [topics, topics.head(3), pd.DataFrame({"value": ["", None], "label": ["money", "money"]})]
    )
    memoryset = et.LabeledMemoryset.from_pandas("topics", broken, embedding_model=base)
    whole = et.Datasource.from_pandas(broken, kind="labeled")
    assert len(memoryset) == len(whole) < len(broken)
    assert len(memoryset.embeddings) == len(memoryset)
    assert any(note.startswith("Dropped 3: copy") for note in memoryset.notes)


def test_texts_that_are_cut_are_told(base, topics):
    long = pd.concat([topics, pd.DataFrame({"value": ["rain " * 500], "label": ["weather"]})])
    with pytest.warns(UserWarning, match="cut at 64 tokens"):
        memoryset = et.LabeledMemoryset.from_pandas("topics", long, embedding_model=base)
    assert any("cut at 64 tokens" in note for note in memoryset.notes)


def test_every_way_in_gives_the_same_texts(base, topics, tmp_path):
    table = topics.rename(columns={"value": "body", "label": "topic"}).drop(columns="score")
    table.to_csv(tmp_path / "a.csv", index=False)
    table.to_csv(tmp_path / "b.csv", index=False, sep=";")
    table.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    table.to_parquet(tmp_path / "a.parquet")
    how = {"value_column": "body", "label_column": "topic", "embedding_model": base}
    made = [
        et.LabeledMemoryset.from_pandas("pandas", table, **how),
        et.LabeledMemoryset.from_list("list", table.to_dict("records"), **how),
        et.LabeledMemoryset.from_dict("dict", table.to_dict("list"), **how),
        et.LabeledMemoryset.from_csv("csv", tmp_path / "a.csv", **how),
        et.LabeledMemoryset.from_jsonl("jsonl", tmp_path / "a.jsonl", **how),
        et.LabeledMemoryset.from_parquet("parquet", tmp_path / "a.parquet", **how),
        et.LabeledMemoryset.from_arrow("arrow", pa.Table.from_pandas(table), **how),
        et.LabeledMemoryset.from_hf("hf", Dataset.from_pandas(table), **how),
        et.LabeledMemoryset.from_torch("torch", table.to_dict("records"), **how),
        et.LabeledMemoryset.from_csv("semicolons", tmp_path / "b.csv", separator=";", **how),
        et.LabeledMemoryset.from_datasource(
            "datasource", et.Datasource.from_pandas(table, kind="labeled"), embedding_model=base
        ),
    ]
    expected = made[0].to_pandas()
    assert expected["label"].nunique() == 4
    for memoryset in made:
        pd.testing.assert_frame_equal(memoryset.to_pandas(), expected)
        assert memoryset.embeddings == pytest.approx(made[0].embeddings, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"name": "../x"}, NameRefusedError, "letters"),
        ({"label_column": "lable"}, ColumnError, "label"),
        ({"embedding_model": "MINILM_L6"}, DataError, "PretrainedEmbeddingModel"),
        ({"instruction": "  "}, PlanError, "blank"),
        ({"df": pd.DataFrame({"value": ["a", "b"], "label": ["x", "x"]})}, DataError, "classes"),
        ({"df": "texts.csv"}, DataError, "from_pandas"),
    ],
)
def test_bad_input_is_refused_and_leaves_nothing_behind(base, topics, home, change, error, told):
    call = {"name": "new", "df": topics, "embedding_model": base, **change}
    with pytest.raises(error, match=told):
        et.LabeledMemoryset.from_pandas(**call)
    assert et.LabeledMemoryset.all() == []
    assert not [path for path in (home / "memorysets").glob("*") if path.name != ".names"]


def test_a_datasource_of_another_kind_is_refused(base, topics):
    pairs = et.Datasource.from_dict({"anchor": ["a b", "c d"], "positive": ["e f", "g h"]})
    with pytest.raises(DataError, match="'pairs'"):
        et.LabeledMemoryset.from_datasource("new", pairs, embedding_model=base)


def test_a_clone_with_another_model_keeps_the_rows_and_embeds_anew(memoryset, tiny_rope):
    other = et.PretrainedEmbeddingModel(str(tiny_rope))
    clone = memoryset.clone("other", embedding_model=other)
    assert type(clone) is et.LabeledMemoryset
    pd.testing.assert_frame_equal(clone.to_pandas(), memoryset.to_pandas())
    texts = memoryset.to_pandas()["value"].tolist()
    assert clone.embeddings == pytest.approx(plain(tiny_rope, texts), abs=1e-4)
    assert str(tiny_rope) in repr(clone)
    with pytest.raises(PlanError, match="embedded with"):
        memoryset.clone("other", if_exists="open")
    assert memoryset.clone("other", embedding_model=other, if_exists="open").name == "other"


def test_a_plain_clone_is_a_copy_that_outlives_its_original(memoryset, monkeypatch):
    monkeypatch.setattr(et.PretrainedEmbeddingModel, "embed", lambda *_, **__: pytest.fail("embedded again"))
    clone = memoryset.clone("copy")
    et.LabeledMemoryset.drop("topics")
    clone = et.LabeledMemoryset.open("copy")
    assert (clone.embeddings == memoryset.embeddings).all()


def test_a_model_that_changed_under_its_name_is_not_searched_with(topics, tiny_bert, home, tmp_path):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(tiny_bert, folder)
    model = et.PretrainedEmbeddingModel(str(folder))
    et.LabeledMemoryset.from_pandas("topics", topics, embedding_model=model)
    config = folder / "config_sentence_transformers.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "prompts": {"query": "so: "}}))
    memoryset = et.LabeledMemoryset.open("topics")
    with pytest.raises(EmbedtuneError, match="not the one this memoryset was embedded with"):
        memoryset.search("rain")
    assert (
        memoryset.clone("anew", embedding_model=et.PretrainedEmbeddingModel(str(folder))).search("rain", 1)
        is not None
    )


def test_damage_is_found_told_and_can_be_dropped(memoryset, home):
    vectors = home / "memorysets" / "topics" / "vectors.npy"
    vectors.write_bytes(vectors.read_bytes()[:-4])
    with pytest.raises(IntegrityError, match=r"LabeledMemoryset\.drop"):
        et.LabeledMemoryset.open("topics")
    with pytest.warns(UserWarning, match="left out"):
        assert et.LabeledMemoryset.all() == []
    et.LabeledMemoryset.drop("topics")
    assert not vectors.parent.exists()


def test_html_in_texts_and_names_stays_text(base):
    rows = [{"value": f"<script>alert({n})</script> rain", "label": f"<b>{n % 2}</b>"} for n in range(6)]
    shown = et.LabeledMemoryset.from_list("odd", rows, embedding_model=base)._repr_html_()
    assert "<script>" not in shown
    assert "<b>0</b>" not in shown
    assert "&lt;script&gt;" in shown
