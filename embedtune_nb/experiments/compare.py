"""Any number of models on the same held-out data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import LABELED, PAIRS, RETRIEVAL, SCORED
from embedtune_nb.data.split import Split, split
from embedtune_nb.data.split_retrieval import as_retrieval
from embedtune_nb.errors import DataError, did_you_mean
from embedtune_nb.evaluation.bootstrap import bca_intervals
from embedtune_nb.evaluation.comparison import CONFIDENCE, comparable
from embedtune_nb.evaluation.evaluate import evaluate
from embedtune_nb.evaluation.grouping import grouping_of
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.statistics import OF_VOTES, statistic
from embedtune_nb.evaluation.task import check_seed
from embedtune_nb.evaluation.verdict import Verdict, paired_verdict
from embedtune_nb.experiments.comparison import Comparison, ranks_with_ties
from embedtune_nb.experiments.entrants import Reading, entrants
from embedtune_nb.experiments.noise_floor import RUNS_TO_RANK, recorded_floor
from embedtune_nb.models.coerce import VALUE_COLUMN, to_datasource
from embedtune_nb.models.embedding_model import EmbeddingModel
from embedtune_nb.models.finetuned import FinetunedEmbeddingModel
from embedtune_nb.models.seen import seen_in_training
from embedtune_nb.plan.metrics import lower_is_better

_RESAMPLES = 5_000


def compare(
    models: Any,
    data: Any = None,
    *,
    base: bool = True,
    against: str | None = None,
    metric: str | None = None,
    value_column: str = VALUE_COLUMN,
    label_column: str | None = None,
    score_column: str | None = None,
    instruction: str | None = None,
    neighbor_count: int | None = None,
    seed: int = 42,
    progress: bool = True,
) -> Comparison:
    """Score models on the same rows and compare each with one of them, row by row.

    Parameters
    ----------
    models
        A list of models, names, jobs or folders; or a dict from the names to show to these.
    data
        As for ``evaluate``. None: the held-out part that all tuned models among them were judged on.
    base
        Add the base of every tuned model.
    against
        Name of the model that the others are compared with. None: the first base model, else the first.
    metric
        The metric that decides. None: the usual one for the kind of data.
    value_column, label_column, score_column
        Needed only where the roles of a table's columns are ambiguous.
    instruction
        Read before each text that is no document, by models that take one.
    neighbor_count
        How many neighbours answer for a labeled or scored text; 5 by default.
    seed
        Of what is held out, and of resamples.
    progress
        Show a bar.

    Returns
    -------
    Comparison
        Values with BCa intervals over rows, and paired differences with theirs (Efron, 1987), both at 95 %.
        Notes tell which models have seen the rows in training.

    Raises
    ------
    DataError
        If there is nothing to compare, or *data* is left out and the models were judged on different rows.

    Examples
    --------
    >>> et.compare([model, "MPNET_BASE"], data)  # doctest: +SKIP
    """
    chosen, notes = entrants(models, base=base)
    check_seed(seed)
    against = _reference_name(chosen, against)
    if data is None:
        held_out, reference = _shared_part(chosen)
    else:
        columns: dict[str, Any] = {
            "value_column": value_column,
            "label_column": label_column,
            "score_column": score_column,
        }
        source = to_datasource(data, **columns)
        instruction = instruction or source.instruction
        held_out, reference = _held_out(source, seed)
    settings = {"metric": metric, "neighbor_count": neighbor_count, "seed": seed}
    evaluations: dict[str, Evaluation] = {}
    with _bar(progress, len(chosen)) as begin:
        for place, (name, model) in enumerate(chosen.items()):
            reading = Reading(model, instruction if model.spec.instructions else None)
            evaluations[name] = evaluate(
                reading, held_out, reference=reference, settings=settings, progress=begin(place, name)
            )
            if seen := seen_in_training(model, held_out):
                notes.append(
                    f"{name} was trained on {seen:,} of the {len(held_out):,} held-out rows; its figures "
                    "flatter it. Leave data out to compare on the part that it never saw."
                )
    verdicts = {
        name: paired_verdict(evaluations[against], evaluation, metric=metric, seed=seed, resamples=_RESAMPLES)
        for name, evaluation in evaluations.items()
        if name != against
    }
    frame = pd.concat(
        [_rows(name, evaluation, verdicts.get(name), seed) for name, evaluation in evaluations.items()],
        ignore_index=True,
    )
    primary = evaluations[against].primary
    floor, unusable = _noise_band(chosen, primary)
    notes += unusable
    frame["rank"] = frame.groupby("metric")["value"].transform(
        lambda values: ranks_with_ties(
            values, floor if values.name == primary else None, lower=lower_is_better(str(values.name))
        )
    )
    notes += evaluations[against].notes
    notes += dict.fromkeys(verdict.note for verdict in verdicts.values() if verdict.note)
    if len(verdicts) > 1:
        chance = 1 - CONFIDENCE ** len(verdicts)
        notes.append(
            f"{len(verdicts)} comparisons with {against}, each at {CONFIDENCE:.0%}: if none differed, at "
            f"least one would still seem to in up to {chance:.0%} of such tables."
        )
    unit = evaluations[against].unit
    return Comparison(frame, against, primary, unit, len(held_out), evaluations, verdicts, floor, notes)


def _reference_name(chosen: dict[str, EmbeddingModel], against: str | None) -> str:
    if against is None:
        bases = [name for name, model in chosen.items() if not isinstance(model, FinetunedEmbeddingModel)]
        return (bases or list(chosen))[0]
    if against not in chosen:
        raise DataError(
            f"There is no model {against!r} to compare with. {did_you_mean(against, chosen)}".strip(),
            expected="one of " + ", ".join(map(repr, chosen)),
        )
    return against


def _held_out(source: Datasource, seed: int) -> tuple[Datasource, Datasource | None]:
    """Return the rows to score and those that neighbours are taken from, as ``evaluate`` of a model does."""
    if source.kind in (LABELED, SCORED):
        parts = split(source, seed=seed, selection=False)
        return parts.verdict, parts.train
    if source.kind in (PAIRS, RETRIEVAL):
        return Datasource(RETRIEVAL, as_retrieval(source), name=source.name), None
    return source, None


def _shared_part(chosen: dict[str, EmbeddingModel]) -> tuple[Datasource, Datasource | None]:
    """Return the verdict part that all tuned models were judged on, and the training part of the first."""
    parts: dict[str, Split] = {}
    for name, model in chosen.items():
        if isinstance(model, FinetunedEmbeddingModel):
            snapshot = model.job.folder.data
            if not (snapshot / "split.json").is_file():
                raise DataError(
                    f"The data that {name} was judged on is no longer kept with its job.",
                    fix="give the data to compare on: et.compare(models, data).",
                )
            parts[name] = Split.read(snapshot)
    if not parts:
        raise DataError(
            "No data was given, and base models have no held-out part.",
            fix="give the data to compare on: et.compare(models, data).",
        )
    first, *others = parts
    for other in others:
        if parts[other].verdict.fingerprint != parts[first].verdict.fingerprint:
            raise DataError(
                f"{first} and {other} were judged on different held-out parts.",
                expected="one part that none of the models was trained on",
                fix="give the data to compare on: et.compare(models, data); or train both with the same "
                "eval_datasource.",
            )
    shared = parts[first]
    return shared.verdict, shared.train if shared.verdict.kind in (LABELED, SCORED) else None


def _rows(name: str, evaluation: Evaluation, verdict: Verdict | None, seed: int) -> pd.DataFrame:
    """Return one row a metric that can be resampled, the deciding one first."""
    lows, highs = own_intervals(evaluation, seed=seed)
    told = {} if verdict is None else {row["metric"]: row for row in (vars(verdict), *verdict.others)}
    rows = []
    for metric in _resampled(evaluation):
        row = told.get(metric, {})
        gain = {key: row.get(key, np.nan) for key in ("difference", "low", "high")}
        rows.append(
            {
                "model": name,
                "metric": metric,
                "value": evaluation.metrics[metric],
                "low": lows[metric],
                "high": highs[metric],
                "difference": gain["difference"],
                "difference_low": gain["low"],
                "difference_high": gain["high"],
                "answer": row.get("answer", ""),
            }
        )
    return pd.DataFrame(rows)


def own_intervals(
    evaluation: Evaluation, *, seed: int, resamples: int = _RESAMPLES
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the ends of the 95 % BCa interval of each metric of one evaluation.

    Rows that belong together are resampled as one, as in the verdict.
    """
    names = _resampled(evaluation)
    of_rows = [name for name in names if name in evaluation.per_query]
    values = evaluation.per_query[of_rows].to_numpy(float)
    anew = {name: statistic(name, *_inputs(evaluation, name)) for name in names if name not in of_rows}

    def metrics(counts: np.ndarray) -> np.ndarray:
        means = (counts @ values / counts.sum(axis=1)[:, None]).T
        drawn = dict(zip(of_rows, means, strict=True)) | {name: value(counts) for name, value in anew.items()}
        return np.stack([drawn[name] for name in names])

    rows = len(evaluation.per_query)
    group_of_row = grouping_of(evaluation.traits, rows, evaluation.unit).of_row
    low, high = bca_intervals(metrics, group_of_row, seed=seed, resamples=resamples, confidence=CONFIDENCE)
    return dict(zip(names, low.tolist(), strict=True)), dict(zip(names, high.tolist(), strict=True))


