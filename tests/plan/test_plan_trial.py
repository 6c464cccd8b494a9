"""The plan of a trial is that of a single run with the same values."""

import ast
import subprocess
import sys
from importlib.util import find_spec

import pandas as pd
import pytest

from embedtune_nb.catalogue import resolve_base
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.split import Split
from embedtune_nb.plan import Plan
from embedtune_nb.plan.resolve import resolve
from embedtune_nb.plan.trial import plan_of_trial


@pytest.fixture
def swept(base, tmp_path):
    """Return plan and split of a sweep as a worker reads them from its job folder."""

    def make(data, hyperparams, trial_count=60, **options):
        plan, split = resolve(
            options.pop("base", base),
            data,
            name="toy",
            hyperparams=hyperparams,
            trial_count=trial_count,
            **options,
        )
        folder = split.write(tmp_path / f"data-{len(list(tmp_path.iterdir()))}")
        return Plan.from_json(plan.to_json()), Split.read(folder)

    return make


def starts(plan, **changes):
    return {**{axis.name: axis.start for axis in plan.space}, **changes}


def arguments(code):
    """Return what the cell passes to finetune, and the model it is called on."""
    call = next(node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call) and node.keywords)
    found = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    return ast.literal_eval(call.func.value.args[0]), {
        key: found.get(key) for key in ("loss", "hyperparams", "seed")
    }


def repeated(trial, data):
    """Return the plan of the single run that the trial's cell asks for."""
    base, called = arguments(trial.code)
    return resolve(resolve_base(base), data, name="toy", **called)


SEARCHED = [
    ("labeled", "prediction", {"learning_rate": (1e-5, 1e-3)}, {"learning_rate": 3e-4}),
    ("labeled", "prediction", {"head_learning_rate": (1e-4, 1e-1)}, {"head_learning_rate": 0.05}),
    ("labeled", "prediction", {"normalize_embeddings": [True, False]}, {"normalize_embeddings": False}),
    ("labeled", "contrastive", {"loss_scale": (5, 50)}, {"loss_scale": 33.0}),
    ("labeled", "contrastive", {"epochs": (1, 5)}, {"epochs": 4}),
    ("labeled", "contrastive", {"batch_size": (8, 64)}, {"batch_size": 23}),
    ("labeled", "contrastive", {"warmup": (0.0, 0.4)}, {"warmup": 0.37}),
    ("labeled", "contrastive", {"warmup": (0, 9)}, {"warmup": 7}),
    ("labeled", "contrastive", {"weight_decay": (0, 0.1)}, {"weight_decay": 0.05}),
    ("labeled", "contrastive", {"max_seq_length": [5, "p90"]}, {"max_seq_length": "p90"}),
    ("labeled", "contrastive", {"max_seq_length": (5, 12)}, {"max_seq_length": 6}),
    ("labeled", "contrastive", {"truncation_side": ["left", "right"]}, {"truncation_side": "left"}),
    ("labeled", "contrastive", {"instruction": [None, "Find: "]}, {"instruction": "Find: "}),
    ("labeled", "contrastive", {"adapter": [None, "linear"]}, {"adapter": "linear"}),
    (
        "labeled",
        "contrastive",
        {"adapter": ["low_rank", "two_layer"], "adapter_rank": (2, 8)},
        {"adapter": "two_layer", "adapter_rank": 5},
    ),
    (
        "labeled",
        "contrastive",
        {"adapter": "linear", "adapter_start": ["identity", "closed_form"]},
        {"adapter_start": "closed_form"},
    ),
    ("labeled", "triplet", {"margin": (0.1, 0.5)}, {"margin": 0.4}),
    ("labeled", ["prediction", "proxy", "contrastive"], {}, {"loss": "proxy"}),
    (
        "labeled",
        ["prediction", "contrastive"],
        {"loss_scale": 30.0, "learning_rate": (1e-5, 1e-3)},
        {"loss": "contrastive"},
    ),
    ("pairs", None, {"learning_rate_scheduler": ["linear", "cosine"]}, {"learning_rate_scheduler": "cosine"}),
    ("pairs", None, {"false_negative_masking": [True, False]}, {"false_negative_masking": True}),
]


