"""The studio's choices and what follows from them, its code, and what of it the browser gets to see."""

from __future__ import annotations

import ipywidgets
import pandas as pd
import pytest
import traitlets
from studio_hands import PATIENCE, cards, control, parts, pick

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import EmbedtuneError
from embedtune_nb.plan.losses import losses_for
from embedtune_nb.plan.plan import Plan
from embedtune_nb.widgets.data_choice import DataChoice
from embedtune_nb.widgets.data_picker import DataPicker
from embedtune_nb.widgets.studio_state import StudioState, parsed, suggested_name
from embedtune_nb.widgets.studio_summaries import step_lines

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def labeled(table):
    return Datasource.from_pandas(table, name="questions")


@pytest.fixture
def pairs(topic_rows):
    texts = [row["value"] for row in topic_rows]
    return Datasource.from_dict(
        {"anchor": texts, "positive": [f"{text} again" for text in texts]}, name="pairs"
    )


def marks(state):
    return {line["key"]: line["mark"] for line in step_lines(state)}


# The state ---------------------------------------------------------------------------------------------


def test_a_choice_drops_what_rested_on_it_and_nothing_else(labeled, pairs):
    state = StudioState()
    state.choose_data(DataChoice("datasource", "questions"))
    assert marks(state)["data"] == "busy" and "being read" in state.missing
    state.data_read(labeled)
    assert state.planning and state.effective_loss == "prediction"
    state.choose_loss("contrastive")
    state.enter("epochs", "2")
    state.rename("mine")
    state.choose_data(DataChoice("datasource", "pairs"))
    state.data_read(pairs)
    assert state.hyperparams == {"epochs": 2} and state.name == "mine"
    assert state.effective_loss == "contrastive" and state.plan is None


def test_a_loss_that_does_not_fit_other_data_is_replaced_and_that_is_said(pairs):
    state = StudioState(loss="prediction", choice=DataChoice("datasource", "pairs"))
    state.data_read(pairs)
    assert state.loss is None and state.effective_loss == "contrastive"
    assert "'prediction' does not fit pairs data" in state.remark
    assert marks(state)["model"] == "attention"


def test_the_recommended_loss_is_no_wish(labeled):
    state = StudioState(choice=DataChoice("datasource", "questions"))
    state.data_read(labeled)
    state.choose_loss("contrastive")
    state.choose_loss("prediction")
    assert state.loss is None
    state.step = "plan"
    assert "loss=" not in state.code


def test_a_wrong_entry_blocks_train_and_stays_out_of_the_code(labeled):
    state = StudioState(step="model", choice=DataChoice("datasource", "questions"))
    state.data_read(labeled)
    state.enter("learning_rate", "fast")
    state.enter("batch_size", "8")
    assert set(state.entry_problems) == {"learning_rate"}
    assert "a number above 0" in str(state.entry_problems["learning_rate"])
    assert state.hyperparams == {"batch_size": 8}
    assert state.missing and not state.can_plan
    assert "fast" not in state.code and '"batch_size": 8' in state.code
    state.enter("learning_rate", "")
    assert state.can_plan


def test_an_unsafe_name_is_refused_beside_its_field(labeled):
    state = StudioState(choice=DataChoice("datasource", "questions"))
    state.data_read(labeled)
    state.rename("../up")
    assert state.name_problem is not None and state.missing == "The name cannot be used."
    state.rename("")
    assert state.name_problem is None and state.name == "questions"


def test_an_unknown_step_is_told_the_right_one():
    with pytest.raises(EmbedtuneError, match="result"):
        StudioState().go("results")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("2e-5", 2e-5),
        ("true", True),
        ("p99", "p99"),
        ("'p99'", "p99"),
        ("1,000", "1,000"),
        ("[1]", "[1]"),
    ],
)
def test_entries_are_read_as_people_mean_them(text, value):
    assert parsed(text) == value and type(parsed(text)) is type(value)


