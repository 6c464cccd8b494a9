"""Fine-tune text-embedding models in a notebook: live, in the background, with an honest verdict.

The public names are imported on first use, so that ``import embedtune_nb`` is quick and loads neither
torch nor transformers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embedtune_nb import charts, datasets
    from embedtune_nb.data.datasource import Datasource
    from embedtune_nb.errors import EmbedtuneError
    from embedtune_nb.evaluation.regressions import Regressions
    from embedtune_nb.experiments.compare import compare
    from embedtune_nb.experiments.comparison import Comparison
    from embedtune_nb.experiments.learning_curve import LearningCurve
    from embedtune_nb.experiments.noise_floor import NoiseFloor
    from embedtune_nb.jobs.job import Job
    from embedtune_nb.memory.labeled import LabeledMemoryset
    from embedtune_nb.memory.scored import ScoredMemoryset
    from embedtune_nb.models.finetuned import FinetunedEmbeddingModel
    from embedtune_nb.models.pretrained import PretrainedEmbeddingModel
    from embedtune_nb.plan.plan import Plan
    from embedtune_nb.widgets.embedding_map import EmbeddingMap
    from embedtune_nb.widgets.monitor import TrainingMonitor
    from embedtune_nb.widgets.studio import Studio
    from embedtune_nb.widgets.trial_browser import TrialBrowser

__version__ = "0.1.0"

_PUBLIC = {
    "Comparison": "embedtune_nb.experiments.comparison",
    "Datasource": "embedtune_nb.data.datasource",
    "EmbeddingMap": "embedtune_nb.widgets.embedding_map",
    "EmbedtuneError": "embedtune_nb.errors",
    "FinetunedEmbeddingModel": "embedtune_nb.models.finetuned",
    "Job": "embedtune_nb.jobs.job",
    "LabeledMemoryset": "embedtune_nb.memory.labeled",
    "LearningCurve": "embedtune_nb.experiments.learning_curve",
    "NoiseFloor": "embedtune_nb.experiments.noise_floor",
    "Plan": "embedtune_nb.plan.plan",
    "PretrainedEmbeddingModel": "embedtune_nb.models.pretrained",
    "Regressions": "embedtune_nb.evaluation.regressions",
    "ScoredMemoryset": "embedtune_nb.memory.scored",
    "Studio": "embedtune_nb.widgets.studio",
    "TrainingMonitor": "embedtune_nb.widgets.monitor",
    "TrialBrowser": "embedtune_nb.widgets.trial_browser",
    "charts": "",
    "compare": "embedtune_nb.experiments.compare",
    "datasets": "",
}

__all__ = [
    "Comparison",
    "Datasource",
    "EmbeddingMap",
    "EmbedtuneError",
    "FinetunedEmbeddingModel",
    "Job",
    "LabeledMemoryset",
    "LearningCurve",
    "NoiseFloor",
    "Plan",
    "PretrainedEmbeddingModel",
    "Regressions",
    "ScoredMemoryset",
    "Studio",
    "TrainingMonitor",
    "TrialBrowser",
    "charts",
    "compare",
    "datasets",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        from embedtune_nb.errors import did_you_mean

        raise AttributeError(f"embedtune_nb has no {name!r}. {did_you_mean(name, _PUBLIC)}".rstrip())
    home = _PUBLIC[name]
    value = getattr(import_module(home), name) if home else import_module(f"{__name__}.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
