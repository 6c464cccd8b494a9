"""What of a model is trained: settings that fit together, weights counted, costs that follow."""

from __future__ import annotations

import pytest

from embedtune_nb.errors import PlanError


def test_an_adapter_brings_its_own_defaults(plan_for, labeled):
    plan = plan_for(labeled(), {"adapter": "linear"}, loss="contrastive")
    assert (plan["epochs"], plan["learning_rate"]) == (20, 1e-3)
    assert (plan["adapter_side"], plan["adapter_start"], plan["max_seq_length"]) == ("both", "identity", None)
    own = plan_for(labeled(), {"adapter": "linear", "epochs": 2, "learning_rate": 1e-2})
    assert (own["epochs"], own["learning_rate"]) == (2, 1e-2)
    assert plan_for(labeled(), {"adapter": "linear", "max_steps": 7})["steps_total"] == 7


def test_trained_and_frozen_weights_are_shown(plan_for, labeled):
    # 16 dimensions; 100 x 16 word vectors and one matrix of 16 x 192 weights, which is one layer
    linear = plan_for(labeled(), {"adapter": "linear"})
    assert (linear["trained_parameters"], linear["frozen_parameters"]) == (16 * 16, 100 * 16 + 16 * 192)
    low_rank = plan_for(labeled(), {"adapter": "low_rank", "adapter_rank": 3})
    assert low_rank["trained_parameters"] == 2 * 3 * 16
    assert "trained_parameters" in repr(low_rank)
    assert "trained_parameters" not in plan_for(labeled()).settings


def test_lora_is_counted_by_layers(plan_for, labeled):
    pytest.importorskip("peft")
    plan = plan_for(labeled(), {"lora_rank": 2})
    # four matrices of 16 + 16, one of 16 + 64 and one of 64 + 16 inputs and outputs, two numbers each
    assert plan["trained_parameters"] == 2 * (4 * 32 + 2 * 80)
    assert plan["lora_alpha"] == 4.0
    assert plan_for(labeled(), {"lora_rank": 2, "lora_alpha": 1})["lora_alpha"] == 1.0


def test_a_frozen_base_costs_less(plan_for, labeled):
    data, epochs = labeled(rows=2000), {"epochs": 20}
    whole, adapter = plan_for(data, epochs), plan_for(data, {"adapter": "linear", **epochs})
    assert adapter.estimate["peak_memory_bytes"] < whole.estimate["peak_memory_bytes"]
    assert "reads each text once" in adapter.estimate["reason"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"adapter": "linear", "lora_rank": 4}, "Both an adapter and LoRA"),
        ({"adapter": "linear", "adapter_rank": 4}, "changes every direction"),
        ({"adapter": "low_rank", "adapter_rank": 17}, "has 16 dimensions"),
        ({"adapter": "linear", "adapter_side": "query"}, "does not tell queries from documents"),
        ({"adapter": "two_layer", "adapter_start": "closed_form"}, "only a linear map"),
        ({"adapter": "linear", "max_seq_length": 8}, "reads each text once"),
        ({"adapter": "linear", "bf16": True}, "no encoder to speed up"),
        ({"adapter": "linear", "micro_batch_size": 8}, "always fits"),
        ({"adapter": "linear", "lora_alpha": 4}, "no effect without lora_rank"),
        ({"adapter_side": "both"}, "no effect without adapter"),
        ({"lora_alpha": 4}, "no effect without lora_rank"),
        ({"adapter": "liner"}, "Did you mean 'linear'"),
        ({"lora_rank": 0}, "whole number from 1"),
    ],
)
def test_what_does_not_fit_is_refused(plan_for, labeled, settings, told):
    with pytest.raises(PlanError, match=told):
        plan_for(labeled(), settings)


def test_queries_alone_fit_data_that_knows_queries(plan_for, pairs):
    assert plan_for(pairs(), {"adapter": "linear", "adapter_side": "query"})["adapter_side"] == "query"


def test_lora_without_peft_names_the_extra(plan_for, labeled, monkeypatch):
    monkeypatch.setattr("embedtune_nb.plan.trained_part.find_spec", lambda name: None)
    with pytest.raises(PlanError, match=r"embedtune-nb\[lora\]"):
        plan_for(labeled(), {"lora_rank": 4})


def test_a_rank_of_lora_above_the_dimensions_is_refused(plan_for, labeled):
    pytest.importorskip("peft")
    assert plan_for(labeled(), {"lora_rank": 16})["lora_rank"] == 16
    with pytest.raises(PlanError, match="16 dimensions"):
        plan_for(labeled(), {"lora_rank": 17})


def test_lora_needs_an_encoder(plan_for, write_base, labeled):
    pytest.importorskip("peft")
    with pytest.raises(PlanError, match="no matrices"):
        plan_for(labeled(), {"lora_rank": 4}, base=write_base(static=True))