@pytest.mark.parametrize("title", ["", "naïve Frage №1", "__", "a" * 200, "-x-"])
def test_a_suggested_name_is_always_a_good_one(title):
    state = StudioState(own_name=suggested_name(title))
    assert state.name_problem is None


# The code ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "columns", [("question", "topic"), ('it\'s "quoted"', "t\\ab\n#"), (HOSTILE, 7), ("{x}", "'''")]
)
@pytest.mark.parametrize("named", [False, True])
def test_the_data_code_makes_the_same_data(table, columns, named):
    table.columns = columns
    choice = DataChoice("frame", "table")
    if named:
        choice = choice.with_kind("labeled").with_role("value", columns[0]).with_role("label", columns[1])
    namespace = {"table": table}
    exec("import embedtune_nb as et\n" + choice.code(), namespace)
    assert namespace["data"].fingerprint == choice.read(namespace).fingerprint
    assert namespace["data"].name == choice.read(namespace).name


SEPARATORS = {"csv": ",", "tsv": "\t", "semicolons.csv": ";", "csv.gz": ";"}


@pytest.mark.parametrize("ending", [*SEPARATORS, "jsonl", "parquet"])
def test_a_file_and_its_code_give_the_same_data(table, tmp_path, ending):
    path = tmp_path / f"it's.{ending}"
    if ending in SEPARATORS:
        table.to_csv(path, index=False, sep=SEPARATORS[ending])
    elif ending == "jsonl":
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_parquet(path)
    choice = DataChoice("file", str(path))
    namespace = {}
    exec("import embedtune_nb as et\n" + choice.code(), namespace)
    mine = choice.read({})
    assert len(mine) == 96
    assert (namespace["data"].fingerprint, namespace["data"].name) == (mine.fingerprint, mine.name)


def test_the_code_of_the_studio_starts_the_planned_job(studio_of, table, tiny_bert, monkeypatch):
    studio = pick(studio_of(table=table), "table")
    cards(studio, "base-cards").value = ""
    control(studio, "Hub id or folder").value = str(tiny_bert)
    cards(studio, "loss-cards").value = "contrastive"
    control(studio, "epochs").value = "2"
    control(studio, "max_seq_length").value = "p90"
    studio.step = "plan"
    control(studio, "Name of the new model").value = "from-code"
    studio.wait(PATIENCE)
    submitted = []
    monkeypatch.setattr("embedtune_nb.models.tune.submit", lambda folder, executor: submitted.append(folder))
    exec(studio.code, {"table": table})
    plan = Plan.from_json(submitted[0].plan())
    assert studio.plan.diff(plan) == [] and plan.name == studio.plan.name == "from-code"
    assert plan["loss"] == "contrastive" and plan["epochs"] == 2


# The widgets -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["labeled", "pairs"])
def test_only_losses_that_fit_are_offered(studio_of, labeled, pairs, kind):
    studio = pick(studio_of(labeled=labeled, pairs=pairs), kind, "datasource")
    offered = cards(studio, "loss-cards")
    fitting = losses_for(kind)
    assert [card["value"] for card in offered.options] == [loss.name for loss in fitting]
    assert offered.value == fitting[0].name and offered.options[0]["badge"] == "recommended"
    assert all(loss.best_for in card["facts"] for loss, card in zip(fitting, offered.options, strict=True))


def test_nothing_from_the_data_becomes_markup(studio_of, table):
    table["topic"] = table["topic"].replace({"money": HOSTILE})
    table.loc[0, "question"] = f"{HOSTILE} text"
    table.columns = [HOSTILE, "topic"]
    studio = pick(studio_of(table=table), "table")
    studio.step = "plan"
    studio.wait(PATIENCE)
    assert studio.plan is not None
    seen = [part.value for part in parts(studio) if isinstance(part, ipywidgets.HTML)]
    assert any("onerror" in text for text in seen), "the data must be on the screen at all"
    assert all("<img" not in text for text in [*seen, studio.fallback_html()])
    assert not any(getattr(part, "description_allow_html", False) for part in parts(studio))


