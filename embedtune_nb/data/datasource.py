"""The Datasource: examples, the roles of their columns, and what happened to them on the way in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from embedtune_nb.data.clean import Dropped
from embedtune_nb.data.constructors import Constructors
from embedtune_nb.data.describe import describe
from embedtune_nb.data.filtering import filtered
from embedtune_nb.data.fingerprint import fingerprint
from embedtune_nb.data.html import to_html
from embedtune_nb.data.improving import Improving
from embedtune_nb.data.kinds import FRAMES, LABELED, NLI, PAIRS, RETRIEVAL
from embedtune_nb.data.lengths import LengthProfile, profile_lengths
from embedtune_nb.data.roles import RoleChoice
from embedtune_nb.data.texts import texts_by_role
from embedtune_nb.errors import DataError, IntegrityError

if TYPE_CHECKING:
    from embedtune_nb.data.split import Split


class Datasource(Constructors, Improving):
    """A table of examples and the roles of its columns. Made by the ``from_...`` methods; never changed
    after.

    Attributes
    ----------
    kind : str
        ``"labeled"``, ``"scored"``, ``"pairs"``, ``"triplets"``, ``"scored_pairs"``, ``"nli"`` or
        ``"retrieval"``.
    kind_reason : str
        Why this kind.
    name : str
        What to call it on screen.
    frames : dict of DataFrame
        The examples. Retrieval data has ``queries`` (id, text, optional group), ``corpus`` (id, text) and
        ``qrels`` (query_id, corpus_id, relevance > 0). Every other kind has ``examples`` with ``id``, which
        is the row in the source, from 0, an optional ``group``, and: labeled ``value, label``; scored
        ``value, score``; pairs ``anchor, positive``; triplets ``anchor, positive, negatives`` (a list of
        texts in each row); scored_pairs ``sentence1, sentence2, score`` (0 to 1); nli ``premise,
        hypothesis, label`` (entailment, neutral or contradiction).
    roles : dict of RoleChoice
        For each role the column it came from and why.
    dropped : list of Dropped
        How many rows were left out for which reason.
    notes : list of str
        Conversions and oddities, one sentence each.
    score_range : tuple of float or None
        For scored pairs, the lowest and highest score of the source, which became 0 and 1.
    instruction : str or None
        The task in words, of data from a collection that has one; ``finetune`` reads the texts with it.
    """

    def __init__(
        self,
        kind: str,
        frames: dict[str, pd.DataFrame],
        *,
        name: str,
        kind_reason: str = "",
        roles: Mapping[str, RoleChoice] | None = None,
        dropped: Iterable[Dropped] = (),
        notes: Iterable[str] = (),
        score_range: tuple[float, float] | None = None,
        instruction: str | None = None,
    ) -> None:
        self.kind, self.frames, self.name, self.kind_reason = kind, frames, name, kind_reason
        self.roles, self.dropped, self.notes = dict(roles or {}), list(dropped), list(notes)
        self.score_range, self.instruction = score_range, instruction

    # Looking at it ---------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Return the number of examples: rows, or queries for retrieval."""
        return len(self.frames["queries"] if self.kind == RETRIEVAL else self.frames["examples"])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of kind and content; the same in every process and for every row index."""
        return fingerprint(self.kind, self.frames)

    def texts_by_role(self) -> dict[str, list[str]]:
        """Return ``{role: texts}``; where rows hold several texts, each is listed once a role."""
        return texts_by_role(self)

    def texts(self) -> list[str]:
        """Return all texts, role after role."""
        return [text for texts in self.texts_by_role().values() for text in texts]

    @property
    def labels(self) -> list[str] | list[int]:
        """The distinct labels in order (labeled and nli data)."""
        return sorted(self.label_counts().index.tolist())

    def label_counts(self) -> pd.Series:
        """Return the number of rows of each label, the most frequent first (labeled and nli data)."""
        if self.kind not in (LABELED, NLI):
            raise DataError(f"Data of the kind {self.kind!r} has no labels.", expected="labeled or nli data")
        return self.frames["examples"]["label"].value_counts()

    def to_pandas(self) -> pd.DataFrame:
        """Return the examples as one table; for retrieval one row a judgement, with texts and ids."""
        if self.kind != RETRIEVAL:
            return self.frames["examples"].copy()
        queries = self.frames["queries"].rename(columns={"id": "query_id", "text": "query"})
        corpus = self.frames["corpus"].rename(columns={"id": "corpus_id", "text": "document"})
        joined = self.frames["qrels"].merge(queries, on="query_id").merge(corpus, on="corpus_id")
        order = ["query", "document", "relevance", "query_id", "corpus_id"]
        return joined[[*order, *(name for name in joined.columns if name not in order)]]

    def training_pairs(self) -> pd.DataFrame:
        """Return ``anchor, positive`` (pairs), and ``query_id, corpus_id`` beside them (retrieval)."""
        if self.kind not in (PAIRS, RETRIEVAL):
            raise DataError(
                f"Data of the kind {self.kind!r} has no pairs.",
                expected="data of the kind 'pairs' or 'retrieval'",
            )
        if self.kind == PAIRS:
            return self.frames["examples"][["anchor", "positive"]].copy()
        flat = self.to_pandas().rename(columns={"query": "anchor", "document": "positive"})
        return flat[["anchor", "positive", "query_id", "corpus_id"]]

    def sample(self, n: int = 5, seed: int = 0) -> pd.DataFrame:
        """Return *n* random examples (all if there are fewer) without their ids."""
        table = self.to_pandas()
        table = table.sample(min(n, len(table)), random_state=seed)
        ids = [name for name in ("id", "query_id", "corpus_id") if name in table.columns]
        return table.drop(columns=ids).reset_index(drop=True)

    def filter(self, keep: Callable[[dict[str, Any]], bool] | Sequence[bool]) -> Datasource:
        """Return the data with some of its examples.

        Parameters
        ----------
        keep
            Called with each row as a dict (``{"value": ..., "label": ...}``; of retrieval data each query,
            ``{"id": ..., "text": ...}``), or one truth value a row. All documents of retrieval data stay.

        Raises
        ------
        DataError
            If nothing is left, or if there is not one truth value for each row.
        """
        return filtered(self, keep)

    def split(
        self, *, seed: int = 42, selection: bool = False, eval_datasource: Datasource | None = None
    ) -> Split:
        """Return train, selection and verdict parts; see :func:`embedtune_nb.data.split.split`."""
        from embedtune_nb.data.split import split

        return split(self, seed=seed, selection=selection, eval_datasource=eval_datasource)

    def profile(self, tokenizer_file: str | Path | None = None) -> LengthProfile:
        """Return how long the texts are in tokens; without a ``tokenizer.json`` it is called an estimate."""
        return profile_lengths(self.texts_by_role(), tokenizer_file)

    def to_datasource(self) -> Datasource:
        """Return itself: everything that can be trained on has this method."""
        return self

    def __repr__(self) -> str:
        return describe(self)

    def _repr_html_(self) -> str:
        return to_html(self)

    # Making other kinds of it ----------------------------------------------------------------------------

    def to_pairs(self, *, min_score: float | None = None, seed: int = 0) -> Datasource:
        """Return pairs; ``dropped`` and ``notes`` of the result tell what was left out.

        Parameters
        ----------
        min_score
            Of scored pairs, the least score (0 to 1) that makes a pair; 0.8 by default. Of retrieval data,
            the least grade; all by default.
        seed
            Decides which texts of a label are paired.

        Returns
        -------
        Datasource
            labeled: texts of one label two by two, each text once. triplets: without their negatives.
            scored_pairs: those similar enough. nli: premise and entailed hypothesis. retrieval: query and
            document of each judgement.

        Raises
        ------
        DataError
            If no pairs can be made of this kind, or if none come out.
        """
        from embedtune_nb.data.convert import to_pairs

        return to_pairs(self, min_score=min_score, seed=seed)

    def to_triplets(self, *, seed: int = 0) -> Datasource:
        """Return triplets; ``dropped`` and ``notes`` of the result tell what was left out.

        labeled: texts of one label two by two, with a random text of another label. nli: premise, entailed
        hypothesis and all its contradictions. Other kinds raise a :class:`DataError`.
        """
        from embedtune_nb.data.convert import to_triplets

        return to_triplets(self, seed=seed)

    def to_scored_pairs(self, *, seed: int = 0) -> Datasource:
        """Return scored pairs; ``dropped`` and ``notes`` of the result tell what was left out.

        scored: texts two by two, the more similar the nearer their scores. nli: entailment 1, neutral 0.5,
        contradiction 0. Other kinds raise a :class:`DataError`.
        """
        from embedtune_nb.data.convert import to_scored_pairs

        return to_scored_pairs(self, seed=seed)

    def to_retrieval(self) -> Datasource:
        """Return pairs or triplets as queries, documents and judgements; others raise a DataError."""
        from embedtune_nb.data.convert import to_retrieval

        return to_retrieval(self)

    # Keeping it ------------------------------------------------------------------------------------------

    def write(self, folder: str | Path) -> Path:
        """Write Parquet files and ``datasource.json`` into *folder*, made if need be; return the folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in self.frames.items():
            frame.to_parquet(folder / f"{name}.parquet", index=False)
        (folder / "datasource.json").write_text(json.dumps(self.to_record(), indent=1), encoding="utf-8")
        return folder

    @classmethod
    def read(cls, folder: str | Path) -> Datasource:
        """Read what :meth:`write` wrote.

        Raises
        ------
        IntegrityError
            If the files are not those that were written.
        """
        folder = Path(folder)
        try:
            record = json.loads((folder / "datasource.json").read_text(encoding="utf-8"))
            frames = {name: pd.read_parquet(folder / f"{name}.parquet") for name in FRAMES[record["kind"]]}
        except (OSError, ValueError, KeyError) as cause:
            raise IntegrityError(
                f"The data in {folder} cannot be read: {cause}.",
                expected="a folder written by Datasource.write",
            ) from cause
        return cls.from_record(record, frames)

    def to_record(self) -> dict[str, Any]:
        """Return everything but the frames as JSON-able values."""
        return {
            "format": 1,
            "kind": self.kind,
            "kind_reason": self.kind_reason,
            "name": self.name,
            "fingerprint": self.fingerprint,
            "roles": {
                role: {"column": str(choice.column), "reason": choice.reason}
                for role, choice in self.roles.items()
            },
            "dropped": [asdict(drop) for drop in self.dropped],
            "notes": self.notes,
            "score_range": self.score_range,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any], frames: dict[str, pd.DataFrame]) -> Datasource:
        """Put together what :meth:`to_record` and ``frames`` hold, and check that they belong together."""
        if "negatives" in frames.get("examples", ()):
            examples = frames["examples"]  # Parquet gives arrays for lists
            frames = {"examples": examples.assign(negatives=examples["negatives"].map(list))}
        data = cls(
            record["kind"],
            frames,
            name=record["name"],
            kind_reason=record["kind_reason"],
            roles={role: RoleChoice(**choice) for role, choice in record["roles"].items()},
            dropped=[Dropped(**drop) for drop in record["dropped"]],
            notes=record["notes"],
            score_range=tuple(record["score_range"]) if record.get("score_range") else None,
        )
        if data.fingerprint != record["fingerprint"]:
            raise IntegrityError(
                f"The examples of {data.name!r} are not those that were written (their fingerprint differs).",
                fix="load the data from its source again.",
            )
        return data
