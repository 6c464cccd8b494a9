"""How a memoryset's model reads texts: which model exactly, and what stands before each text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from embedtune_nb.catalogue import BaseSpec, instructed, local_folder, prompts_of, tokenizer_file
from embedtune_nb.data.lengths import profile_lengths
from embedtune_nb.errors import DataError, ModelUnavailableError, StoreError
from embedtune_nb.models.embedding_model import EmbeddingModel
from embedtune_nb.models.finetuned import FinetunedEmbeddingModel
from embedtune_nb.models.pretrained import PretrainedEmbeddingModel

# Written beside the weights for people and for this package; no vector depends on them.
_NOT_READ = {"embedtune.json", "embedtune.manifest.json"}


@dataclass(frozen=True)
class Reading:
    """What decides the vector of a text.

    Attributes
    ----------
    model
        Name of the tuned model, or the id of the base model.
    tuned
        Whether it is a tuned model of this home.
    spec
        The facts of the model.
    fingerprint
        SHA-256 of the model's weights and configuration.
    prompt
        What is put before every text; may be empty.
    """

    model: str
    tuned: bool
    spec: dict[str, Any]
    fingerprint: str
    prompt: str

    @classmethod
    def by(cls, model: EmbeddingModel, instruction: str | None) -> Reading:
        """Return how *model* reads the texts of a collection with *instruction*.

        The instruction counts only for a model that was trained to read one.
        """
        spec = model.spec
        applied = applied_instruction(spec, instruction)
        prompts = prompts_of(spec) if applied is None else instructed(spec, applied)
        return cls(
            model=spec.id,
            tuned=isinstance(model, FinetunedEmbeddingModel),
            spec=spec.to_dict(),
            fingerprint=_fingerprint(local_folder(spec)),
            prompt=prompts.default,
        )

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Reading:
        """Return the reading that :meth:`to_json` described."""
        return cls(**content)

    def to_json(self) -> dict[str, Any]:
        """Return the reading as a dict that JSON can carry."""
        return asdict(self)

    def open_model(self) -> EmbeddingModel:
        """Return the model, after making sure that it is still the one the texts were embedded with.

        Raises
        ------
        EmbedtuneError
            If it is gone, damaged, or another one under the same name.
        """
        model: EmbeddingModel
        if self.tuned:
            model = FinetunedEmbeddingModel.open(self.model)
        else:
            model = PretrainedEmbeddingModel(self.model)
        if _fingerprint(local_folder(model.spec)) != self.fingerprint:
            raise StoreError(
                f"The model {self.model!r} is not the one this memoryset was embedded with: "
                "its weights or its configuration changed since.",
                expected="vectors of one model only, for those of two cannot be compared",
                fix="embed the texts anew: memoryset.clone(new_name, embedding_model=...).",
            )
        return model

    def told(self) -> str:
        """Return the model in one line, as a memoryset shows it."""
        kind = "FinetunedEmbeddingModel" if self.tuned else "PretrainedEmbeddingModel"
        return (
            f"{kind}({{name: {self.model}, embedding_dim: {self.spec['dimension']}, "
            f"max_seq_length: {self.spec['max_length']}}})"
        )


def applied_instruction(spec: BaseSpec, instruction: str | None) -> str | None:
    """Return *instruction* if the model was trained to read one, else None."""
    return instruction if spec.instructions else None


def check_model(model: object) -> EmbeddingModel:
    """Return *model*, MiniLM if it is None; refuse anything that does not embed."""
    if model is None:
        return PretrainedEmbeddingModel("MINILM_L6")
    if isinstance(model, EmbeddingModel):
        return model
    raise DataError(
        f"embedding_model is {model!r} ({type(model).__name__}).",
        expected="a model, such as PretrainedEmbeddingModel.MINILM_L6 or FinetunedEmbeddingModel.open(name)",
        fix="give a model, or leave it out for MINILM_L6.",
    )


def embed_all(
    model: EmbeddingModel, texts: Sequence[str], instruction: str | None, *, bar: str = ""
) -> np.ndarray:
    """Embed *texts* in this process, each distinct one once.

    Parameters
    ----------
    model
        Computes the vectors.
    texts
        At least one.
    instruction
        The collection's.
    bar
        Words before a progress bar; none is shown when empty.

    Returns
    -------
    numpy.ndarray
        float32, (texts, dimension), rows of unit length.
    """
    from tqdm.auto import tqdm

    distinct = list(dict.fromkeys(texts))
    place = {text: row for row, text in enumerate(distinct)}
    applied = applied_instruction(model.spec, instruction)
    with tqdm(total=len(distinct), desc=bar, unit="text", leave=False, disable=not bar) as shown:
        vectors = model.embed(
            distinct, instruction=applied, progress=lambda done, _: shown.update(done - shown.n)
        )
    return vectors[[place[text] for text in texts]]


def notes_on_reading(
    spec: BaseSpec, texts: Sequence[str], instruction: str | None, reading: Reading
) -> list[str]:
    """Return what a user should know about how *texts* are read, one sentence each."""
    notes = []
    prompt, trained_with = reading.prompt, prompts_of(spec).default
    if reading.tuned and prompt != trained_with:
        notes.append(
            f"{spec.id} was tuned with {repr(trained_with) if trained_with else 'nothing'} before its texts, "
            f"this memoryset puts {prompt!r} there."
        )
    if instruction is not None and applied_instruction(spec, instruction) is None:
        notes.append(
            f"The instruction is kept but not put before the texts: {spec.id} was not trained to read one."
        )
    if spec.max_length is not None:
        read = [prompt + text for text in texts]
        profile = profile_lengths({"value": read}, tokenizer_file(spec))
        cut = profile.truncated_share(spec.max_length)
        about = "About " if profile.estimated or profile.sampled else ""
        if cut:
            notes.append(f"{about}{cut:.1%} of the texts are cut at {spec.max_length:,} tokens.")
    return notes


def _fingerprint(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".json", ".safetensors", ".txt"))
    stamps = tuple(
        (str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns)
        for path in files
        if path.is_file() and path.name not in _NOT_READ
    )
    if not stamps:
        raise ModelUnavailableError(f"{folder} holds no model.")
    return _hashed(folder, stamps)


@lru_cache(maxsize=32)
def _hashed(folder: Path, stamps: tuple[tuple[str, int, int], ...]) -> str:
    """Hash the files; sizes and times of change in *stamps* only say whether that was done before."""
    digest = hashlib.sha256()
    for name, size, _ in stamps:
        digest.update(f"{name}\0{size}\0".encode())
        with (folder / name).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
