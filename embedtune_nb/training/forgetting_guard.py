"""The general probe during a run: seen by the base model once, and by what it becomes at each evaluation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from embedtune_nb.encoder.encoder import Encoder, Role
from embedtune_nb.evaluation.forgetting import Forgetting, forgetting, general_probe


class ForgettingGuard:
    """Compares a model that learns with its base, on texts that have nothing to do with the task.

    Parameters
    ----------
    kept
        File for the base's vectors (``.npy``), so that a run that is carried on has them; None for none.
    load_base
        Called for the untrained base model where no vectors are kept.
    role
        How the probe is read; ``"query"`` where only queries are trained, and so only they can change.
    """

    def __init__(self, kept: Path | None, load_base: Callable[[], Encoder], role: Role | None = None) -> None:
        self._kept, self._load_base, self._role = kept, load_base, role
        self._before: np.ndarray | None = None

    def see_base(self, base: Encoder) -> np.ndarray:
        """Embed the probe with the untrained *base*, and keep that; return it."""
        self._before = base.embed(general_probe().texts, role=self._role)
        if self._kept is not None:
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            np.save(self._kept, self._before)
        return self._before

    def recall(self, vectors: np.ndarray) -> None:
        """Take *vectors*, (sentences, dimension), for what the base made of the probe."""
        self._before = vectors

    def start(self) -> dict[str, float]:
        """Return where the curves begin: the base beside itself."""
        assert self._before is not None, "the base has seen the probe"
        return forgetting(self._before, self._before).metrics()

    def measure(self, encoder: Encoder) -> Forgetting:
        """Say what *encoder*, as it is now, has forgotten."""
        if self._before is None and self._kept is not None and self._kept.is_file():
            self._before = np.load(self._kept)
        if self._before is None:
            self.see_base(self._load_base())
        assert self._before is not None, "the base has just seen the probe"
        return forgetting(self._before, encoder.embed(general_probe().texts, role=self._role))
