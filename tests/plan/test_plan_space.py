"""What a sweep searches: ranges, choices, the automatic space, and all that is refused."""

import re

import pytest

from embedtune_nb.errors import EmbedtuneError, LossError, ModelUnavailableError, PlanError
from embedtune_nb.plan import HYPERPARAMS
from embedtune_nb.plan.ranges import ORDER, AutomaticRange, automatic_ranges
from embedtune_nb.plan.resolve import resolve
from embedtune_nb.plan.space import combinations


@pytest.fixture
def sweep(plan_for):
    def plan(data, hyperparams=None, trial_count=9, **options):
        return plan_for(data, hyperparams, trial_count=trial_count, **options)

    return plan


def axes(plan):
    return {axis.name: axis for axis in plan.space}


def test_a_tuple_is_a_range_a_list_a_choice_and_a_scalar_fixed(sweep, labeled):
    plan = sweep(
        labeled(),
        {"learning_rate": (1e-5, 1e-3), "batch_size": [16, 32], "epochs": (1, 3), "weight_decay": 0.01},
    )
    found = axes(plan)
    assert set(found) == {"learning_rate", "batch_size", "epochs"}
    rate = found["learning_rate"]
    assert (rate.kind, rate.low, rate.high, rate.log) == ("float", 1e-5, 1e-3, True)
    assert (found["batch_size"].kind, found["batch_size"].choices) == ("choice", (16, 32))
    assert (found["epochs"].kind, found["epochs"].low, found["epochs"].high) == ("int", 1, 3)
    assert not found["epochs"].log
    assert {axis.source for axis in plan.space} == {"user"}
    assert (plan["weight_decay"], plan.settings["weight_decay"].source) == (0.01, "user")
    assert all(plan.settings[name].source == "searched" for name in found)
    assert plan.settings["learning_rate"].reason.startswith("1e-05 to 0.001")


def test_a_range_of_shares_and_a_range_of_steps(sweep, labeled):
    shares = axes(sweep(labeled(), {"warmup": (0, 0.3)}))["warmup"]
    steps = axes(sweep(labeled(), {"warmup": (0, 30)}))["warmup"]
    assert (shares.kind, shares.low, shares.high, shares.start) == ("float", 0.0, 0.3, 0.1)
    assert "shares of all steps" in shares.reason
    assert (steps.kind, steps.high) == ("int", 30)
    assert "in steps" in steps.reason


@pytest.mark.parametrize(
    ("trial_count", "searched"),
    [(2, 1), (3, 1), (5, 2), (7, 3), (9, 4), (11, 5), (50, 5)],
)
def test_without_ranges_as_many_parameters_are_searched_as_the_trials_allow(
    sweep, labeled, trial_count, searched
):
    plan = sweep(labeled(rows=900), trial_count=trial_count, loss="contrastive")
    assert [axis.name for axis in plan.space] == list(ORDER[:searched])
    assert {axis.source for axis in plan.space} == {"default"}


def test_a_scalar_leaves_the_automatic_space_and_the_next_parameter_moves_up(sweep, labeled):
    plan = sweep(labeled(rows=900), {"learning_rate": 1e-4, "epochs": 1}, loss="contrastive")
    assert [axis.name for axis in plan.space] == ["loss_scale", "batch_size", "warmup"]


def test_prediction_has_no_loss_scale_to_search(sweep, labeled):
    names = [axis.name for axis in sweep(labeled(rows=900), loss="prediction").space]
    assert names == ["learning_rate", "batch_size", "epochs", "warmup"]


def test_the_first_trial_is_the_nearest_admissible_point_to_the_defaults(sweep, labeled):
    inside = axes(sweep(labeled(), {"learning_rate": (1e-5, 1e-3), "epochs": [1, 2, 4]}))
    assert (inside["learning_rate"].start, inside["epochs"].start) == (5e-5, 2)
    above = axes(sweep(labeled(), {"learning_rate": (1e-4, 1e-3), "epochs": (3, 5)}))
    assert (above["learning_rate"].start, above["epochs"].start) == (1e-4, 3)
    texts = axes(sweep(labeled(), {"learning_rate_scheduler": ["constant", "linear"]}))
    assert texts["learning_rate_scheduler"].start == "linear"
    assert axes(sweep(labeled(), {"adapter": ["linear", None]}))["adapter"].start is None


