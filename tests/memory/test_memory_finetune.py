"""From a memoryset to a tuned model and back: task, column and instruction are found by themselves."""

from __future__ import annotations

import shutil
import warnings

import pytest
from sentence_transformers import SentenceTransformer

import embedtune_nb as et
from embedtune_nb.data.split import Split
from embedtune_nb.errors import ColumnError, InUseError, NotFoundError
from embedtune_nb.evaluation.evaluate import evaluate

pytestmark = [pytest.mark.jobs, pytest.mark.filterwarnings("ignore:Opened the m")]

TASK = "a new topic about"
FRAMED = f"Instruct: {TASK}\nQuery: "
SHORT = {"epochs": 1, "eval_steps": "off", "early_stopping": False, "batch_size": 16}


@pytest.fixture(scope="module")
def home_with_model(instructed_bert, topic_rows, tmp_path_factory):
    """A home with the memoryset ``topics`` and the model ``tuned``, which a thread trained from it."""
    folder = tmp_path_factory.mktemp("tuned") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBEDTUNE_HOME", str(folder))
        base = et.PretrainedEmbeddingModel(str(instructed_bert))
        memoryset = et.LabeledMemoryset.from_list(
            "topics", topic_rows, embedding_model=base, instruction=TASK
        )
        base.finetune("tuned", memoryset, hyperparams=SHORT, executor="thread")
    return folder


@pytest.fixture
def memoryset(home, home_with_model):
    """That memoryset, in a home of this test's own."""
    shutil.copytree(home_with_model, home, dirs_exist_ok=True)
    return et.LabeledMemoryset.open("topics")


@pytest.fixture
def tuned(memoryset):
    return et.FinetunedEmbeddingModel.open("tuned")


def test_task_column_and_instruction_come_from_the_memoryset(memoryset, tuned):
    plan = tuned.recipe
    assert plan["loss"] == "prediction" and plan.data["kind"] == "labeled"
    assert plan.data["roles"]["label"]["column"] == "label"
    assert plan.data["name"] == "topics"
    assert plan["instruction"] == TASK
    assert plan.data["fingerprint"] == memoryset.to_datasource().fingerprint


def test_a_scored_memoryset_is_a_regression(instructed_bert, topics, home):
    base = et.PretrainedEmbeddingModel(str(instructed_bert))
    scored = et.ScoredMemoryset.from_pandas("lengths", topics, embedding_model=base, instruction=TASK)
    plan = base.plan(scored)
    assert (plan.data["kind"], plan["loss"], plan["instruction"]) == ("scored", "prediction", TASK)
    assert plan.data["roles"]["score"]["column"] == "score"
    with pytest.raises(ColumnError, match="label_column"):
        base.plan(scored, label_column="label")


def test_a_memoryset_is_swept_as_it_is_trained_from(memoryset, instructed_bert):
    base = et.PretrainedEmbeddingModel(str(instructed_bert))
    sweep = base.plan(memoryset, hyperparams={"learning_rate": (1e-5, 1e-3)}, trial_count=5)
    assert (sweep.kind, [axis.name for axis in sweep.space]) == ("sweep", ["learning_rate"])
    assert (sweep["instruction"], sweep.data["name"]) == (TASK, "topics")
    scored = et.ScoredMemoryset.from_pandas(
        "word-counts",
        memoryset.to_datasource().frames["examples"].assign(score=lambda rows: rows["value"].str.len()),
        embedding_model=base,
    )
    assert base.plan(scored, trial_count=3)["metric"] == "mae"


def test_the_published_model_reads_the_instruction_without_us(tuned, topics):
    texts = topics["value"].tolist()[:12]
    stranger = SentenceTransformer(str(tuned.path), device="cpu")
    vectors = tuned.embed(texts)
    for how in ({}, {"prompt_name": "query"}, {"prompt": FRAMED}):
        assert stranger.encode(texts, normalize_embeddings=True, **how) == pytest.approx(vectors, abs=1e-5)
    assert abs(stranger.encode(texts, prompt="", normalize_embeddings=True) - vectors).max() > 1e-3
    documents = stranger.encode_document(texts, normalize_embeddings=True)
    assert documents == pytest.approx(tuned.embed(texts, role="document"), abs=1e-5)
    assert documents == pytest.approx(
        stranger.encode(texts, prompt="some text ", normalize_embeddings=True), abs=1e-5
    ), "the base model's own prompt for passages"


def test_the_texts_were_judged_with_it(tuned, instructed_bert):
    """The metrics before training are those of a plain encode with the instruction, and of nothing else."""

    class Plain:
        def __init__(self, prompt):
            self.model, self.prompt = SentenceTransformer(str(instructed_bert), device="cpu"), prompt

        def embed(self, texts, *, role=None, progress=None):
            return self.model.encode(texts, prompt=self.prompt, normalize_embeddings=True)

    parts = Split.read(tuned.job.folder.data)
    settings = {key: setting.value for key, setting in tuned.recipe.settings.items()}
    scored = evaluate(Plain(FRAMED), parts.verdict, reference=parts.train, settings=settings)
    assert tuned.metrics["before"]["accuracy"] == pytest.approx(scored.metrics["accuracy"], abs=1e-9)