def test_going_back_loses_nothing(studio_of, table):
    studio = pick(studio_of(table=table), "table")
    control(studio, "epochs").value = "3"
    for step in ("plan", "watch", "data", "model"):
        studio.step = step
    studio.wait(PATIENCE)
    assert control(studio, "epochs").value == "3" and control(studio, "Data").value.name == "table"
    assert studio.plan["epochs"] == 3 and studio.datasource.kind == "labeled"
    assert "epochs 3" in repr(studio)


def test_a_file_that_is_yet_to_be_named_is_no_data(studio_of, table):
    studio = pick(studio_of(table=table), "table")
    control(studio, "Data").value = DataChoice("file", "")
    studio.wait(PATIENCE)
    assert studio.datasource is None and studio.plan is None
    assert "Choose data" in studio.state.missing and "table" not in studio.code


def test_a_plan_that_arrives_leaves_the_fields_alone(studio_of, table):
    studio = pick(studio_of(table=table), "table")
    changes = []
    for label in ("batch_size", "max_seq_length", "early_stopping"):
        # the browser would put the last value that was entered where a person is typing another
        control(studio, label).observe(changes.append, names=traitlets.All)
    control(studio, "epochs").value = "40"
    studio.wait(PATIENCE)
    assert studio.plan["epochs"] == 40 and changes == []


def test_a_changed_table_is_read_again_on_refresh(studio_of, table):
    variables = {"table": table}
    studio = pick(studio_of(**variables), "table")
    before = studio.datasource.fingerprint
    table.loc[0, "question"] = "quite another question"
    control(studio, "Refresh").click()
    studio.wait(PATIENCE)
    assert studio.datasource.fingerprint != before


def test_train_is_off_with_the_reason_until_all_is_there(studio_of, table):
    studio = studio_of(table=table)
    studio.step = "plan"
    train = control(studio, "Train")
    assert train.disabled and "Choose data" in train.tooltip
    pick(studio, "table")
    assert not train.disabled
    control(studio, "Name of the new model").value = "../up"
    studio.wait(PATIENCE)
    assert train.disabled


def test_one_class_is_explained_and_not_trained(studio_of, table):
    table["topic"] = "same"
    studio = studio_of(table=table)
    control(studio, "Data").value = DataChoice("frame", "table")
    studio.wait(PATIENCE)
    control(studio, "Kind").value = "labeled"
    studio.wait(PATIENCE)
    assert studio.plan is None and studio.state.missing
    assert any(mark == "attention" for mark in marks(studio.state).values())


def test_the_picker_explains_and_can_be_helped(home, topic_rows):
    table = pd.DataFrame(
        [{"a": row["value"], "b": f"{row['value']} too", "c": row["label"]} for row in topic_rows]
    )
    picker = DataPicker(namespace={"table": table, "_hidden": table, "number": 3})
    offered = [value.name for _, value in control(picker, "Data").options]
    assert "table" in offered and "_hidden" not in offered and "number" not in offered
    control(picker, "Data").value = DataChoice("frame", "table")
    picker.wait(PATIENCE)
    assert picker.datasource is None and picker.problem is not None
    assert any("What to do" in part.value for part in parts(picker) if isinstance(part, ipywidgets.HTML))
    control(picker, "Kind").value = "labeled"
    picker.wait(PATIENCE)
    control(picker, "value").value = 1
    picker.wait(PATIENCE)
    assert picker.datasource.roles["value"].column == "b" and picker.datasource.roles["label"].column == "c"
    namespace = {"table": table}
    exec(picker.code, namespace)
    assert namespace["data"].fingerprint == picker.datasource.fingerprint
    picker.close()


def test_a_variable_that_is_gone_is_an_error_with_a_remedy(home, table):
    variables = {"questions": table}
    picker = DataPicker(namespace=variables)
    control(picker, "Data").value = DataChoice("frame", "questions")
    picker.wait(PATIENCE)
    variables["question"] = variables.pop("questions")
    picker.refresh()
    picker.wait(PATIENCE)
    assert "Did you mean 'question'" in str(picker.problem)
    picker.close()
