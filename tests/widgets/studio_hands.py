"""What a person does in a studio or a data picker, as a test does it."""

from __future__ import annotations

from embedtune_nb.widgets.data_choice import DataChoice

PATIENCE = 60


def pick(studio, name, origin="frame"):
    control(studio, "Data").value = DataChoice(origin, name)
    return studio.wait(PATIENCE)


def parts(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def control(box, label):
    return next(part for part in parts(box) if getattr(part, "description", "") == label)


def cards(studio, testid):
    return next(part for part in parts(studio) if getattr(part, "testid", "") == testid)
