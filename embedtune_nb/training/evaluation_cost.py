"""What the evaluations during training cost: their share of the time, and a word where that is much."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from embedtune_nb.plan.schedule import MUCH_EVALUATION, rarer_evaluation
from embedtune_nb.store.events import Measured


class EvaluationCost:
    """Keeps the time of training and of the evaluations within it.

    The evaluation of the base model, which every run needs once, is left out of both.
    """

    def __init__(self) -> None:
        self.seconds, self.times = 0.0, 0
        self._began, self._left_out = time.perf_counter(), 0.0

    def begin(self) -> None:
        """Training begins now."""
        self._began, self._left_out = time.perf_counter(), 0.0

    @contextmanager
    def of_one(self) -> Iterator[None]:
        """Count the block as one evaluation."""
        start = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - start
        self.times += 1

    @contextmanager
    def left_out(self) -> Iterator[None]:
        """Count the block neither as training nor as evaluation."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._left_out += time.perf_counter() - start

    @property
    def share(self) -> float:
        """Evaluation's share, 0 to 1, of the time since training began."""
        return self.seconds / max(time.perf_counter() - self._began - self._left_out, 1e-9)

    def measured(self) -> Measured:
        """Return the share so far, for whoever watches."""
        reason = f"of the training time so far: {self.times} evaluations, {self.seconds:.1f} s"
        return Measured({"evaluation_share": {"value": round(self.share, 3), "reason": reason}})

    def word(self, settings: Mapping[str, Any]) -> str:
        """Return what to say of a large share, with what would lower it; empty for a small one."""
        share = self.share
        if not self.times or share <= MUCH_EVALUATION:
            return ""
        rarer = rarer_evaluation(settings["eval_steps"], settings["steps_total"])
        fewer = (
            "neighbor_eval_count and neighbor_eval_pool_subsample make each quicker, "
            if settings.get("eval_method") == "neighbor"
            else ""
        )
        return (
            f"Evaluation took {share:.0%} of the training time ({self.times} times "
            f"{self.seconds / self.times:.1f} s): {rarer}{fewer}eval_steps='end' evaluates only before and "
            "after training."
        )
