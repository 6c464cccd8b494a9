"""The instruction belongs to the collection: every text and every query is read with it."""

from __future__ import annotations

import pytest
from sentence_transformers import SentenceTransformer

import embedtune_nb as et

TASK = "a new topic about"
FRAMED = f"Instruct: {TASK}\nQuery: "


@pytest.fixture
def base(instructed_bert, home):
    return et.PretrainedEmbeddingModel(str(instructed_bert))


def plain(folder, texts, prompt):
    model = SentenceTransformer(str(folder), device="cpu")
    return model.encode(texts, prompt=prompt, normalize_embeddings=True)


def test_texts_and_queries_are_read_with_it(base, topics, instructed_bert):
    memoryset = et.LabeledMemoryset.from_pandas("topics", topics, embedding_model=base, instruction=TASK)
    texts = memoryset.to_pandas()["value"].tolist()
    expected = plain(instructed_bert, texts, FRAMED)
    assert memoryset.prompt == FRAMED
    assert memoryset.embeddings == pytest.approx(expected, abs=1e-5)
    assert abs(memoryset.embeddings - plain(instructed_bert, texts, "")).max() > 1e-2
    assert f"    instruction: '{TASK}',\n" in repr(memoryset)
    query = plain(instructed_bert, ["rain on the road"], FRAMED)
    found = et.LabeledMemoryset.open("topics").search("rain on the road", 1)
    assert found["similarity"][0] == pytest.approx((expected @ query[0]).max(), abs=1e-5)


def test_data_made_from_a_collection_keeps_its_instruction(base, topics):
    memoryset = et.LabeledMemoryset.from_pandas("topics", topics, embedding_model=base, instruction=TASK)
    data = memoryset.to_datasource()
    made = [
        data.filter(lambda row: row["label"] != "money"),
        data.fix("near_duplicates"),
        data.to_pairs(),
        data.mine_hard_negatives("bm25", progress=False),
    ]
    assert [one.instruction for one in made] == [TASK] * 4
    assert base.plan(made[0])["instruction"] == TASK


def test_without_one_the_model_reads_as_it_does_by_default(base, topics, instructed_bert):
    memoryset = et.LabeledMemoryset.from_pandas("topics", topics, embedding_model=base)
    texts = memoryset.to_pandas()["value"].tolist()
    assert memoryset.embeddings == pytest.approx(plain(instructed_bert, texts, ""), abs=1e-5)
    assert "instruction" not in repr(memoryset)


def test_a_clone_inherits_changes_or_clears_it(base, topics):
    memoryset = et.LabeledMemoryset.from_pandas("topics", topics, embedding_model=base, instruction=TASK)
    assert memoryset.clone("same").instruction == TASK
    other = memoryset.clone("other", instruction="when")
    assert (other.instruction, other.prompt) == ("when", "Instruct: when\nQuery: ")
    assert abs(other.embeddings - memoryset.embeddings).max() > 1e-3
    cleared = memoryset.clone("cleared", instruction=None)
    assert (cleared.instruction, cleared.prompt) == (None, "")


def test_a_model_that_reads_none_keeps_it_and_says_so(tiny_bert, topics, home):
    model = et.PretrainedEmbeddingModel(str(tiny_bert))
    with pytest.warns(UserWarning, match="not trained to read one"):
        memoryset = et.LabeledMemoryset.from_pandas("topics", topics, embedding_model=model, instruction=TASK)
    texts = memoryset.to_pandas()["value"].tolist()
    assert memoryset.embeddings == pytest.approx(plain(tiny_bert, texts, ""), abs=1e-5)
    assert memoryset.instruction == TASK
    assert "(kept, not read by this model)" in repr(memoryset)


def test_embed_and_evaluate_take_one(base, topics, instructed_bert):
    texts = topics["value"].tolist()[:8]
    assert base.embed(texts, instruction=TASK) == pytest.approx(
        plain(instructed_bert, texts, FRAMED), abs=1e-5
    )
    assert base.embed(texts, role="document", instruction=TASK) == pytest.approx(
        plain(instructed_bert, texts, "some text "), abs=1e-5
    )
    assert base.embed(texts) == pytest.approx(plain(instructed_bert, texts, ""), abs=1e-5)
    memoryset = et.LabeledMemoryset.from_pandas("topics", topics, embedding_model=base, instruction=TASK)
    by_memoryset = base.evaluate(memoryset)
    asked = base.evaluate(topics, label_column="label", instruction=TASK)
    assert by_memoryset.metrics == asked.metrics
    without = base.evaluate(topics, label_column="label")
    assert by_memoryset.per_query.ne(without.per_query).any(axis=None), "the instruction changed something"
