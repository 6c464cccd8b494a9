"""The data picker knows every kind of data: its roles, its picture, its code."""

from __future__ import annotations

import ipywidgets
import pandas as pd
import pytest
from studio_hands import PATIENCE, control, parts

import embedtune_nb as et
from embedtune_nb.widgets.data_choice import DataChoice
from embedtune_nb.widgets.data_picker import DataPicker

ONE = [f"one sentence, number {place}" for place in range(6)]
TWO = [f"another sentence, number {place}" for place in range(6)]
HARD = [f"a hard one, number {place}" for place in range(6)]
TABLES = {
    "labeled": {"text": ONE, "label": ["a", "b"] * 3},
    "scored": {"text": ONE, "rating": [1, 2, 3, 4, 5, 5]},
    "pairs": {"question": ONE, "answer": TWO},
    "triplets": {"anchor": ONE, "positive": TWO, "negative_1": HARD, "negative_2": HARD[::-1]},
    "scored_pairs": {"sentence1": ONE, "sentence2": TWO, "score": [0.5, 2, 3, 4, 5, 1]},
    "nli": {"premise": ONE, "hypothesis": TWO, "label": [0, 1, 2] * 2},
    "retrieval": {"query": ONE, "document": TWO, "relevance": [1, 2, 1, 1, 3, 1]},
}


@pytest.fixture
def picker_of(home):
    made = []

    def make(table):
        picker = DataPicker(namespace={"table": pd.DataFrame(table)})
        made.append(picker)
        control(picker, "Data").value = DataChoice("frame", "table")
        return picker.wait(PATIENCE)

    yield make
    for picker in made:
        picker.close()


@pytest.mark.parametrize("kind", TABLES)
def test_each_kind_is_found_shown_and_written_as_code(kind, picker_of):
    picker = picker_of(TABLES[kind])
    assert picker.problem is None
    assert picker.datasource.kind == kind
    assert (f"auto: {kind}", "auto") in control(picker, "Kind").options
    for role, choice in picker.datasource.roles.items():
        shown = {value: text for text, value in control(picker, role).options}
        assert shown[control(picker, role).value] == ", ".join(choice.columns)
    assert any(kind in part.value for part in parts(picker) if isinstance(part, ipywidgets.HTML))
    namespace = {"table": pd.DataFrame(TABLES[kind])}
    exec(picker.code, namespace)
    assert namespace["data"].fingerprint == picker.datasource.fingerprint


def test_one_of_several_negatives_can_be_named_and_all_be_taken_again(picker_of):
    picker = picker_of(TABLES["triplets"])
    assert picker.datasource.frames["examples"]["negatives"].map(len).tolist() == [2] * 6
    field = control(picker, "negatives")
    field.value = dict(field.options)["negative_2"]
    picker.wait(PATIENCE)
    assert picker.datasource.frames["examples"]["negatives"].tolist() == [[text] for text in HARD[::-1]]
    namespace = {"table": pd.DataFrame(TABLES["triplets"])}
    exec(picker.code, namespace)
    assert namespace["data"].fingerprint == picker.datasource.fingerprint
    field.value = dict(field.options)["choose ..."]
    picker.wait(PATIENCE)
    assert picker.datasource.frames["examples"]["negatives"].map(len).tolist() == [2] * 6


def test_a_memoryset_of_the_notebook_can_be_picked(home, tiny_bert):
    rows = [{"value": text, "label": "ab"[place % 2]} for place, text in enumerate(ONE)]
    base = et.PretrainedEmbeddingModel(str(tiny_bert))
    kept = et.LabeledMemoryset.from_list("kept", rows, embedding_model=base)
    picker = DataPicker(namespace={"kept": kept})
    assert "kept (LabeledMemoryset, 6 rows)" in [text for text, _ in control(picker, "Data").options]
    control(picker, "Data").value = DataChoice("datasource", "kept")
    picker.wait(PATIENCE)
    assert picker.datasource.fingerprint == kept.to_datasource().fingerprint
    assert "data = kept" in picker.code
    picker.close()


def test_columns_of_two_kinds_are_settled_by_naming_the_kind(picker_of):
    picker = picker_of({"sentence1": ONE, "sentence2": TWO, "label": [0, 1, 2] * 2})
    assert picker.datasource is None and "scored_pairs and nli" in str(picker.problem)
    control(picker, "Kind").value = "nli"
    picker.wait(PATIENCE)
    assert picker.datasource.label_counts().to_dict() == {"entailment": 2, "neutral": 2, "contradiction": 2}