@pytest.mark.parametrize("trained", ["encoder", "lora", "adapter", "static"])
def test_every_automatic_range_holds_the_default_of_its_loss(trained):
    rates = {"encoder": 5e-5, "lora": 5e-4, "adapter": 1e-3, "static": 3e-2}
    for loss in ("prediction", "contrastive", "triplet", "proxy", "cosent", "cosine", "angle"):
        found = dict(automatic_ranges(loss, trained, rows=10_000, rate=rates[trained]))
        defaults = {
            "learning_rate": rates[trained],
            **{name: HYPERPARAMS[name].default_for(loss) for name in ("loss_scale", "batch_size", "warmup")},
        }
        for name, entry in found.items():
            assert isinstance(entry, AutomaticRange)
            if name in defaults:
                assert entry.low <= defaults[name] <= entry.high, (loss, name)
        assert ("loss_scale" in found) == (HYPERPARAMS["loss_scale"].default_for(loss) is not None)


def test_the_base_and_what_is_trained_decide_the_learning_rates(sweep, write_base, labeled):
    encoder = axes(sweep(labeled()))["learning_rate"]
    static = axes(sweep(labeled(), base=write_base(static=True)))["learning_rate"]
    adapter = axes(sweep(labeled(), {"adapter": "linear"}))["learning_rate"]
    assert encoder.high < adapter.high < static.high
    assert encoder.low < adapter.low < static.low


def test_few_rows_leave_no_batch_to_search_and_the_plan_says_so(sweep, labeled):
    plan = sweep(labeled(rows=200), loss="contrastive")
    assert "batch_size" not in axes(plan)
    assert any(sentence.startswith("batch_size is not searched") for sentence in plan.advice)


def test_bounds_beyond_rows_and_model_are_capped_with_the_reason(sweep, write_base, labeled):
    plan = sweep(labeled(), {"batch_size": (8, 4000), "max_seq_length": [6, 400]}, base=write_base(24))
    found = axes(plan)
    rows = plan.data["training_rows"]
    assert found["batch_size"].high == rows
    assert re.search(f"4000 became {rows}: there are only {rows} training rows", found["batch_size"].reason)
    assert found["max_seq_length"].choices == (6, 24)
    assert "400 became 24" in found["max_seq_length"].reason


def test_a_length_is_capped_at_what_the_longest_base_model_reads(sweep, write_base, labeled):
    short, long = write_base(16), write_base(24)
    hyperparams = {"base_model": [short.id, long.id], "max_seq_length": (6, 400)}
    assert axes(sweep(labeled(), hyperparams, base=short))["max_seq_length"].high == 24


def test_losses_base_models_and_adapters_can_be_searched(sweep, write_base, labeled):
    base, other = write_base(24), write_base(static=True)
    plan = sweep(
        labeled(),
        {"base_model": [other.id, base.id], "adapter": [None, "linear"], "max_seq_length": [6, 8]},
        loss=["contrastive", "prediction"],
        base=base,
        trial_count=30,
    )
    found = axes(plan)
    assert list(found) == ["loss", "base_model", "adapter", "max_seq_length"]
    assert found["loss"].start == "prediction"
    assert found["base_model"].start == base.id
    assert found["max_seq_length"].only_with == {"adapter": (None,), "base_model": (base.id,)}
    assert plan["sampler"] == "tpe"
    # of each loss: two lengths for the whole encoder, one trial for the other three
    assert combinations(plan.space) == plan["trial_count"] == 10
    assert "only 10 different trials" in plan.settings["trial_count"].reason


def test_a_key_of_one_loss_is_searched_only_with_it(sweep, labeled):
    plan = sweep(
        labeled(), {"loss_scale": (10, 40), "learning_rate": (1e-5, 1e-4)}, loss=["prediction", "proxy"]
    )
    scale = axes(plan)["loss_scale"]
    assert scale.only_with == {"loss": ("proxy",)}
    assert not scale.applies({"loss": "prediction"})
    assert scale.applies({"loss": "proxy"})
    assert axes(plan)["learning_rate"].only_with == {}


