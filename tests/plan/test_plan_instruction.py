"""The instruction of a run: hyperparameter, then collection, then the model's own prompts; nothing silent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from embedtune_nb.catalogue import resolve_base

OWN = "Instruct: old\nQuery: "


@pytest.fixture
def instructed(base):
    """Return the base model with prompts of its own."""
    config = {"prompts": {"query": OWN, "passage": "passage: "}, "default_prompt_name": None}
    (Path(base.path) / "config_sentence_transformers.json").write_text(json.dumps(config))
    return resolve_base(base.path)


def of_collection(data, instruction):
    data.instruction = instruction
    return data


def test_hyperparameter_comes_before_collection_before_the_models_own(plan_for, labeled, instructed):
    data = of_collection(labeled(), "the collection's task")
    asked = plan_for(data, {"instruction": "my task"}, base=instructed)
    assert asked["instruction"] == "my task" and asked.settings["instruction"].source == "user"
    assert asked["prompts"]["default"] == "Instruct: my task\nQuery: "
    inherited = plan_for(data, base=instructed)
    assert inherited["instruction"] == "the collection's task"
    assert inherited.settings["instruction"].source == "inferred"
    assert "collection" in inherited.settings["instruction"].reason
    assert inherited["prompts"]["query"] == "Instruct: the collection's task\nQuery: "
    own = plan_for(labeled(), base=instructed)
    assert own["instruction"] is None
    assert own["prompts"] == {"query": OWN, "document": "passage: "}
    assert own.settings["prompts"].reason == "nothing is put before these texts", (
        "neither queries nor documents"
    )


def test_a_collections_instruction_is_left_out_loudly_where_the_model_reads_none(plan_for, labeled, base):
    plan = plan_for(of_collection(labeled(), "the task"), base=base)
    assert plan["instruction"] is None and plan["prompts"] is None
    assert "not trained to read one" in plan.settings["instruction"].reason
    assert any("'the task'" in sentence for sentence in plan.advice)
    forced = plan_for(of_collection(labeled(), "the task"), {"instruction": "the task"}, base=base)
    assert forced["prompts"] == {"query": "the task ", "default": "the task "}
    assert any("not trained with instructions" in sentence for sentence in forced.advice)


def test_where_there_are_documents_only_queries_are_instructed(plan_for, pairs, instructed):
    plan = plan_for(pairs(), {"instruction": "find the answer"}, base=instructed)
    assert plan["prompts"] == {"query": "Instruct: find the answer\nQuery: ", "document": "passage: "}
    assert plan.settings["prompts"].reason == (
        "'Instruct: find the answer\\nQuery: ' before queries (from the instruction), "
        "'passage: ' before documents (the model has it)"
    )
    own = plan_for(pairs(), base=instructed)
    assert own.settings["prompts"].reason.count("(the model has it)") == 2


def test_the_tokens_of_the_instruction_count(plan_for, labeled, base):
    long = "one two three four five six seven eight"
    without, with_it = plan_for(labeled(), base=base), plan_for(labeled(), {"instruction": long}, base=base)
    assert with_it["max_seq_length"] == without["max_seq_length"] + 8
    assert with_it.data["truncated_share"] == without.data["truncated_share"]


def test_a_static_model_is_advised_against_it(plan_for, labeled, write_base):
    plan = plan_for(labeled(), {"instruction": "the task"}, base=write_base(static=True))
    assert plan["prompts"]["default"] == "the task "
    assert any("averages word vectors" in sentence for sentence in plan.advice)


def test_it_is_seen_in_the_plan_and_in_a_comparison(plan_for, labeled, instructed):
    mine = plan_for(labeled(), {"instruction": "my <b>task</b>"}, base=instructed)
    theirs = plan_for(labeled(), {"instruction": "another"}, base=instructed)
    assert {"instruction", "prompts"} <= {what for what, _, _ in mine.diff(theirs)}
    assert "&lt;b&gt;" in mine._repr_html_() and "<b>task" not in mine._repr_html_()
