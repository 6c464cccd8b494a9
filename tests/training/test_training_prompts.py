"""What stands before a text is in front of the loss, token for token, and only where it belongs."""

from __future__ import annotations

import pytest

from embedtune_nb.catalogue import Prompts
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.training.build import build_trainer

SETTINGS = {
    "epochs": 1,
    "learning_rate": 1e-3,
    "batch_size": 8,
    "warmup": 0,
    "learning_rate_scheduler": "linear",
    "weight_decay": 0.0,
    "bf16": False,
    "seed": 5,
    "metric": "accuracy",
}
ASKED = Prompts().with_instruction("new ticket please")
SEARCHED = Prompts(document="old road ").with_instruction("new ticket please", only_queries=True)


def first_batch(model, data, loss, prompts, folder):
    """Return the texts that the loss reads, as words of the tokenizer, by column."""
    encoder = Encoder(load_folder(model, device="cpu"), prompts=prompts)
    trainer = build_trainer(
        encoder,
        data,
        {**SETTINGS, "loss": loss},
        output_dir=folder,
        emit=lambda event: None,
        should_stop=lambda: False,
    )
    batch = next(iter(trainer.get_train_dataloader()))
    words = encoder.model[0].tokenizer.batch_decode
    return {
        name.removesuffix("_input_ids"): words(ids, skip_special_tokens=True)
        for name, ids in batch.items()
        if name.endswith("_input_ids")
    }


@pytest.mark.parametrize("loss", ["prediction", "contrastive"])
def test_labelled_texts_are_trained_with_the_instruction(tiny_bert, topic_rows, loss, tmp_path):
    texts = first_batch(tiny_bert, Datasource.from_list(topic_rows, kind="labeled"), loss, ASKED, tmp_path)
    known = {row["value"] for row in topic_rows}
    assert len(texts["value"]) == 8
    assert all(text.startswith("new ticket please ") for text in texts["value"])
    assert all(text.removeprefix("new ticket please ") in known for text in texts["value"])


def test_queries_and_documents_are_trained_with_their_own(tiny_bert, topic_rows, tmp_path):
    half = len(topic_rows) // 2
    anchors = [row["value"] for row in topic_rows[:half]]
    positives = [row["value"] for row in topic_rows[half:]]
    pairs = Datasource.from_dict({"anchor": anchors, "positive": positives}, kind="pairs")
    texts = first_batch(tiny_bert, pairs, "contrastive", SEARCHED, tmp_path)
    for column, prompt, known in (
        ("anchor", "new ticket please ", anchors),
        ("positive", "old road ", positives),
    ):
        assert len(texts[column]) == 8
        assert all(text.startswith(prompt) for text in texts[column])
        assert all(text.removeprefix(prompt) in known for text in texts[column])
