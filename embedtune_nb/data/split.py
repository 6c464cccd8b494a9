"""Three parts of one Datasource: train; selection, which may choose; verdict, which never chooses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import LABELED, PAIRS, RETRIEVAL, SCORED
from embedtune_nb.data.split_retrieval import split_retrieval
from embedtune_nb.data.split_rows import split_rows
from embedtune_nb.data.split_values import split_values
from embedtune_nb.errors import DataError, IntegrityError

PARTS = ("train", "selection", "verdict")
FEWEST = 10
FEW_FOR_A_VERDICT = 100
_WAYS = {LABELED: split_values, SCORED: split_values, PAIRS: split_retrieval, RETRIEVAL: split_retrieval}
_UNITS = {LABELED: "texts", SCORED: "texts", PAIRS: "queries", RETRIEVAL: "queries"}
_ALL_HANGS_TOGETHER = (
    "all of it hangs together, near-copies counted as one",
    "rows with texts of their own",
    "bring more rows",
)
_NOTHING_HELD_OUT = {
    LABELED: (
        "every label stands on one text, near-copies counted as one",
        "classes with several different texts",
        "check the label column, bring more rows of each class",
    ),
}


@dataclass(frozen=True)
class Split:
    """The three parts and how they came about.

    Parameters
    ----------
    train
        What is trained on; the kind of the data.
    selection
        What may choose a checkpoint or a trial, or ``None`` where nothing chooses.
    verdict
        What is read before and after training, and chooses nothing. It and *selection* are of the kind of
        the data, but pairs become retrieval data, and retrieval data searches the documents of all parts.
    report
        JSON-able: ``seed``, ``how``, ``counts`` and ``fractions`` of the parts, ``reasons``, ``advice``,
        ``removed``.
    further
        The splits of the further data of a run with several objectives.
    """

    train: Datasource
    selection: Datasource | None
    verdict: Datasource
    report: dict[str, Any]
    further: tuple[Split, ...] = ()

    @property
    def every_part(self) -> list[Datasource]:
        """All parts there are, those of further objectives included."""
        own = [part for part in (self.train, self.selection, self.verdict) if part is not None]
        return own + [part for other in self.further for part in other.every_part]

    def write(self, folder: str | Path) -> Path:
        """Write all parts into *folder*, the documents they share once; return the folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        record: dict[str, Any] = {"format": 1, "report": self.report, "parts": {}}
        record["further"] = [f"objective-{place}" for place in range(2, 2 + len(self.further))]
        for name, other in zip(record["further"], self.further, strict=True):
            other.write(folder / name)
        pool = self.verdict.frames.get("corpus")
        if pool is not None:
            pool.to_parquet(folder / "corpus.parquet", index=False)
        for name in PARTS:
            part = getattr(self, name)
            if part is None:
                continue
            record["parts"][name] = {**part.to_record(), "frames": sorted(part.frames)}
            for frame_name, frame in part.frames.items():
                stored = frame[["id"]] if frame_name == "corpus" else frame
                stored.to_parquet(folder / f"{name}.{frame_name}.parquet", index=False)
        (folder / "split.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
        return folder

    @classmethod
    def read(cls, folder: str | Path) -> Split:
        """Read what :meth:`write` wrote.

        Raises
        ------
        IntegrityError
            If the files are not those that were written.
        """
        folder = Path(folder)
        parts: dict[str, Datasource | None] = dict.fromkeys(PARTS)
        try:
            record = json.loads((folder / "split.json").read_text(encoding="utf-8"))
            further = tuple(cls.read(folder / name) for name in record.get("further", []))
            shared = folder / "corpus.parquet"
            pool = pd.read_parquet(shared) if shared.exists() else None
            for name, part in record["parts"].items():
                frames = {f: pd.read_parquet(folder / f"{name}.{f}.parquet") for f in part["frames"]}
                if "corpus" in frames:
                    frames["corpus"] = frames["corpus"].merge(pool, on="id", how="left")
                parts[name] = Datasource.from_record(part, frames)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as cause:
            if isinstance(cause, IntegrityError):
                raise
            raise IntegrityError(
                f"The split in {folder} cannot be read: {cause}.", expected="a folder written by Split.write"
            ) from cause
        return cls(**parts, report=record["report"], further=further)  # type: ignore[arg-type]


def split(
    data: Datasource, *, seed: int = 42, selection: bool = False, eval_datasource: Datasource | None = None
) -> Split:
    """Split *data* into train, selection and verdict.

    Parameters
    ----------
    data
        What to split.
    seed
        Decides every random choice; the same data and seed give the same parts in every process.
    selection
        Hold out 10 % (at most 1,000) that may choose. Wanted only if something chooses.
    eval_datasource
        Taken whole as the verdict part. Without it 20 % (at most 2,000) of *data* are held out.

    Returns
    -------
    Split
        Labeled and scored texts are stratified and near-copies stay together. In all other data whatever
        shares a text or a document stays together; if so much hangs together that no fair split exists,
        queries (anchors, premises, first sentences) alone are kept apart, and the report says so. The rows
        of one group always stay together.

    Raises
    ------
    DataError
        If there are too few examples, or groups too large to be kept together.
    """
    parts_needed = selection or eval_datasource is None
    if parts_needed and len(data) < FEWEST:
        raise DataError(
            f"{len(data)} examples are too few to hold some out.",
            expected=f"at least {FEWEST}",
            fix="bring more examples, or pass eval_datasource."
            if eval_datasource is None
            else "bring more examples, or turn off what needs a selection part (early stopping).",
        )
    carry_out = _WAYS.get(data.kind, split_rows)
    if eval_datasource is not None:
        _require_comparable(data, eval_datasource)
    parts = carry_out(data, seed=seed, selection=selection, eval_datasource=eval_datasource)
    train, chosen, verdict = parts.train, parts.selection, parts.verdict
    if not len(verdict):
        why, expected, fix = _NOTHING_HELD_OUT.get(data.kind, _ALL_HANGS_TOGETHER)
        raise DataError(
            f"Nothing can be held out for the verdict: {why}.",
            expected=expected,
            fix=f"{fix}, or pass eval_datasource.",
        )
    advice = list(parts.advice)
    unit = _UNITS.get(data.kind, "rows")
    if len(verdict) < FEW_FOR_A_VERDICT:
        advice.append(
            f"The verdict rests on {len(verdict)} {unit}; so few can only show a large difference. "
            "More data, or a set of its own passed as eval_datasource, makes it sharper."
        )
    counts = {"train": len(train), "selection": len(chosen) if chosen else 0, "verdict": len(verdict)}
    total = sum(counts.values())
    report = {
        "seed": seed,
        "how": parts.how,
        "unit": unit if data.kind != PAIRS else "pairs in train, queries elsewhere",
        "counts": counts,
        "fractions": {name: round(count / total, 4) for name, count in counts.items()},
        "reasons": parts.reasons,
        "advice": advice,
        "removed": parts.removed,
    }
    if "corpus" in verdict.frames:
        report["documents"] = len(verdict.frames["corpus"])
    return Split(train, chosen, verdict, report)


def _require_comparable(data: Datasource, held_out: Datasource) -> None:
    searched = {PAIRS, RETRIEVAL}
    if data.kind != held_out.kind and not {data.kind, held_out.kind} <= searched:
        raise DataError(
            f"The data is {data.kind!r}, eval_datasource is {held_out.kind!r}.",
            expected="the same kind of data (pairs and retrieval go together)",
            fix="pass an eval_datasource of the same kind.",
        )
    if data.kind == LABELED and not set(data.labels) & set(held_out.labels):
        raise DataError(
            f"No label of eval_datasource ({held_out.labels[0]!r}, ...) occurs in the data "
            f"({data.labels[0]!r}, ...).",
            expected="the same labels in both, of the same type",
            fix="bring the labels of both to one form.",
        )