@pytest.mark.parametrize(
    ("kind", "loss", "hyperparams", "values"), SEARCHED, ids=[str(case[3]) for case in SEARCHED]
)
def test_a_trial_settles_all_that_matters_as_a_single_run_does(
    swept, labeled, pairs, kind, loss, hyperparams, values
):
    data = labeled() if kind == "labeled" else pairs()
    sweep, split = swept(data, hyperparams, loss=loss)
    trial = plan_of_trial(sweep, split, starts(sweep, **values))
    assert trial.kind == "finetune"
    alone, parts = repeated(trial, data)
    assert trial.diff(alone) == []
    assert parts.train.texts() == split.train.texts()
    assert parts.selection.texts() == split.selection.texts()
    for name, value in values.items():
        assert trial.settings[name].source == "searched"
        if name not in ("warmup", "max_seq_length"):
            assert trial[name] == value


def test_lora_is_searched_too(swept, labeled):
    if find_spec("peft") is None:
        pytest.skip("needs the extra 'lora'")
    data = labeled()
    sweep, split = swept(data, {"lora_rank": [None, 4], "lora_alpha": (4, 16)}, loss="contrastive")
    trial = plan_of_trial(sweep, split, starts(sweep, lora_rank=4, lora_alpha=9.0))
    assert (trial["lora_rank"], trial["lora_alpha"], trial["learning_rate"]) == (4, 9.0, 5e-4)
    assert trial.diff(repeated(trial, data)[0]) == []
    whole = plan_of_trial(sweep, split, starts(sweep, lora_rank=None))
    assert "lora_alpha" not in whole.settings


def test_heads_compare_the_trials_of_prediction_if_asked(swept, labeled):
    data = labeled()
    sweep, split = swept(data, {"eval_method": "head", "learning_rate": (1e-5, 1e-3)})
    trial = plan_of_trial(sweep, split, starts(sweep, learning_rate=2e-4))
    assert (trial["eval_method"], trial["early_stopping"], trial["epochs"]) == ("head", 2, 3)
    assert trial.diff(repeated(trial, data)[0]) == []


def test_data_for_the_verdict_stays_that_of_the_sweep(base, labeled):
    data, judged = labeled(), labeled(rows=40, length=lambda row: 6)
    options = {"eval_datasource": judged, "name": "toy", "trial_count": 3}
    sweep, split = resolve(base, data, hyperparams={"epochs": (1, 4)}, **options)
    trial = plan_of_trial(sweep, split, {"epochs": 3})
    assert "eval_data," in trial.code
    _, called = arguments(trial.code)
    alone, _ = resolve(base, data, name="toy", eval_datasource=judged, **called)
    assert trial.diff(alone) == []


