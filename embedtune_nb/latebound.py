"""One table of names for functions that live in a higher room.

Imports run one way, from the ground up. Where a lower room must offer a higher one (a Job's
picture in a notebook is a monitor, ``data.mine_hard_negatives`` is mining), it asks for it here by
name, at the moment of use. This table is the only such door.
"""

from __future__ import annotations

from importlib import import_module
from operator import attrgetter
from typing import Any

_DOORS = {
    "reader_of_base": "embedtune_nb.catalogue.reader:reader_of_base",
    "embedder": "embedtune_nb.mining.embedder:embedder",
    "mine_hard_negatives": "embedtune_nb.mining.mine:mine_hard_negatives",
    "result_of_publish": "embedtune_nb.models.finetuned:result_of_job",
    "result_of_sweep": "embedtune_nb.models.finetuned:result_of_job",
    "study_of_job": "embedtune_nb.sweep.study:study_of_job",
    "result_of_finetune": "embedtune_nb.models.finetuned:result_of_job",
    "result_of_merge": "embedtune_nb.models.merge:result_of_job",
    "result_of_evaluate": "embedtune_nb.models.evaluation_job:result_of_job",
    "open_model": "embedtune_nb.models.finetuned:FinetunedEmbeddingModel.open",
    "merge_chart": "embedtune_nb.charts:merge_curve",
    "svg": "embedtune_nb.charts:svg",
    "result_of_map": "embedtune_nb.maps.of_model:result_of_job",
    "display_job": "embedtune_nb.widgets.watch:display_job",
    "watch": "embedtune_nb.widgets.watch:watch",
    "embedding_map": "embedtune_nb.widgets.embedding_map:EmbeddingMap",
    "noise_floor": "embedtune_nb.experiments.noise_floor:noise_floor",
    "learning_curve": "embedtune_nb.experiments.learning_curve:learning_curve",
    "gain_chart": "embedtune_nb.experiment_charts:gains",
    "noise_chart": "embedtune_nb.experiment_charts:noise",
    "learning_curve_chart": "embedtune_nb.experiment_charts:learning_curve",
    "open_folder": "embedtune_nb.models.pretrained:PretrainedEmbeddingModel",
    "publish_trial": "embedtune_nb.models.from_trial:publish_trial",
    "train_trial_again": "embedtune_nb.models.from_trial:train_trial_again",
    "trials_of_job": "embedtune_nb.sweep.reading:trials_of_job",
    "feed_of_sweep": "embedtune_nb.sweep.feed:SweepJobFeed",
    "sweep_history": "embedtune_nb.sweep_charts:history",
    "sweep_parallel": "embedtune_nb.sweep_charts:parallel",
    "sweep_slices": "embedtune_nb.sweep_charts:slices",
    "sweep_curves": "embedtune_nb.sweep_charts:curves",
    "sweep_importance": "embedtune_nb.sweep_charts:importance",
    "trial_browser": "embedtune_nb.widgets.trial_browser:TrialBrowser",
    "regressions_table": "embedtune_nb.widgets.regressions_table:RegressionsTable",
    "save_report": "embedtune_nb.widgets.report:save_report",
    "map_of_model": "embedtune_nb.maps.of_model:map_of_model",
}


def late(name: str) -> Any:
    """Import and return the object that the table lists under *name*."""
    module, _, attribute = _DOORS[name].partition(":")
    return attrgetter(attribute)(import_module(module))
