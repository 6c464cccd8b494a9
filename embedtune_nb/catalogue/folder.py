"""Reading what a sentence-transformers folder says about itself, without loading it."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedtune_nb.errors import ModelUnavailableError

_LENGTH_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len")
_DIMENSION_KEYS = ("hidden_size", "d_model", "n_embd", "dim")
# How the tensors of word and position vectors end.
_TABLES = ("embeddings.weight", "embed_tokens.weight", "embedding.weight", "wte.weight")
# Largest header a safetensors file may have (the format's own limit): a damaged length must not
# make us read gigabytes.
_MAX_HEADER = 100_000_000


@dataclass(frozen=True)
class FolderFacts:
    """What the small files of a model folder say; ``weights`` is empty if they are not here yet."""

    dimension: int | None
    max_length: int | None
    static: bool
    instructions: bool
    tokenizer: Path | None
    weights: tuple[Path, ...]
    parameters: int | None
    embedding_parameters: int | None

    @property
    def size_bytes(self) -> int | None:
        """Return the bytes of all weight files, or None without any."""
        return sum(file.stat().st_size for file in self.weights) if self.weights else None


def read_folder(folder: Path, *, need_weights: bool = True) -> FolderFacts:
    """Read the facts of a model folder.

    Parameters
    ----------
    folder
        A sentence-transformers folder, or a plain transformers folder (it then gets mean pooling).
    need_weights
        Whether a folder without a ``.safetensors`` file is refused.

    Raises
    ------
    ModelUnavailableError
        If files are missing or damaged; the message names them.
    """
    modules = _read_json(folder / "modules.json")
    encoder = folder
    static = False
    pooling: dict[str, Any] = {}
    if isinstance(modules, list) and modules:
        kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
        static = kinds[0] == "StaticEmbedding"
        encoder = folder / modules[0].get("path", "")
        for kind, module in zip(kinds, modules, strict=True):
            if kind == "Pooling":
                pooling = _read_json(folder / module.get("path", "") / "config.json") or {}
    config = _read_json(encoder / "config.json") or {}
    weights = tuple(sorted(encoder.glob("*.safetensors")))
    _check_complete(folder, encoder, modules or config, config or static, weights or not need_weights)

    shapes = _tensor_shapes(weights)
    embedding = [shape for name, shape in shapes.items() if name.endswith(_TABLES) or name == "embeddings"]
    tokenizer = encoder / "tokenizer.json"
    prompts = (_read_json(folder / "config_sentence_transformers.json") or {}).get("prompts") or {}
    return FolderFacts(
        dimension=_dimension(folder, modules, pooling, config, shapes if static else {}),
        max_length=None if static else _max_length(folder, encoder, config),
        static=static,
        instructions=any(prompts.values()),
        tokenizer=tokenizer if tokenizer.is_file() else None,
        weights=weights,
        parameters=sum(math.prod(shape) for shape in shapes.values()) or None,
        embedding_parameters=sum(math.prod(shape) for shape in embedding) or None,
    )


def _check_complete(folder: Path, encoder: Path, parts: Any, config: Any, weights: Any) -> None:
    missing = []
    if not parts:
        missing.append("modules.json (the list of a sentence-transformers model's parts)")
    if not config:
        missing.append(str((encoder / "config.json").relative_to(folder)))
    if not weights:
        pickled = any(encoder.glob("pytorch_model*.bin"))
        note = "; there is only a pickled .bin file, which can run code and is refused" if pickled else ""
        missing.append(f"{(encoder / 'model.safetensors').relative_to(folder)} (the weights{note})")
    if missing:
        raise ModelUnavailableError(
            f"{folder} is not a complete model folder. Missing: {'; '.join(missing)}.",
            expected="a folder written by SentenceTransformer.save(), with weights as safetensors",
            fix="give the folder that holds these files, or a hub id such as 'organisation/name'.",
        )


def _dimension(
    folder: Path,
    modules: Any,
    pooling: dict[str, Any],
    config: dict[str, Any],
    table: dict[str, tuple[int, ...]],
) -> int | None:
    for module in reversed(modules or []):
        if str(module.get("type", "")).endswith(".Dense"):
            dense = _read_json(folder / module.get("path", "") / "config.json") or {}
            if "out_features" in dense:
                return int(dense["out_features"])
    for key in ("word_embedding_dimension", "embedding_dimension"):
        if key in pooling:
            return int(pooling[key])
    for key in _DIMENSION_KEYS:
        if key in config:
            return int(config[key])
    return next((shape[1] for shape in table.values() if len(shape) == 2), None)


def _max_length(folder: Path, encoder: Path, config: dict[str, Any]) -> int | None:
    for place in (encoder, folder):
        given = (_read_json(place / "sentence_bert_config.json") or {}).get("max_seq_length")
        if given:
            return int(given)
    positions = next((int(config[key]) for key in _LENGTH_KEYS if config.get(key)), None)
    declared = (_read_json(encoder / "tokenizer_config.json") or {}).get("model_max_length")
    # Tokenizers without a limit declare 1e30.
    limits = [int(limit) for limit in (positions, declared) if limit and limit < 10_000_000]
    return min(limits) if limits else None


def _tensor_shapes(weights: tuple[Path, ...]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor from the headers alone (8 bytes of length, JSON, then the tensors)."""
    shapes: dict[str, tuple[int, ...]] = {}
    for file in weights:
        try:
            with file.open("rb") as stream:
                (length,) = struct.unpack("<Q", stream.read(8))
                header = json.loads(stream.read(min(length, _MAX_HEADER)))
        except (OSError, ValueError, struct.error) as cause:
            raise ModelUnavailableError(
                f"{file} is damaged: its header cannot be read.",
                expected="a safetensors file",
                fix="copy or download the model again.",
            ) from cause
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
        whole = 8 + length + max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
        if (size := file.stat().st_size) < whole:
            raise ModelUnavailableError(
                f"{file} is cut off: it has {size:,} of {whole:,} bytes.",
                expected="the whole file",
                fix="copy or download the model again.",
            )
        shapes |= {name: tuple(entry["shape"]) for name, entry in tensors.items()}
    return shapes


def _read_json(file: Path) -> Any:
    if not file.is_file():
        return None
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as cause:
        raise ModelUnavailableError(
            f"{file} is not valid JSON: {cause}.", fix="copy or download the model again."
        ) from cause
