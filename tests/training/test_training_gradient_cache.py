"""Gradients of a batch cut in parts, against whole-batch autograd, against the library, and with dropout."""

from __future__ import annotations

import random
from contextlib import nullcontext

import pytest
import torch
from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss

from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.training import gradient_cache
from embedtune_nb.training.gradient_cache import GradientCache
from embedtune_nb.training.losses import KnownPositives, LabelContrastiveLoss, ObjectiveLoss, RankingLoss
from embedtune_nb.training.micro_batch import checkpoint_layers


@pytest.fixture
def texts(topic_rows) -> list[str]:
    """Return 96 different texts of 2 to 32 words in no order of length."""
    chosen = [f"{row['value']} {place}" for place, row in enumerate(topic_rows)]
    random.Random(3).shuffle(chosen)
    return chosen


def _loss(name: str, encoder: Encoder) -> ObjectiveLoss:
    if name == "contrastive":
        return LabelContrastiveLoss(encoder.model)
    names = [str(number) for number in range(24)]
    return RankingLoss(encoder.model, KnownPositives(names, [f"{name}!" for name in names]))


def _batch(name: str, encoder: Encoder, texts: list[str]):
    if name == "contrastive":
        return [encoder.features(texts[:24])], torch.arange(24) % 5
    # short anchors, long documents
    documents = [f"{text} {other}" for text, other in zip(texts[24:48], texts[48:72], strict=True)]
    return [encoder.features(texts[:24]), encoder.features(documents)], torch.arange(24)


def _gradients(loss: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.grad.clone() for name, weight in loss.named_parameters() if weight.grad is not None}


