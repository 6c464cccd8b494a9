"""The expected number of false negatives in a batch, against batches really drawn."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from embedtune_nb.data.datasource import Datasource


def _counted(frame: pd.DataFrame, rows: np.ndarray) -> int:
    known = set(zip(frame["anchor"], frame["positive"], strict=True))
    anchors, positives = frame["anchor"].to_numpy()[rows], frame["positive"].to_numpy()[rows]
    pairs = itertools.permutations(range(len(rows)), 2)
    return sum((anchors[i], positives[j]) in known for i, j in pairs)


def test_expectation_equals_what_drawn_batches_hold() -> None:
    generator = np.random.default_rng(1)
    names = ["".join(generator.choice(list("abcdefghijklmnop"), 40)) for _ in range(25)]
    frame = pd.DataFrame(
        {
            "anchor": [f"question {names[n]}" for n in generator.integers(0, 25, 160)],
            "positive": [f"answer {names[n]}" for n in generator.integers(0, 25, 160)],
        }
    ).drop_duplicates(ignore_index=True)
    finding = Datasource.from_pandas(frame, kind="pairs").lint(batch_size=24)["batch_clashes"]
    told = float(finding.summary.split(" rows holds ")[1].split()[0])
    drawn = [_counted(frame, generator.choice(len(frame), 24, replace=False)) for _ in range(600)]
    error = np.std(drawn) / np.sqrt(len(drawn))
    assert abs(told - np.mean(drawn)) < 4 * error + 0.05
    masked = float(finding.summary.split("masks;")[0].split("positives")[-1].split(". ")[-1].split()[0])
    assert abs(masked - told) < 0.051  # every clash here is letter for letter, and the loss masks those


def test_near_copies_of_positives_are_not_masked_and_raise_a_warning() -> None:
    anchors = [f"{word} question about number {word}" for word in map(chr, range(97, 117))]
    positives = [f"the answer to every question is in the handbook on page seven{'.' * n}" for n in range(10)]
    positives += [
        f"the answer to every question is in the handbooks on page seven{'!' * n}" for n in range(10)
    ]
    data = Datasource.from_pandas(pd.DataFrame({"anchor": anchors, "positive": positives}), kind="pairs")
    finding = data.lint(batch_size=10)["batch_clashes"]
    assert finding.severity == "warning"
    assert "90.0 false negatives" in finding.summary and "; 90.0 are not" in finding.summary


def test_one_anchor_one_positive_has_no_clash() -> None:
    words = [chr(97 + n) * 9 for n in range(26)]
    frame = pd.DataFrame({"anchor": words, "positive": [word.upper()[:4] + "123" for word in words]})
    report = Datasource.from_pandas(frame, kind="pairs").lint()
    assert "batch_clashes" in report.clean
