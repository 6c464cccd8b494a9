"""A tuned model's card, what it forgot, and merging it with its base: the curve, and a model of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file

import embedtune_nb as et
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.split import Split
from embedtune_nb.errors import AlreadyExistsError, DataError, IntegrityError, PlanError
from embedtune_nb.models.merge import MergeCurve
from embedtune_nb.training import reload_check

pytestmark = pytest.mark.jobs
QUICK = {"epochs": 2, "batch_size": 16, "bf16": False, "learning_rate": 2e-3}


@pytest.fixture(autouse=True)
def answer_here(monkeypatch):
    """Answer reload checks in this process; that the process is a fresh one is tested elsewhere."""

    def answer(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        reload_check.main(Path(command[-1]))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(reload_check.subprocess, "run", answer)


@pytest.fixture(scope="module")
def home_with_models(tiny_bert, topic_rows, tmp_path_factory):
    """A home with ``selected``, whose run had a part that selects, and ``plain``, whose run had none."""
    folder = tmp_path_factory.mktemp("merge") / "home"
    data = Datasource.from_list(topic_rows, kind="labeled", roles={"value": "value", "label": "label"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBEDTUNE_HOME", str(folder))
        base = et.PretrainedEmbeddingModel(str(tiny_bert))
        for name, when in (("selected", 2), ("plain", "end")):
            settings = {**QUICK, "eval_method": "neighbor", "eval_steps": when}
            base.finetune(name, data, loss="contrastive", hyperparams=settings, executor="thread")
    return folder


@pytest.fixture
def trained(home, home_with_models):
    shutil.copytree(home_with_models, home, dirs_exist_ok=True)
    return et.FinetunedEmbeddingModel.open


def test_the_card_says_what_was_forgotten_and_quotes_no_text(trained, topic_rows):
    model = trained("selected")
    assert model.forgetting.texts == 240 and 0 < model.forgetting.neighbors_kept < 1
    card = str(model.card)
    assert model.forgetting.text in card and not card.startswith("---")
    assert "General probe (240 sentences)" in model._repr_html_()
    assert "Opened again in a fresh process" in card
    assert not any(row["value"] in model.card.text for row in topic_rows if len(row["value"]) > 20)


def test_curves_of_forgetting_and_held_out_loss_stand_beside_the_training_loss(trained):
    curves = trained("selected").job.to_frame().pivot(index="step", columns="metric", values="value")
    names = ["eval/loss", "eval/accuracy", "forgetting/neighbors_kept", "forgetting/drift"]
    assert curves.loc[2, names].notna().all()
    assert curves.loc[0, ["forgetting/neighbors_kept", "forgetting/drift"]].tolist() == [1.0, 0.0]
    assert curves["forgetting/drift"].dropna().iloc[-1] > 0


def test_a_curve_over_weights_ends_at_base_and_tuned_model(trained):
    model = trained("selected")
    curve = model.merge_with_base(weights=[0.5], executor="thread")
    frame = curve.to_frame().set_index("weight")
    assert frame.index.tolist() == [0.0, 0.5, 1.0]
    assert frame.loc[0.0, ["neighbors_kept", "drift"]].tolist() == [1.0, 0.0]
    assert frame.loc[1.0, "neighbors_kept"] == pytest.approx(model.forgetting.neighbors_kept)
    assert frame.loc[1.0, "topics"] == pytest.approx(model.forgetting.topics_after)
    assert frame.loc[1.0, "neighbors_kept"] <= frame.loc[0.5, "neighbors_kept"] <= 1.0
    selection = Split.read(model.job.folder.data).selection
    assert f"{len(selection)} examples of the part that selects" in curve.scored_on
    assert curve.suggested in (0.0, 0.5, 1.0) and f"Suggested weight {curve.suggested:g}" in repr(curve)
    assert "<svg" in curve._repr_html_() and curve.chart().to_dict()["hconcat"]


def test_a_merged_model_is_published_judged_and_lies_between(trained):
    model = trained("selected")
    merged = model.merge_with_base(0.5, name="half", executor="thread")
    assert (merged.name, merged.merged) == ("half", {"from": "selected", "weight": 0.5})
    spec = et.PretrainedEmbeddingModel(str(model.recipe.base["path"])).spec
    files = [Path(folder) / "model.safetensors" for folder in (spec.path, model.path, merged.path)]
    base, tuned, between = (load_file(file) for file in files)
    for name, value in between.items():
        assert np.allclose(value, (base[name] + tuned[name]) / 2, atol=1e-6), name
    # the verdict part chose nothing, so a merged model is judged on the same rows as the tuned one
    assert merged.verdict.before == pytest.approx(model.verdict.before)
    assert merged.verdict.queries == model.verdict.queries
    assert merged.forgetting.neighbors_kept >= model.forgetting.neighbors_kept
    assert "50% those of selected" in str(merged.card)
    assert merged.recipe["merge_weight"] == 0.5
    assert json.loads((merged.path / "embedtune.json").read_text())["reload_check"]["texts"] > 0
    with pytest.raises(AlreadyExistsError, match="'half' is taken"):
        model.merge_with_base(0.7, name="half")


def test_where_nothing_selected_one_half_chooses_and_the_other_judges(trained):
    model = trained("plain")
    whole = model.verdict.queries
    curve = model.merge_with_base(weights=[], executor="thread")
    assert "half of the held-out part" in curve.scored_on
    merged = curve.publish(0.4, executor="thread")
    assert merged.name == "plain-merged-0.4"
    split = Split.read(merged.job.folder.data)
    chose, judged = (set(part.texts()) for part in (split.selection, split.verdict))
    assert not chose & judged
    assert len(chose | judged) == whole and merged.verdict.queries == len(judged)


@pytest.mark.parametrize("weight", [0, 1, 1.5, -0.1, True, "half"])
def test_weights_out_of_range_are_refused(trained, weight):
    with pytest.raises(PlanError, match="weight is"):
        trained("plain").merge_with_base(weight)


@pytest.mark.parametrize(("end", "whose"), [(0.0, "the base"), (1.0, "'tuned' itself")])
def test_a_curve_that_suggests_one_of_its_ends_has_nothing_to_publish(end, whose):
    rows = pd.DataFrame({"weight": [0.0, 1.0], "suggested": [end == 0.0, end == 1.0]})
    curve = MergeCurve(rows, model="tuned", metric="accuracy", scored_on="some rows")
    with pytest.raises(PlanError, match=f"The suggested weight is {end:g}: that is {whose}"):
        curve.publish()


def test_an_adapter_has_nothing_to_merge(home, tiny_bert, labeled):
    base = et.PretrainedEmbeddingModel(str(tiny_bert))
    settings = {"adapter": "linear", "epochs": 1, "eval_steps": "off", "early_stopping": False}
    model = base.finetune("light", labeled, loss="contrastive", hyperparams=settings, executor="thread")
    with pytest.raises(PlanError, match="untouched base with an adapter"):
        model.merge_with_base()
    assert model.forgetting.texts == 240


def test_without_the_data_of_the_run_nothing_is_merged(trained):
    model = trained("plain")
    shutil.rmtree(model.job.folder.path)
    with pytest.raises(DataError, match="no longer kept"):
        model.merge_with_base()


def test_a_copy_is_opened_again_and_says_so_on_its_card(trained, tmp_path):
    model = trained("plain")
    copy = model.save(tmp_path / "copy")
    found = json.loads((copy / "embedtune.json").read_text())["export_check"]
    assert found["metric"] == "accuracy" and found["largest_difference"] < 1e-6
    assert "This copy: Opened again" in (copy / "README.md").read_text()
    et.FinetunedEmbeddingModel.open("plain").verify()  # the original was left alone
    assert "export_check" not in json.loads((model.path / "embedtune.json").read_text())


def test_a_copy_that_is_another_model_is_refused_and_removed(trained, tmp_path, monkeypatch):
    model = trained("plain")
    other = trained("selected").path / "model.safetensors"

    def damaging(exported, original, sample):
        shutil.copy(other, exported / "model.safetensors")
        return reload_check.export_check(exported, original, sample)

    monkeypatch.setattr("embedtune_nb.models.export.export_check", damaging)
    with pytest.raises(IntegrityError, match="The exported model differs from the published one"):
        model.save(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
