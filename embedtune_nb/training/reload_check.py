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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import RETRIEVAL
from embedtune_nb.errors import IntegrityError
from embedtune_nb.evaluation.evaluate import evaluate
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.truncated import TruncatedEncoder
from embedtune_nb.evaluation.vectors import VectorCache
from embedtune_nb.plan.metrics import lower_is_better
from embedtune_nb.store.environment import child_environment
from embedtune_nb.training.kept import load_evaluation, save_evaluation

if TYPE_CHECKING:
    from embedtune_nb.encoder.encoder import Encoder

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
    dimensions: Sequence[int] = (),
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
    dimensions
        Lengths at which the model is to be opened truncated too (Matryoshka).

    Returns
    -------
    dict
        ``texts`` in the sample, ``largest_difference`` between vectors, ``metric`` and its ``score``
        on the sample after reloading; ``truncated``, a list of ``dimension``, ``largest_difference``
        and ``score``.

    Raises
    ------
    IntegrityError
        If the folder does not open, or vectors or score disagree.
    """
    sample = Sample.of(data, reference, settings)
    assert sample.data is not None, "it was taken from data"
    opened = _fresh_process([(folder, size) for size in (None, *dimensions)], sample)
    rows = []
    for size, found in zip((None, *dimensions), opened, strict=True):
        shorter = None if size is None else TruncatedEncoder(encoder, size, vectors)
        expected = evaluate(
            shorter or encoder,
            sample.data,
            reference=sample.reference,
            settings=settings,
            cache=vectors if shorter is None else None,
        )
        wanted = (shorter or encoder).embed(sample.texts, role=None, progress=None)
        what = "The saved model" + (f" truncated to {size} dimensions" if size else "")
        difference = _compare(what, "the trained one", expected, wanted, found)
        score = found.metrics[expected.primary]
        rows.append({"dimension": size, "largest_difference": difference, "score": score})
    return {
        "texts": sample.size,
        "largest_difference": rows[0]["largest_difference"],
        "metric": expected.primary,
        "score": rows[0]["score"],
        "truncated": rows[1:],
    }


def export_check(exported: Path, original: Path, sample: Sample) -> dict[str, Any]:
    """Compare an exported model with the published one, both opened in a fresh process.

    Parameters
    ----------
    exported, original
        sentence-transformers folders.
    sample
        What both embed, and are scored on where it has data.

    Returns
    -------
    dict
        As :func:`reload_check`; without data, ``metric`` and ``score`` are None.

    Raises
    ------
    IntegrityError
        If one does not open, or vectors or score disagree.
    """
    here, there = _fresh_process([(exported, None), (original, None)], sample)
    difference = _compare("The exported model", "the published one", there.evaluation, there.vectors, here)
    primary = None if there.evaluation is None else there.evaluation.primary
    return {
        "texts": sample.size,
        "largest_difference": difference,
        "metric": primary,
        "score": None if primary is None else here.metrics[primary],
        "truncated": [],
    }


@dataclass(frozen=True)
class Sample:
    """What a check embeds and scores.

    Attributes
    ----------
    data
        A sample of held-out data; None checks vectors alone.
    reference
        A sample of what its neighbours are taken from.
    settings
        Of the evaluation.
    texts
        Texts whose vectors are compared.
    """

    data: Datasource | None
    reference: Datasource | None
    settings: dict[str, Any]
    texts: list[str]

    @classmethod
    def of(cls, data: Datasource, reference: Datasource | None, settings: Mapping[str, Any]) -> Sample:
        """Take a fixed sample: scoring all of it again would take as long as the verdict."""
        few = _sample(data)
        return cls(
            few, None if reference is None else _sample(reference), dict(settings), few.texts()[:_COMPARED]
        )

    @property
    def size(self) -> int:
        """Texts in it."""
        if self.data is None:
            return len(self.texts)
        return len(self.data.texts()) + (0 if self.reference is None else len(self.reference.texts()))


@dataclass(frozen=True)
class _Opened:
    """What a model that was opened in the fresh process gave."""

    vectors: np.ndarray
    evaluation: Evaluation | None

    @property
    def metrics(self) -> dict[str, float]:
        return {} if self.evaluation is None else self.evaluation.metrics


def _fresh_process(models: Sequence[tuple[Path, int | None]], sample: Sample) -> list[_Opened]:
    """Open folders, truncated to a dimension or not, in one fresh process; embed and score the sample."""
    with tempfile.TemporaryDirectory(prefix="embedtune-check-") as scratch:
        work = Path(scratch)
        for name, part in (("data", sample.data), ("reference", sample.reference)):
            if part is not None:
                part.write(work / name)
        request = {
            "models": [(str(folder), dimension) for folder, dimension in models],
            "settings": sample.settings,
            "texts": sample.texts,
        }
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
        return [
            _Opened(
                np.load(work / f"vectors-{place}.npy"),
                None if sample.data is None else load_evaluation(work / f"evaluation-{place}"),
            )
            for place in range(len(models))
        ]


def _compare(
    what: str, other: str, expected: Evaluation | None, vectors: np.ndarray, found: _Opened
) -> float:
    """Return the largest difference between vectors; raise where it or the score's is too large."""
    same_shape = vectors.shape == found.vectors.shape
    difference = float(np.abs(found.vectors - vectors).max()) if same_shape else float("inf")
    score = wanted = tolerance = 0.0
    if expected is not None:
        score, wanted = found.metrics[expected.primary], expected.metrics[expected.primary]
        tolerance = _tolerance(expected)
    # the comparison is made so that a NaN on either side is a mismatch
    if not (difference <= VECTOR_TOLERANCE and abs(score - wanted) <= tolerance):
        judged = f", {expected.primary} {score:.4f} instead of {wanted:.4f}" if expected is not None else ""
        raise IntegrityError(
            f"{what} differs from {other}: vectors by up to {difference:.2e}{judged}.",
            expected=f"vectors within {VECTOR_TOLERANCE:g}, score within {tolerance:g}",
            fix="report this with the model's name and versions; it was neither published nor kept.",
        )
    return difference


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
    """The library's own loading and encoding, behind the one method that an evaluation calls.

    Parameters
    ----------
    folder
        An ordinary sentence-transformers folder.
    dimension
        Numbers of each vector that are kept; None keeps all.
    """

    def __init__(self, folder: str, dimension: int | None = None) -> None:
        from sentence_transformers import SentenceTransformer

        self._model = SentenceTransformer(folder, local_files_only=True, truncate_dim=dimension)

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
    data, reference = (
        Datasource.read(work / name) if (work / name).is_dir() else None for name in ("data", "reference")
    )
    for place, (folder, dimension) in enumerate(request["models"]):
        model = PlainModel(folder, dimension)
        np.save(work / f"vectors-{place}.npy", model.embed(request["texts"]))
        if data is not None:
            evaluation = evaluate(model, data, reference=reference, settings=request["settings"])
            save_evaluation(evaluation, work / f"evaluation-{place}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
