"""A labelled table that a tiny model learns in seconds, and ways to make a run last."""

from __future__ import annotations

import pandas as pd

WORDS = {
    "fruit": ["apple", "pear", "plum", "cherry", "grape", "lemon", "melon", "peach"],
    "metal": ["iron", "gold", "lead", "zinc", "silver", "copper", "nickel", "brass"],
    "bird": ["robin", "crow", "eagle", "heron", "finch", "owl", "swan", "duck"],
}


def labelled_texts() -> pd.DataFrame:
    """Return 96 short distinct texts of three classes."""
    rows = [
        {"text": f"the {first} beside a {second} in {place}", "label": label}
        for label, words in WORDS.items()
        for first, second in zip(words, words[1:] + words[:1], strict=True)
        for place in ("spring", "summer", "autumn", "winter")
    ]
    return pd.DataFrame(rows)


#: One step takes milliseconds; enough of them for a test to interfere in the middle.
LONG = {"epochs": 1, "max_steps": 1500, "eval_steps": "off", "early_stopping": False, "batch_size": 16}
SHORT = {"epochs": 1, "eval_steps": "off", "early_stopping": False, "batch_size": 16}
