"""What trainings share changes none of them, and is asked for only once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from embedtune_nb.catalogue import resolve_base
from embedtune_nb.encoder import layout
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.plan.resolve import resolve
from embedtune_nb.training import build, micro_batch
from embedtune_nb.training.build import build_trainer
from embedtune_nb.training.kept_tokens import KeptTokens
from embedtune_nb.training.shared import Known, Shared, load_base
from embedtune_nb.training.start import of_a_start

BASE = {"id": "some/model"}


def test_an_answer_is_found_once_for_each_question():
    known, asked = Known(), []

    def find():
        asked.append(1)

    for _ in range(2):
        known.once("lengths", find)
        known.within(128).once("lengths", find)
        known.within(64).once("lengths", find)
    assert len(asked) == 3, "an answer of None is an answer too"


def test_what_is_known_of_a_model_depends_on_how_it_reads_texts():
    shared = Shared()
    plain = shared.about(BASE, {"learning_rate": 1e-5})
    assert shared.about(BASE, {"learning_rate": 1e-4}) is plain
    assert shared.about(BASE, {"truncation_side": "left"}) is not plain
    assert shared.about({"id": "another/model"}, {}) is not plain


def test_large_answers_last_as_long_as_their_base_model_is_in_use():
    shared = Shared()
    first = shared.about(BASE, {})
    kept = first.once("vectors", lambda: np.zeros(3), large=True)
    small = first.once("start", lambda: 0.5)
    assert shared.about(BASE, {}).once("vectors", lambda: np.ones(3), large=True) is kept
    shared.about({"id": "another/model"}, {})
    assert shared.about(BASE, {}).once("vectors", lambda: np.ones(3), large=True) is not kept
    assert shared.about(BASE, {}).once("start", lambda: 0.7) == small


def test_a_start_depends_on_the_seed_only_where_texts_are_sampled():
    whole, other = {"metric": "mae", "seed": 1}, {"metric": "mae", "seed": 2}
    assert of_a_start(whole) == of_a_start(other)
    sampled = {"neighbor_eval_count": 100}
    assert of_a_start({**whole, **sampled}) != of_a_start({**other, **sampled})
    assert of_a_start(whole) != of_a_start({**whole, "metric": "rmse"})


def test_the_packing_of_a_base_model_is_proven_once(tiny_rope, topic_rows, monkeypatch):
    proofs, prove = [], layout.prove_packing
    monkeypatch.setattr(layout, "prove_packing", lambda module: proofs.append(1) or prove(module))
    known, spec = Known(), resolve_base(str(tiny_rope)).to_dict()
    first, second = (load_base(spec, {}, known) for _ in range(2))
    assert len(proofs) == 1
    assert (first.rows.value, second.rows) == ("packed", first.rows)
    assert first.model is not second.model
    texts = [row["value"] for row in topic_rows]
    np.testing.assert_allclose(second.embed(texts), Encoder.load(spec, {}).embed(texts), atol=1e-6)


def test_a_second_trainer_probes_nothing_again(tiny_bert, labeled, tmp_path, home, monkeypatch):
    spec = resolve_base(str(tiny_bert))
    asked = {"batch_size": 16, "bf16": "auto", "max_seq_length": 32}
    plan, split = resolve(spec, labeled, name="toy", loss="prediction", hyperparams=asked)
    probed = []

    def count(module, name):
        own = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given: probed.append(name) or own(*given))

    count(build, "choose_bf16")
    count(micro_batch, "_Lengths")
    count(micro_batch, "_bytes_per_token")
    known, starts = Known(), []
    for place in range(2):
        encoder = load_base(spec.to_dict(), {}, known)
        trainer = build_trainer(
            encoder,
            split.train,
            plan.objectives[0],
            output_dir=tmp_path / str(place),
            emit=lambda event: None,
            should_stop=lambda: False,
            known=known,
        )
        starts.append(trainer.objective.loss.head.weight.detach().clone())
        with torch.no_grad():
            trainer.objective.loss.head.weight += 1  # what training would do must not reach the next one
    assert sorted(probed) == ["_Lengths", "_bytes_per_token", "choose_bf16"]
    assert torch.equal(*starts)


@pytest.mark.parametrize("prompt", [None, "query: "])
def test_kept_tokens_are_those_of_the_tokenizer(tiny_static, topic_rows, prompt):
    texts = [row["value"] for row in topic_rows] + ["", "rain rain"]
    spec = resolve_base(str(tiny_static)).to_dict()
    plain, keeping = Encoder.load(spec, {}).model, Encoder.load(spec, {}).model
    kept = KeptTokens()
    kept.serve(keeping)
    for _ in range(2):
        expected, found = (model.preprocess(texts, prompt=prompt) for model in (plain, keeping))
        for name in ("input_ids", "offsets"):
            assert torch.equal(expected[name], found[name]) and expected[name].dtype == found[name].dtype


def test_a_model_with_kept_tokens_splits_a_text_once_and_saves_no_trace(tiny_static, tmp_path):
    spec = resolve_base(str(tiny_static)).to_dict()
    kept, encoders = KeptTokens(), [Encoder.load(spec, {}) for _ in range(2)]
    for encoder in encoders:
        kept.serve(encoder.model)
    first = encoders[0].embed(["rain in the night", "a card"])
    encoders[1].model[0].preprocess.__self__.tokenizer = None  # whoever asks it now fails
    np.testing.assert_array_equal(encoders[1].embed(["rain in the night", "a card"]), first)
    encoders[0].save(tmp_path / "saved")
    reloaded = Encoder.load(resolve_base(str(tmp_path / "saved")).to_dict(), {})
    np.testing.assert_array_equal(reloaded.embed(["rain in the night", "a card"]), first)