def test_a_clone_with_the_tuned_model_is_searched_with_it(memoryset, tuned):
    clone = memoryset.clone("tuned-topics", embedding_model=tuned, if_exists="open")
    assert clone.to_pandas().equals(memoryset.to_pandas())
    shown = "FinetunedEmbeddingModel({name: tuned, embedding_dim: 32, max_seq_length: 64})"
    assert f"    embedding_model: {shown},\n" in repr(clone)
    stranger = SentenceTransformer(str(tuned.path), device="cpu")
    texts = clone.to_pandas()["value"].tolist()
    assert clone.embeddings == pytest.approx(stranger.encode(texts, normalize_embeddings=True), abs=1e-5)
    again = memoryset.clone("tuned-topics", embedding_model=tuned, if_exists="open")
    assert (again.embeddings == clone.embeddings).all()
    assert len(et.LabeledMemoryset.open("tuned-topics").search("rain", 3)) == 3


def test_a_clone_that_reads_otherwise_than_the_model_was_trained_says_so(memoryset, tuned):
    with pytest.warns(UserWarning, match="tuned was tuned with 'Instruct: a new topic about"):
        clone = memoryset.clone("other", embedding_model=tuned, instruction="when")
    assert clone.prompt == "Instruct: when\nQuery: "
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert memoryset.clone("same", embedding_model=tuned, instruction=None).prompt == FRAMED


def test_a_model_in_use_is_not_dropped(memoryset, tuned):
    memoryset.clone("tuned-topics", embedding_model=tuned)
    with pytest.raises(InUseError, match="'tuned-topics'"):
        et.FinetunedEmbeddingModel.drop("TUNED")
    assert tuned.path.is_dir()
    et.LabeledMemoryset.drop("tuned-topics")
    et.FinetunedEmbeddingModel.drop("tuned")
    assert not tuned.path.exists()


def test_a_memoryset_whose_model_is_gone_still_opens_and_says_what_is_missing(memoryset, tuned):
    memoryset.clone("tuned-topics", embedding_model=tuned)
    shutil.rmtree(tuned.path)
    orphan = et.LabeledMemoryset.open("tuned-topics")
    assert "name: tuned" in repr(orphan) and len(orphan.to_pandas()) == len(memoryset)
    with pytest.raises(NotFoundError, match="tuned"):
        orphan.search("rain")


def test_a_hyperparameter_wins_over_the_memoryset(memoryset, instructed_bert):
    base = et.PretrainedEmbeddingModel(str(instructed_bert))
    plan = base.plan(memoryset, hyperparams={"instruction": "when"})
    assert plan["prompts"]["default"] == "Instruct: when\nQuery: "
    assert plan.settings["instruction"].source == "user"


def test_queries_alone_carry_it_where_there_are_documents(instructed_bert, topic_rows, home):
    base = et.PretrainedEmbeddingModel(str(instructed_bert))
    half = len(topic_rows) // 2
    pairs = et.Datasource.from_dict(
        {
            "anchor": [row["value"] for row in topic_rows[:half]],
            "positive": [row["value"] for row in topic_rows[half:]],
        },
        kind="pairs",
    )
    model = base.finetune("search", pairs, hyperparams={**SHORT, "instruction": TASK}, executor="thread")
    texts = [row["value"] for row in topic_rows[:8]]
    stranger = SentenceTransformer(str(model.path), device="cpu")
    plain = stranger.encode(texts, prompt="", normalize_embeddings=True)
    asked = stranger.encode(texts, prompt=FRAMED, normalize_embeddings=True)
    assert stranger.encode(texts, normalize_embeddings=True) == pytest.approx(plain, abs=1e-5)
    assert stranger.encode_query(texts, normalize_embeddings=True) == pytest.approx(asked, abs=1e-5)
    assert model.embed(texts, role="query") == pytest.approx(asked, abs=1e-5)
    assert model.embed(texts) == pytest.approx(plain, abs=1e-5)
    assert abs(asked - plain).max() > 1e-3


@pytest.mark.model
def test_minilm_from_memoryset_to_searchable_clone(minilm, home, topic_rows):
    """The guide's whole way on a real model: memoryset, finetune, clone, search."""
    base = et.PretrainedEmbeddingModel.MINILM_L6
    memoryset = et.LabeledMemoryset.from_list("topics", topic_rows)
    assert "name: MINILM_L6, embedding_dim: 384, max_seq_length: 256" in repr(memoryset)
    model = base.finetune(
        "my_finetuned_model",
        memoryset,
        if_exists="open",
        hyperparams={**SHORT, "max_steps": 3, "instruction": "Topic of a note"},
        executor="thread",
    )
    clone = memoryset.clone("my_finetuned_memoryset", embedding_model=model, if_exists="open")
    assert len(clone) == len(memoryset)
    best = clone.search("heavy rain and thunder with fog", count=5)
    assert best["label"].mode()[0] == "weather"
    stranger = SentenceTransformer(str(model.path), device="cpu")
    texts = clone.to_pandas()["value"].tolist()[:8]
    expected = stranger.encode(texts, prompt_name="query", normalize_embeddings=True)
    assert clone.embeddings[:8] == pytest.approx(expected, abs=1e-4)
    assert stranger.prompts["query"] == "Topic of a note "
