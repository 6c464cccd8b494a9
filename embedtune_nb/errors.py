"""The one tree of errors. Every message says what was expected, what was found and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class EmbedtuneError(Exception):
    """Base of everything this package raises on purpose.

    Parameters
    ----------
    found
        What was found, as a sentence.
    expected
        What would have been right. Left out of the message when empty.
    fix
        What to do now, as an imperative sentence. Left out when empty.
    """

    def __init__(self, found: str, *, expected: str = "", fix: str = "") -> None:
        self.found, self.expected, self.fix = found, expected, fix
        lines = [found]
        if expected:
            lines.append(f"Expected: {expected}")
        if fix:
            lines.append(f"What to do: {fix}")
        super().__init__("\n".join(lines))


class DataError(EmbedtuneError, ValueError):
    """The data cannot be read or cannot serve the asked purpose."""


class ColumnError(DataError):
    """A column is missing, misspelt or ambiguous."""


class PlanError(EmbedtuneError, ValueError):
    """A setting or a combination of settings cannot be carried out."""


class LossError(PlanError):
    """A loss does not exist or does not fit the kind of data."""


class NotYetError(PlanError):
    """The design promises it, this version does not do it yet."""


class NameRefusedError(EmbedtuneError, ValueError):
    """A name would be unsafe as a folder name."""


class ModelUnavailableError(EmbedtuneError, OSError):
    """A base model is neither whole on this machine nor reachable."""


class StoreError(EmbedtuneError, OSError):
    """The home folder cannot be read or written."""


class NotFoundError(StoreError, LookupError):
    """No model or job has this name."""


class AlreadyExistsError(StoreError):
    """The name is taken."""


class InUseError(StoreError):
    """Something else needs it, so it cannot be deleted."""


class IntegrityError(StoreError):
    """Files on disk differ from what their manifest records."""


class JobError(EmbedtuneError, RuntimeError):
    """A job cannot be started, reached or carried on."""


class JobFailedError(JobError):
    """The job ended with an error; the message carries its reason."""


class MemoryRanOutError(JobFailedError):
    """The run does not fit into memory, however little is computed at once.

    Parameters
    ----------
    found
        What was found, as a sentence.
    levers
        What would make it fit, the most helpful first.
    """

    def __init__(self, found: str, *, levers: Sequence[str]) -> None:
        self.levers = list(levers)
        super().__init__(found, fix="; or ".join(self.levers) + ".")


class JobStoppedError(JobError):
    """The job was stopped before it could publish a result."""


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Return ``"Did you mean 'x'? "`` for the nearest of *options*, or an empty string."""
    options = [str(option) for option in options]
    folded = {option.casefold(): option for option in options}
    near = difflib.get_close_matches(str(name).casefold(), list(folded), n=1, cutoff=0.6)
    return f"Did you mean {folded[near[0]]!r}? " if near else ""
