"""Dropout on a CPU, where drawing the random numbers costs more than what they are drawn for.

Torch draws one number an element. Sixteen random bits an element decide as well, and four elements share
one draw: a fifth of the time. The share that is dropped is exact to 1/65,536.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

_ELEMENTS_A_DRAW = 4
_BITS = 16
_LEAST = -(2 ** (_BITS - 1))


def kept(shape: tuple[int, ...], dropout: float, device: torch.device) -> Tensor:
    """Draw what stays when each element is dropped with probability *dropout*.

    Parameters
    ----------
    shape
        Of the result.
    dropout
        From 0 to 1.
    device
        Where the result is; torch's generator of that device is used.

    Returns
    -------
    torch.Tensor
        bool, False where an element is dropped.
    """
    if device.type != "cpu":
        return torch.rand(shape, device=device) >= dropout
    count = math.prod(shape)
    draws = torch.empty(-(-count // _ELEMENTS_A_DRAW), dtype=torch.int64).random_(-(2**63), None)
    threshold = _LEAST + round(dropout * 2**_BITS)
    if threshold > -_LEAST - 1:
        return torch.zeros(shape, dtype=torch.bool)
    return (draws.view(torch.int16)[:count] >= threshold).view(shape)


def hasten_dropout(module: nn.Module) -> None:
    """Let every ``nn.Dropout`` in *module* draw its numbers by :func:`kept` where it computes on a CPU.

    Only the instances are changed, by an attribute that no saved model shows.
    """
    for part in module.modules():
        if type(part) is nn.Dropout:
            part.forward = _Hastened(part).forward  # type: ignore[assignment, method-assign]


class _Hastened:
    """Stands in for the forward pass of one module; a class, so that copies and pickles follow the copy."""

    def __init__(self, module: nn.Dropout) -> None:
        self.module = module

    def forward(self, values: Tensor) -> Tensor:
        """Drop elements out, and make the others larger by as much."""
        dropout, training = self.module.p, self.module.training
        if not training or dropout == 0 or values.device.type != "cpu":
            return nn.functional.dropout(values, dropout, training)
        stays = kept(tuple(values.shape), dropout, values.device)
        return torch.where(stays, values, 0.0) * (1 / (1 - dropout) if dropout < 1 else 0.0)
