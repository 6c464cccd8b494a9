"""Length-sorted chunks change the speed of a step and nothing else."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from embedtune_nb.encoder.chunks import SortedChunks
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.training.losses import KnownPositives, LabelContrastiveLoss, RankingLoss

TINY = ["tiny_bert", "tiny_rope"]
MODELS = [*TINY, pytest.param("minilm", marks=pytest.mark.model)]
CLOSE = 1e-5


def _without_dropout(model: SentenceTransformer) -> SentenceTransformer:
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    return model


def _encoder(folder: Path, *, rows: str = "chunks") -> Encoder:
    return Encoder(_without_dropout(load_folder(folder, device="cpu")), 48, rows=rows)


def _computed_widths(encoder: Encoder) -> list[int]:
    """Return a list that grows by the width of every batch that the encoder really computes."""
    widths: list[int] = []
    encoder.model[0].model.embeddings.register_forward_hook(
        lambda _, __, tokens: widths.append(tokens.shape[1])
    )
    return widths


def _ranking(encoder: Encoder, texts: list[str]) -> torch.Tensor:
    anchors, positives = texts[:20], texts[20:40]
    loss = RankingLoss(encoder.model, KnownPositives(anchors, positives))
    columns = [encoder.features(anchors), encoder.features(positives)]
    encoder.seam.expect(columns)
    return loss(columns, torch.arange(20))


def _contrast(encoder: Encoder, texts: list[str]) -> torch.Tensor:
    loss = LabelContrastiveLoss(encoder.model)
    return loss([encoder.features(texts[:40])], torch.arange(40) % 4)


def _loss_and_gradients(encoder: Encoder, compute, texts: list[str]) -> tuple[float, torch.Tensor]:
    encoder.model.train()
    encoder.model.zero_grad()
    loss = compute(encoder, texts)
    loss.backward()
    gradients = [weight.grad.flatten() for weight in encoder.model.parameters() if weight.grad is not None]
    return loss.item(), torch.cat(gradients)


@pytest.fixture
def texts(topic_rows) -> list[str]:
    return [row["value"] for row in topic_rows]


@pytest.mark.parametrize("compute", [_ranking, _contrast])
@pytest.mark.parametrize("name", MODELS)
def test_chunks_give_the_loss_and_gradients_of_the_whole_batch(name, compute, texts, request):
    folder = request.getfixturevalue(name)
    whole, gradients = _loss_and_gradients(_encoder(folder, rows="whole"), compute, texts)
    chunked, chunked_gradients = _loss_and_gradients(_encoder(folder), compute, texts)
    assert chunked == pytest.approx(whole, rel=CLOSE)
    assert (chunked_gradients - gradients).norm() <= CLOSE * gradients.norm()


@pytest.mark.parametrize("name", MODELS)
def test_chunks_give_the_embeddings_of_the_plain_library(name, texts, request):
    folder = request.getfixturevalue(name)
    plain = load_folder(folder, device="cpu")
    plain.max_seq_length = 48
    expected = plain.encode(texts, normalize_embeddings=True, batch_size=len(texts))
    assert _encoder(folder).embed(texts) == pytest.approx(expected, abs=CLOSE)


def test_the_comparison_notices_rows_in_the_wrong_order(tiny_bert, texts, monkeypatch):
    whole, _ = _loss_and_gradients(_encoder(tiny_bert, rows="whole"), _ranking, texts)
    encoder = _encoder(tiny_bert)
    argsort = torch.argsort
    # the second sort undoes the first; here it does not
    monkeypatch.setattr(
        torch, "argsort", lambda rows, **how: argsort(rows, **how) if how else torch.arange(len(rows))
    )
    wrong, _ = _loss_and_gradients(encoder, _ranking, texts)
    assert wrong != pytest.approx(whole, rel=1e-3)


def test_chunks_are_cut_to_their_own_longest_text(tiny_bert, texts):
    encoder = _encoder(tiny_bert)
    encoder.seam.layout.tokens = 0
    widths = _computed_widths(encoder)
    encoder.model(encoder.features(texts))
    lengths = sorted(len(encoder.model.tokenizer(text)["input_ids"]) for text in texts)
    assert widths == [max(lengths[start : start + 8]) for start in range(0, len(lengths), 8)]


def test_a_chunk_grows_while_it_fits_the_tokens():
    layout = SortedChunks(2, tokens=24)
    seen = []

    def encode(features):
        seen.append(tuple(features["attention_mask"].shape))
        return features["input_ids"][..., None].float()

    lengths = torch.tensor([3, 9, 3, 4, 30, 3, 4, 4, 5])
    mask = (torch.arange(30) < lengths[:, None]).long()
    layout.run([{"input_ids": mask, "attention_mask": mask}], encode)
    assert seen == [(6, 4), (2, 9), (1, 30)]


def test_columns_announced_together_are_sorted_together(tiny_bert):
    encoder = _encoder(tiny_bert)
    short, long = ["rain"] * 8, ["rain " * 40] * 8
    columns = [encoder.features(short[:4] + long[:4]), encoder.features(long[4:] + short[4:])]
    encoder.seam.layout.tokens = 0
    widths = _computed_widths(encoder)
    encoder.seam.expect(columns)
    for column in columns:
        encoder.model(column)
    assert widths == [3, 42]


@pytest.mark.parametrize("side", ["right", "left"])
def test_padding_on_either_side_is_cut_and_put_back(side):
    generator = torch.Generator().manual_seed(0)
    lengths = torch.tensor([5, 1, 9, 2, 7])
    place = torch.arange(9)
    mask = place < lengths[:, None] if side == "right" else place >= 9 - lengths[:, None]
    ids = torch.randint(1, 99, (5, 9), generator=generator) * mask
    seen = []

    def encode(features):
        seen.append(features["attention_mask"].shape)
        return features["input_ids"][..., None].float().expand(-1, -1, 3)

    (tokens,) = SortedChunks(2, side, tokens=0).run(
        [{"input_ids": ids, "attention_mask": mask.long()}], encode
    )
    assert torch.equal(tokens[..., 1], ids.float())
    assert seen == [(2, 2), (2, 7), (1, 9)]


def test_copies_and_pickles_follow_the_copy(tiny_bert, texts):
    encoder = _encoder(tiny_bert)
    before = encoder.embed(texts)
    for twin in (copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))):
        with torch.no_grad():
            twin.model[0].model.embeddings.word_embeddings.weight.zero_()
        assert twin.seam.module is twin.model[0]
        assert np.abs(twin.embed(texts) - before).max() > 1e-2
        assert encoder.embed(texts) == pytest.approx(before, abs=0)


def test_a_model_that_may_read_padding_is_left_alone_and_says_why(tiny_bert, texts):
    from sentence_transformers.sentence_transformer.modules import CNN, Pooling

    plain = load_folder(tiny_bert, device="cpu")
    cnn = CNN(32, out_channels=8, kernel_sizes=[3])
    model = SentenceTransformer(modules=[plain[0], cnn, Pooling(cnn.get_embedding_dimension())], device="cpu")
    encoder = Encoder(model)
    assert encoder.rows.value == "whole"
    assert "CNN" in encoder.rows.reason
    expected = model.encode(texts[:16], normalize_embeddings=True)
    assert encoder.embed(texts[:16]) == pytest.approx(expected, abs=CLOSE)


def test_long_texts_share_a_chunk_with_fewer():
    layout = SortedChunks(4, tokens=0, most_tokens=40)
    seen = []

    def encode(features):
        seen.append(tuple(features["attention_mask"].shape))
        return features["input_ids"][..., None].float()

    lengths = torch.tensor([90, 10, 10, 10, 9, 15, 20, 20, 60])
    mask = (torch.arange(90) < lengths[:, None]).long()
    (tokens,) = layout.run([{"input_ids": mask, "attention_mask": mask}], encode)
    assert seen == [(4, 10), (2, 20), (1, 20), (1, 60), (1, 90)]
    assert torch.equal(tokens[..., 0].long(), mask)


def test_texts_of_usual_length_are_computed_eight_at_a_time(tiny_bert):
    assert _encoder(tiny_bert).seam.layout._sizes([512] * 24) == [8, 8, 8]
