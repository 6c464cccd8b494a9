"""Which layout of rows a model gets on its device, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer

from embedtune_nb.encoder.choice import Choice
from embedtune_nb.encoder.chunks import SortedChunks
from embedtune_nb.encoder.packed import PackedRows
from embedtune_nb.encoder.proof import prove_packing
from embedtune_nb.encoder.rows import RowLayout, layout_fits

Rows = Literal["packed", "chunks", "whole"]
_CHUNK = 8


@dataclass(frozen=True)
class Layout:
    """How the rows of a model are laid out.

    Attributes
    ----------
    rows
        Lays them out; ``None`` leaves batches whole.
    choice
        Its name, with the reason.
    """

    rows: RowLayout | None
    choice: Choice

    def adopt(self, model: SentenceTransformer) -> Layout:
        """Return this layout, with *model* made ready for it: another copy of the one it was chosen for."""
        if isinstance(self.rows, PackedRows) and self.rows.apartness.attention:
            module = model[0]
            assert isinstance(module, Transformer), "only such a module has rows to pack"
            module.model.set_attn_implementation(self.rows.apartness.attention)
        return self


def choose_layout(model: SentenceTransformer, asked: Rows | Literal["auto"] = "auto") -> Layout:
    """Choose how the rows of *model* are laid out.

    Parameters
    ----------
    model
        The model, without a seam.
    asked
        ``"auto"`` tries packed rows, then chunks; another name passes over the better ones.

    """
    if asked == "whole":
        return Layout(None, Choice("whole", "asked for whole batches"))
    fits = layout_fits(model)
    if not fits.value:
        return Layout(None, Choice("whole", fits.reason))
    module = model[0]
    assert isinstance(module, Transformer) and module.tokenizer is not None, "it fits"
    device = model.device.type
    if device != "cpu":
        reason = f"small passes would leave the {device} device idle, so batches stay whole"
        return Layout(None, Choice("whole", reason))
    why_not = "asked for chunks"
    if asked != "chunks":
        proof = prove_packing(module)
        if proof.value is not None:
            return Layout(proof.value, Choice("packed", f"several texts share a row: {proof.reason}"))
        why_not = proof.reason
    reason = f"{why_not}; so texts of like length share a padded batch, {_CHUNK} or more at a time"
    return Layout(SortedChunks(_CHUNK, module.tokenizer.padding_side), Choice("chunks", reason))
