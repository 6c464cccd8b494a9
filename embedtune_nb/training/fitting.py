"""Steps that fit into memory: when it runs out, less is computed at once and the step is taken again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.rows import Features
from embedtune_nb.errors import MemoryRanOutError
from embedtune_nb.store.events import Event, Measured, Notice
from embedtune_nb.training.gradient_cache import GradientCache
from embedtune_nb.training.losses import ObjectiveLoss
from embedtune_nb.training.memory import available_bytes, is_out_of_memory, release
from embedtune_nb.training.micro_batch import MicroBatch, can_checkpoint, checkpoint_layers

_BYTES_PER_WEIGHT = 16  # weight, gradient and the two moments of AdamW, single precision


class FittingSteps:
    """Takes the gradients of one batch after the other, each with as much at once as memory allows.

    The result of a step does not depend on how it was cut up, so nothing is lost by a retry but time.

    Parameters
    ----------
    encoder, loss
        What is trained.
    micro_batch
        How much to compute at once to begin with.
    emit
        Takes a notice and the new measurement each time less must do.

    Attributes
    ----------
    micro_batch
        How much is computed at once now.
    """

    def __init__(
        self, encoder: Encoder, loss: ObjectiveLoss, micro_batch: MicroBatch, emit: Callable[[Event], None]
    ) -> None:
        self.encoder, self.loss, self.emit = encoder, loss, emit
        self.micro_batch = micro_batch
        if micro_batch.checkpointed:
            checkpoint_layers(encoder.model)

    def cache(self, loss: ObjectiveLoss | None = None) -> GradientCache:
        """Return what computes a loss, the trained one by default, with so much at once."""
        return GradientCache(loss or self.loss, self.encoder.seam, self.micro_batch.tokens)

    def backward(
        self, columns: Sequence[Features], labels: Tensor, loss: ObjectiveLoss | None = None
    ) -> Tensor:
        """Add the gradients of one batch; see :meth:`GradientCache.backward`.

        Parameters
        ----------
        columns, labels
            The batch.
        loss
            Another loss on the same model, with several objectives; the trained one by default.

        Raises
        ------
        MemoryRanOutError
            If the smallest micro-batch does not fit, layers computed anew included.
        """
        while True:
            try:
                return self.cache(loss).backward(columns, labels)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                words = _first_line(error)
            # outside of the handler, where the error's frames no longer hold the tensors of the attempt
            self._make_room(words, loss or self.loss)

    def ran_out(self, words: str) -> MemoryRanOutError:
        """Return the error to end with, when memory ran out for good with *words*."""
        return MemoryRanOutError(f"The run does not fit into memory: {words}", levers=self._levers())

    def _make_room(self, words: str, loss: ObjectiveLoss) -> None:
        loss.zero_grad(set_to_none=True)  # half a step's gradients; the model's are among them
        release(self.encoder.model.device)
        now = self.micro_batch
        smaller = now.halved()
        if smaller is None and not now.checkpointed and can_checkpoint(self.encoder.model):
            smaller = now.with_checkpoints()
            checkpoint_layers(self.encoder.model)
        if smaller is None:
            raise self.ran_out(words)
        self.micro_batch = smaller
        instead = (
            "layers are computed anew in the backward pass from here on, which takes about a third longer"
            if smaller.checkpointed and not now.checkpointed
            else f"{smaller.rows:,} at once from here on; the batch stays {now.batch_size:,}"
        )
        rows = "one row" if now.rows == 1 else f"{now.rows:,} rows"
        self.emit(Notice(f"Memory ran out with {rows} at once: {instead}.", "warning"))
        self.emit(Measured(smaller.measured()))

    def _levers(self) -> list[str]:
        micro, model = self.micro_batch, self.encoder.model
        limit = self.encoder.max_seq_length
        weights = sum(weight.numel() for weight in self.loss.parameters() if weight.requires_grad)
        free = available_bytes(model.device)
        levers = []
        if limit is not None:
            levers.append(
                f"lower max_seq_length, now {limit} (the longest row has {micro.longest} tokens): a text of "
                "half the length needs half the memory, and for attention a quarter"
            )
        levers.append(
            f"lower batch_size, now {micro.batch_size:,} (rows computed at once in the end: {micro.rows:,})"
        )
        levers.append(
            f"choose a smaller base model: this one trains {weights / 1e6:,.1f} M weights, "
            f"{weights * _BYTES_PER_WEIGHT / 1e9:.1f} GB with gradients and optimizer"
            + ("" if free is None else f", and {free / 1e9:.1f} GB are free")
        )
        return levers


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
