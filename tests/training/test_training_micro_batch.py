"""How the micro-batch is found: what a probe counts, what memory there is, what is asked for."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from torch import nn

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.errors import MemoryRanOutError
from embedtune_nb.training import memory, micro_batch
from embedtune_nb.training.memory import available_bytes, is_out_of_memory, kept_for_backward
from embedtune_nb.training.micro_batch import MicroBatch, choose_micro_batch
from embedtune_nb.training.objective import Objective, build_objective


@pytest.fixture
def encoder(tiny_bert) -> Encoder:
    return Encoder(load_folder(tiny_bert, device="cpu"))


@pytest.fixture
def objective(encoder, topic_rows) -> Objective:
    texts = [f"{row['value']} {place}" for place, row in enumerate(topic_rows)]
    random.Random(1).shuffle(texts)
    rows = [{"anchor": a, "positive": b} for a, b in zip(texts[::2], texts[1::2], strict=True)]
    data = Datasource.from_list(rows, kind="pairs", roles={"anchor": "anchor", "positive": "positive"})
    return build_objective(encoder, data, {"loss": "contrastive"})


def _choose(encoder, objective, asked="auto", batch=32) -> MicroBatch:
    return choose_micro_batch(encoder, objective, batch, asked, bfloat16=False)


def _tokens(encoder: Encoder, texts: list[str]) -> list[int]:
    return [len(encoder.model.tokenizer(text)["input_ids"]) for text in texts]


def test_plenty_of_memory_leaves_the_batch_whole(encoder, objective, monkeypatch):
    monkeypatch.setattr(micro_batch, "available_bytes", lambda device: 50 * 10**9)
    micro = _choose(encoder, objective)
    assert micro.rows == 32 and not micro.checkpointed
    assert "50.0 GB" in micro.reason and "probe" in micro.reason
    assert list(micro.measured()) == ["micro_batch_size"]


def test_less_memory_means_less_at_once(encoder, objective, monkeypatch):
    found = []
    for free in (12_000_000, 6_000_000, 3_000_000):
        monkeypatch.setattr(micro_batch, "available_bytes", lambda device, free=free: free)
        found.append(_choose(encoder, objective).tokens)
    assert found[0] > found[1] > found[2]
    assert 1 <= _choose(encoder, objective).rows < 32


def test_only_a_row_that_would_not_fit_alone_has_layers_computed_anew(encoder, objective, monkeypatch):
    monkeypatch.setattr(micro_batch, "available_bytes", lambda device: 800_000)
    micro = _choose(encoder, objective)
    longest = sum(max(_tokens(encoder, objective.rows[name])) for name in objective.roles)
    assert micro.checkpointed and micro.tokens == micro.longest == longest
    assert micro.measured()["gradient_checkpointing"]["value"] is True


def test_a_number_that_is_asked_for_is_taken(encoder, objective):
    micro = _choose(encoder, objective, asked=4)
    assert micro.rows == 4 and micro.reason == "asked for"
    mean = sum(sum(_tokens(encoder, objective.rows[name])) for name in objective.roles) / len(objective.rows)
    assert micro.row_tokens == pytest.approx(mean)
    assert _choose(encoder, objective, asked=500).tokens is None


def test_the_probe_leaves_no_trace(encoder, objective):
    encoder.model.eval()
    torch.manual_seed(4)
    expected = torch.rand(2)
    torch.manual_seed(4)
    _choose(encoder, objective)
    assert torch.equal(torch.rand(2), expected)
    assert not encoder.model.training
    assert all(weight.grad is None for weight in objective.loss.parameters())


def test_a_probe_that_runs_out_of_memory_asks_for_the_least(encoder, objective, monkeypatch):
    def run_out(features):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(objective.loss, "embed", run_out)
    micro = _choose(encoder, objective)
    assert micro.checkpointed and micro.tokens == micro.longest


def test_a_word_table_is_not_probed(tiny_static, labeled):
    encoder = Encoder(load_folder(tiny_static, device="cpu"))
    micro = _choose(encoder, build_objective(encoder, labeled, {"loss": "contrastive"}))
    assert micro.tokens is None and "without an encoder" in micro.reason


def test_halving_ends_at_one_row():
    micro = MicroBatch(None, 20.0, 60, 10, "")
    rows = []
    while micro is not None:
        rows.append(micro.rows)
        micro = micro.halved()
    assert rows == [10, 5, 2, 1]


def test_what_is_kept_for_the_backward_pass_is_counted_once():
    layer = nn.Linear(30, 50)
    vectors = torch.randn(7, 30)
    with kept_for_backward(layer) as kept:
        hidden = layer(vectors)
    # a linear layer keeps its input; the weight is there anyway
    assert kept.bytes == 7 * 30 * 4
    with kept_for_backward(layer) as kept:
        out = (hidden * hidden).relu()
    assert kept.bytes == 2 * 7 * 50 * 4  # the factor, which is one tensor, and the result
    assert out.shape == (7, 50)


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"), True),
        (RuntimeError("could not create a primitive"), True),
        (RuntimeError("could not create a primitive descriptor for a matmul"), False),
        (MemoryRanOutError("can't allocate memory", levers=[]), False),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_running_out_of_memory_is_known_by_what_is_said(error, answer):
    assert is_out_of_memory(error) is answer


def test_torch_itself_says_so():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def _group(folder: Path, limit: str) -> tuple[str, str, str]:
    for name, text in {
        "max": f"{limit}\n",
        "current": "700000000\n",
        "stat": "anon 1\ninactive_file 200000000\n",
    }.items():
        (folder / name).write_text(text)
    return tuple(str(folder / name) for name in ("max", "current", "stat"))


def test_a_containers_limit_counts(tmp_path, monkeypatch):
    device = torch.device("cpu")
    machine = available_bytes(device)
    monkeypatch.setattr(memory, "_CONTROL_GROUPS", (_group(tmp_path, "1000000000"),))
    # what the group may take, less what it has, but its cached files can go
    assert available_bytes(device) == min(500_000_000, machine)
    monkeypatch.setattr(memory, "_CONTROL_GROUPS", (_group(tmp_path, "max"),))
    assert available_bytes(device) > 500_000_000
