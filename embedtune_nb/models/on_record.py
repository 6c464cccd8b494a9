"""What stands on record beside the weights of a published model, as properties."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from embedtune_nb.errors import NotFoundError
from embedtune_nb.evaluation.forgetting import Forgetting
from embedtune_nb.evaluation.verdict import Verdict
from embedtune_nb.jobs.job import Job
from embedtune_nb.models.card import ModelCard
from embedtune_nb.models.record import ModelRecord
from embedtune_nb.plan.plan import Plan
from embedtune_nb.sweep.reading import trials_of_model
from embedtune_nb.sweep.trials import Trials


class OnRecord:
    """The readable side of a published model.

    Parameters
    ----------
    record
        What stands in the store.
    """

    def __init__(self, record: ModelRecord) -> None:
        self._record = record

    @property
    def name(self) -> str:
        """The name it is published under."""
        return self._record.name

    @property
    def path(self) -> Path:
        """Its folder; ``SentenceTransformer(str(model.path))`` loads it with nothing of ours."""
        return self._record.path

    @property
    def base_model(self) -> str:
        """The id of the model it was tuned from."""
        return self._record.plan["base"]["id"]

    @property
    def job(self) -> Job:
        """The job that made it, with its curves and log."""
        return self._record.restore_job()

    @property
    def trials(self) -> Trials:
        """The trials of the sweep that made it, also when its job is gone; empty after a single run."""
        return trials_of_model(self.path, self.name, self._record.job_id)

    @property
    def recipe(self) -> Plan:
        """The plan it was made by."""
        return Plan.from_json(self._record.plan)

    @property
    def verdict(self) -> Verdict:
        """The paired comparison with its base model, on data that chose nothing."""
        return Verdict.from_dict(self._record.facts["verdict"])

    @property
    def verdicts(self) -> list[Verdict]:
        """The verdict on each objective's own data and metric; the first is :attr:`verdict`."""
        further = self._record.facts.get("further_objectives", [])
        return [self.verdict, *(Verdict.from_dict(other["verdict"]) for other in further)]

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """``{"before": {...}, "after": {...}}`` on the verdict part."""
        return self._record.facts["metrics"]

    @property
    def matryoshka(self) -> list[dict[str, Any]]:
        """What is left with fewer dimensions, largest first: `dimension`, `before`, `after`, `retention`.

        In the deciding metric on the verdict part; empty unless it was trained with `matryoshka_dims`.
        """
        return self._record.facts.get("matryoshka", [])

    @property
    def forgetting(self) -> Forgetting:
        """What tuning did to texts that have nothing to do with the task: the general probe.

        Raises
        ------
        NotFoundError
            If the model was published by a version that did not look.
        """
        found = self._record.facts.get("forgetting")
        if found is None:
            raise NotFoundError(
                f"{self.name!r} was published before models were looked at with the general probe.",
                fix="train it again, or embed general_probe().texts with both models and compare them with "
                "embedtune_nb.evaluation.forgetting.",
            )
        return Forgetting.from_dict(found)

    @property
    def card(self) -> ModelCard:
        """The model card: verdict, metrics, general probe, reload check, settings; no text of the data."""
        return ModelCard((self.path / "README.md").read_text(encoding="utf-8"))

    @property
    def merged(self) -> dict[str, Any] | None:
        """``{"from": ..., "weight": ...}`` of a model merged with its base, else None."""
        return self._record.facts.get("merged")
