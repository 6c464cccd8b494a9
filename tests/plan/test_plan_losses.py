import re
from pathlib import Path

import pytest

from embedtune_nb.data.kinds import KINDS
from embedtune_nb.errors import LossError
from embedtune_nb.plan.defaults import LOSS_DEFAULTS
from embedtune_nb.plan.losses import DEFAULT_LOSS, LOSSES, check_loss, loss_table, losses_for

FITTING = {
    "labeled": ["prediction", "contrastive", "triplet", "proxy"],
    "scored": ["prediction", "contrastive"],
    "pairs": ["contrastive"],
    "triplets": ["contrastive", "triplet"],
    "scored_pairs": ["cosent", "cosine", "angle"],
    "nli": ["contrastive"],
    "retrieval": ["contrastive"],
}
UNFIT = [(kind, loss) for kind, fitting in FITTING.items() for loss in LOSSES if loss not in fitting]


@pytest.mark.parametrize("kind", KINDS)
def test_what_works_on_which_kind_default_first(kind):
    assert [loss.name for loss in losses_for(kind)] == FITTING[kind]
    chosen, source, _ = check_loss(kind, None)
    assert (chosen.name, source) == (FITTING[kind][0], "default")


def test_a_named_loss_is_the_users():
    loss, source, reason = check_loss("labeled", "contrastive")
    assert (loss.name, source) == ("contrastive", "user")
    assert reason


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("contrastiv", "contrastive"),
        ("CoSENT", "cosent"),
        ("MNRL", "contrastive"),
        ("TripletLoss", "triplet"),
    ],
)
def test_an_unknown_loss_is_an_error_that_knows_the_right_one(typed, meant):
    with pytest.raises(LossError, match=f"Did you mean {meant!r}") as caught:
        check_loss("labeled", typed)
    assert loss_table() in str(caught.value)


@pytest.mark.parametrize(("kind", "loss"), UNFIT)
def test_every_other_combination_is_refused_with_the_table(kind, loss):
    with pytest.raises(LossError, match="does not fit") as caught:
        check_loss(kind, loss)
    assert loss_table() in str(caught.value)
    assert all(repr(fitting) in caught.value.expected for fitting in FITTING[kind])


def test_the_table_says_what_the_checks_do():
    head, *rows = (line.split() for line in loss_table().splitlines())
    assert [row[0] for row in rows] == list(KINDS)
    for kind, *cells in rows:
        for loss, cell in zip(head[1:], cells, strict=True):
            assert (cell in ("yes", "default")) == (loss in FITTING[kind])
            assert (cell == "default") == (DEFAULT_LOSS[kind] == loss)


def test_pickers_have_a_text_for_every_loss():
    assert all(loss.summary and loss.best_for for loss in LOSSES.values())
    assert "search" in LOSSES["contrastive"].best_for.lower()
    assert "first run" in LOSSES["prediction"].best_for.lower()
    assert "different size" in LOSSES["proxy"].best_for


def test_every_loss_has_its_line_of_defaults():
    assert list(LOSS_DEFAULTS) == list(LOSSES)
    assert {loss: line["batch_size"] for loss, line in LOSS_DEFAULTS.items() if line["batch_size"] != 64} == {
        "contrastive": 128,
        "proxy": 128,
    }
    scales = {loss: line["loss_scale"] for loss, line in LOSS_DEFAULTS.items() if "loss_scale" in line}
    assert scales == {"contrastive": 20.0, "proxy": 30.0, "cosent": 20.0, "angle": 20.0}


def test_the_readme_has_the_same_table():
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in readme.splitlines() if re.match(r"\| `\w+` \|", line)]
    told = {row[1].strip(" `"): re.findall(r"`(\w+)`", row[3]) for row in rows if len(row) == 5}
    assert {kind: told.get(kind) for kind in KINDS} == FITTING
