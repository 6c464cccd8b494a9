import numpy as np
import pytest

from embedtune_nb.errors import PlanError
from embedtune_nb.plan import HYPERPARAMS, LOSSES, check_hyperparams, other_names

# The public keys of the guide this project answers to: a snippet of it must run here.
GUIDE = {
    "epochs",
    "max_steps",
    "learning_rate",
    "batch_size",
    "warmup",
    "weight_decay",
    "learning_rate_scheduler",
    "loss_scale",
    "normalize_embeddings",
    "max_seq_length",
    "truncation_side",
    "early_stopping",
    "early_stopping_threshold",
    "eval_method",
    "eval_steps",
    "neighbor_eval_count",
    "neighbor_eval_pool_subsample",
    "instruction",
}
SWEEPABLE = {
    "learning_rate",
    "epochs",
    "batch_size",
    "warmup",
    "weight_decay",
    "loss_scale",
    "normalize_embeddings",
    "learning_rate_scheduler",
}


def loss_of(key):
    return (HYPERPARAMS[key].losses or ("contrastive",))[0]


def test_every_key_of_the_guide_is_known_and_explained():
    assert set(HYPERPARAMS) >= GUIDE
    assert {name for name, entry in HYPERPARAMS.items() if entry.sweepable} >= SWEEPABLE
    assert all(entry.meaning and entry.allowed for entry in HYPERPARAMS.values())


def test_every_default_passes_its_own_check():
    for name, entry in HYPERPARAMS.items():
        default = entry.default_for(loss_of(name))
        if default is not None:
            assert check_hyperparams({name: default}, loss=loss_of(name)) == {name: default}


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("epochs", np.int64(3), 3),
        ("learning_rate", 1, 1.0),
        ("learning_rate", np.float32(0.5), 0.5),
        ("warmup", 100, 100),
        ("warmup", 0.25, 0.25),
        ("warmup", 1.0, 1.0),
        ("early_stopping", True, 2),
        ("early_stopping", False, 0),
        ("early_stopping", 5, 5),
        ("max_seq_length", 256, 256),
        ("max_seq_length", "p95", "p95"),
        ("eval_steps", 50, 50),
        ("eval_steps", "epoch", "epoch"),
        ("truncation_side", "left", "left"),
        ("bf16", False, False),
        ("neighbor_eval_pool_subsample", 0.5, 0.5),
        ("instruction", "Find the intent:", "Find the intent:"),
    ],
)
def test_good_values_become_plain_python(key, value, kept):
    found = check_hyperparams({key: value}, loss=loss_of(key))[key]
    assert found == kept
    assert type(found) is type(kept)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("epochs", 0, "from 1"),
        ("epochs", True, "whole number"),
        ("epochs", 1.5, "whole number"),
        ("epochs", "3", "whole number"),
        ("learning_rate", -1e-5, "above 0"),
        ("learning_rate", 0, "above 0"),
        ("learning_rate", float("nan"), "number"),
        ("batch_size", 1, "from 2"),
        ("warmup", 1.5, "fraction"),
        ("warmup", -1, "from 0"),
        ("learning_rate_scheduler", "cosin", "'cosine'"),
        ("max_seq_length", "p98", "'p99'"),
        ("max_seq_length", 0, "from 4"),
        ("truncation_side", "middle", "'left'"),
        ("eval_steps", 0, "'epoch'"),
        ("bf16", 1, "'auto'"),
        ("early_stopping", -1, "from 0"),
        ("instruction", "  ", "text"),
    ],
)
def test_bad_values_name_the_allowed_ones(key, value, named):
    with pytest.raises(PlanError, match=key) as caught:
        check_hyperparams({key: value}, loss=loss_of(key))
    assert named in caught.value.expected


def test_an_unknown_key_is_an_error_that_knows_the_right_one():
    with pytest.raises(PlanError, match="Did you mean 'learning_rate'") as caught:
        check_hyperparams({"learning_rat": 1e-4}, loss="contrastive")
    assert "warmup" in caught.value.expected


@pytest.mark.parametrize("value", [(1e-5, 1e-3), [32, 64]])
def test_a_range_is_refused_and_never_a_silent_single_run(value):
    key = "learning_rate" if isinstance(value, tuple) else "batch_size"
    with pytest.raises(PlanError, match=f"{key}=.* is a range to search") as caught:
        check_hyperparams({key: value}, loss="contrastive")
    assert "2n + 1" in caught.value.expected


@pytest.mark.parametrize("key", ["confirm", "keep_trials", "trial_workers", "base_model"])
def test_keys_of_a_sweep_are_refused_in_a_single_run(key):
    with pytest.raises(PlanError, match=f"{key} is for a sweep"):
        check_hyperparams({key: 1}, loss="contrastive")


@pytest.mark.parametrize(
    ("key", "other"), [("normalize_embeddings", "contrastive"), ("loss_scale", "prediction")]
)
def test_a_key_without_effect_is_refused(key, other):
    value = True if key == "normalize_embeddings" else 30.0
    with pytest.raises(PlanError, match="no effect"):
        check_hyperparams({key: value}, loss=other)


def test_none_means_not_given_but_hides_no_misspelling():
    assert check_hyperparams({"epochs": None}, loss="contrastive") == {}
    with pytest.raises(PlanError, match="epoch"):
        check_hyperparams({"epoch": None}, loss="contrastive")


def test_hyperparams_must_be_a_dict():
    with pytest.raises(PlanError, match="list"):
        check_hyperparams(["epochs"], loss="contrastive")


@pytest.mark.parametrize(
    ("theirs", "ours"), [("lr", "learning_rate"), ("num_train_epochs", "epochs"), ("warmup_ratio", "warmup")]
)
def test_names_of_other_libraries_are_understood(theirs, ours):
    with pytest.raises(PlanError, match=f"Did you mean {ours!r}"):
        check_hyperparams({theirs: 1}, loss="contrastive")


def test_every_hint_names_something_that_exists():
    assert set(other_names._HYPERPARAMS.values()) <= set(HYPERPARAMS)
    assert not set(other_names._HYPERPARAMS) & set(HYPERPARAMS)
    assert set(other_names._LOSSES.values()) <= set(LOSSES)
    assert all(other_names.loss_called(f"{loss}Loss") == loss for loss in LOSSES)
