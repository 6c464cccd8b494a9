"""How long a run will take and how much memory, from token counts and the machine's rate.

A wide, honest range: it is replaced by what the worker measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from embedtune_nb.catalogue import BaseSpec
from embedtune_nb.plan.machine import Machine

# Share of the matrix rate that training reaches. Measured with length-sorted batches on two cores:
# 0.5 in single precision; between a machine busy otherwise (0.25) and long, full rows (0.75).
_SHARE_SLOW, _SHARE_FAST = 0.25, 0.75
# bfloat16 instructions were measured to bring 1.8 times the texts a second; at best twice.
_BF16_GAIN = 2.0
# Any GPU of these days against the processor beside it: only good for the lower bound.
_ACCELERATOR_GAIN = 30.0
#: Starting the worker, importing the libraries, loading, publishing and re-opening in a fresh process.
FIXED_SECONDS = (15.0, 45.0)
# One fused AdamW update was measured at 1.5e9 weights a second.
_UPDATE_SECONDS = (0.5e-9, 3e-9)
#: The trainer's own work of one optimizer step; of small models and adapters it is most of the step.
STEP_SECONDS = (0.004, 0.03)
# Tokenizing and averaging word vectors, a token.
_TOKEN_SECONDS = (1e-6, 6e-6)
# A process that has imported torch, transformers and sentence-transformers.
_LIBRARIES_BYTES = 700_000_000
# Weights, gradients and AdamW's two moments in single precision.
_BYTES_PER_WEIGHT = 16
# Kept for the backward pass, single precision, for each token and layer: about 34 hidden-sized values
# at 2 bytes, doubled, and the attention weights (Korthikanti et al. 2022, arXiv:2205.05198, eq. 2).
_ACTIVATION_BYTES, _ATTENTION_BYTES = 68, 10


@dataclass(frozen=True)
class Workload:
    """What a run will compute.

    Attributes
    ----------
    steps
        Optimizer steps.
    texts_per_step
        Texts embedded with gradients in one step.
    mean_tokens
        Mean tokens of a text, after cutting.
    eval_texts
        Texts embedded without gradients, over all evaluations, in units of a mean training text.
    eval_mean_tokens
        Mean tokens of such a text, cut only where the model's own limit is: evaluations read further
        than training. Same as *mean_tokens* when ``None``.
    watching_texts
        Those of *eval_texts* that are embedded during training, not before or after it.
    """

    steps: int
    texts_per_step: int
    mean_tokens: float
    eval_texts: float
    eval_mean_tokens: float | None = None
    watching_texts: float = 0.0

    @property
    def train_tokens(self) -> float:
        """Tokens embedded with gradients."""
        return self.steps * self.texts_per_step * self.mean_tokens

    @property
    def eval_length(self) -> float:
        """Mean tokens of an evaluated text."""
        return self.mean_tokens if self.eval_mean_tokens is None else self.eval_mean_tokens

    @property
    def eval_tokens(self) -> float:
        """Tokens embedded without gradients."""
        return self.eval_texts * self.eval_length

    @property
    def watching_share(self) -> float:
        """About what share of training the evaluations on the way take (a training token costs three)."""
        watching = self.watching_texts * self.eval_length
        return watching / (3 * self.train_tokens + watching)


def estimate(base: BaseSpec, work: Workload, machine: Machine) -> dict[str, Any]:
    """Return ``seconds_low``, ``seconds_high``, ``peak_memory_bytes`` and ``reason``.

    The figures are None where the number of the model's parameters is not known yet.
    """
    if base.parameters is None or base.dimension is None:
        return {
            "seconds_low": None,
            "seconds_high": None,
            "peak_memory_bytes": None,
            "reason": f"The size of {base.id} is known after the download; the worker measures.",
        }
    train_tokens, eval_tokens = work.train_tokens, work.eval_tokens
    multiplied = max(base.parameters - _looked_up(base), 0)
    # A transformer layer has about 12 x dimension^2 weights.
    layers = multiplied / (12 * base.dimension**2)
    # 2 operations a weight and token forward, twice that backward; attention adds 4 x length x dimension.
    attention = 4 * layers * base.dimension
    operations = 3 * train_tokens * (2 * multiplied + attention * work.mean_tokens)
    operations += eval_tokens * (2 * multiplied + attention * work.eval_length)
    fastest = machine.flops * _SHARE_FAST * (_BF16_GAIN if machine.bf16 else 1.0)
    slowest = machine.flops * _SHARE_SLOW
    updates, tokens = work.steps * base.parameters, train_tokens + eval_tokens
    gain = _ACCELERATOR_GAIN if machine.accelerator else 1.0
    own = [work.steps * seconds for seconds in STEP_SECONDS]
    low = (operations / fastest + updates * _UPDATE_SECONDS[0]) / gain + tokens * _TOKEN_SECONDS[0] + own[0]
    high = operations / slowest + updates * _UPDATE_SECONDS[1] + tokens * _TOKEN_SECONDS[1] + own[1]
    return {
        "seconds_low": round(low + FIXED_SECONDS[0], 1),
        "seconds_high": round(high + FIXED_SECONDS[1], 1),
        "peak_memory_bytes": _memory(base, work, layers),
        "reason": _reason(machine, train_tokens, eval_tokens, multiplied),
    }


def _looked_up(base: BaseSpec) -> int:
    return base.embedding_parameters or 0


def _memory(base: BaseSpec, work: Workload, layers: float) -> int:
    tokens = work.texts_per_step * work.mean_tokens
    width = float(base.dimension or 0)
    # Heads are about 64 wide, so there are width / 64 rows of attention weights for each token.
    activations = (
        tokens * layers * (_ACTIVATION_BYTES * width + _ATTENTION_BYTES * width / 64 * work.mean_tokens)
    )
    return round(_LIBRARIES_BYTES + _BYTES_PER_WEIGHT * (base.parameters or 0) + activations)


def _reason(machine: Machine, train_tokens: float, eval_tokens: float, multiplied: int) -> str:
    sentences = [
        f"{train_tokens:,.0f} tokens to train on and {eval_tokens:,.0f} to evaluate, "
        f"{multiplied / 1e6:,.1f} M multiplied weights, "
        f"{machine.flops / 1e9:,.0f} GFLOP/s matrix rate measured here",
        f"{_SHARE_SLOW:.0%} to {_SHARE_FAST:.0%} of it is reached"
        + (", up to twice that in bfloat16" if machine.bf16 else ""),
        f"{FIXED_SECONDS[0]:.0f} to {FIXED_SECONDS[1]:.0f} s for starting, loading and publishing",
        "memory: libraries, 16 bytes a weight, and what the backward pass keeps",
    ]
    if machine.accelerator:
        sentences.append(
            f"a {machine.accelerator} device seems to be there, so the low end assumes it helps much"
        )
    return "; ".join(sentences) + ". The worker replaces this by what it measures."
