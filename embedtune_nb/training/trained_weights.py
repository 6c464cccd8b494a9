"""What a run changes: all weights of a model, or those that are not frozen."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

_FILE = "trained.safetensors"


def trained_state(model: nn.Module) -> dict[str, Tensor]:
    """Return the state of *model* without its frozen weights, which stand in the base model anyway."""
    frozen = {name for name, weight in model.named_parameters() if not weight.requires_grad}
    return {name: value for name, value in model.state_dict().items() if name not in frozen}


def has_frozen(model: nn.Module) -> bool:
    """Return whether some weights of *model* are frozen."""
    return any(not weight.requires_grad for weight in model.parameters())


def count_weights(model: nn.Module) -> tuple[int, int]:
    """Return the numbers of trained and of frozen weights."""
    sizes = [(weight.requires_grad, weight.numel()) for weight in model.parameters()]
    return (sum(n for trained, n in sizes if trained), sum(n for trained, n in sizes if not trained))


def save_trained(model: nn.Module, folder: Path) -> None:
    """Write the weights that are not frozen to *folder*."""
    state = {name: value.detach().cpu().contiguous() for name, value in trained_state(model).items()}
    save_file(state, folder / _FILE)


def load_trained(model: nn.Module, folder: Path) -> None:
    """Put back what :func:`save_trained` wrote."""
    state = load_file(folder / _FILE)
    wanted = trained_state(model)
    if state.keys() != wanted.keys():
        raise ValueError(f"{folder} holds the weights of another model")
    model.load_state_dict(state, strict=False)
