import dataclasses
import sys

import pytest

from embedtune_nb.catalogue import CATALOGUE
from embedtune_nb.plan import machine
from embedtune_nb.plan.estimate import Workload, estimate
from embedtune_nb.plan.machine import Machine

SLOW = Machine(flops=100e9, bf16=False, accelerator="", memory_bytes=8_000_000_000)
WORK = Workload(steps=100, texts_per_step=128, mean_tokens=20.0, eval_texts=1000)


def seconds(work=WORK, base="MINILM_L6", where=SLOW):
    found = estimate(CATALOGUE[base], work, where)
    assert 0 < found["seconds_low"] < found["seconds_high"]
    return found["seconds_low"], found["seconds_high"]


@pytest.mark.parametrize("field", ["steps", "texts_per_step", "mean_tokens", "eval_texts"])
def test_more_work_takes_longer(field):
    more = dataclasses.replace(WORK, **{field: 3 * getattr(WORK, field)})
    assert all(there > here for here, there in zip(seconds(), seconds(more), strict=True))


def test_a_bigger_model_takes_longer_and_a_static_one_is_quick():
    assert seconds(base="WORDLLAMA_256")[1] < seconds()[1] < seconds(base="MPNET_BASE")[1]


def test_a_faster_machine_is_faster_and_half_precision_may_be():
    assert seconds(where=dataclasses.replace(SLOW, flops=400e9))[1] < seconds()[1]
    with_bf16 = seconds(where=dataclasses.replace(SLOW, bf16=True))
    assert with_bf16[0] < seconds()[0]
    assert with_bf16[1] == seconds()[1]


def test_longer_texts_and_bigger_batches_need_more_memory():
    def memory(**changes):
        return estimate(CATALOGUE["MINILM_L6"], dataclasses.replace(WORK, **changes), SLOW)[
            "peak_memory_bytes"
        ]

    assert memory() < memory(texts_per_step=256)
    # Twice the length is more than twice the activations: attention grows with its square.
    grown = memory(mean_tokens=400.0) - memory(mean_tokens=1e-9)
    assert memory(mean_tokens=800.0) - memory(mean_tokens=1e-9) > 2 * grown


def test_a_measured_run_lies_within_the_range():
    """MiniLM, 128 texts of 16 tokens a step: 81 texts/s in fp32 where the matrix rate was 177e9."""
    work = Workload(steps=200, texts_per_step=128, mean_tokens=16.2, eval_texts=0)
    low, high = seconds(work, where=Machine(177e9, False, "", 8_000_000_000))
    assert low < 200 * 128 / 81 < high


def test_an_unknown_size_is_said_to_be_unknown():
    found = estimate(dataclasses.replace(CATALOGUE["MINILM_L6"], parameters=None), WORK, SLOW)
    assert found["seconds_low"] is None
    assert found["peak_memory_bytes"] is None
    assert "worker measures" in found["reason"]


def test_more_data_is_estimated_to_take_longer(plan_for, labeled):
    few, many = (plan_for(labeled(rows=rows), loss="contrastive").estimate for rows in (200, 4000))
    assert few["seconds_high"] < many["seconds_high"]


def test_the_rate_is_measured_once_and_kept(monkeypatch):
    first = machine.this_machine().flops
    assert first > 1e8
    monkeypatch.setattr(machine, "_measured_rate", lambda: pytest.fail("measured again"))
    assert machine.this_machine().flops == first


def test_a_run_that_would_not_fit_gets_the_levers_in_order(monkeypatch, plan_for, labeled):
    small = machine.Machine(flops=1e11, bf16=False, accelerator="", memory_bytes=500_000_000)
    monkeypatch.setattr(sys.modules["embedtune_nb.plan.resolve"], "this_machine", lambda: small)
    advice = next(sentence for sentence in plan_for(labeled()).advice if "GB" in sentence)
    assert advice.index("max_seq_length") < advice.index("batch_size") < advice.index("base model")


def test_costly_evaluation_is_pointed_out(plan_for, pairs):
    often = plan_for(pairs(rows=400), {"batch_size": 16, "eval_steps": 1})
    said = next(sentence for sentence in often.advice if "goes into evaluation" in sentence)
    assert "eval_steps=2 would halve that" in said
    assert often.estimate["evaluation_share"] > 0.2 and "of training is evaluation" in repr(often)
    assert plan_for(pairs(rows=400)).estimate["evaluation_share"] == 0
    assert not any("goes into evaluation" in sentence for sentence in plan_for(pairs(rows=400)).advice)


def test_evaluation_reads_further_than_training_and_costs_accordingly():
    cut = dataclasses.replace(WORK, eval_texts=50_000, watching_texts=20_000)
    whole = dataclasses.replace(cut, eval_mean_tokens=60.0)
    assert all(there > here for here, there in zip(seconds(cut), seconds(whole), strict=True))
    assert whole.watching_share > cut.watching_share


def test_a_run_of_hours_points_to_cheaper_ways_to_find_out(monkeypatch, plan_for, labeled):
    slow = machine.Machine(flops=1e3, bf16=False, accelerator="", memory_bytes=10**11)
    monkeypatch.setattr(sys.modules["embedtune_nb.plan.resolve"], "this_machine", lambda: slow)
    (told,) = [sentence for sentence in plan_for(labeled()).advice if "hours here" in sentence]
    assert "adapter='linear'" in told and "max_steps" in told
    cheap = plan_for(labeled(), {"adapter": "linear"})
    assert not any("hours here" in sentence for sentence in cheap.advice)
