"""The held-out data of one objective: what base and tuned model are worth on it, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import LABELED, SCORED
from embedtune_nb.data.split import Split
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.evaluation.evaluate import evaluate
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.truncated import score_truncated
from embedtune_nb.evaluation.vectors import VectorCache
from embedtune_nb.evaluation.verdict import Verdict, paired_verdict
from embedtune_nb.plan.plan import Plan
from embedtune_nb.training.kept import load_evaluation, save_evaluation


class HeldOut:
    """Evaluates on what one objective does not train on.

    Parameters
    ----------
    split
        Its data.
    settings
        Its plan settings by name, as plain values.
    folder
        Where evaluations are kept.
    suffix
        Of their names, to tell objectives apart.
    progress
        Called with texts embedded so far and in all.

    Attributes
    ----------
    before, after
        The evaluations of base and tuned model on the verdict part, once they are made.
    """

    def __init__(
        self,
        split: Split,
        settings: Mapping[str, Any],
        folder: Path,
        suffix: str,
        progress: Callable[[int, int], None],
    ) -> None:
        self.split, self.settings = split, dict(settings)
        self._before_folder, self._after_folder = folder / f"before{suffix}", folder / f"after{suffix}"
        self._progress = progress
        self.before: Evaluation | None = load_evaluation(self._before_folder)
        self.after: Evaluation | None = None

    @property
    def reference(self) -> Datasource | None:
        """The texts that are asked for labels or scores; None for data judged without."""
        return self.split.train if self.split.train.kind in (LABELED, SCORED) else None

    @property
    def settings_of_verdict(self) -> dict[str, Any]:
        """Samples make the evaluations during training quicker; the verdict is taken from everything."""
        return {**self.settings, "neighbor_eval_count": None, "neighbor_eval_pool_subsample": None}

    def evaluate(self, encoder: Encoder, data: Datasource, vectors: VectorCache | None = None) -> Evaluation:
        """Score *encoder* on *data* as the settings say."""
        return self._evaluate(encoder, data, vectors, self.settings)

    def judge(self, encoder: Encoder, vectors: VectorCache) -> Evaluation:
        """Score *encoder* on the whole verdict part, also with fewer dimensions where those are trained."""
        settings = self.settings_of_verdict
        evaluation = self._evaluate(encoder, self.split.verdict, vectors, settings)
        evaluation.truncated = score_truncated(
            encoder,
            self.split.verdict,
            self.settings.get("matryoshka_dims") or (),
            reference=self.reference,
            settings=settings,
            progress=self._progress,
            cache=vectors,
        )
        return evaluation

    def keep_before(self, evaluation: Evaluation, vectors: VectorCache) -> None:
        """Keep what the base model is worth; a resumed run will find it."""
        save_evaluation(evaluation, self._before_folder, vectors)
        self.before = evaluation

    def keep_after(self, evaluation: Evaluation, vectors: VectorCache) -> None:
        """Keep what the tuned model is worth."""
        save_evaluation(evaluation, self._after_folder, vectors)
        self.after = evaluation

    def verdict(self) -> Verdict:
        """Compare the two evaluations in the metric that decides."""
        assert self.before is not None, "the base is evaluated after the first step"
        assert self.after is not None, "judged before the verdict is asked for"
        metric, seed = self.settings["metric"], self.settings["seed"]
        return paired_verdict(self.before, self.after, metric=metric, seed=seed)

    def _evaluate(
        self, encoder: Encoder, data: Datasource, vectors: VectorCache | None, settings: dict[str, Any]
    ) -> Evaluation:
        return evaluate(
            encoder,
            data,
            reference=self.reference,
            settings=settings,
            progress=self._progress,
            cache=vectors,
        )


def held_out_of(
    plan: Plan, split: Split, folder: Path, progress: Callable[[int, int], None]
) -> list[HeldOut]:
    """Return the held-out data of every objective, the one that selects and decides first.

    Parameters
    ----------
    plan, split
        Of the run.
    folder
        Of the run; evaluations are kept below it.
    progress
        Called with texts embedded so far and in all.
    """
    parts = zip((split, *split.further), plan.objectives, strict=True)
    return [
        HeldOut(own, settings, folder / "evaluation", f"-{place}" if place > 1 else "", progress)
        for place, (own, settings) in enumerate(parts, 1)
    ]
