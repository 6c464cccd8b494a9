"""Every kind of data with every loss that fits it: rows, a loss that learns, the same on other data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.neighbors import KNeighborsRegressor

from embedtune_nb.catalogue import Prompts
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import KINDS
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.errors import LossError, PlanError
from embedtune_nb.plan.losses import losses_for
from embedtune_nb.training.losses import RankingLoss
from embedtune_nb.training.objective import Objective, build_objective

pytestmark = pytest.mark.slow

ROWS = 48
TOPICS = ["money", "weather", "kitchen", "travel"]
FITTING = [(kind, loss.name) for kind in KINDS for loss in losses_for(kind)]


@pytest.fixture
def encoder(tiny_bert) -> Encoder:
    torch.manual_seed(0)
    return Encoder(load_folder(tiny_bert, device="cpu"))


@pytest.fixture
def make(topic_rows):
    """Make data of any kind in which texts of one topic belong together."""
    texts = {topic: [row["value"] for row in topic_rows if row["label"] == topic] for topic in TOPICS}

    def row(kind: str, i: int) -> dict:
        topic, other = TOPICS[i % 4], TOPICS[(i + 1) % 4]
        here, there = texts[topic], texts[other]
        first, like, unlike = here[i // 4], here[(i // 4 + 7) % 24], there[i // 4]
        place = i % 3
        return {
            "labeled": {"value": first, "label": topic},
            "scored": {"value": first, "score": 10.0 * (i % 4) + 5},
            "pairs": {"anchor": first, "positive": like},
            "retrieval": {"query": first, "document": like},
            "triplets": {
                "anchor": first,
                "positive": like,
                "negatives": [unlike, there[(i + 1) % 24]][: 1 + i % 2],
            },
            "scored_pairs": {
                "sentence1": first,
                "sentence2": like if i % 2 else unlike,
                "score": float(i % 2),
            },
            "nli": {
                "premise": here[i // 12],
                "hypothesis": (like, texts[TOPICS[(i + 2) % 4]][i // 4], unlike)[place],
                "label": ("entailment", "neutral", "contradiction")[place],
            },
        }[kind]

    def make(kind: str, rows: range = range(ROWS)) -> Datasource:
        return Datasource.from_list([row(kind, i) for i in rows], kind=kind)

    return make


def _loss(encoder: Encoder, objective: Objective, rows: list[int]) -> torch.Tensor:
    batch = objective.rows[rows]
    columns = [encoder.features(batch[name], role) for name, role in objective.roles.items()]
    return objective.loss(columns, torch.tensor(batch["label"]))


@pytest.mark.parametrize(("kind", "loss"), FITTING)
@pytest.mark.parametrize("dims", [None, [32, 8]])
def test_every_loss_learns_on_every_kind_it_fits(encoder, make, kind, loss, dims):
    objective = build_objective(encoder, make(kind), {"loss": loss, "matryoshka_dims": dims})
    rows = list(range(min(32, len(objective.rows))))
    encoder.model.eval()
    optimizer = torch.optim.AdamW(objective.loss.parameters(), lr=2e-3)
    before = _loss(encoder, objective, rows)
    for _ in range(8):
        optimizer.zero_grad()
        _loss(encoder, objective, rows).backward()
        optimizer.step()
    after = _loss(encoder, objective, rows)
    assert torch.isfinite(before) and after.item() < 0.95 * before.item()


@pytest.mark.parametrize(("kind", "loss"), [("pairs", "triplet"), ("nli", "cosent"), ("scored", "proxy")])
def test_what_does_not_fit_is_refused(encoder, make, kind, loss):
    with pytest.raises(LossError, match="does not fit"):
        build_objective(encoder, make(kind), {"loss": loss})


@pytest.mark.parametrize(("kind", "loss"), FITTING)
def test_the_same_objective_on_other_data_shares_weights_and_counts_nothing(encoder, make, kind, loss):
    objective = build_objective(encoder, make(kind), {"loss": loss})
    there = objective.on(make(kind, range(48, 84)))
    theirs = {id(weight) for weight in there.loss.parameters()}
    assert theirs == {id(weight) for weight in objective.loss.parameters()}
    encoder.model.eval()
    with torch.no_grad():
        value = _loss(encoder, there, list(range(len(there.rows))))
    assert torch.isfinite(value) and objective.loss.left_out == ""


def test_labels_that_training_never_saw_are_left_out_elsewhere(encoder, make):
    objective = build_objective(encoder, make("labeled"), {"loss": "proxy"})
    frame = make("labeled", range(8)).to_pandas()
    unknown = pd.concat([frame, frame.assign(label="unheard of", value=frame["value"] + " x")])
    there = objective.on(Datasource.from_pandas(unknown.drop(columns="id"), kind="labeled"))
    assert len(there.rows) == 8 and set(there.rows["label"]) == {0, 1, 2, 3}


def test_hard_negatives_are_columns_and_missing_ones_are_masked(encoder, make):
    objective = build_objective(encoder, make("triplets"), {"loss": "contrastive"})
    assert list(objective.rows.column_names) == ["anchor", "positive", "negative_1", "negative_2", "label"]
    assert objective.roles["negative_1"] == "document"
    assert isinstance(objective.loss, RankingLoss)
    mask = objective.loss.prepare(torch.arange(4))
    assert mask.shape == (4, 12) and mask[:, 8].all() and not mask[0, 9]  # rows 0 and 2 have one negative
    fewer = build_objective(encoder, make("triplets"), {"loss": "contrastive", "hard_negatives": 0})
    assert list(fewer.rows.column_names) == ["anchor", "positive", "label"]


def test_the_guide_is_the_untrained_model_and_tells_its_progress(encoder, make):
    seen = []
    settings = {"loss": "contrastive", "false_negative_masking": True}
    objective = build_objective(encoder, make("pairs"), settings, progress=lambda *done: seen.append(done))
    assert isinstance(objective.loss, RankingLoss) and objective.loss.guide is not None
    assert seen[-1][0] == seen[-1][1] and seen == sorted(seen)
    rows = torch.arange(32)
    texts = objective.rows[:32]
    similarity = encoder.embed(texts["anchor"]) @ encoder.embed(texts["positive"]).T
    expected = similarity > np.diag(similarity)[:, None] + 1e-6
    with torch.no_grad():
        for weight in encoder.model.parameters():
            weight.zero_()
    found = objective.loss.guide.masks(rows).numpy()
    assert expected.sum() > 50 and (found == expected).mean() > 0.99
    assert objective.on(make("pairs")).loss.guide is None


def test_the_guide_reads_texts_as_training_does(tiny_bert, make):
    torch.manual_seed(0)
    prompts = Prompts(query="money money money ", document="storm storm storm ")
    encoder = Encoder(load_folder(tiny_bert, device="cpu"), prompts=prompts)
    settings = {"loss": "contrastive", "false_negative_masking": True}
    for kind, roles in (("nli", (None, None)), ("pairs", ("query", "document"))):
        objective = build_objective(encoder, make(kind), settings)
        texts = objective.rows[:16]
        sides = zip(("anchor", "positive"), roles, strict=True)
        anchors, positives = (encoder.embed(texts[name], role=role) for name, role in sides)
        similarity = anchors @ positives.T
        expected = similarity > np.diag(similarity)[:, None] + 1e-6
        found = objective.loss.guide.masks(torch.arange(16))[:, :16].numpy()
        assert expected.any() and (found == expected).mean() > 0.99, kind


def test_a_head_for_scores_starts_better_than_the_mean(encoder, make):
    data = make("scored")
    objective = build_objective(encoder, data, {"loss": "prediction"})
    examples = data.frames["examples"]
    encoder.model.eval()
    with torch.no_grad():
        guesses = objective.loss.scores(encoder.features(examples["value"].tolist())).numpy()
    error = np.abs(guesses - examples["score"]).mean()
    assert error < 0.9 * np.abs(examples["score"] - examples["score"].mean()).mean()
    cold = build_objective(encoder, data, {"loss": "prediction"}, warm_head=False)
    assert not cold.loss.head.weight.any()


def test_contrast_on_scores_brings_near_scores_together(encoder, make):
    data = make("scored", range(96))
    examples = data.frames["examples"]
    texts, scores = examples["value"].tolist(), examples["score"].to_numpy()

    def error() -> float:
        vectors = encoder.embed(texts)
        guess = KNeighborsRegressor(5).fit(vectors[:64], scores[:64]).predict(vectors[64:])
        return float(np.abs(guess - scores[64:]).mean())

    before = error()
    objective = build_objective(encoder, make("scored", range(64)), {"loss": "contrastive"})
    optimizer = torch.optim.AdamW(encoder.model.parameters(), lr=2e-3)
    for _ in range(20):
        optimizer.zero_grad()
        _loss(encoder, objective, list(range(64))).backward()
        optimizer.step()
    assert error() < 0.7 * before


def test_lengths_above_those_of_the_loaded_model_are_refused(encoder, make):
    with pytest.raises(PlanError, match="holds 64, but embeddings of this model have 32"):
        build_objective(encoder, make("pairs"), {"loss": "contrastive", "matryoshka_dims": [64, 8]})
