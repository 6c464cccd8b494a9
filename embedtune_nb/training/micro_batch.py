"""How much of a batch is computed at once: found by a probe, halved when memory runs out."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from embedtune_nb.encoder.encoder import Encoder, Role
from embedtune_nb.training.memory import available_bytes, is_out_of_memory, kept_for_backward, release
from embedtune_nb.training.objective import Objective
from embedtune_nb.training.shared import Known

#: Share of the free memory that a run plans to use: others live on the machine too.
_SHARE = 0.8
#: Peak of a step over what the forward pass keeps: gradients of activations come and go, and freed
#: blocks do not fit the next ones. 1.4 to 1.7 of it was measured on MiniLM, of texts of 60 and 250 tokens.
_TRANSIENT = 1.7
#: Gradient and the two moments of AdamW, single precision, which the first step adds to the weights.
_BYTES_PER_TRAINED_WEIGHT = 12
#: Matrices of one number for each pair of rows that a loss and its gradient hold at a time.
_PAIR_MATRICES, _BYTES_PER_NUMBER = 6, 4
#: Rows that are tokenized to know their mean length, and texts looked at to find the longest.
_SAMPLED_ROWS, _LONGEST_TEXTS = 512, 64
#: A probe of fewer tokens would not fill the rows that short texts share.
_PROBE_TOKENS = 512


@dataclass(frozen=True)
class MicroBatch:
    """How much of a batch is computed at once.

    A micro-batch of *n* rows is as many tokens as *n* rows of mean length have: of long texts it
    holds fewer, of short ones more, so that each takes about the same memory.

    Attributes
    ----------
    tokens
        Tokens, padding included, that are embedded at once; ``None`` for whole batches.
    row_tokens
        Mean tokens of a row, over all its columns of texts.
    longest
        Tokens of the longest row.
    batch_size
        Rows of a batch.
    reason
        Why.
    checkpointed
        Whether layers are computed anew in the backward pass instead of being kept.
    """

    tokens: int | None
    row_tokens: float
    longest: int
    batch_size: int
    reason: str
    checkpointed: bool = False

    @property
    def rows(self) -> int:
        """Rows of mean length in a micro-batch, at most the whole batch."""
        if self.tokens is None:
            return self.batch_size
        return min(self.batch_size, max(1, int(self.tokens / self.row_tokens)))

    def measured(self) -> dict[str, dict[str, Any]]:
        """Return the settings ``micro_batch_size`` and ``gradient_checkpointing``, each with its reason."""
        settings = {"micro_batch_size": {"value": self.rows, "reason": self.reason}}
        if self.checkpointed:
            reason = "not even the smallest micro-batch fits: layers are computed anew instead of kept"
            settings["gradient_checkpointing"] = {"value": True, "reason": reason}
        return settings

    def halved(self) -> MicroBatch | None:
        """Return half of this, or ``None`` when a micro-batch is down to one row."""
        before = self.rows
        if before <= 1:
            return None
        reason = f"memory ran out with {before:,} rows at once"
        return replace(self, tokens=math.ceil(before / 2 * self.row_tokens), reason=reason)

    def with_checkpoints(self) -> MicroBatch:
        """Return this with layers computed anew in the backward pass."""
        return replace(self, checkpointed=True)

    def to_json(self) -> dict[str, Any]:
        """Return what a resumed run must repeat."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> MicroBatch:
        """Take up what :meth:`to_json` returned."""
        return cls(**{**state, "reason": "as in the part of the run that is resumed"})


def choose_micro_batch(
    encoder: Encoder,
    objective: Objective,
    batch_size: int,
    asked: int | str,
    *,
    bfloat16: bool,
    known: Known | None = None,
) -> MicroBatch:
    """Decide how many rows are computed at once.

    Parameters
    ----------
    encoder, objective
        What is trained.
    batch_size
        Rows of a batch.
    asked
        A number of rows, or ``"auto"``: as many as fit the free memory, by a probe of the longest texts.
    bfloat16
        Whether the encoder will compute in bfloat16.
    known
        What is known of the model on the texts of *objective*: lengths, and what a token keeps.
    """
    known = known or Known()
    lengths = known.once("lengths", lambda: _Lengths(encoder, objective))
    if not lengths.known:
        reason = "the whole batch: a model without an encoder keeps next to nothing for its backward pass"
        return MicroBatch(None, 1.0, 1, batch_size, reason)
    micro = MicroBatch(None, lengths.row_tokens, lengths.longest_row, batch_size, "the whole batch")
    if asked != "auto":
        if int(asked) >= batch_size:
            return replace(micro, reason="asked for: the whole batch")
        return replace(micro, tokens=math.ceil(int(asked) * lengths.row_tokens), reason="asked for")
    free = available_bytes(encoder.model.device)
    if free is None:
        where = encoder.model.device.type
        return replace(micro, reason=f"the whole batch: free memory of {where} is unknown; halved if need be")
    room = _room(free, objective.loss, batch_size)
    token = known.once(
        ("bytes of a token", bfloat16), lambda: _bytes_per_token(encoder, objective, lengths, bfloat16)
    )
    if token is not None:
        micro = replace(micro, tokens=int(room / token), reason=_reason(free, token, lengths.longest_text))
    if token is None or (micro.tokens or 0) < micro.longest:
        # either not even the probe's few texts fitted, or the longest row would not
        micro = replace(micro, tokens=max(micro.longest, micro.tokens or 0))
        if can_checkpoint(encoder.model):
            micro = micro.with_checkpoints()
    return micro


