"""What goes into the folder of a published model: weights, record, card, and the proof that it loads."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.verdict import Verdict
from embedtune_nb.plan.plan import Plan
from embedtune_nb.store.events import Event
from embedtune_nb.training.reload_check import reload_check

_VERSIONS_OF = ("embedtune-nb", "sentence-transformers", "transformers", "torch", "numpy")


def write_model(
    target: Path,
    encoder: Encoder,
    plan: Plan,
    *,
    job_id: str,
    before: Evaluation,
    after: Evaluation,
    verdict: Verdict,
    verdict_data: Datasource,
    reference: Datasource | None,
    settings: Mapping[str, Any],
    emit: Callable[[Event], None],
) -> None:
    """Fill *target* with an ordinary sentence-transformers folder, its record and its card.

    The folder is opened in a fresh process and scored again before this returns.

    Raises
    ------
    IntegrityError
        If the reloaded model gives other vectors or another score than the trained one.
    """
    encoder.save(target)
    check = reload_check(
        target, encoder, after, verdict_data, reference=reference, settings=settings, emit=emit
    )
    record = {
        "format": 1,
        "name": plan.name,
        "job": job_id,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "plan": plan.to_json(),
        "verdict": verdict.to_dict(),
        "metrics": {"before": before.metrics, "after": after.metrics},
        "reload_check": check,
        "versions": {package: version(package) for package in _VERSIONS_OF},
    }
    (target / "embedtune.json").write_text(json.dumps(record, indent=1, ensure_ascii=False))
    (target / "README.md").write_text(_card(plan, verdict, before, after, check))


def _card(plan: Plan, verdict: Verdict, before: Evaluation, after: Evaluation, check: dict[str, Any]) -> str:
    """Return the model card; it quotes no text of the user's data."""
    rows = "\n".join(
        f"| {name} | {before.metrics[name]:.4f} | {value:.4f} |" for name, value in after.metrics.items()
    )
    settings = "\n".join(
        f"| {key} | {setting.value} | {setting.source} |" for key, setting in plan.settings.items()
    )
    hub_id = plan.base.get("hub_id")
    base_line = f"base_model: {hub_id}\n" if hub_id else ""
    return f"""---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
{base_line}tags: [sentence-transformers, feature-extraction, embedtune-nb]
---

# {plan.name}

{plan.base["id"]} tuned on {plan.data["rows"]:,} rows of kind {plan.data["kind"]} (loss: {plan["loss"]}).

{verdict}

Judged on {verdict.queries:,} held-out queries that chose nothing; interval by paired bootstrap.

| metric | before | after |
| --- | --- | --- |
{rows}

Opened again in a fresh process: largest difference of a vector {check["largest_difference"]:.1e},
{check["metric"]} {check["score"]:.4f}.

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/this/folder")
```

| setting | value | source |
| --- | --- | --- |
{settings}
"""
