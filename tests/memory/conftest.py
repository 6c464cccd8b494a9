"""A model that reads instructions, and texts for memorysets."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

TASK = "a new topic about"
OWN_PROMPTS = {"query": "Instruct: the old text\nQuery: ", "passage": "some text "}


@pytest.fixture(scope="session")
def instructed_bert(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tiny BERT with prompts of its own: queries in the Instruct form, passages with a mark."""
    folder = tmp_path_factory.mktemp("instructed") / "model"
    shutil.copytree(tiny_bert, folder)
    config = folder / "config_sentence_transformers.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "prompts": OWN_PROMPTS}))
    return folder


@pytest.fixture
def topics(topic_rows) -> pd.DataFrame:
    """Return 96 texts with a topic and a score."""
    frame = pd.DataFrame(topic_rows)
    return frame.assign(score=[float(len(text.split())) for text in frame["value"]])
