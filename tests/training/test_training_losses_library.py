"""Values and gradients against the library's own losses, on a real encoder."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sentence_transformers.sentence_transformer import losses as library

from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.training.losses import (
    AngleLoss,
    BatchHardTripletLoss,
    CosentLoss,
    CosineLoss,
    Guide,
    KnownPositives,
    RankingLoss,
    TripletMarginLoss,
)

ROWS = 12


@pytest.fixture
def encoder(tiny_bert) -> Encoder:
    encoder = Encoder(load_folder(tiny_bert, device="cpu"))
    encoder.model.eval()
    return encoder


@pytest.fixture
def texts(topic_rows) -> list[str]:
    return list(dict.fromkeys(row["value"] for row in topic_rows))


def _columns(encoder: Encoder, texts: list[str], count: int) -> list[dict]:
    return [encoder.features(texts[place * ROWS : (place + 1) * ROWS]) for place in range(count)]


def _value_and_gradient(loss, encoder: Encoder, columns: list[dict], labels: torch.Tensor) -> torch.Tensor:
    encoder.model.zero_grad()
    value = loss([dict(column) for column in columns], labels)
    value.backward()
    gradients = [weight.grad.flatten() for weight in encoder.model.parameters() if weight.grad is not None]
    return torch.cat([value.detach().reshape(1), *gradients])


def _assert_same(ours, theirs, encoder: Encoder, columns: list[dict], labels: torch.Tensor) -> None:
    expected = _value_and_gradient(theirs, encoder, columns, labels)
    found = _value_and_gradient(ours, encoder, columns, labels)
    assert expected[0] > 1e-3 and expected[1:].abs().max() > 1e-4, "an oracle that says nothing"
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_hard_negatives_stand_in_the_softmax(encoder, texts):
    columns = _columns(encoder, texts, 4)
    split = [texts[place * ROWS : (place + 1) * ROWS] for place in range(4)]
    ours = RankingLoss(encoder.model, KnownPositives(split[0], split[1], split[2:]))
    theirs = library.MultipleNegativesRankingLoss(encoder.model)
    _assert_same(ours, theirs, encoder, columns, torch.arange(ROWS))
    assert ours.left_out == ""


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (CosentLoss, library.CoSENTLoss),
        (AngleLoss, library.AnglELoss),
        (CosineLoss, library.CosineSimilarityLoss),
    ],
)
def test_scored_pairs(encoder, texts, ours, theirs):
    scores = torch.linspace(0, 1, ROWS).round(decimals=1)  # some are equal
    columns = _columns(encoder, texts, 2)
    _assert_same(ours(encoder.model), theirs(encoder.model), encoder, columns, scores)


def test_margin_on_triplets(encoder, texts):
    distance = library.TripletDistanceMetric.COSINE
    theirs = library.TripletLoss(encoder.model, distance, triplet_margin=0.2)
    columns = _columns(encoder, texts, 3)
    _assert_same(TripletMarginLoss(encoder.model, 0.2), theirs, encoder, columns, torch.zeros(ROWS))


def test_batch_hard(encoder, texts):
    distance = library.BatchHardTripletLossDistanceFunction.cosine_distance
    theirs = library.BatchHardTripletLoss(encoder.model, distance, margin=0.2)
    ours = BatchHardTripletLoss(encoder.model, 0.2)
    _assert_same(ours, theirs, encoder, _columns(encoder, texts, 1), torch.arange(ROWS) % 4)
    assert ours.left_out == ""


@pytest.mark.parametrize(
    ("ours", "theirs", "columns", "dims"),
    [
        (CosentLoss, library.CoSENTLoss, 2, (32, 16, 8)),
        (AngleLoss, library.AnglELoss, 2, (32, 10)),
        (None, library.MultipleNegativesRankingLoss, 3, (24, 4)),
    ],
)
def test_matryoshka_is_the_mean_over_lengths(encoder, texts, ours, theirs, columns, dims):
    split = [texts[place * ROWS : (place + 1) * ROWS] for place in range(columns)]
    labels = torch.linspace(0, 1, ROWS) if ours else torch.arange(ROWS)
    if ours is None:
        mine = RankingLoss(encoder.model, KnownPositives(split[0], split[1], split[2:]))
    else:
        mine = ours(encoder.model)
    mine.matryoshka_dims = dims
    weights = [1 / len(dims)] * len(dims)
    wrapped = library.MatryoshkaLoss(encoder.model, theirs(encoder.model), list(dims), weights)
    _assert_same(mine, wrapped, encoder, _columns(encoder, texts, columns), labels)


def test_the_guide_masks_as_gist_does(encoder, texts, tiny_bert):
    split = [texts[place * ROWS : (place + 1) * ROWS] for place in range(3)]
    known = KnownPositives(split[0], split[1], split[2:])
    base = Encoder(load_folder(tiny_bert, device="cpu"))
    with torch.no_grad():  # the model has moved on, the guide has not
        for weight in encoder.model.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(3)))
    vectors = base.embed(known.texts)
    ours = RankingLoss(encoder.model, known, scale=20.0, guide=Guide(known, vectors, vectors))
    theirs = library.GISTEmbedLoss(
        encoder.model, base.model, temperature=1 / 20, contrast_anchors=False, contrast_positives=False
    )
    base.model.eval()
    _assert_same(ours, theirs, encoder, _columns(encoder, texts, 3), torch.arange(ROWS))
    assert ours.counts["suspected"] > 5 and "base model" in ours.left_out
    unguided = RankingLoss(encoder.model, known)
    columns = _columns(encoder, texts, 3)
    assert unguided(columns, torch.arange(ROWS)) > ours(columns, torch.arange(ROWS)) + 0.01


def test_what_a_guide_suspects_is_what_it_finds_nearer(texts):
    known = KnownPositives(texts[:5], texts[5:10], [texts[10:15]])
    draw = np.random.default_rng(0)
    queries, documents = (draw.normal(size=(len(known.texts), 4)).astype("f4") for _ in range(2))
    rows = torch.tensor([3, 0, 4])
    found = Guide(known, queries, documents).masks(rows).tolist()
    place = {text: number for number, text in enumerate(known.texts)}
    for i, row in enumerate(rows.tolist()):
        own = queries[place[texts[row]]] @ documents[place[texts[5 + row]]]
        for j, other in enumerate([5 + r for r in rows.tolist()] + [10 + r for r in rows.tolist()]):
            nearer = queries[place[texts[row]]] @ documents[place[texts[other]]] > own + 1e-6
            assert found[i][j] == bool(nearer)