def can_checkpoint(model: nn.Module) -> bool:
    """Return whether layers of *model* can be computed anew in the backward pass."""
    return any(part.supports_gradient_checkpointing for part in _backbones(model))


def checkpoint_layers(model: nn.Module) -> None:
    """Have layers computed anew in the backward pass instead of keeping what they need for it."""
    for part in _backbones(model):
        if part.supports_gradient_checkpointing:
            # the older name is deprecated, the newer one came after transformers 5.0
            enable = getattr(part, "activation_checkpointing_enable", None)
            (enable or part.gradient_checkpointing_enable)({"use_reentrant": False})


def _backbones(model: nn.Module) -> list[PreTrainedModel]:
    return [part for part in model.modules() if isinstance(part, PreTrainedModel)]


class _Lengths:
    """Tokens of rows and texts, from a sample and from those with the most characters."""

    def __init__(self, encoder: Encoder, objective: Objective) -> None:
        rows = objective.rows
        sample = np.random.default_rng(0).permutation(len(rows))[:_SAMPLED_ROWS]
        self.longest: list[tuple[int, str, Role | None]] = []
        self.row_tokens, self.longest_row, self.known = 0.0, 0, True
        for column, role in objective.roles.items():
            texts = list(rows[column])
            if not self._count(encoder, texts[:1], role):
                self.known = False
                return
            self.row_tokens += float(np.mean(self._count(encoder, [texts[row] for row in sample], role)))
            most = sorted(texts, key=len, reverse=True)[:_LONGEST_TEXTS]
            tokens = self._count(encoder, most, role)
            self.longest_row += max(tokens)
            self.longest += [(count, text, role) for count, text in zip(tokens, most, strict=True)]
        self.longest.sort(key=lambda found: -found[0])

    @property
    def longest_text(self) -> int:
        return self.longest[0][0]

    @staticmethod
    def _count(encoder: Encoder, texts: list[str], role: Role | None) -> list[int]:
        """Return the tokens of each text; nothing for a model that does not read padded tokens."""
        mask = encoder.features(texts, role).get("attention_mask")
        return [] if mask is None or mask.ndim != 2 else mask.sum(1).tolist()


def _room(free: int, loss: nn.Module, batch_size: int) -> float:
    """Return the bytes left for activations: optimizer and loss need some of the free memory."""
    trained = sum(weight.numel() for weight in loss.parameters() if weight.requires_grad)
    pairs = _PAIR_MATRICES * _BYTES_PER_NUMBER * batch_size**2
    return max(0.0, free * _SHARE - trained * _BYTES_PER_TRAINED_WEIGHT - pairs) / _TRANSIENT


def _bytes_per_token(
    encoder: Encoder, objective: Objective, lengths: _Lengths, bfloat16: bool
) -> float | None:
    """Measure what a token of the longest texts keeps; ``None`` if already these do not fit.

    Two probes, one of twice the texts: their difference leaves out what is kept whatever the batch.
    """
    texts = lengths.longest
    few = max(1, min(math.ceil(_PROBE_TOKENS / lengths.longest_text), len(texts) // 2))
    model = encoder.model
    was_training = model.training
    model.train()
    try:
        with torch.random.fork_rng(devices=_cuda(model.device)), encoder.precision(bfloat16=bfloat16):
            sizes = []
            for count in (few, 2 * few):
                features = encoder.features([text for _, text, _ in texts[:count]], texts[0][2])
                with kept_for_backward(objective.loss) as kept:
                    embeddings = objective.loss.embed(features)
                sizes.append((int(features["attention_mask"].sum()), kept.bytes))
                del embeddings
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        release(model.device)
        return None
    finally:
        model.train(was_training)
    (tokens, kept_bytes), (more_tokens, more_bytes) = sizes
    if more_tokens == tokens:  # a single text in all the data
        return kept_bytes / tokens
    return max(1.0, (more_bytes - kept_bytes) / (more_tokens - tokens))


def _cuda(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []


def _reason(free: int, token: float, longest: int) -> str:
    return (
        f"as many as fit: {_size(free)} of memory are free, and a probe of texts of {longest} tokens "
        f"found {_size(token)} a token kept for the backward pass"
    )


def _size(number: float) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if number >= unit:
            return f"{number / unit:.1f} {name}"
    return f"{number / 1e3:.1f} kB"
