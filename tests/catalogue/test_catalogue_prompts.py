"""What stands before a text: read from a model's own configuration, or made from an instruction."""

from __future__ import annotations

import json

import pytest

from embedtune_nb.catalogue import CATALOGUE, Prompts

QWEN = Prompts.from_config(
    {"query": "Instruct: Given a web search query, retrieve passages\nQuery:", "document": ""}, None
)


@pytest.mark.parametrize(
    ("prompts", "default", "expected"),
    [
        ({}, None, Prompts()),
        (None, None, Prompts()),
        ({"query": "query: ", "passage": "passage: "}, None, Prompts("query: ", "passage: ", "")),
        # the library fills "document" with nothing, which must not hide the one that says something
        ({"query": "q: ", "document": "", "passage": "p: "}, "query", Prompts("q: ", "p: ", "q: ")),
        ({"query": None, "document": None}, None, Prompts()),
        ({"search_query": "a ", "search_document": "b ", "sts": "c "}, "sts", Prompts("a ", "b ", "c ")),
    ],
)
def test_prompts_are_found_under_the_names_that_models_use(prompts, default, expected):
    found = Prompts.from_config(prompts, default)
    assert found == expected
    assert [found.before(role) for role in ("query", "document", None)] == [
        expected.query,
        expected.document,
        expected.default,
    ]
    assert Prompts.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    ("own", "instruction", "query"),
    [
        (Prompts(), "Find the intent", "Find the intent "),
        (Prompts(), "Find the intent: ", "Find the intent: "),
        (Prompts("query: "), "Find the intent", "Find the intent "),
        (QWEN, "Find the intent", "Instruct: Find the intent\nQuery:"),
        (QWEN, "Instruct: all of it\nQuery: ", "Instruct: all of it\nQuery: "),
    ],
)
def test_an_instruction_takes_the_form_the_model_was_taught(own, instruction, query):
    for labels in (own.with_instruction(instruction), own.with_instruction(instruction, only_queries=True)):
        assert labels.query == query
        assert labels.document == own.document, "documents are never instructed"
    assert own.with_instruction(instruction).default == query
    assert own.with_instruction(instruction, only_queries=True).default == ""


def test_a_default_that_is_the_query_prompt_stays_so():
    own = Prompts.from_config({"query": "old "}, "query")
    assert own.with_instruction("new", only_queries=True) == Prompts("new ", "", "new ")


def test_a_frame_can_be_asked_for_where_there_is_no_prompt():
    assert Prompts().with_instruction("Sort", frame=True).query == "Instruct: Sort\nQuery: "


def test_every_instructed_model_of_the_catalogue_is_a_framed_one():
    # the usual frame is right for these families; another one needs a frame of its own
    families = ("Qwen/Qwen3-Embedding", "codefuse-ai/F2LLM")
    assert all(spec.hub_id.startswith(families) for spec in CATALOGUE.values() if spec.instructions)
