"""Gradients of a batch cut in parts, against whole-batch autograd, against the library, and with dropout."""

from __future__ import annotations

import random
from contextlib import nullcontext
from typing import Any

import pandas as pd
import pytest
import torch
from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.plan.losses import LOSSES
from embedtune_nb.training import gradient_cache
from embedtune_nb.training.gradient_cache import GradientCache
from embedtune_nb.training.losses import ObjectiveLoss
from embedtune_nb.training.micro_batch import checkpoint_layers
from embedtune_nb.training.objective import Objective, build_objective

pytestmark = pytest.mark.slow


@pytest.fixture
def texts(topic_rows) -> list[str]:
    """Return 96 different texts of 2 to 32 words in no order of length."""
    chosen = [f"{row['value']} {place}" for place, row in enumerate(topic_rows)]
    random.Random(3).shuffle(chosen)
    return chosen


def _data(kind: str, texts: list[str]) -> Datasource:
    """Return 48 rows of a kind; anchors are short and documents long where there are two columns."""
    draw = random.Random(5)
    short, long = texts[:48], [f"{a} {b}" for a, b in zip(texts[48:], texts[:48], strict=True)]
    frame = pd.DataFrame({"a": short, "b": long})
    roles = {"a": "anchor", "b": "positive"}
    if kind == "labeled":
        frame = pd.DataFrame({"value": short, "label": [draw.choice("pqrst") for _ in short]})
        roles = {"value": "value", "label": "label"}
    elif kind == "scored":
        frame = pd.DataFrame({"value": short, "score": [draw.gauss(3, 2) for _ in short]})
        roles = {"value": "value", "score": "score"}
    elif kind == "triplets":
        frame["c"] = [[f"{text} not", *(["not this"] if row % 2 else [])] for row, text in enumerate(long)]
        roles["c"] = "negatives"
    elif kind == "scored_pairs":
        frame["c"] = [draw.random() for _ in short]
        roles = {"a": "sentence1", "b": "sentence2", "c": "score"}
    elif kind == "nli":
        names = ("entailment", "contradiction", "neutral")
        frame = pd.DataFrame(
            {
                "a": [text for text in short for _ in names],
                "b": [f"{text} {name}" for text in long for name in names],
                "c": [name for _ in short for name in names],
            }
        )
        roles = {"a": "premise", "b": "hypothesis", "c": "label"}
    return Datasource.from_pandas(frame, kind=kind, roles={role: column for column, role in roles.items()})


def _batch(objective: Objective, encoder: Encoder, size: int = 24):
    rows = objective.rows[random.Random(9).sample(range(len(objective.rows)), size)]
    columns = [encoder.features(rows[name], role) for name, role in objective.roles.items()]
    return columns, torch.tensor(rows["label"])


def _objective(encoder: Encoder, kind: str, texts: list[str], **settings: Any) -> Objective:
    return build_objective(encoder, _data(kind, texts), settings)


def _pairs(encoder: Encoder, texts: list[str]):
    objective = _objective(encoder, "pairs", texts, loss="contrastive")
    return objective.loss, *_batch(objective, encoder)


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


_ALL = [(kind, loss.name, {}) for loss in LOSSES.values() for kind in loss.kinds if kind != "retrieval"]
_OPTIONS = [
    ("pairs", "contrastive", {"matryoshka_dims": [32, 8]}),
    ("labeled", "proxy", {"matryoshka_dims": [32, 8]}),
    ("pairs", "contrastive", {"false_negative_masking": True}),
    ("labeled", "prediction", {"normalize_embeddings": False}),
]


