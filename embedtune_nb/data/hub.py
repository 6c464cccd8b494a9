"""Whether the Hugging Face hub answers, found out in a way that never hangs.

Left alone, the client retries for about 25 seconds when there is no network.
"""

from __future__ import annotations

import threading

PROBE_SECONDS = 6.0


def why_unreachable() -> str:
    """Return why the hub cannot be reached, known within ``PROBE_SECONDS``; an empty string if it can."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    outcome: list[str] = []

    def ask() -> None:
        try:
            get_session().head(constants.ENDPOINT, timeout=PROBE_SECONDS - 1)
            outcome.append("")
        except Exception as cause:
            outcome.append(f"{type(cause).__name__}: {cause}")

    # A name look-up obeys no timeout of the client, hence the thread that may be left behind.
    question = threading.Thread(target=ask, name="embedtune-hub-probe", daemon=True)
    question.start()
    question.join(PROBE_SECONDS)
    return outcome[0] if outcome else f"no answer within {PROBE_SECONDS:.0f} s"