def test_what_has_no_effect_in_the_first_trial_starts_at_its_own_default(sweep, write_base, labeled):
    base = write_base(24)
    asked = {"adapter": ["linear", "low_rank"], "adapter_rank": (1, 16)}
    plan = sweep(labeled(), asked, base=base)
    alone = sweep(labeled(), {"adapter": "low_rank", "adapter_rank": (1, 16)}, base=base)
    assert axes(plan)["adapter"].start == "linear"
    assert axes(plan)["adapter_rank"].start == axes(alone)["adapter_rank"].start > 1
    asked = {"lora_alpha": (1.0, 64.0), "lora_rank": [None, 8]}
    assert axes(sweep(labeled(), asked, base=base))["lora_alpha"].start == 16


def test_a_base_model_may_be_given_as_a_model(sweep, write_base, labeled):
    from embedtune_nb.models.pretrained import PretrainedEmbeddingModel

    first, second = write_base(24), write_base(16)
    plan = sweep(labeled(), {"base_model": [PretrainedEmbeddingModel(first.id), second.id]}, base=first)
    assert axes(plan)["base_model"].choices == (first.id, second.id)


REFUSED = [
    ({"learning_rate": (1e-3, 1e-5)}, r"did you mean \(1e-05, 0.001\)"),
    ({"learning_rate": (1e-4, 1e-4)}, "range of one value"),
    ({"learning_rate": (1e-4,)}, "tuple of 1"),
    ({"learning_rate": (1e-5, 1e-4, 1e-3)}, r"write learning_rate=\[1e-05, 0.0001, 0.001\]"),
    ({"learning_rate": (0, 1e-3)}, "above 0"),
    ({"learning_rate": (1e-5, 2)}, "up to 1"),
    ({"learning_rate": ("a", "b")}, "list for choices"),
    ({"learning_rate": [1e-5]}, "nothing to choose"),
    ({"learning_rate": []}, "nothing to choose"),
    ({"learning_rate": [1e-5, 1e-5]}, "more than once"),
    ({"learning_rate": [1e-5, -1]}, "above 0"),
    ({"epochs": (1, 2.5)}, "whole number"),
    ({"epochs": (True, False)}, "list for choices"),
    ({"batch_size": (1, 64)}, "from 2"),
    ({"batch_size": (5000, 6000)}, "training rows"),
    ({"batch_size": [5000, 6000]}, "all choices come to"),
    ({"learning_rate_scheduler": ("linear", "cosine")}, "list for choices"),
    ({"learning_rate_scheduler": ["linear", "cosin"]}, "cosine"),
    ({"max_steps": [10, 20]}, "search epochs"),
    ({"max_steps": 20, "epochs": (1, 3)}, "max_steps, which decides"),
    ({"eval_steps": [5, 10]}, "compared by it"),
    ({"eval_method": ["neighbor", "loss"]}, "compared by it"),
    ({"metric": ["accuracy", "f1_macro"]}, "compared by it"),
    ({"early_stopping": [2, 3]}, "compared by it"),
    ({"bf16": [True, False]}, "how fast"),
    ({"micro_batch_size": (1, 8)}, "how fast"),
    ({"logging_steps": (1, 8)}, "nothing that is learnt"),
    ({"adapter_side": ["both", "query"]}, "index of documents"),
    ({"eval_steps": "end"}, "nothing to compare"),
    ({"eval_steps": "off"}, "nothing to compare"),
    ({"learning_rat": (1e-5, 1e-3)}, "Did you mean 'learning_rate'"),
    ({"loss_scale": (10, 20)}, "no effect"),
    ({"lora_alpha": (8, 16)}, "without lora_rank"),
    ({"confirm": 3}, "True or False"),
    ({"keep_trials": -1}, "from 0"),
    ({"trial_workers": 0}, "from 1"),
    ({"base_model": "MINILM_L6"}, "list of base models"),
    ({"base_model": []}, "nothing to choose"),
    ({"adapter": [None, "linaer"]}, "Did you mean 'linear'"),
    ({"adapter": [None, "linear"], "adapter_rank": (4, 8)}, "adapter_rank is searched, but has no effect"),
    ({"eval_method": "loss", "batch_size": [16, 32]}, "cannot compare trials that differ in batch_size"),
]


@pytest.mark.parametrize(("hyperparams", "told"), REFUSED, ids=[str(wish) for wish, _ in REFUSED])
def test_an_impossible_space_is_refused_with_the_reason(sweep, labeled, hyperparams, told):
    with pytest.raises(PlanError, match=told) as caught:
        sweep(labeled(), hyperparams, loss="prediction")
    assert "Traceback" not in str(caught.value)
    assert caught.value.fix


