"""From texts and a model to a memoryset under a name; the same call again opens it."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from embedtune_nb.catalogue import BaseSpec
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import AlreadyExistsError, NotFoundError, PlanError
from embedtune_nb.memory.reading import Reading, embed_all, notes_on_reading
from embedtune_nb.memory.record import MemorysetRecord, find_memoryset, publish_memoryset
from embedtune_nb.models.embedding_model import EmbeddingModel
from embedtune_nb.store.home import memorysets_folder, models_folder, name_lock, writable_folder
from embedtune_nb.store.locks import locked
from embedtune_nb.store.names import check_name


def create_memoryset(
    name: str,
    data: Datasource,
    model: EmbeddingModel,
    instruction: str | None,
    *,
    if_exists: str,
    embedded: MemorysetRecord | None = None,
) -> MemorysetRecord:
    """Embed *data* with *model* and publish it as *name*, or open what stands there.

    Parameters
    ----------
    name
        Unique among memorysets, regardless of case.
    data
        Labeled or scored.
    model, instruction
        How the texts are read.
    if_exists
        ``"error"`` or ``"open"``.
    embedded
        A memoryset of the same texts; its vectors are taken where it reads them in the same way.

    Raises
    ------
    AlreadyExistsError
        If the name is taken and *if_exists* is ``"error"``.
    PlanError
        If a memoryset of another kind or model stands there.
    """
    name = check_name(name)
    if if_exists not in ("error", "open"):
        raise PlanError(
            f"if_exists={if_exists!r}.", expected="'error' or 'open'", fix="choose one of the two."
        )
    instruction = _checked(instruction)
    writable_folder("memorysets")
    # held while embedding: a second kernel that runs the same cell waits, then opens the result
    with locked(memorysets_folder() / ".names" / f"{name.casefold()}.lock"):
        there = find_memoryset(name)
        if there is not None and if_exists == "error":
            raise AlreadyExistsError(
                f"The name {there.path.name!r} is taken by a memoryset made {there.facts['created'][:10]}.",
                fix="choose another name, pass if_exists='open' to get that memoryset, or drop it first.",
            )
        reading = Reading.by(model, instruction)
        if there is not None:
            _compare(there, data, reading, instruction)
            return there
        return _new(name, data, model, reading, instruction, embedded)


def _new(
    name: str,
    data: Datasource,
    model: EmbeddingModel,
    reading: Reading,
    instruction: str | None,
    embedded: MemorysetRecord | None,
) -> MemorysetRecord:
    texts = data.frames["examples"]["value"].tolist()
    if embedded is not None and embedded.facts["reading"] == reading.to_json():
        vectors = embedded.vectors
    else:
        vectors = embed_all(model, texts, instruction, bar=f"Embedding {name}")
    notes = notes_on_reading(model.spec, texts, instruction, reading)
    for note in notes:
        _warn(f"Memoryset {name!r}: {note}")
    facts = {"instruction": instruction, "reading": reading.to_json(), "notes": notes}
    needs = [models_folder() / reading.model] if reading.tuned else []
    if not reading.tuned:
        return publish_memoryset(memorysets_folder() / name, facts, data, vectors, needs)
    with locked(name_lock(reading.model)):
        _refuse_dropped(model.spec, reading.model)
        return publish_memoryset(memorysets_folder() / name, facts, data, vectors, needs)


def _refuse_dropped(spec: BaseSpec, name: str) -> None:
    if not Path(str(spec.path)).is_dir():
        raise NotFoundError(
            f"The model {name!r} was dropped while the texts were being embedded with it.",
            fix="train it again, or embed them with another model.",
        )


def _compare(there: MemorysetRecord, data: Datasource, reading: Reading, instruction: str | None) -> None:
    """Refuse to open what is another thing; warn of what differs."""
    name, theirs = there.path.name, Reading.from_json(there.facts["reading"])
    if there.facts["kind"] != data.kind:
        raise PlanError(
            f"The name {name!r} stands for a memoryset of kind {there.facts['kind']!r}, "
            f"this call makes one of kind {data.kind!r}.",
            fix="choose another name, or drop the old memoryset first.",
        )
    if (theirs.model.casefold(), theirs.fingerprint) != (reading.model.casefold(), reading.fingerprint):
        what = "other weights of " if theirs.model == reading.model else ""
        raise PlanError(
            f"The memoryset {name!r} was embedded with {what}{theirs.model}, "
            f"this call asks for {reading.model}.",
            fix="choose another name, or drop the old memoryset first.",
        )
    changes = []
    if there.data.fingerprint != data.fingerprint:
        changes.append(f"  data: there {len(there.data):,} rows, here {len(data):,} rows, not all the same")
    if there.facts["instruction"] != instruction:
        changes.append(f"  instruction: there {there.facts['instruction']!r}, here {instruction!r}")
    told = f"Opened the memoryset {name!r}; nothing was embedded"
    if changes:
        told += ", although this call asks for something else:\n" + "\n".join(changes)
    _warn(f"{told}.")


def _warn(text: str) -> None:
    """Warn at the line of the user's call, however deep below it this is."""
    level = 2
    while sys._getframe(level - 1).f_globals.get("__name__", "").startswith("embedtune_nb."):
        level += 1
    warnings.warn(text, stacklevel=level)


def _checked(instruction: object) -> str | None:
    if instruction is None or (isinstance(instruction, str) and instruction.strip()):
        return instruction
    raise PlanError(
        f"The instruction is {instruction!r} ({type(instruction).__name__}).",
        expected="a text that is not blank, such as 'Find the intent of a customer', or None",
        fix="give such a text, or leave it out.",
    )
