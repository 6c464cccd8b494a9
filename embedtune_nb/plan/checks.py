"""Data that cannot be trained on is refused before a job starts."""

from __future__ import annotations

from typing import Any

from embedtune_nb.data.kinds import LABELED, NLI, PAIRS, RETRIEVAL, SCORED, SCORED_PAIRS
from embedtune_nb.errors import DataError, PlanError
from embedtune_nb.plan.losses import Loss
from embedtune_nb.plan.rows import TrainingRows

# Losses that draw texts of one class together, so that a class of one text teaches them nothing.
_COMPARES_WITHIN_CLASSES = ("contrastive", "triplet")
# Metrics of one label against the others.
_BETWEEN_LABELS = ("roc_auc", "pr_auc")


def check_data(data: Any, eval_datasource: Any) -> tuple[Any, Any]:
    """Return both as Datasources, or refuse what no loss can train on.

    Raises
    ------
    DataError
        For something that is no Datasource, too few rows, one class, or evaluation data of another kind.
    """
    data = _as_datasource(data, "data")
    if len(data) < 2:
        raise DataError(
            f"The data has {len(data)} usable rows.",
            expected="at least 2, and some to hold out",
            fix="bring more rows; data.dropped tells which rows were left out and why.",
        )
    if data.kind == LABELED:
        _check_classes(data.frames["examples"]["label"].unique(), "The data")
    if eval_datasource is None:
        return data, None
    eval_datasource = _as_datasource(eval_datasource, "eval_datasource")
    kinds = {data.kind, eval_datasource.kind}
    if len(kinds) > 1 and kinds != {PAIRS, RETRIEVAL}:  # pairs are judged as queries over documents
        raise DataError(
            f"The training data is of kind {data.kind!r}, eval_datasource of kind {eval_datasource.kind!r}.",
            expected=f"eval_datasource of kind {data.kind!r}",
            fix=f"build it with kind={data.kind!r}, or leave it out to have a part held out.",
        )
    return data, eval_datasource


def check_training_part(loss: Loss, parts: Any) -> None:
    """Refuse a split whose training part cannot teach *loss* anything.

    Raises
    ------
    PlanError
        If classes are too few, or all scores are equal; the message counts them.
    """
    examples = parts.train.frames.get("examples")
    if parts.train.kind in (SCORED, SCORED_PAIRS) and examples["score"].nunique() < 2:
        raise PlanError(
            f"All {len(examples):,} training rows have the score {examples['score'].iloc[0]:g}.",
            expected="scores that differ, else there is nothing to learn from them",
            fix="check that the right column is the score, or add rows with other scores.",
        )
    if parts.train.kind != LABELED:
        return
    counts = examples["label"].value_counts()
    _check_classes(counts.index, "The training part")
    if loss.name in _COMPARES_WITHIN_CLASSES and counts.max() < 2:
        raise PlanError(
            f"loss={loss.name!r} needs classes with 2 or more training rows; all {len(counts)} have one.",
            expected="two texts of one class, to be drawn together",
            fix="bring more rows of each class, or take loss='prediction'.",
        )


def check_held_out(parts: Any, metric: str, *, selects: bool) -> None:
    """Refuse held-out parts on which *metric* has no value, before anything is trained for it.

    Parameters
    ----------
    parts
        The split.
    metric
        The one that decides.
    selects
        Whether it also chooses on the part that selects.

    Raises
    ------
    DataError
        If all rows of a part have the same answer, and the metric needs two.
    """
    needed = {SCORED_PAIRS: "score", NLI: "label"}
    if metric in _BETWEEN_LABELS:
        needed[LABELED] = "label"
    column = needed.get(parts.verdict.kind)
    if column is None:
        return
    judged = [("verdict", parts.verdict)]
    if selects and parts.selection is not None:
        judged.append(("selection", parts.selection))
    for what, part in judged:
        answers = part.frames["examples"][column]
        if answers.nunique() < 2:
            raise DataError(
                f"{metric!r} has no value on the {what} part: the {column} of all {len(answers):,} rows is "
                f"{answers.iloc[0]}.",
                expected=f"rows of at least two different {column}s to judge by",
                fix="bring more rows of the others, or an eval_datasource that has them.",
            )


def check_rows(loss: Loss, rows: TrainingRows) -> None:
    """Refuse fewer rows than a loss can compare.

    Raises
    ------
    PlanError
        The message counts them.
    """
    if len(rows) < 2:
        left_out = f" Not trained on: {' '.join(rows.left_out)}" if rows.left_out else ""
        raise PlanError(
            f"After holding out the verdict, {len(rows)} rows are left to train on.{left_out}",
            expected=f"at least 2 for loss={loss.name!r}",
            fix="bring more rows, or pass eval_datasource so that none is held out.",
        )


def _check_classes(labels: Any, where: str) -> None:
    if len(labels) < 2:
        only = f": {labels[0]!r}" if len(labels) else ""
        raise DataError(
            f"{where} has {len(labels)} class{'' if len(labels) == 1 else 'es'}{only}.",
            expected="at least two classes, else there is nothing to tell apart",
            fix="check that the right column is the label, or add rows of another class.",
        )


def _as_datasource(data: Any, what: str) -> Any:
    convert = getattr(data, "to_datasource", None)
    if convert is None:
        raise DataError(
            f"{what} is a {type(data).__name__}.",
            expected="a Datasource, something with to_datasource(), or a list of pairs: data and its loss",
            fix="read it with Datasource.from_pandas, from_list, from_csv, from_jsonl or from_parquet.",
        )
    return convert()
