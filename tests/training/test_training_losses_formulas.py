"""Losses that the library does not have, against slow code written from the papers, and gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from embedtune_nb.training.head import ClassHead, ScoreHead
from embedtune_nb.training.losses import (
    MISSING,
    AngleLoss,
    BatchHardTripletLoss,
    CosentLoss,
    KnownPositives,
    LabelContrastiveLoss,
    PredictionLoss,
    ProxyAnchorLoss,
    RankingLoss,
    ScoreContrastiveLoss,
    ScorePredictionLoss,
)

MODEL = torch.nn.Identity()


def _vectors(rows: int, seed: int = 0, dimension: int = 6) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(rows, dimension, generator=draw, dtype=torch.float64)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / math.sqrt((a @ a) * (b @ b)))


def test_proxy_anchor_as_in_the_paper():
    vectors, labels = _vectors(7).numpy(), [0, 0, 2, 2, 2, 3, 0]  # class 1 is not in the batch
    head = ClassHead(6, 4).double()
    loss = ProxyAnchorLoss(MODEL, head, scale=9.0, margin=0.1)
    found = loss.from_embeddings([torch.from_numpy(vectors)], torch.tensor(labels))
    proxies = head.weight.detach().numpy()
    drawn, repelled = [], []
    for number, proxy in enumerate(proxies):
        own = [_cosine(v, proxy) for v, label in zip(vectors, labels, strict=True) if label == number]
        others = [_cosine(v, proxy) for v, label in zip(vectors, labels, strict=True) if label != number]
        if own:
            drawn.append(math.log(1 + sum(math.exp(-9.0 * (cosine - 0.1)) for cosine in own)))
        repelled.append(math.log(1 + sum(math.exp(9.0 * (cosine + 0.1)) for cosine in others)))
    assert found.item() == pytest.approx(sum(drawn) / 3 + sum(repelled) / 4, rel=1e-9)


def test_score_contrast_as_in_the_paper():
    vectors, scores, sigma, scale = _vectors(6).numpy(), [0.0, 0.1, 1.0, 1.2, 5.0, 0.1], 0.5, 4.0
    total = 0.0
    for i in range(6):
        others = [j for j in range(6) if j != i]
        kernel = {j: math.exp(-((scores[i] - scores[j]) ** 2) / (2 * sigma**2)) for j in others}
        bottom = sum(math.exp(scale * _cosine(vectors[i], vectors[j])) for j in others)
        for j in others:
            share = kernel[j] / sum(kernel.values())
            total -= share * (scale * _cosine(vectors[i], vectors[j]) - math.log(bottom)) / 6
    loss = ScoreContrastiveLoss(MODEL, scale, sigma)
    found = loss.from_embeddings([torch.from_numpy(vectors)], torch.tensor(scores, dtype=torch.float64))
    assert found.item() == pytest.approx(total, rel=1e-9)


def test_score_contrast_on_far_apart_labels_is_label_contrast():
    vectors, labels = _vectors(8), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    by_score = ScoreContrastiveLoss(MODEL, 20.0, 0.01).from_embeddings([vectors], labels.double())
    by_label = LabelContrastiveLoss(MODEL, 20.0).from_embeddings([vectors], labels)
    assert by_score.item() == pytest.approx(by_label.item(), rel=1e-9)


def test_a_text_far_from_all_scores_is_drawn_to_the_nearest():
    scores = torch.tensor([0.0, 0.0, 1e6], dtype=torch.float64)
    shares = ScoreContrastiveLoss(MODEL, 20.0, 1.0).prepare(scores)
    assert torch.isfinite(shares).all() and shares[2].tolist() == [0.5, 0.5, 0.0]


def test_batch_hard_leaves_out_texts_without_a_triplet_and_says_so():
    loss = BatchHardTripletLoss(MODEL, 0.5)
    vectors = _vectors(5)
    labels = torch.tensor([0, 0, 1, 1, 2])
    whole = loss.from_embeddings([vectors], labels)
    assert loss.counts["alone"] == 1 and "1 times" in loss.left_out
    unit = torch.nn.functional.normalize(vectors, dim=-1)
    distance = (1 - unit @ unit.T).tolist()
    terms = []
    for i in range(4):
        farthest = max(distance[i][j] for j in range(5) if j != i and labels[j] == labels[i])
        nearest = min(distance[i][j] for j in range(5) if labels[j] != labels[i])
        terms.append(max(0.0, farthest - nearest + 0.5))
    assert whole.item() == pytest.approx(sum(terms) / 4, rel=1e-9)
    lonely = _vectors(2).requires_grad_()
    nothing = loss.from_embeddings([lonely], torch.tensor([1, 1]))
    nothing.backward()
    assert nothing.item() == 0.0 and not lonely.grad.any()


def test_masks_with_hard_negatives_equal_a_slow_search():
    draw = np.random.default_rng(5)
    pool = [f"text {number}" for number in range(9)]
    anchors, positives, first, second = (list(draw.choice(pool, 30)) for _ in range(4))
    second = [MISSING if row % 3 == 0 else text for row, text in enumerate(second)]
    known = KnownPositives(anchors, positives, [first, second])
    rows = draw.choice(30, 14, replace=False)
    found = known.masks(torch.from_numpy(rows)).numpy()
    right = {(a, p) for a, p in zip(anchors, positives, strict=True)} | {(a, a) for a in anchors}
    columns = [(0, positives), (1, first), (2, second)]
    for i, row in enumerate(rows):
        for block, texts in columns:
            for j, other in enumerate(rows):
                wrong = texts[other] == MISSING or (anchors[row], texts[other]) in right
                wrong |= block == 0 and (anchors[row], anchors[other]) in right
                wrong &= not (block == 0 and i == j)
                assert found[i, block * 14 + j] == wrong
    assert found.any() and not found.all()


def test_a_missing_hard_negative_changes_nothing_and_is_not_counted():
    anchors, positives = ["a", "b", "c"], ["x", "y", "z"]
    vectors = [_vectors(3, seed) for seed in range(3)]
    without = RankingLoss(MODEL, KnownPositives(anchors, positives))
    expected = without.from_embeddings(vectors[:2], torch.arange(3))
    padded = RankingLoss(MODEL, KnownPositives(anchors, positives, [[MISSING] * 3]))
    assert padded.from_embeddings(vectors, torch.arange(3)).item() == pytest.approx(expected.item())
    assert padded.left_out == ""
    given = RankingLoss(MODEL, KnownPositives(anchors, positives, [["n", MISSING, MISSING]]))
    assert given.from_embeddings(vectors, torch.arange(3)).item() > expected.item()


@pytest.mark.parametrize("normalize", [True, False])
def test_the_score_head_starts_as_a_ridge_regression(normalize):
    draw = np.random.default_rng(0)
    vectors = 3.0 * draw.normal(size=(40, 5)) + 1.0
    scores = vectors @ [1.0, -2.0, 0.0, 0.5, 0.0] * 7 + 100 + draw.normal(size=40)
    head = ScoreHead(5, mean=scores.mean(), spread=scores.std(), normalize=normalize).double()
    head.start_from(torch.from_numpy(vectors), torch.from_numpy(scores))
    read = vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if normalize else vectors
    oracle = Ridge(alpha=(read**2).sum(1).mean()).fit(read, scores)
    found = head.in_own_unit(head(torch.from_numpy(vectors))).detach().numpy()
    np.testing.assert_allclose(found, oracle.predict(read), rtol=1e-6)


def test_the_loss_of_scores_does_not_depend_on_their_unit():
    vectors, scores = _vectors(6), torch.tensor([3.0, 1.0, 4.0, 1.0, 5.0, 9.0]).double()
    losses = []
    for factor, offset in ((1.0, 0.0), (1000.0, -50.0)):
        unit = factor * scores + offset
        head = ScoreHead(6, mean=unit.mean(), spread=unit.std(correction=0)).double()
        losses.append(ScorePredictionLoss(MODEL, head).from_embeddings([vectors], unit).item())
    assert losses[0] == pytest.approx(1.0, rel=1e-6), "an untrained head predicts the mean"
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)


def test_heads_read_as_many_weights_as_an_embedding_has_numbers():
    head, labels = ClassHead(6, 3).double(), torch.tensor([0, 1, 2, 0])
    loss = PredictionLoss(MODEL, head)
    loss.matryoshka_dims = (6, 2)
    vectors = _vectors(4)
    short = ClassHead(2, 3).double()
    short.load_state_dict({"weight": head.weight[:, :2]})
    expected = [
        torch.nn.functional.cross_entropy(part, labels) for part in (head(vectors), short(vectors[:, :2]))
    ]
    found = loss.from_embeddings([vectors], labels)
    assert found.item() == pytest.approx(sum(expected).item() / 2, rel=1e-9)


def test_matryoshka_counts_what_is_left_out_once():
    loss = LabelContrastiveLoss(MODEL)
    loss.matryoshka_dims = (6, 4, 2)
    loss.from_embeddings([_vectors(3)], torch.tensor([0, 0, 1]))
    assert loss.counts["alone"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_gradients_agree_with_finite_differences(seed):
    labels, scores = torch.tensor([0, 0, 1, 1, 2]), torch.linspace(0, 1, 5).double()
    head, proxies = ScoreHead(6, mean=0.3, spread=0.5).double(), ClassHead(6, 3).double()
    torch.nn.init.normal_(head.weight)
    losses = [
        (ProxyAnchorLoss(MODEL, proxies, scale=3.0), 1, labels),
        (BatchHardTripletLoss(MODEL, 0.7), 1, labels),
        (ScoreContrastiveLoss(MODEL, 3.0, 0.3), 1, scores),
        (ScorePredictionLoss(MODEL, head), 1, scores),
        (CosentLoss(MODEL, 3.0), 2, scores),
        (AngleLoss(MODEL, 3.0), 2, scores),
        (RankingLoss(MODEL, KnownPositives("abcde", "vwxyz", ["mmnno"]), 3.0), 3, torch.arange(5)),
    ]
    for loss, count, given in losses:
        for dims in ((), (4, 2)):
            loss.matryoshka_dims = dims
            columns = tuple(_vectors(5, seed + 9 * place).requires_grad_() for place in range(count))
            assert torch.autograd.gradcheck(
                lambda *vectors, loss=loss, given=given: loss.from_embeddings(vectors, given), columns
            )


def test_ranking_by_blocks_of_anchors_is_ranking_of_the_whole_batch(monkeypatch):
    rows = 23
    known = KnownPositives([f"q{row}" for row in range(rows)], [f"d{row % 19}" for row in range(rows)])
    found = []
    for at_once in (512, 5):
        monkeypatch.setattr("embedtune_nb.training.losses.ranking._ANCHORS_AT_ONCE", at_once)
        columns = [_vectors(rows, seed).requires_grad_() for seed in (1, 2)]
        value = RankingLoss(MODEL, known).from_embeddings(columns, torch.arange(rows))
        value.backward()
        found.append([value.detach(), *(column.grad for column in columns)])
    for whole, by_blocks in zip(*found, strict=True):
        torch.testing.assert_close(by_blocks, whole, rtol=1e-9, atol=1e-12)