def test_the_loss_compares_trials_only_if_none_of_them_changes_it(sweep, labeled):
    with pytest.raises(PlanError, match="cannot compare trials that differ in loss_scale"):
        sweep(labeled(), {"eval_method": "loss"}, loss="contrastive")
    plan = sweep(labeled(), {"eval_method": "loss", "learning_rate": (1e-5, 1e-3)}, loss="contrastive")
    assert (plan["eval_method"], plan["early_stopping"]) == ("loss", 2)


def test_every_key_is_searched_or_says_why_not(sweep, labeled):
    for name, entry in HYPERPARAMS.items():
        if not entry.sweepable and not entry.takes_list:
            with pytest.raises(PlanError, match="cannot be searched: "):
                sweep(labeled(), {name: (1, 2)})


def test_impossible_losses_and_base_models_are_refused(sweep, labeled):
    with pytest.raises(LossError, match="contrastive"):
        sweep(labeled(), loss=["contrastiv", "prediction"])
    with pytest.raises(LossError, match="does not fit labeled"):
        sweep(labeled(), loss=["prediction", "cosent"])
    with pytest.raises(PlanError, match="more than once"):
        sweep(labeled(), loss=["prediction", "prediction"])
    with pytest.raises(LossError, match=r"write loss=\["):
        sweep(labeled(), loss=("prediction", "proxy"))
    with pytest.raises(ModelUnavailableError, match="MINILM_L6"):
        sweep(labeled(), {"base_model": ["MINILM_L9", "WORDLLAMA_256"]})
    with pytest.raises(LossError, match="None among the losses"):
        sweep(labeled(), loss=["prediction", None])


def test_a_single_base_model_is_the_one_that_finetune_is_called_on(sweep, write_base, labeled):
    with pytest.raises(PlanError, match="call finetune on") as caught:
        sweep(labeled(), {"base_model": [str(write_base(48).id)]})
    assert "leaves nothing to choose" in str(caught.value)


def test_a_sweep_with_everything_fixed_has_nothing_to_search(sweep, labeled):
    fixed = {"learning_rate": 1e-4, "batch_size": 16, "epochs": 1, "warmup": 0.1}
    with pytest.raises(PlanError, match="everything it would search is fixed"):
        sweep(labeled(), fixed, loss="prediction")


def test_an_impossible_pair_of_choices_is_found_before_the_start(sweep, labeled):
    with pytest.raises(PlanError, match=r"A trial with .*adapter_start='closed_form' is impossible"):
        sweep(
            labeled(),
            {"adapter": ["linear", "two_layer"], "adapter_start": ["identity", "closed_form"]},
            loss="contrastive",
        )


def test_a_range_beyond_the_model_is_found_before_the_start(sweep, labeled):
    with pytest.raises(PlanError, match="adapter_rank=4000 is impossible"):
        sweep(labeled(), {"adapter": "low_rank", "adapter_rank": (4, 4000)}, loss="contrastive")


def test_a_space_smaller_than_the_trials_lowers_their_number(sweep, labeled):
    plan = sweep(labeled(), {"batch_size": [16, 32], "epochs": (1, 2)}, trial_count=20)
    assert plan["trial_count"] == 4
    assert "only 4 different trials" in plan.settings["trial_count"].reason
    assert any("full comparison" in sentence for sentence in plan.advice)


def test_several_objectives_are_searched_together_but_not_their_losses(base, labeled, pairs):
    data = [(pairs(), "contrastive"), (labeled(), "prediction")]
    plan, parts = resolve(
        base,
        data,
        name="toy",
        hyperparams={"learning_rate": (1e-5, 1e-3), "loss_scale": (5, 50)},
        trial_count=5,
    )
    assert [axis.name for axis in plan.space] == ["learning_rate", "loss_scale"]
    assert len(parts.further) == len(plan.further) == 1
    with pytest.raises(LossError, match="beside a list of objectives"):
        resolve(base, data, name="toy", loss=["contrastive", "triplet"], trial_count=5)


def test_data_too_small_to_hold_a_part_out_is_refused(sweep, labeled, pairs):
    for data in (labeled(rows=8), pairs(rows=6)):
        with pytest.raises(EmbedtuneError) as caught:
            sweep(data, {"learning_rate": (1e-5, 1e-3)})
        assert "more" in caught.value.fix