def _apart(ones: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> float:
    """Return the norm of the difference of two gradients over the norm of the second."""
    assert ones.keys() == others.keys() and ones
    difference = sum(float((ones[name] - others[name]).double().square().sum()) for name in ones)
    size = sum(float(other.double().square().sum()) for other in others.values())
    return (difference / size) ** 0.5


def _whole(loss: ObjectiveLoss, columns, labels) -> tuple[float, dict[str, torch.Tensor]]:
    loss.zero_grad()
    value = loss(columns, labels)
    value.backward()
    return float(value.detach()), _gradients(loss)


def _cached(loss: ObjectiveLoss, encoder: Encoder, tokens: int | None, columns, labels):
    loss.zero_grad()
    cache = GradientCache(loss, encoder.seam, tokens)
    value = cache.backward(columns, labels)
    assert not value.requires_grad
    return float(value), _gradients(loss), len(cache.parts(columns))


@pytest.mark.parametrize("tokens", [1, 40, 150, 300])
@pytest.mark.parametrize("name", ["contrastive", "pairs"])
@pytest.mark.parametrize("model", ["tiny_bert", "tiny_rope"])
def test_parts_have_the_gradients_of_the_whole_batch(model, name, tokens, request, texts):
    encoder = Encoder(load_folder(request.getfixturevalue(model), device="cpu").eval())
    loss = _loss(name, encoder)
    batch = _batch(name, encoder, texts)
    expected, gradients = _whole(loss, *batch)
    value, cached, parts = _cached(loss, encoder, tokens, *batch)
    assert parts > 1
    assert value == pytest.approx(expected, rel=1e-6)
    assert _apart(cached, gradients) < 1e-5


def test_the_library_finds_the_same_gradients(tiny_bert, texts):
    encoder = Encoder(load_folder(tiny_bert, device="cpu").eval(), chunked=False)
    columns, rows = _batch("pairs", encoder, texts)
    theirs = CachedMultipleNegativesRankingLoss(encoder.model, mini_batch_size=5)
    expected, gradients = _whole(theirs, columns, rows)
    ours = _loss("pairs", encoder)
    value, cached, parts = _cached(ours, encoder, 100, columns, rows)
    assert parts > 2
    assert value == pytest.approx(expected, rel=1e-6)
    assert _apart(cached, gradients) < 1e-5


def test_padding_on_the_left_is_cut_on_the_left(tiny_rope, texts):
    encoder = Encoder(load_folder(tiny_rope, device="cpu").eval(), chunked=False)
    encoder.model.tokenizer.padding_side = "left"
    loss = _loss("pairs", encoder)
    columns, rows = _batch("pairs", encoder, texts)
    assert not columns[0]["attention_mask"][:, 0].all()
    expected, gradients = _whole(loss, columns, rows)
    value, cached, parts = _cached(loss, encoder, 100, columns, rows)
    assert parts > 2 and value == pytest.approx(expected, rel=1e-5)
    assert _apart(cached, gradients) < 1e-5


def _kept_graphs(loss: ObjectiveLoss, encoder: Encoder, tokens: int, columns, labels):
    """Embed the same parts in the same order, but keep all graphs, so that nothing has to be replayed."""
    loss.zero_grad()
    cache = GradientCache(loss, encoder.seam, tokens)
    parts = cache.parts(columns)
    embedded = [cache._embed(columns, part) for part in parts]
    loss.from_embeddings(gradient_cache._in_order(embedded, parts, len(columns)), labels).backward()
    return _gradients(loss)


@pytest.mark.parametrize("name", ["contrastive", "pairs"])
def test_the_second_pass_drops_out_what_the_first_did(name, tiny_bert, texts, monkeypatch):
    encoder = Encoder(load_folder(tiny_bert, device="cpu").train())
    loss = _loss(name, encoder)
    batch = _batch(name, encoder, texts)
    torch.manual_seed(11)
    expected = _kept_graphs(loss, encoder, 100, *batch)
    after = torch.rand(1)
    torch.manual_seed(11)
    _, cached, _ = _cached(loss, encoder, 100, *batch)
    assert _apart(cached, expected) < 1e-5
    # the replay leaves no trace: what is drawn next is what would have been drawn without it
    assert torch.equal(torch.rand(1), after)
    # control: without the replay the second pass drops out something else
    monkeypatch.setattr(gradient_cache, "RandContext", lambda *_: nullcontext())
    torch.manual_seed(11)
    _, careless, _ = _cached(loss, encoder, 100, *batch)
    assert _apart(careless, expected) > 0.05


@pytest.mark.parametrize("name", ["contrastive", "pairs"])
def test_bfloat16_goes_through_both_passes(name, tiny_bert, texts):
    encoder = Encoder(load_folder(tiny_bert, device="cpu").eval())
    loss = _loss(name, encoder)
    columns, labels = _batch(name, encoder, texts)
    _, exact = _whole(loss, columns, labels)
    with encoder.precision(bfloat16=True):
        encoder.seam.expect(columns)
        expected, gradients = _whole(loss, columns, labels)
        encoder.seam.expect([])
        value, cached, _ = _cached(loss, encoder, 100, columns, labels)
    assert value == pytest.approx(expected, rel=1e-2)
    # rounded, and hardly more than the whole batch in the same precision
    assert 1e-4 < _apart(cached, exact) < 2 * _apart(gradients, exact)


def test_layers_computed_anew_change_no_gradient(tiny_bert, texts):
    encoder = Encoder(load_folder(tiny_bert, device="cpu").train())
    loss = _loss("pairs", encoder)
    batch = _batch("pairs", encoder, texts)
    torch.manual_seed(2)
    _, expected, _ = _cached(loss, encoder, 100, *batch)
    checkpoint_layers(encoder.model)
    torch.manual_seed(2)
    _, anew, _ = _cached(loss, encoder, 100, *batch)
    assert _apart(anew, expected) < 1e-6


def test_each_text_is_embedded_once_and_beside_texts_of_its_length(tiny_bert, texts):
    encoder = Encoder(load_folder(tiny_bert, device="cpu"))
    columns, _ = _batch("pairs", encoder, texts)
    parts = GradientCache(_loss("pairs", encoder), encoder.seam, 100).parts(columns)
    lengths = [column["attention_mask"].sum(1) for column in columns]
    for place in range(2):
        rows = torch.cat([part[place] for part in parts if place in part])
        assert sorted(rows.tolist()) == list(range(24))
    longest = []
    for part in parts:
        tokens = torch.cat([lengths[place][rows] for place, rows in part.items()])
        assert len(tokens) * int(tokens.max()) <= 100 or len(tokens) == 1
        longest.append(int(tokens.max()))
    assert longest == sorted(longest, reverse=True)
    # columns of long documents and short anchors do not pad each other
    assert sum(len(part) == 1 for part in parts) >= 2


def test_a_value_without_gradients_is_that_of_the_whole_batch(tiny_bert, texts):
    encoder = Encoder(load_folder(tiny_bert, device="cpu").eval())
    loss = _loss("pairs", encoder)
    columns, rows = _batch("pairs", encoder, texts)
    value = GradientCache(loss, encoder.seam, 60).value(columns, rows)
    assert not value.requires_grad and all(weight.grad is None for weight in loss.parameters())
    assert value.item() == pytest.approx(loss(columns, rows).item(), rel=1e-6)


def test_a_word_table_is_computed_whole(tiny_static, texts):
    encoder = Encoder(load_folder(tiny_static, device="cpu").eval())
    loss = _loss("pairs", encoder)
    columns, rows = _batch("pairs", encoder, texts)
    _, gradients = _whole(loss, columns, rows)
    _, cached, parts = _cached(loss, encoder, 1, columns, rows)
    assert parts == 1 and _apart(cached, gradients) < 1e-6
