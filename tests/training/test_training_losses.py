"""The losses against the library, against slow independent code, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.training.head import LOGIT_SCALE, ClassHead
from embedtune_nb.training.losses import (
    KnownPositives,
    LabelContrastiveLoss,
    PredictionLoss,
    RankingLoss,
)


@pytest.fixture
def encoder(tiny_bert) -> Encoder:
    return Encoder(load_folder(tiny_bert, device="cpu"))


def _vectors(rows: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _slow_supervised_contrast(vectors: np.ndarray, labels: list[int], scale: float) -> float:
    unit = [vector / math.sqrt(sum(vector**2)) for vector in vectors]
    terms = []
    for i in range(len(unit)):
        others = [j for j in range(len(unit)) if j != i]
        positives = [j for j in others if labels[j] == labels[i]]
        if not positives:
            continue
        bottom = sum(math.exp(scale * float(unit[i] @ unit[j])) for j in others)
        logs = [scale * float(unit[i] @ unit[j]) - math.log(bottom) for j in positives]
        terms.append(-sum(logs) / len(positives))
    return sum(terms) / len(terms)


def test_label_contrast_equals_a_slow_loop(encoder):
    vectors, labels = _vectors(11), [0, 1, 2, 0, 1, 2, 0, 3, 1, 0, 4]
    loss = LabelContrastiveLoss(encoder.model, scale=10.0)
    value = loss.from_embeddings([vectors], torch.tensor(labels))
    assert value.item() == pytest.approx(_slow_supervised_contrast(vectors.numpy(), labels, 10.0), rel=1e-9)
    assert loss.counts["alone"] == 2  # labels 3 and 4 have one text each
    assert "2 times" in loss.left_out


def test_label_contrast_without_any_positive_is_zero_and_can_be_stepped(encoder):
    vectors = _vectors(3).requires_grad_()
    loss = LabelContrastiveLoss(encoder.model).from_embeddings([vectors], torch.tensor([0, 1, 2]))
    loss.backward()
    assert loss.item() == 0.0 and not vectors.grad.any()


@pytest.mark.parametrize("seed", [0, 1])
def test_gradients_agree_with_finite_differences(encoder, seed):
    labels = torch.tensor([0, 0, 1, 1, 2])
    contrast = LabelContrastiveLoss(encoder.model, scale=3.0)
    mask = torch.zeros(5, 5, dtype=torch.bool)
    mask[0, 3] = True
    ranking = RankingLoss(encoder.model, KnownPositives(["a"], ["b"]), scale=3.0)
    head = ClassHead(6, 3).double()
    assert torch.autograd.gradcheck(
        lambda vectors: contrast.from_embeddings([vectors], labels), _vectors(5, seed).requires_grad_()
    )
    assert torch.autograd.gradcheck(
        lambda left, right: ranking.compute([left, right], mask),
        (_vectors(5, seed).requires_grad_(), _vectors(5, seed + 9).requires_grad_()),
    )
    assert torch.autograd.gradcheck(
        lambda vectors: torch.nn.functional.cross_entropy(head(vectors), labels % 3),
        _vectors(5, seed).requires_grad_(),
    )


def test_ranking_without_copies_is_the_librarys(encoder, topic_rows):
    texts = list(dict.fromkeys(row["value"] for row in topic_rows))
    anchors, positives = texts[:16], texts[16:32]
    encoder.model.eval()
    ours = RankingLoss(encoder.model, KnownPositives(anchors, positives))
    theirs = MultipleNegativesRankingLoss(encoder.model)
    columns = [encoder.features(anchors), encoder.features(positives)]
    value = ours(columns, torch.arange(16))
    columns = [encoder.features(anchors), encoder.features(positives)]
    assert value.item() == pytest.approx(theirs(columns, None).item(), rel=1e-6)
    assert ours.left_out == ""


def test_known_right_answers_and_equal_texts_are_no_negatives():
    #           0        1        2        3        4
    anchors = ["cat", "cat", "dog", "pet", " cat "]
    answers = ["purr", "meow", "bark", "cat", "hiss"]
    # row 5 is in the data but not in the batch: "purr" is right for "dog" as well
    known = KnownPositives([*anchors, "dog"], [*answers, "purr"])
    masked = known.masks(torch.arange(5)).tolist()
    expected = [
        [False, True, False, True, True],  # meow, hiss are right for cat too; row 3 offers "cat" itself
        [True, False, False, True, True],
        [True, False, False, False, False],  # purr is right for dog
        [True, True, False, False, True],  # cat is the right answer to pet: rows that ask cat are out
        [True, True, False, True, False],
    ]
    assert masked == expected
    assert known.masks(torch.tensor([2, 0])).tolist() == [[False, True], [False, False]]


def test_masked_documents_leave_the_softmax():
    loss = RankingLoss(torch.nn.Identity(), KnownPositives(["a"], ["b"]), scale=2.0)
    anchors, documents = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    mask = torch.tensor([[False, True], [False, False]])
    # row 0 keeps its own document only: loss 0; row 1 sees two equal documents: log 2
    value = loss.compute([anchors, documents], mask)
    assert value.item() == pytest.approx(math.log(2) / 2, rel=1e-6)


def test_several_documents_of_one_query_do_not_push_each_other_away(encoder):
    anchors = ["rain storm"] * 3
    documents = ["cloud wind", "snow frost", "thunder fog"]
    loss = RankingLoss(encoder.model, KnownPositives(anchors, documents))
    value = loss([encoder.features(anchors), encoder.features(documents)], torch.arange(3))
    assert value.item() == pytest.approx(0.0, abs=1e-6)
    assert loss.counts["known"] == 6


def test_a_normalised_head_sees_angles_only():
    head = ClassHead(6, 3)
    vectors = _vectors(4).float()
    assert torch.allclose(head(vectors), head(7.0 * vectors), atol=1e-5)
    assert head(vectors).abs().max() <= LOGIT_SCALE + 1e-4
    plain = ClassHead(6, 3, normalize=False)
    assert not torch.allclose(plain(vectors), plain(7.0 * vectors))


@pytest.mark.parametrize("normalize", [True, False])
def test_a_head_started_from_means_classifies_separated_classes(normalize):
    centres = torch.eye(3, 6) * 5
    labels = torch.arange(30) % 3
    vectors = centres[labels] + 0.1 * _vectors(30).float()
    head = ClassHead(6, 3, normalize=normalize)
    head.start_from(vectors, labels)
    assert torch.equal(head(vectors).argmax(1), labels)
    assert head(vectors).max().item() == pytest.approx(LOGIT_SCALE, rel=0.1)


def test_an_unnormalised_head_reads_vectors_before_they_are_scaled(tiny_bert):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize

    plain = load_folder(tiny_bert, device="cpu").eval()
    scaled = SentenceTransformer(modules=[*plain.children(), Normalize()], device="cpu").eval()
    encoder = Encoder(scaled)
    text = ["rain on the road"]
    expected = plain(encoder.features(text))["sentence_embedding"]
    raw = PredictionLoss(scaled, ClassHead(32, 2, normalize=False)).embed(encoder.features(text))
    unit = PredictionLoss(scaled, ClassHead(32, 2)).embed(encoder.features(text))
    assert torch.allclose(raw, expected, atol=1e-5)
    assert unit.norm().item() == pytest.approx(1.0, abs=1e-5) and raw.norm().item() > 1.5