@pytest.mark.parametrize(("kind", "loss", "options"), [*_ALL, *_OPTIONS], ids=str)
def test_parts_have_the_gradients_of_the_whole_batch(kind, loss, options, tiny_bert, texts):
    encoder = Encoder(load_folder(tiny_bert, device="cpu").eval())
    objective = _objective(encoder, kind, texts, loss=loss, **options)
    batch = _batch(objective, encoder)
    expected, gradients = _whole(objective.loss, *batch)
    assert any(name.startswith("model.") for name in gradients)
    assert any(name.startswith("head.") for name in gradients) == hasattr(objective.loss, "head")
    counted = []
    for tokens in (1, 60, 250):
        value, cached, parts = _cached(objective.loss, encoder, tokens, *batch)
        counted.append(parts)
        assert value == pytest.approx(expected, rel=1e-5)
        assert _apart(cached, gradients) < 1e-5
    assert counted[0] >= counted[1] > counted[2] > 1


def test_a_model_with_rotary_positions_and_windows_has_them_too(tiny_rope, texts):
    encoder = Encoder(load_folder(tiny_rope, device="cpu").eval())
    loss, columns, rows = _pairs(encoder, texts)
    expected, gradients = _whole(loss, columns, rows)
    value, cached, parts = _cached(loss, encoder, 100, columns, rows)
    assert parts > 2 and value == pytest.approx(expected, rel=1e-5)
    assert _apart(cached, gradients) < 1e-5


def test_the_library_finds_the_same_gradients(tiny_bert, texts):
    encoder = Encoder(load_folder(tiny_bert, device="cpu").eval(), rows="whole")
    ours, columns, rows = _pairs(encoder, texts)
    theirs = CachedMultipleNegativesRankingLoss(encoder.model, mini_batch_size=5)
    expected, gradients = _whole(theirs, columns, rows)
    value, cached, parts = _cached(ours, encoder, 100, columns, rows)
    assert parts > 2
    assert value == pytest.approx(expected, rel=1e-6)
    assert _apart(cached, gradients) < 1e-5


def test_padding_on_the_left_is_cut_on_the_left(tiny_rope, texts):
    encoder = Encoder(load_folder(tiny_rope, device="cpu").eval(), rows="whole")
    encoder.model.tokenizer.padding_side = "left"
    loss, columns, rows = _pairs(encoder, texts)
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


@pytest.mark.parametrize("kind", ["labeled", "pairs"])
def test_the_second_pass_drops_out_what_the_first_did(kind, tiny_bert, texts, monkeypatch):
    encoder = Encoder(load_folder(tiny_bert, device="cpu").train())
    objective = _objective(encoder, kind, texts, loss="contrastive")
    loss, batch = objective.loss, _batch(objective, encoder)
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


def test_bfloat16_goes_through_both_passes(tiny_bert, texts):
    encoder = Encoder(load_folder(tiny_bert, device="cpu").eval())
    loss, columns, labels = _pairs(encoder, texts)
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
    loss, *batch = _pairs(encoder, texts)
    torch.manual_seed(2)
    _, expected, _ = _cached(loss, encoder, 100, *batch)
    checkpoint_layers(encoder.model)
    torch.manual_seed(2)
    _, anew, _ = _cached(loss, encoder, 100, *batch)
    assert _apart(anew, expected) < 1e-6


def test_each_text_is_embedded_once_and_beside_texts_of_its_length(tiny_bert, texts):
    encoder = Encoder(load_folder(tiny_bert, device="cpu"))
    loss, columns, _ = _pairs(encoder, texts)
    parts = GradientCache(loss, encoder.seam, 100).parts(columns)
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
    loss, columns, rows = _pairs(encoder, texts)
    value = GradientCache(loss, encoder.seam, 60).value(columns, rows)
    assert not value.requires_grad and all(weight.grad is None for weight in loss.parameters())
    assert value.item() == pytest.approx(loss(columns, rows).item(), rel=1e-6)


def test_a_word_table_is_computed_whole(tiny_static, texts):
    encoder = Encoder(load_folder(tiny_static, device="cpu").eval())
    loss, columns, rows = _pairs(encoder, texts)
    _, gradients = _whole(loss, columns, rows)
    _, cached, parts = _cached(loss, encoder, 1, columns, rows)
    assert parts == 1 and _apart(cached, gradients) < 1e-6
