"""Whether bfloat16 pays on this machine, for this model, on these texts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import batch_to_device

from embedtune_nb.encoder.choice import Choice
from embedtune_nb.encoder.rows import RowSeam

#: CPU features that multiply bfloat16 in hardware; without one it is emulated and slower.
_CPU_FLAGS = ("amx_bf16", "avx512_bf16")
_PROBE_TEXTS = 16
_PROBE_STEPS = 2
#: bfloat16 rounds to 8 bits: less than a tenth of speed is not worth that.
_WORTH = 1.1


def choose_bf16(
    model: SentenceTransformer,
    seam: RowSeam | None,
    texts: Sequence[str],
    asked: bool | str,
    *,
    training: bool = True,
) -> Choice:
    """Decide between bfloat16 and float32.

    Parameters
    ----------
    model
        The model as it will be trained.
    seam
        Its row seam, through which the precision is switched; ``None`` for models without one.
    texts
        Texts of the kind to be read; the first 16 are computed in both precisions on a CPU that
        could gain.
    asked
        ``True`` or ``False`` is obeyed, ``"auto"`` decides.
    training
        Whether gradients are wanted too, or embeddings alone.
    """
    if seam is None:
        return Choice(False, "a model without an encoder has no matrix products to speed up")
    if asked != "auto":
        return Choice(bool(asked), "asked for")
    device = model.device
    if device.type == "cuda":
        capable = torch.cuda.is_bf16_supported(including_emulation=False)
        return Choice(capable, f"the GPU {'has' if capable else 'lacks'} bfloat16 units")
    if device.type != "cpu":
        return Choice(False, f"untested on {device.type}")
    flag = next((flag for flag in _CPU_FLAGS if flag in _cpu_flags()), None)
    if flag is None:
        return Choice(False, "the CPU has neither amx_bf16 nor avx512_bf16")
    slow, fast = _seconds(model, seam, list(texts[:_PROBE_TEXTS]), training)
    ratio = slow / fast
    what = "steps" if training else "batches"
    verdict = f"{ratio:.1f}x the speed of float32 in a probe of {_PROBE_STEPS} {what} ({flag})"
    return Choice(ratio >= _WORTH, verdict)


@lru_cache(maxsize=1)
def _cpu_flags() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line for line in lines if line.startswith("flags")), "").split())


def _seconds(
    model: SentenceTransformer, seam: RowSeam, texts: list[str], training: bool
) -> tuple[float, float]:
    """Median seconds of a pass, in training there and back, in float32 and in bfloat16, taken in turns.

    Weights, gradients and the random state are left as they were.
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    taken: dict[bool, list[float]] = {False: [], True: []}
    was_training = model.training
    model.train(training)
    try:
        with torch.random.fork_rng(devices=[]), torch.set_grad_enabled(training):
            for step, bfloat16 in product(range(_PROBE_STEPS + 1), taken):
                features = batch_to_device(model.preprocess(texts), model.device)
                start = time.perf_counter()
                with seam.precision(bfloat16=bfloat16):
                    embeddings = model(features)["sentence_embedding"]
                if training:
                    torch.autograd.grad(embeddings.square().sum(), weights, allow_unused=True)
                if step:  # the first pass allocates
                    taken[bfloat16].append(time.perf_counter() - start)
    finally:
        model.train(was_training)
    return statistics.median(taken[False]), statistics.median(taken[True])
