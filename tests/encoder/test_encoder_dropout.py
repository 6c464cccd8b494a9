"""Dropout from sixteen random bits an element."""

from __future__ import annotations

import copy

import pytest
import torch

from embedtune_nb.encoder.dropout import hasten_dropout, kept

CPU = torch.device("cpu")


@pytest.mark.parametrize("dropout", [0.0, 0.1, 0.5, 0.999, 1.0])
def test_the_share_that_is_dropped_is_the_one_asked_for(dropout):
    torch.manual_seed(0)
    count = 1_000_001
    dropped = 1 - kept((count,), dropout, CPU).double().mean().item()
    spread = (dropout * (1 - dropout) / count) ** 0.5
    assert abs(dropped - dropout) <= 4 * spread + 1 / 65_536


def test_elements_are_dropped_independently_of_their_neighbours():
    torch.manual_seed(0)
    stays = kept((400_000,), 0.5, CPU).double() - 0.5
    for apart in range(1, 9):
        assert abs((stays[:-apart] * stays[apart:]).mean().item()) < 4 * 0.25 / 400_000**0.5


def test_torch_s_seed_decides_and_every_draw_is_new():
    torch.manual_seed(3)
    first, second = kept((64, 9), 0.3, CPU), kept((64, 9), 0.3, CPU)
    assert not torch.equal(first, second)
    torch.manual_seed(3)
    assert torch.equal(kept((64, 9), 0.3, CPU), first)


def test_a_module_drops_in_training_only_and_passes_gradients_of_what_stays():
    module = torch.nn.Sequential(torch.nn.Dropout(0.25))
    hasten_dropout(module)
    values = torch.ones(4000, requires_grad=True)
    out = module(values)
    out.sum().backward()
    assert sorted(set(out.tolist())) == [0.0, pytest.approx(4 / 3)]
    assert torch.equal(values.grad, out.detach())
    assert torch.equal(module.eval()(values), values)


def test_a_copy_obeys_its_own_settings():
    module = torch.nn.Sequential(torch.nn.Dropout(0.25))
    hasten_dropout(module)
    twin = copy.deepcopy(module)
    twin[0].p = 0.0
    assert torch.equal(twin(torch.ones(100)), torch.ones(100))
    assert not torch.equal(module(torch.ones(100)), torch.ones(100))
