"""Which layout of rows a model gets on its device, and why."""

from __future__ import annotations

from typing import Literal

from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer

from embedtune_nb.encoder.choice import Choice
from embedtune_nb.encoder.chunks import SortedChunks
from embedtune_nb.encoder.proof import prove_packing
from embedtune_nb.encoder.rows import RowLayout, layout_fits

Rows = Literal["packed", "chunks", "whole"]
_CHUNK = 8


def choose_layout(
    model: SentenceTransformer, asked: Rows | Literal["auto"] = "auto"
) -> tuple[RowLayout | None, Choice]:
    """Choose how the rows of *model* are laid out.

    Parameters
    ----------
    model
        The model, without a seam.
    asked
        ``"auto"`` tries packed rows, then chunks; another name passes over the better ones.

    Returns
    -------
    tuple
        The layout (``None`` leaves batches whole), and its name with the reason.
    """
    if asked == "whole":
        return None, Choice("whole", "asked for whole batches")
    fits = layout_fits(model)
    if not fits.value:
        return None, Choice("whole", fits.reason)
    module = model[0]
    assert isinstance(module, Transformer) and module.tokenizer is not None, "it fits"
    device = model.device.type
    if device != "cpu":
        reason = f"small passes would leave the {device} device idle, so batches stay whole"
        return None, Choice("whole", reason)
    why_not = "asked for chunks"
    if asked != "chunks":
        proof = prove_packing(module)
        if proof.value is not None:
            return proof.value, Choice("packed", f"several texts share a row: {proof.reason}")
        why_not = proof.reason
    reason = f"{why_not}; so texts of like length share a padded batch, {_CHUNK} or more at a time"
    return SortedChunks(_CHUNK, module.tokenizer.padding_side), Choice("chunks", reason)