def _resampled(evaluation: Evaluation) -> list[str]:
    """Return the metrics that two evaluations can be compared by, the deciding one first."""
    return sorted(comparable(evaluation, evaluation), key=lambda name: name != evaluation.primary)


def _inputs(evaluation: Evaluation, name: str) -> tuple[np.ndarray, np.ndarray]:
    assert evaluation.answers is not None, "only metrics of `comparable` are resampled"
    truth = evaluation.answers["truth"]
    if name not in OF_VOTES:
        return truth.to_numpy(), evaluation.answers["predicted"].to_numpy()
    assert evaluation.votes is not None, "only metrics of `comparable` are resampled"
    return evaluation.votes.columns.get_indexer(truth), evaluation.votes.to_numpy(float)


def _noise_band(chosen: dict[str, EmbeddingModel], metric: str) -> tuple[float | None, list[str]]:
    """Return the widest recorded noise band of the tuned models, and what is said of unusable ones.

    The band is None where none was measured with seeds enough.
    """
    bands, notes = [], []
    for name, model in chosen.items():
        floor = recorded_floor(model) if isinstance(model, FinetunedEmbeddingModel) else None
        if floor is None or metric not in floor.bands:
            continue
        if len(floor.runs) < RUNS_TO_RANK:
            notes.append(
                f"The noise floor of {name} rests on {len(floor.runs)} seeds, too few to rank by: "
                f"model.noise_floor(seeds={RUNS_TO_RANK}) gives a first idea, 5 a usable band."
            )
        else:
            bands.append(floor.bands[metric])
    return max(bands, default=None), notes


@contextmanager
def _bar(shown: bool, models: int) -> Iterator[Callable[[int, str], Callable[[int, int], None]]]:
    """One bar over the texts of all models; gives what begins a model, by place and name."""
    from tqdm.auto import tqdm

    form = "{desc} {bar} {percentage:.0f} %"
    with tqdm(total=models, leave=False, disable=not shown, bar_format=form) as bar:

        def begin(place: int, name: str) -> Callable[[int, int], None]:
            bar.set_description_str(f"compare: {name}")

            def report(done: int, total: int) -> None:
                bar.n = place + done / max(total, 1)
                bar.refresh()

            return report

        yield begin
