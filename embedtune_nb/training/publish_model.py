"""What stands beside the weights of a published model: its record for us, its card for everyone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from embedtune_nb import __version__
from embedtune_nb.errors import AlreadyExistsError
from embedtune_nb.evaluation.forgetting import Forgetting, general_probe
from embedtune_nb.evaluation.metrics import directed_name
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.truncated import retention_table
from embedtune_nb.evaluation.verdict import Verdict
from embedtune_nb.plan.plan import Plan
from embedtune_nb.store.publish import check as check_files

#: What a published model's record is called.
RECORD = "embedtune.json"
_VERSIONS_OF = ("sentence-transformers", "transformers", "torch", "numpy")


def write_model(
    target: Path,
    plan: Plan,
    *,
    job_id: str,
    before: Evaluation,
    after: Evaluation,
    verdict: Verdict,
    further: Sequence[Verdict],
    forgotten: Forgetting,
    check: dict[str, Any],
    merged: dict[str, Any] | None = None,
    sweep: dict[str, Any] | None = None,
) -> None:
    """Write record and card of a model beside its weights.

    Parameters
    ----------
    target
        An ordinary sentence-transformers folder.
    plan, before, after, verdict
        How it was made and what came of it.
    further
        The verdicts on further objectives; none where only the first was judged.
    job_id
        Who made it.
    forgotten
        What became of the general probe.
    check
        What :func:`embedtune_nb.training.reload_check.reload_check` found.
    merged
        Of a model that was merged with its base: ``from`` and ``weight``.
    sweep
        Of a model that a sweep chose: ``trial``, the index of this one, how many ``trials`` were counted, by
        which ``metric``, and the ``decision``.
    """
    record = {
        "format": 1,
        "name": plan.name,
        "job": job_id,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "plan": plan.to_json(),
        "verdict": verdict.to_dict(),
        "further_objectives": [
            {"objective": objective.title, "verdict": theirs.to_dict()}
            for objective, theirs in zip(plan.further, further, strict=False)
        ],
        "metrics": {"before": before.metrics, "after": after.metrics},
        "matryoshka": retention_table(before, after),
        "forgetting": forgotten.to_dict(),
        "reload_check": check,
        "versions": {"embedtune-nb": __version__} | {name: version(name) for name in _VERSIONS_OF},
    }
    if merged is not None:
        record["merged"] = merged
    if sweep is not None:
        record["sweep"] = sweep
    (target / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False))
    origin = _merged(merged) + _chosen(sweep)
    card = _card(plan, verdict, further, before, after, forgotten, check, origin)
    (target / "README.md").write_text(card)


def published_by(folder: Path, job_id: str) -> dict[str, Any] | None:
    """Return the record of the model in *folder* if the job *job_id* made it; ``None`` if nothing is there.

    Raises
    ------
    AlreadyExistsError
        If something else is there.
    IntegrityError
        If the job's model was damaged since.
    """
    if not folder.exists():
        return None
    try:
        record = json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):
        record = {}
    if record.get("job") != job_id:
        raise AlreadyExistsError(
            f"{folder} exists, and job {job_id} did not make it.",
            fix="start a new job under another name, or drop the old one first.",
        )
    check_files(folder, hashes=True)
    return record


def _card(
    plan: Plan,
    verdict: Verdict,
    further: Sequence[Verdict],
    before: Evaluation,
    after: Evaluation,
    forgotten: Forgetting,
    check: dict[str, Any],
    origin: str,
) -> str:
    """Return the model card; it quotes no text of the user's data."""
    rows = "\n".join(
        f"| {directed_name(name)} | {before.metrics[name]:.4f} | {value:.4f} |"
        for name, value in after.metrics.items()
    )
    settings = "\n".join(
        f"| {key} | {setting.value} | {setting.source} |" for key, setting in plan.settings.items()
    )
    topics = len(set(general_probe().topics))
    hub_id = plan.base.get("hub_id")
    base_line = f"base_model: {hub_id}\n" if hub_id else ""
    return f"""---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
{base_line}tags: [sentence-transformers, feature-extraction, embedtune-nb]
---

# {plan.name}

{plan.base["id"]} tuned on {plan.data["rows"]:,} rows of kind {plan.data["kind"]} (loss: {plan["loss"]}).
{origin}
{verdict}
{_further(plan, further)}
Judged on {verdict.queries:,} held-out {verdict.unit} that chose nothing; interval by paired bootstrap.
{_lines(verdict.note)}
| metric | before | after |
| --- | --- | --- |
{rows}
{_truncated(before, after)}
{forgotten.text}.
The probe is the same for every model: English sentences on {topics} everyday topics.

{check_line(check)}

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/this/folder")
```
{_sides(plan)}
| setting | value | source |
| --- | --- | --- |
{settings}
"""


def _sides(plan: Plan) -> str:
    """Return how to embed with a model whose queries alone are adapted; nothing for others."""
    side = plan.settings.get("adapter_side")
    if side is None or side.value != "query":
        return ""
    return """
Queries alone are adapted: `model.encode_document` gives the vectors of the base model, so an index of
documents stays valid, and so does `model.encode`. Embed queries with `model.encode_query`.
"""


def _further(plan: Plan, verdicts: Sequence[Verdict]) -> str:
    """Return what else was trained on in the same run and what came of it; names of data stay out."""
    told = [
        f"\nIn the same run tuned on {other.data['rows']:,} rows of kind {other.data['kind']} "
        f"(loss: {other.settings['loss'].value}).\n\n{verdict}\n"
        for other, verdict in zip(plan.further, verdicts, strict=False)
    ]
    return "".join(told)


def check_line(check: Mapping[str, Any]) -> str:
    """Return what a reload check found, as a sentence for cards."""
    line = (
        f"Opened again in a fresh process and compared on a sample of {check['texts']:,} texts: largest "
        f"difference of a vector {check['largest_difference']:.1e}"
    )
    if check["metric"] is not None:
        line += f", {directed_name(check['metric'])} {check['score']:.4f} as before saving"
    shorter = ", ".join(f"{row['dimension']}: {row['score']:.4f}" for row in check.get("truncated", []))
    return f"{line}." + (f" The same with fewer dimensions ({shorter})." if shorter else "")


def _merged(merged: dict[str, Any] | None) -> str:
    if merged is None:
        return ""
    return (
        f"\nIts weights are {merged['weight']:.0%} those of {merged['from']}, the rest those of the base "
        "model (linear interpolation).\n"
    )


def _chosen(sweep: dict[str, Any] | None) -> str:
    if sweep is None:
        return ""
    winner = sweep["decision"].get("winner", sweep["trial"])
    if winner != sweep["trial"]:
        return (
            f"\nTrial {sweep['trial']} of a sweep, picked by hand; the sweep itself chose trial {winner}.\n"
        )
    return (
        f"\nTrial {sweep['trial']} of a sweep, chosen by {directed_name(sweep['metric'])} on held-out data "
        "that is not part of what it is judged on below.\n"
    )


def _truncated(before: Evaluation, after: Evaluation) -> str:
    """Return what is kept with fewer dimensions; nothing where the model was not trained for it."""
    table = retention_table(before, after)
    if not table:
        return ""
    rows = "\n".join(
        f"| {row['dimension']} | {row['before']:.4f} | {row['after']:.4f} | {_percent(row['retention'])} |"
        for row in table
    )
    return f"""
Matryoshka: {directed_name(after.primary)} with only the first numbers of each vector, scaled to length 1.

| dimensions | before | after | kept of the whole |
| --- | --- | --- | --- |
{rows}
"""


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _lines(note: str) -> str:
    return f"{note}\n" if note else ""
