"""Adapters: no change at the start, plain modules at the end, and nothing of the base moves between."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize

from embedtune_nb.catalogue import resolve_base
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.errors import JobStoppedError
from embedtune_nb.plan.resolve import resolve
from embedtune_nb.store.events import Measured, Metrics, Notice, Phase, Published, VerdictReached
from embedtune_nb.store.home import models_folder
from embedtune_nb.store.job_folder import create
from embedtune_nb.training.adapter import adapt, read_once
from embedtune_nb.training.adapter_modules import ADAPTERS, LowRankAdapter
from embedtune_nb.training.closed_form import evening_map, ridge_to_identity
from embedtune_nb.training.finetune import run_finetune

pytestmark = pytest.mark.slow

FORMS, SIDES = ("linear", "low_rank", "two_layer"), ("both", "query")


@pytest.fixture(scope="module")
def texts(topic_rows):
    return list(dict.fromkeys(row["value"] for row in topic_rows))[:40]


@pytest.fixture(params=[False, True], ids=["bare", "scaled"])
def base_folder(request, tiny_bert, tmp_path) -> Path:
    """A base model that ends in pooling, and one that brings its vectors to length 1."""
    if not request.param:
        return tiny_bert
    model = SentenceTransformer(str(tiny_bert), device="cpu")
    scaled = SentenceTransformer(modules=[*model.children(), Normalize()], device="cpu")
    scaled.save_pretrained(str(tmp_path / "scaled"), create_model_card=False)
    return tmp_path / "scaled"


def adapted(folder, form, side="both"):
    spec = resolve_base(str(folder))
    settings = {"adapter": form, "adapter_rank": 5, "adapter_side": side, "seed": 3}
    return adapt(read_once(Encoder.load(spec, {}), spec.to_dict(), settings), settings)


def disturb(encoder):
    """Stand in for training."""
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in encoder.adapter.parameters():
            weight += 0.3 * torch.randn(weight.shape, generator=draw)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("form", FORMS)
def test_an_untrained_adapter_gives_the_vectors_of_the_base_bit_for_bit(home, base_folder, texts, form, side):
    plain = Encoder.load(resolve_base(str(base_folder)), {})
    encoder = adapted(base_folder, form, side)
    for role in (None, "query", "document"):
        np.testing.assert_array_equal(encoder.embed(texts, role=role), plain.embed(texts, role=role))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("form", FORMS)
def test_the_saved_folder_is_the_library_s_own_and_gives_adapted_vectors(
    home, base_folder, texts, form, side, tmp_path
):
    encoder = adapted(base_folder, form, side)
    unchanged = encoder.embed(texts, role="document")
    disturb(encoder)
    encoder.save(tmp_path / "saved")
    saved = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    assert "embedtune" not in json.dumps([type(module).__module__ for module in saved.modules()])
    for role, encode in (("query", saved.encode_query), ("document", saved.encode_document)):
        vectors = encode(texts, normalize_embeddings=True)
        np.testing.assert_allclose(vectors, encoder.embed(texts, role=role), atol=1e-5)
        moved = np.abs(vectors - unchanged).max()
        assert moved < 1e-6 if (side, role) == ("query", "document") else moved > 0.01


def test_a_saved_model_can_be_adapted_once_more(home, tiny_bert, texts, tmp_path):
    first = adapted(tiny_bert, "linear", "query")
    disturb(first)
    first.save(tmp_path / "first")
    second = adapted(tmp_path / "first", "two_layer")
    for role in ("query", "document"):
        np.testing.assert_allclose(second.embed(texts, role=role), first.embed(texts, role=role), atol=1e-5)


def test_low_rank_starts_from_the_best_map_of_its_rank():
    draw = torch.Generator().manual_seed(0)
    wanted = torch.eye(12) + torch.randn(12, 12, generator=draw)
    adapter = LowRankAdapter(12, 4, draw)
    adapter.start_from(wanted)
    vectors = torch.eye(12)
    change = (adapter({"sentence_embedding": vectors})["sentence_embedding"] - vectors).T
    rest = torch.linalg.svdvals(wanted - torch.eye(12))[4:]
    assert torch.linalg.matrix_rank(change, atol=1e-4) == 4
    # Eckart and Young: no matrix of that rank is nearer
    torch.testing.assert_close(torch.linalg.norm(wanted - torch.eye(12) - change), rest.norm())


def test_the_evening_map_makes_all_directions_differ_alike():
    draw = np.random.default_rng(0)
    sizes = np.array([4.0, 1.0, 0.25, 0.25])
    differences = draw.normal(size=(20_000, 4)) * sizes
    even = differences @ evening_map(differences).T
    spread = np.linalg.eigvalsh(np.cov(even.T))
    assert spread.max() / spread.min() < (sizes.max() / sizes.min()) ** 2 / 4
    assert np.trace(evening_map(differences)) == pytest.approx(4)
    np.testing.assert_array_equal(evening_map(np.zeros((3, 4))), np.eye(4))


def test_the_ridge_map_is_that_of_least_error_on_pairs_left_out():
    draw = np.random.default_rng(1)
    truth = np.eye(6) + 0.5 * draw.normal(size=(6, 6))
    queries = draw.normal(size=(25, 6))
    documents = queries @ truth.T + 0.3 * draw.normal(size=(25, 6))

    def fit(rows, strength):
        q, change = queries[rows], documents[rows] - queries[rows]
        return np.eye(6) + np.linalg.solve(q.T @ q + strength * np.eye(6), q.T @ change).T

    def left_out_error(strength):
        rows = np.arange(25)
        errors = [documents[i] - fit(rows != i, strength) @ queries[i] for i in rows]
        return float(np.square(errors).sum())

    best = min(np.logspace(-2, 3, 11), key=left_out_error)
    np.testing.assert_allclose(ridge_to_identity(queries, documents), fit(np.arange(25), best), atol=1e-9)
    np.testing.assert_array_equal(ridge_to_identity(queries, queries), np.eye(6))


@pytest.mark.parametrize("form", FORMS)
def test_plain_modules_compute_what_the_adapter_does(form):
    draw = torch.Generator().manual_seed(0)
    adapter = ADAPTERS[form](16, 7, draw)
    with torch.no_grad():
        for weight in adapter.parameters():
            weight.normal_(generator=draw)
    vectors = torch.randn(9, 16, generator=draw)
    features = {"sentence_embedding": vectors}
    for module in adapter.plain():
        features = module(features)
    expected = adapter({"sentence_embedding": vectors})["sentence_embedding"]
    torch.testing.assert_close(features["sentence_embedding"], expected, rtol=1e-4, atol=1e-4)


class Job:
    """A finetune job carried out in this process."""

    def __init__(self, folder, data, **hyperparams):
        plan, parts = resolve(
            resolve_base(str(folder)),
            data,
            name="toy",
            loss=hyperparams.pop("loss", None),
            hyperparams={"batch_size": 16, "epochs": 3, **hyperparams},
        )
        self.folder = create("toy", plan.to_json(), parts.write)
        self.events: list = []

    def work(self, stop_after: int | None = None):
        """Run; told to stop, it stops after so many steps."""
        self.events = []

        def should_stop():
            return stop_after is not None and len(self.steps) >= stop_after

        run_finetune(self.folder, self.events.append, should_stop)
        return self

    @property
    def steps(self):
        return [e.step for e in self.of(Metrics) if "train/loss" in e.values]

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def pairs(topic_rows):
    by_topic = {}
    for row in topic_rows:
        by_topic.setdefault(row["label"], []).append(row["value"])
    rows = [
        {"anchor": first, "positive": second}
        for values in by_topic.values()
        for first, second in zip(values[::2], values[1::2], strict=True)
    ]
    return Datasource.from_list(rows, kind="pairs")


@pytest.fixture
def unchecked(monkeypatch):
    """Spare a run the fresh process that opens the saved model; one test here has it."""
    found = {"texts": 0, "largest_difference": 0.0, "metric": "accuracy", "score": 0.0}
    monkeypatch.setattr("embedtune_nb.training.finish.reload_check", lambda *_, **__: found)


def adapter_weights(folder):
    return torch.cat(
        [weight.flatten() for weight in SentenceTransformer(str(folder), device="cpu")[2].parameters()]
    )


@pytest.mark.jobs
def test_a_stopped_run_goes_on_to_the_very_same_adapter(home, tiny_bert, labeled, tmp_path, unchecked):
    settings = {"adapter": "linear", "loss": "contrastive", "adapter_start": "closed_form"}
    whole = Job(tiny_bert, labeled, **settings).work()
    models_folder().rename(tmp_path / "whole")
    stopped = Job(tiny_bert, labeled, **settings)
    with pytest.raises(JobStoppedError, match="a checkpoint is kept"):
        stopped.work(stop_after=4)
    first = stopped.steps
    stopped.work()
    assert [*first, *stopped.steps] == whole.steps
    torch.testing.assert_close(
        adapter_weights(models_folder() / "toy"), adapter_weights(tmp_path / "whole" / "toy")
    )


@pytest.mark.jobs
def test_a_run_moves_the_adapter_alone_and_reads_each_text_once(home, tiny_bert, labeled, unchecked):
    job = Job(tiny_bert, labeled, adapter="two_layer", adapter_rank=8).work()
    assert job.of(VerdictReached) and job.of(Published)
    saved = SentenceTransformer(str(models_folder() / "toy"), device="cpu")
    base = SentenceTransformer(str(tiny_bert), device="cpu")
    for name, weight in base[0].state_dict().items():
        assert torch.equal(weight, saved[0].state_dict()[name]), name
    told = {name: entry["value"] for event in job.of(Measured) for name, entry in event.settings.items()}
    assert told["trained_parameters"] == 2 * 8 * 32
    reasons = [entry["reason"] for event in job.of(Measured) for entry in event.settings.values()]
    assert not any("FrozenBase" in reason for reason in reasons), "no class name of ours"
    assert told["frozen_parameters"] == sum(weight.numel() for weight in base.parameters())
    again = Job(tiny_bert, labeled, adapter="linear", loss="contrastive")
    models_folder().rename(home / "elsewhere")
    again.work()
    assert any("The base model read 0 texts" in notice.text for notice in again.of(Notice))


@pytest.mark.jobs
def test_queries_alone_are_adapted_through_the_whole_journey(home, tiny_bert, pairs):
    job = Job(tiny_bert, pairs, adapter="low_rank", adapter_rank=4, adapter_side="query", batch_size=8).work()
    assert "embedding" in [phase.name for phase in job.of(Phase)]
    saved = SentenceTransformer(str(models_folder() / "toy"), device="cpu")
    base = SentenceTransformer(str(tiny_bert), device="cpu")
    texts = pairs.texts()[:8]
    np.testing.assert_allclose(saved.encode_document(texts), base.encode_document(texts), atol=1e-5)
    assert np.abs(saved.encode_query(texts) - base.encode_query(texts)).max() > 1e-3
    np.testing.assert_array_equal(saved.encode(texts), saved.encode_document(texts))
    card = (models_folder() / "toy" / "README.md").read_text()
    assert "Embed queries with `model.encode_query`" in card
    # the general probe is read as queries: documents would say that nothing moved
    record = json.loads((models_folder() / "toy" / "embedtune.json").read_text())
    assert record["forgetting"]["drift"] > 0 and record["forgetting"]["neighbors_kept"] < 1


@pytest.mark.jobs
def test_the_best_adapter_is_put_back(home, tiny_bert, labeled, unchecked):
    job = Job(tiny_bert, labeled, adapter="linear", learning_rate=1.0, eval_steps=1, early_stopping=2).work()
    assert any("Put back the weights of step" in notice.text for notice in job.of(Notice))
    assert job.of(Published)