KINDS = {
    "scored": {"text": "text {row} of it", "score": "number"},
    "triplets": {"anchor": "ask {row}", "positive": "answer {row}", "negative": "other {row}"},
    "scored_pairs": {"sentence1": "one {row} a", "sentence2": "one {row} b", "score": "number"},
    "nli": {"premise": "all {row} are so", "hypothesis": "one {row} is so", "label": "entails"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_data_can_be_swept(base, kind):
    fill = {
        "number": lambda row: row % 10 / 10,
        "entails": lambda row: ("entailment", "contradiction")[row % 2],
    }
    table = pd.DataFrame(
        [
            {
                name: fill[what](row) if what in fill else what.format(row=f"w{row} x{row * 7}")
                for name, what in KINDS[kind].items()
            }
            for row in range(120)
        ]
    )
    data = Datasource.from_pandas(table, kind=kind)
    sweep, split = resolve(base, data, name="toy", trial_count=9)
    assert sweep.data["kind"] == kind and len(split.selection) > 0
    last = {axis.name: axis.drawn(0.99) for axis in sweep.space}
    trial = plan_of_trial(sweep, split, last)
    assert trial.diff(repeated(trial, data)[0]) == []


def test_each_base_model_has_its_own_defaults_in_its_trials(swept, write_base, labeled):
    encoder, static = write_base(24), write_base(static=True)
    data = labeled()
    sweep, split = swept(
        data,
        {"base_model": [encoder.id, static.id], "max_seq_length": [6, 8]},
        base=encoder,
        loss="contrastive",
    )
    trial = plan_of_trial(sweep, split, {"base_model": static.id, "max_seq_length": 6})
    assert trial.base["id"] == static.id
    assert trial["learning_rate"] == pytest.approx(5e-2)
    assert trial["max_seq_length"] is None  # word vectors have no limit, so the length has no effect
    assert trial.diff(repeated(trial, data)[0]) == []
    assert plan_of_trial(sweep, split, starts(sweep)).base["id"] == encoder.id


def test_the_first_trial_is_what_the_plan_of_the_sweep_shows(swept, labeled):
    sweep, split = swept(labeled(), {"learning_rate": (1e-5, 1e-3), "epochs": (1, 4)})
    trial = plan_of_trial(sweep, split, starts(sweep))
    assert {name: setting.value for name, setting in trial.settings.items()} == {
        name: sweep[name] for name in trial.settings
    }
    assert trial.data["split"] == sweep.data["split"]
    assert trial.data["fingerprint"] == sweep.data["fingerprint"]


def test_steps_evaluations_and_warmup_follow_the_values(swept, labeled):
    sweep, split = swept(labeled(), {"epochs": (1, 8), "batch_size": [8, 32], "warmup": (0.0, 0.5)})
    short = plan_of_trial(sweep, split, {"epochs": 1, "batch_size": 32, "warmup": 0.5})
    long = plan_of_trial(sweep, split, {"epochs": 8, "batch_size": 8, "warmup": 0.5})
    rows = len(split.train)
    for trial, epochs, batch in ((short, 1, 32), (long, 8, 8)):
        steps = epochs * -(-rows // batch)
        assert (trial["steps_total"], trial["warmup"]) == (steps, steps // 2)
        assert trial["eval_steps"] <= -(-steps // 2)


def test_a_value_without_effect_is_passed_over(swept, labeled):
    sweep, split = swept(labeled(), {"loss_scale": (5, 50)}, loss=["prediction", "contrastive"])
    trial = plan_of_trial(sweep, split, {"loss": "prediction", "loss_scale": 7.0})
    assert "loss_scale" not in trial.settings
    assert "loss_scale" not in trial.code


def test_another_seed_keeps_the_split_and_the_cell_says_what_differs(swept, labeled):
    sweep, split = swept(labeled(), {"learning_rate": (1e-5, 1e-3)})
    trial = plan_of_trial(sweep, split, starts(sweep), seed=43)
    assert trial["seed"] == 43
    assert trial.data["split"]["seed"] == 42
    assert "the split is that of the sweep, of seed 42" in trial.settings["seed"].reason
    assert "# A single run splits its data by its seed" in trial.code
    assert "# A single run" not in plan_of_trial(sweep, split, starts(sweep)).code


def test_the_cell_of_a_trial_does_not_ask_for_the_name_of_the_sweep(swept, labeled):
    sweep, split = swept(labeled(), {"learning_rate": (1e-5, 1e-3)})
    trial = plan_of_trial(sweep, split, starts(sweep))
    assert trial.name == "toy"
    assert '"toy-repeat",' in trial.code


def test_trials_of_several_objectives(base, labeled, pairs):
    data = [(pairs(), "contrastive"), (labeled(), "prediction")]
    sweep, split = resolve(
        base,
        data,
        name="toy",
        hyperparams={"loss_scale": (5, 50), "head_learning_rate": (1e-3, 1e-1)},
        trial_count=5,
    )
    trial = plan_of_trial(sweep, split, {"loss_scale": 9.0, "head_learning_rate": 0.02})
    first, second = trial.objectives
    assert (first["loss_scale"], second["head_learning_rate"]) == (9.0, 0.02)
    alone, _ = resolve(
        base,
        data,
        name="toy",
        hyperparams={
            "loss_scale": 9.0,
            "head_learning_rate": 0.02,
            "epochs": trial["epochs"],
            "eval_steps": trial["eval_steps"],
        },
    )
    assert trial.diff(alone) == []


def test_the_instruction_of_a_collection_reaches_the_trials_that_can_read_it(swept, labeled):
    data = labeled()
    data.instruction = "Find the class"
    sweep, split = swept(data, {"learning_rate": (1e-5, 1e-3)})
    trial = plan_of_trial(sweep, split, starts(sweep))
    assert trial.diff(repeated(trial, data)[0]) == []
    assert "collection" in trial.settings["instruction"].reason


@pytest.mark.slow
def test_settling_trials_loads_no_torch():
    code = (
        "import sys, embedtune_nb.plan.trial, embedtune_nb.plan.resolve\n"
        "assert not {'torch', 'optuna', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
