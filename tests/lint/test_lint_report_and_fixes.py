"""How findings are told, and that fixes give new data and say what they did."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.lint.advice import lint_advice
from embedtune_nb.errors import DataError


@pytest.fixture
def dirty() -> Datasource:
    texts = [
        f"{word} is the name of the thing" for word in ("iron", "copper", "silver", "gold", "lead", "tin")
    ]
    frame = pd.DataFrame(
        {
            "value": [
                *texts,
                texts[0].upper(),
                texts[1] + "!",
                "<script>alert(1)</script>",
                "SILVER is the name of the thing",
            ],
            "label": ["a", "a", "a", "b", "b", "b", "a", "b", "b", "a"],
        }
    )
    return Datasource.from_pandas(frame, kind="labeled", name="<b>dirty</b>")


def test_the_report_reads_well_and_escapes_everything(dirty: Datasource) -> None:
    report = dirty.lint()
    text, html = repr(report), report._repr_html_()
    for finding in report:
        assert finding.summary in text
        assert f"if ignored: {finding.cost}" in text
    assert "<script>" not in html and "<b>dirty" not in html and "&lt;b&gt;dirty" in html
    frame = report.to_frame()
    assert set(frame["severity"]) >= {"serious", "clean", "not looked at"}
    assert frame.set_index("name").loc["exact_duplicates", "count"] == 2


def test_findings_are_told_the_gravest_first(dirty: Datasource) -> None:
    order = [("serious", "warning", "note").index(finding.severity) for finding in dirty.lint()]
    assert order == sorted(order) and len(order) >= 2


def test_a_fix_changes_nothing_in_place_and_says_what_it_did(dirty: Datasource) -> None:
    before = dirty.fingerprint, len(dirty.dropped)
    fixed = dirty.fix("exact_duplicates", "conflicting_labels")
    assert (dirty.fingerprint, len(dirty.dropped)) == before
    assert [drop.count for drop in fixed.dropped] == [2, 2]  # two copies, then copper: as often a as b
    assert "copper" not in " ".join(fixed.texts())
    again = fixed.lint()
    assert "exact_duplicates" in again.clean and "conflicting_labels" in again.clean


def test_majority_of_labels() -> None:
    texts = ["one thing", "One thing!", "one  thing", "other matter", "third case", "fourth"]
    data = Datasource.from_pandas(
        pd.DataFrame({"value": texts, "label": ["x", "x", "y", "y", "y", "z"]}), kind="labeled"
    )
    assert data.fix("conflicting_labels").frames["examples"]["label"].tolist() == list("xxxyyz")
    assert len(data.fix("conflicting_labels", how="drop")) == 3


def test_what_is_left_after_the_fix_holds_no_near_duplicates() -> None:
    texts = [
        f"please tell me {'about ' * (n % 3)}the price of {w}"
        for w in ("bread", "cheese", "onions")
        for n in range(6)
    ]
    texts = [text + "?" * n for n, text in enumerate(texts)]
    data = Datasource.from_pandas(
        pd.DataFrame({"value": texts, "label": ["q", "r", "q"] * 6}), kind="labeled"
    )
    fixed = data.fix("exact_duplicates", "near_duplicates")
    assert len(fixed) < len(data)
    assert "near_duplicates" in fixed.lint().clean


def test_copies_of_documents_are_merged_and_their_judgements_kept() -> None:
    data = Datasource.from_retrieval(
        {"q1": "first question", "q2": "second matter"},
        {"d1": "An answer.", "d2": "an answer", "d3": "something else"},
        {"q1": ["d1"], "q2": ["d2", "d3"]},
    )
    fixed = data.fix("exact_duplicates")
    assert fixed.frames["corpus"]["id"].tolist() == ["d1", "d3"]
    judged = set(zip(fixed.frames["qrels"]["query_id"], fixed.frames["qrels"]["corpus_id"], strict=True))
    assert judged == {("q1", "d1"), ("q2", "d1"), ("q2", "d3")}


def test_leaks_leave_training_only_and_need_the_evaluation_data(dirty: Datasource) -> None:
    evaluation = Datasource.from_pandas(
        pd.DataFrame({"value": ["gold is the name of the thing", "unheard of"], "label": ["b", "a"]}),
        kind="labeled",
    )
    with pytest.raises(DataError, match="eval_datasource"):
        dirty.fix("exact_leaks")
    assert len(dirty) - len(dirty.fix("exact_leaks", eval_datasource=evaluation)) == 1
    assert dirty.lint(evaluation).fix("exact_leaks").fingerprint == (
        dirty.fix("exact_leaks", eval_datasource=evaluation).fingerprint
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda data: data.fix("near_duplicate"), "Did you mean 'near_duplicates'"),
        (lambda data: data.fix(), "No fault was named"),
        (lambda data: data.fix("swapped_columns"), "does not apply to labeled"),
        (lambda data: data.fix("conflicting_labels", how="mean"), "does not fit labeled"),
        (lambda data: data.lint(vectors=[[1.0]]), "one vector a row"),
        (lambda data: data.lint(batch_size=1), "batch_size"),
        (lambda data: data.lint(pd.DataFrame()), "Datasource of the same kind"),
        (lambda data: data.lint()["typo"], "no finding 'typo'"),
    ],
)
def test_wrong_calls_are_told_what_to_do(dirty: Datasource, call: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        call(dirty)  # type: ignore[operator]


def test_advice_names_what_weighs_and_is_silent_about_good_data(dirty: Datasource) -> None:
    told = " ".join(lint_advice(dirty))
    assert "another label" in told and "data.fix" in told
    good = pd.DataFrame({"value": [chr(97 + n) * 8 + f" {n}" for n in range(20)], "label": ["a", "b"] * 10})
    assert lint_advice(Datasource.from_pandas(good, kind="labeled"), 64) == []


@pytest.mark.slow
def test_linting_loads_no_torch() -> None:
    code = (
        "import sys, embedtune_nb as et\n"
        "d = et.Datasource.from_list([{'anchor': f'{n} a', 'positive': f'{n} b'} for n in range(50)])\n"
        "d.lint(); d.fix('near_duplicates')\n"
        "assert 'torch' not in sys.modules, 'torch was loaded'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
