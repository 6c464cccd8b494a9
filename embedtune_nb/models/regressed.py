"""Where a tuned model got worse, from what its job kept: evaluations, vectors and the held-out part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embedtune_nb.catalogue import BaseSpec, tokenizer_file
from embedtune_nb.data.lengths import profile_lengths
from embedtune_nb.data.split import Split
from embedtune_nb.errors import DataError
from embedtune_nb.evaluation.causes import Evidence, likely_causes
from embedtune_nb.evaluation.moves import Compared, Embed, moves
from embedtune_nb.evaluation.regressions import Regressions, worst_first
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.statistics import ROW_VALUES
from embedtune_nb.evaluation.task import NEIGHBOR_COUNT
from embedtune_nb.evaluation.vectors import TextEncoder, VectorCache, embed_roles
from embedtune_nb.plan.metrics import lower_is_better
from embedtune_nb.training.kept import load_evaluation, load_vectors

if TYPE_CHECKING:
    from embedtune_nb.models.finetuned import FinetunedEmbeddingModel

# as the verdict, which calls smaller differences ties
_TIE = 1e-9


def regressions_of(model: FinetunedEmbeddingModel) -> Regressions:
    """Compare every held-out row before and after training.

    What the job embedded is taken from its folder; only texts beyond the first 20,000 are embedded anew.

    Raises
    ------
    DataError
        If the folder of the job, with the held-out part and its values, was deleted.
    """
    folder = model.job.folder
    kept = folder.path / "evaluation"
    before, after = (load_evaluation(kept / side) for side in ("before", "after"))
    if before is None or after is None or not (folder.data / "split.json").is_file():
        raise DataError(
            f"The values of single rows are no longer kept with the job of {model.name!r}.",
            fix="compare it with its base on data of your own: et.compare([model], data).",
        )
    split = Split.read(folder.data)
    recipe = model.recipe
    metric = _row_metric(model.verdict.metric, after)
    change = after.per_query[metric] - before.per_query[metric].loc[after.per_query.index]
    worse_by = change if lower_is_better(metric) else -change
    worse_by[worse_by.abs() < _TIE] = 0.0
    neighbor_count = recipe["neighbor_count"] or NEIGHBOR_COUNT
    moved = moves(
        Compared(
            data=split.verdict,
            reference=split.train,
            before=_embed(load_vectors(kept / "before"), lambda: _base(recipe.base, recipe)),
            after=_embed(load_vectors(kept / "after"), lambda: model),
            worse_by=worse_by,
            neighbor_count=neighbor_count,
        )
    )
    causes, notes = likely_causes(
        moved[worse_by > 0],
        Evidence(
            data=split.verdict,
            reference=split.train,
            tokens=_counter(BaseSpec.from_dict(dict(recipe.base))),
            reads=model.max_seq_length,
            reads_in_training=recipe["max_seq_length"],
            neighbor_count=neighbor_count,
        ),
    )
    told = causes.reindex(moved.index).fillna("")
    frame = worst_first(
        worse_by,
        {
            "text": moved["text"].to_numpy(),
            "answer": moved["answer"].to_numpy(),
            "before": before.per_query[metric].loc[worse_by.index].to_numpy(),
            "after": after.per_query[metric].to_numpy(),
            "rank_before": moved["rank_before"].array,
            "rank_after": moved["rank_after"].array,
            "displaced_by": moved["displaced_by"].to_numpy(),
            "said_before": _said(before, worse_by.index),
            "said_after": _said(after, worse_by.index),
            "cause": told["cause"].to_numpy(),
            "why": told["why"].to_numpy(),
        },
    )
    return Regressions(frame, metric, after.unit, split.verdict, split.train, model, notes)


def _row_metric(metric: str, evaluation: Evaluation) -> str:
    """Return the deciding metric, or the value of single rows behind one that they do not have."""
    return metric if metric in evaluation.per_query else ROW_VALUES[metric]


def _said(evaluation: Evaluation, rows: pd.Index) -> np.ndarray:
    """Return what was predicted for each row, None where the kind of data has no such thing."""
    if evaluation.answers is None:
        return np.full(len(rows), None)
    return evaluation.answers["predicted"].loc[rows].to_numpy()


def _embed(kept: VectorCache, load: Callable[[], TextEncoder]) -> Embed:
    def embed(texts_by_role: Mapping[Any, list[str]]) -> dict[Any, np.ndarray]:
        everything_kept = not any(kept.missing(texts, role) for role, texts in texts_by_role.items())
        return embed_roles(None if everything_kept else load(), texts_by_role, None, kept)

    return embed


def _base(facts: Mapping[str, Any], recipe: Any) -> TextEncoder:
    from embedtune_nb.encoder.encoder import Encoder

    # the base read its texts as the tuned model's folder says
    return Encoder.load(dict(facts), {key: recipe[key] for key in ("prompts", "truncation_side")})


def _counter(spec: BaseSpec) -> Callable[[Sequence[str]], np.ndarray] | None:
    path = tokenizer_file(spec)
    if path is None:
        return None
    return lambda texts: profile_lengths({"text": texts}, path, sample=max(len(texts), 1)).lengths
