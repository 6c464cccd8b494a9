"""What trainings from the same base models need to find out but once: the trials of a sweep share it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar, cast

import torch

from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.layout import Layout

Found = TypeVar("Found")
# What decides how a base model reads a text, beside its length limit.
_READS = ("prompts", "truncation_side")


class Known:
    """What is known of one base model as it reads texts, on the data of one split."""

    def __init__(self) -> None:
        self._found: dict[Hashable, Any] = {}
        self._large: dict[Hashable, Any] = {}
        self._about: tuple[Hashable, ...] = ()

    def within(self, *about: Hashable) -> Known:
        """Return the same knowledge, with *about* part of every question that is asked of it."""
        inside = copy.copy(self)
        inside._about = (*self._about, *about)
        return inside

    def once(self, what: Hashable, find: Callable[[], Found], *, large: bool = False) -> Found:
        """Return what *find* returned when it was first asked for *what*.

        Parameters
        ----------
        what
            Names the question, with all that the answer depends on beside base model and data.
        find
            Answers it.
        large
            Whether the answer takes much memory; it is given up as soon as another base model is asked for.
        """
        answers, question = self._large if large else self._found, (*self._about, what)
        if question not in answers:
            answers[question] = find()
        return cast(Found, answers[question])

    def give_up_large(self) -> None:
        """Let go of what takes much memory."""
        self._large.clear()


class Shared:
    """Keeps what one training found out for the next one with the same split.

    Results do not depend on it: what is kept is the same for each training that asks.
    """

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}

    def about(self, base: Mapping[str, Any], settings: Mapping[str, Any]) -> Known:
        """Return what is known of the model of spec *base*, reading texts as *settings* say."""
        reads = {name: settings.get(name) for name in _READS}
        key = json.dumps([dict(base), reads], sort_keys=True, default=str)
        for other, known in self._known.items():
            if other != key:
                known.give_up_large()
        return self._known.setdefault(key, Known())


def load_base(base: Mapping[str, Any], settings: Mapping[str, Any], known: Known) -> Encoder:
    """Load a base model with the length limit of its own; how rows may be laid out is tried but once.

    Parameters
    ----------
    base
        Its spec, as a plan holds it.
    settings
        As for :meth:`embedtune_nb.encoder.encoder.Encoder.load`; ``max_seq_length`` is not read.
    known
        What is known of it.
    """
    own: list[Encoder] = []

    def find_layout() -> Layout:
        own.append(Encoder.load(base, unlimited))
        return own[0].layout

    unlimited = {**settings, "max_seq_length": None}
    with torch.random.fork_rng():
        layout = known.once("layout", find_layout)
        return own[0] if own else Encoder.load(base, unlimited, rows=layout)
