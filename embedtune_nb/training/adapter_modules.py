"""The small layers that an adapter trains on top of frozen vectors.

All three are the vector itself plus a change that starts at zero, so an untrained adapter gives the
vectors of the base back, bit for bit. None has a bias: scaling a vector scales what comes out, so an
adapter works alike before and after vectors are brought to length 1.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from sentence_transformers.base.modules import Dense
from torch import Tensor, nn

Features = dict[str, Any]


class Adapter(nn.Module):
    """Base of the adapters: ``vector + change(vector)``.

    Parameters
    ----------
    dimension
        Length of a vector.

    Attributes
    ----------
    dimension
        Length of a vector, which stays as it is.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.dimension = dimension

    @abstractmethod
    def change(self, vectors: Tensor) -> Tensor:
        """Return what is added to *vectors*, (texts, dimension)."""

    @abstractmethod
    def plain(self) -> list[Dense]:
        """Return library modules that compute the same, with weights of their own."""

    def start_from(self, matrix: Tensor) -> None:
        """Start as the linear map *matrix*, (dimension, dimension), or as near to it as the form allows."""
        raise NotImplementedError(f"{type(self).__name__} starts from the identity alone")

    def forward(self, features: Features) -> Features:
        """Adapt the vectors of a batch."""
        vectors = features["sentence_embedding"]
        return {**features, "sentence_embedding": vectors + self.change(vectors)}

    def get_embedding_dimension(self) -> int:
        """Return the length of an adapted vector; the library asks by this name."""
        return self.dimension


class LinearAdapter(Adapter):
    """Any linear map of the vectors."""

    def __init__(self, dimension: int) -> None:
        super().__init__(dimension)
        self.weight = nn.Parameter(torch.zeros(dimension, dimension))

    def change(self, vectors: Tensor) -> Tensor:
        """Multiply by the trained matrix."""
        return vectors @ self.weight.T

    def plain(self) -> list[Dense]:
        """Return one matrix: identity and change together."""
        return [_dense(_eye_like(self.weight) + self.weight)]

    @torch.no_grad()
    def start_from(self, matrix: Tensor) -> None:
        """Start as *matrix*."""
        self.weight.copy_(matrix.to(self.weight) - _eye_like(self.weight))


class LowRankAdapter(Adapter):
    """A linear map that changes only a few directions.

    Parameters
    ----------
    dimension
        Length of a vector.
    rank
        Directions that may change.
    draw
        Of the first weights.
    """

    def __init__(self, dimension: int, rank: int, draw: torch.Generator) -> None:
        super().__init__(dimension)
        self.down = nn.Parameter(torch.randn(rank, dimension, generator=draw) * dimension**-0.5)
        self.up = nn.Parameter(torch.zeros(dimension, rank))

    def change(self, vectors: Tensor) -> Tensor:
        """Press through *rank* numbers and back."""
        return vectors @ self.down.T @ self.up.T

    def plain(self) -> list[Dense]:
        """Return one matrix: identity and change multiplied out."""
        change = self.up.double() @ self.down.double()
        return [_dense((torch.eye(self.dimension).to(change) + change).float())]

    @torch.no_grad()
    def start_from(self, matrix: Tensor) -> None:
        """Start with the strongest directions of the change that *matrix* makes."""
        change = matrix.to(self.up) - torch.eye(self.dimension).to(self.up)
        left, strength, right = torch.linalg.svd(change)
        rank = self.up.shape[1]
        root = strength[:rank].sqrt()
        self.up.copy_(left[:, :rank] * root)
        self.down.copy_(root[:, None] * right[:rank])


class TwoLayerAdapter(Adapter):
    """A linear map plus what one hidden layer of rectified units adds.

    Parameters
    ----------
    dimension
        Length of a vector.
    width
        Hidden units.
    draw
        Of the first weights.
    """

    def __init__(self, dimension: int, width: int, draw: torch.Generator) -> None:
        super().__init__(dimension)
        self.down = nn.Parameter(torch.randn(width, dimension, generator=draw) * (2 / dimension) ** 0.5)
        self.up = nn.Parameter(torch.zeros(dimension, width))

    def change(self, vectors: Tensor) -> Tensor:
        """Pass through the hidden units and back."""
        return torch.relu(vectors @ self.down.T) @ self.up.T

    def plain(self) -> list[Dense]:
        """Return two layers; twice *dimension* more hidden units carry the vector past the others.

        A rectified unit and its mirror image give a number back: ``relu(x) - relu(-x) = x``.
        """
        eye = torch.eye(self.dimension).to(self.up)
        return [
            _dense(torch.cat([self.down, eye, -eye]), nn.ReLU()),
            _dense(torch.cat([self.up, eye, -eye], dim=1)),
        ]


#: Name -> what builds it for (dimension, width, draw).
ADAPTERS: dict[str, Callable[[int, int, torch.Generator], Adapter]] = {
    "linear": lambda dimension, width, draw: LinearAdapter(dimension),
    "low_rank": LowRankAdapter,
    "two_layer": TwoLayerAdapter,
}


def _dense(weight: Tensor, activation: nn.Module | None = None) -> Dense:
    rows, columns = weight.shape
    return Dense(
        columns, rows, bias=False, activation_function=activation, init_weight=weight.detach().clone()
    )


def _eye_like(weight: Tensor) -> Tensor:
    return torch.eye(len(weight), dtype=weight.dtype, device=weight.device)
