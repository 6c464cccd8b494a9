"""The Hugging Face hub, asked in a way that never hangs.

Left alone, the client retries for about 25 seconds when there is no network. So: what is cached is
taken without asking; otherwise one short question shows whether the hub answers at all.
"""

from __future__ import annotations

from pathlib import Path

from embedtune_nb.catalogue.folder import read_folder
from embedtune_nb.data.hub import why_unreachable
from embedtune_nb.errors import ModelUnavailableError

_SMALL_FILES = ["*.json", "*.txt", "*.model"]
_WEIGHTS = ["*.safetensors"]
# Other runtimes' copies of the same weights: gigabytes that nobody here would read.
_IGNORED = ["onnx/*", "openvino/*", "*.bin", "*.h5", "*.ot", "*.msgpack"]


def cached_folder(hub_id: str, *, need_weights: bool) -> Path | None:
    """Return the local copy of *hub_id* if it is complete, without any network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(hub_id, local_files_only=True))
        read_folder(folder, need_weights=need_weights)
    except (LocalEntryNotFoundError, HfHubHTTPError, ModelUnavailableError, ValueError):
        return None
    return folder


def download(hub_id: str, *, with_weights: bool, remedy: str) -> Path:
    """Return a folder with the files of *hub_id*, from the local copy or the hub.

    Parameters
    ----------
    with_weights
        Whether the weights are needed, or only the small files beside them.
    remedy
        What to do where the hub cannot be reached; goes into the error.

    Raises
    ------
    ModelUnavailableError
        If the model is neither here nor reachable (known in under 10 seconds), or does not exist.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    cached = cached_folder(hub_id, need_weights=with_weights)
    if cached is not None:
        return cached
    ensure_reachable(hub_id, remedy=remedy)
    patterns = _SMALL_FILES + (_WEIGHTS if with_weights else [])
    try:
        folder = Path(snapshot_download(hub_id, allow_patterns=patterns, ignore_patterns=_IGNORED))
    except GatedRepoError as cause:
        raise ModelUnavailableError(
            f"The hub gives {hub_id!r} only to users who accepted its terms.",
            fix="accept them on its page and log in with `hf auth login`, or take another base model.",
        ) from cause
    except RepositoryNotFoundError as cause:
        raise ModelUnavailableError(
            f"The hub has no model {hub_id!r} that you may read.",
            expected="an existing 'organisation/name'",
            fix="check the spelling; log in with `hf auth login` if the model is private.",
        ) from cause
    except Exception as cause:
        raise ModelUnavailableError(
            f"Getting {hub_id!r} from the hub failed: {type(cause).__name__}: {cause}",
            fix=remedy,
        ) from cause
    read_folder(folder, need_weights=with_weights)
    return folder


def ensure_reachable(hub_id: str, *, remedy: str) -> None:
    """Raise ModelUnavailableError, within seconds, if the hub does not answer."""
    reason = why_unreachable()
    if reason:
        raise ModelUnavailableError(
            f"{hub_id!r} is not on this machine, and the hub cannot be reached: {reason}.",
            expected="its files in the local hub cache, or a working connection",
            fix=remedy,
        )
