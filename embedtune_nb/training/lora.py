"""LoRA: small matrices beside an encoder's frozen ones are trained, and merged in at the end.

Hu et al. 2021, LoRA: Low-Rank Adaptation of Large Language Models, arXiv:2106.09685. The layers are
those of peft, which the extra ``lora`` installs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from sentence_transformers.base.modules import Transformer
from torch import nn
from transformers.pytorch_utils import Conv1D

from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.errors import IntegrityError, PlanError
from embedtune_nb.plan.trained_part import check_peft

#: Merging adds up products that training kept apart, so vectors move by rounding alone.
MERGE_TOLERANCE = 1e-4


class LoraLayers:
    """Puts LoRA beside the matrices of an encoder's layers, and merges it in again.

    Parameters
    ----------
    encoder
        Its model is changed in place: everything is frozen but the new matrices.
    rank
        Rank of the change of each matrix.
    alpha
        The change is scaled by ``alpha / rank``.
    seed
        Of the first weights.

    Attributes
    ----------
    targets
        The matrices with LoRA beside them, by their names in the encoder.

    Raises
    ------
    PlanError
        If peft is not installed, or the model has no layers of matrices.
    """

    def __init__(self, encoder: Encoder, *, rank: int, alpha: float, seed: int) -> None:
        check_peft()
        from peft import LoraConfig
        from peft.tuners.lora import LoraModel

        first = encoder.model[0]
        self.encoder = encoder
        self.targets = matrices_of_layers(first.model) if isinstance(first, Transformer) else ()
        if not self.targets:
            raise PlanError(
                f"LoRA found no stack of layers with matrices in this {type(first).__name__} model.",
                expected="a transformer encoder",
                fix="leave lora_rank out, or train an adapter: {'adapter': 'linear'}.",
            )
        encoder.model.requires_grad_(False)
        config = LoraConfig(
            r=rank,
            lora_alpha=alpha,  # type: ignore[arg-type]  # declared a whole number, but any will do
            target_modules=list(self.targets),
        )
        torch.manual_seed(seed)
        self._tuner = LoraModel(first.model, {"default": config}, "default")

    @property
    def kinds(self) -> list[str]:
        """The last parts of the targets' names, such as ``query`` or ``down_proj``."""
        return sorted({name.rpartition(".")[2] for name in self.targets})

    def merge(self, texts: Sequence[str]) -> float:
        """Add what was trained to the frozen matrices and take the layers of peft away.

        Parameters
        ----------
        texts
            Embedded before and after.

        Returns
        -------
        float
            The largest difference in a vector of *texts* that merging made.

        Raises
        ------
        IntegrityError
            If merging changed more than rounding does.
        """
        before = self.encoder.embed(texts)
        self._tuner.merge_and_unload(progressbar=False, safe_merge=True)
        difference = float(np.abs(self.encoder.embed(texts) - before).max())
        if difference > MERGE_TOLERANCE:
            raise IntegrityError(
                f"Merging LoRA into the model changed its vectors by up to {difference:.2e}.",
                expected=f"differences within {MERGE_TOLERANCE:g}",
                fix="report this with the base model's name and the versions; nothing was published.",
            )
        return difference


def matrices_of_layers(model: nn.Module) -> tuple[str, ...]:
    """Return the names of all matrices in the layers of an encoder: attention and feed-forward alike.

    The layers are the list of modules that holds most weights, whatever the architecture calls it;
    word vectors, pooler and heads stand outside.
    """
    stacks = {name: module for name, module in model.named_modules() if isinstance(module, nn.ModuleList)}
    if not stacks:
        return ()
    largest = max(stacks, key=lambda name: sum(weight.numel() for weight in stacks[name].parameters()))
    inside = stacks[largest].named_modules()
    return tuple(f"{largest}.{name}" for name, module in inside if isinstance(module, (nn.Linear, Conv1D)))
