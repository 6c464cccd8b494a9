"""Open a saved model in a fresh process with the plain library, and score it again.

A model that was merged, moved or half-written can load without complaint and give other vectors.
Only a process that knows nothing but the folder can tell.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import RETRIEVAL
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.errors import IntegrityError
from embedtune_nb.evaluation.evaluate import evaluate
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.vectors import VectorCache
from embedtune_nb.plan.metrics import lower_is_better
from embedtune_nb.store.environment import child_environment

#: Texts of the pool (labels: also of the queries), queries, and texts whose vectors are compared.
_SAMPLE, _SAMPLE_QUERIES, _COMPARED = 500, 100, 64
#: Unit vectors computed in other batches differ by about 1e-6 in float32; a wrong weight by far more.
VECTOR_TOLERANCE = 1e-4
#: Near-ties in a ranking may fall the other way within that tolerance; of an error it is a share of the span
#: of the scores.
SCORE_TOLERANCE = 5e-3


def reload_check(
    folder: Path,
    encoder: Encoder,
    data: Datasource,
    *,
    reference: Datasource | None,
    settings: Mapping[str, Any],
    vectors: VectorCache,
) -> dict[str, Any]:
    """Compare the model saved in *folder* with the one in memory, on a sample of the verdict part.

    Parameters
    ----------
    folder
        An ordinary sentence-transformers folder.
    encoder
        The trained model.
    data, reference, settings
        As for :func:`embedtune_nb.evaluation.evaluate.evaluate`.
    vectors
        What *encoder* embedded already.

    Returns
    -------
    dict
        ``texts`` in the sample, ``largest_difference`` between vectors, ``metric`` and its ``score``
        on the sample after reloading.

    Raises
    ------
    IntegrityError
        If vectors or score disagree.
    """
    data, reference = _sample(data), None if reference is None else _sample(reference)
    expected = evaluate(encoder, data, reference=reference, settings=settings, cache=vectors)
    texts = data.texts()[:_COMPARED]
    with tempfile.TemporaryDirectory(prefix="embedtune-check-") as scratch:
        work = Path(scratch)
        data.write(work / "data")
        if reference is not None:
            reference.write(work / "reference")
        request = {"model": str(folder), "settings": dict(settings), "texts": texts}
        (work / "request.json").write_text(json.dumps(request))
        process = subprocess.run(
            [sys.executable, "-m", "embedtune_nb.training.reload_check", str(work)],
            capture_output=True,
            text=True,
            env={**child_environment(), "HF_HUB_OFFLINE": "1"},
            check=False,
        )
        if process.returncode != 0:
            raise IntegrityError(
                f"The saved model does not open in a fresh process:\n{process.stderr.strip()[-2000:]}",
                fix="see the log of the job; nothing was published.",
            )
        score = json.loads((work / "answer.json").read_text())["metrics"][expected.primary]
        reloaded = np.load(work / "vectors.npy")
    difference = float(np.abs(reloaded - encoder.embed(texts)).max())
    wanted = expected.metrics[expected.primary]
    tolerance = _tolerance(expected)
    if difference > VECTOR_TOLERANCE or abs(score - wanted) > tolerance:
        raise IntegrityError(
            f"The saved model differs from the trained one: vectors by up to {difference:.2e}, "
            f"{expected.primary} {score:.4f} instead of {wanted:.4f}.",
            expected=f"vectors within {VECTOR_TOLERANCE:g}, score within {tolerance:g}",
            fix="report this with the model's name and versions; nothing was published.",
        )
    return {
        "texts": len(data.texts()) + (0 if reference is None else len(reference.texts())),
        "largest_difference": difference,
        "metric": expected.primary,
        "score": score,
    }


def _tolerance(expected: Evaluation) -> float:
    """Return how far the score may be off; in a small sample, what one row that falls the other way makes."""
    span = 1.0
    if lower_is_better(expected.primary) and expected.answers is not None:
        span = float(np.ptp(expected.answers["truth"])) or 1.0
    return span * max(SCORE_TOLERANCE, 1.5 / len(expected.per_query))


def _sample(data: Datasource) -> Datasource:
    """Return a fixed sample of *data*: scoring a large pool again would take as long as the verdict."""
    if data.kind != RETRIEVAL:
        examples = data.frames["examples"]
        chosen = set(examples.sample(min(_SAMPLE, len(examples)), random_state=0).index)
        for answer in ("score", "label"):
            if answer in examples:  # what is correlated with the answers needs two different ones
                chosen |= set(examples.drop_duplicates(answer).index[:2])
        return _like(data, {"examples": examples[examples.index.isin(chosen)]})
    queries, corpus, qrels = (data.frames[name] for name in ("queries", "corpus", "qrels"))
    queries = queries.sample(min(_SAMPLE_QUERIES, len(queries)), random_state=0)
    qrels = qrels[qrels["query_id"].isin(queries["id"])]
    right = corpus["id"].isin(qrels["corpus_id"])
    others = corpus[~right].sample(min(_SAMPLE, int((~right).sum())), random_state=0)
    return _like(data, {"queries": queries, "corpus": pd.concat([corpus[right], others]), "qrels": qrels})


def _like(data: Datasource, frames: dict[str, pd.DataFrame]) -> Datasource:
    whole = {name: frame.reset_index(drop=True) for name, frame in frames.items()}
    return Datasource(data.kind, whole, name=data.name)


class PlainModel:
    """The library's own loading and encoding, behind the one method that an evaluation calls."""

    def __init__(self, folder: str) -> None:
        from sentence_transformers import SentenceTransformer

        self._model = SentenceTransformer(folder, local_files_only=True)

    def embed(
        self,
        texts: Sequence[str],
        *,
        role: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray:
        """Embed *texts*, float32 of unit length, (texts, dimension)."""
        by_role = {"query": self._model.encode_query, "document": self._model.encode_document}
        encode = by_role.get(role or "", self._model.encode)
        return np.asarray(
            encode(list(texts), normalize_embeddings=True, show_progress_bar=False), dtype=np.float32
        )


def main(work: Path) -> None:
    """Answer the request in *work*; this runs in the fresh process."""
    request = json.loads((work / "request.json").read_text())
    model = PlainModel(request["model"])
    reference = work / "reference"
    evaluation = evaluate(
        model,
        Datasource.read(work / "data"),
        reference=Datasource.read(reference) if reference.is_dir() else None,
        settings=request["settings"],
    )
    np.save(work / "vectors.npy", model.embed(request["texts"]))
    (work / "answer.json").write_text(json.dumps({"metrics": evaluation.metrics}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
