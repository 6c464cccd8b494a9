"""What every step of a studio stands on: the shared desk, and a form that knows who changed it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import ipywidgets

from embedtune_nb.widgets.errands import Errands
from embedtune_nb.widgets.studio_state import StudioState


@dataclass
class Desk:
    """What the views of one studio share.

    Attributes
    ----------
    state
        The choices; read and changed only while holding *lock*.
    errands
        Takes what is too long for a click.
    refresh
        Shows the state anew, everywhere; call it while holding *lock*.
    lock
        Clicks and errands come on different threads.
    """

    state: StudioState
    errands: Errands
    refresh: Callable[[], None]
    lock: threading.RLock = field(default_factory=threading.RLock)

    def ask(
        self,
        topic: str,
        work: Callable[[], Any],
        then: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Run *work* as an errand; *then* or *failed* change the state, and it is shown anew."""
        self.errands.ask(topic, work, self._locked(then), self._locked(failed))

    def _locked(self, change: Callable[[Any], None]) -> Callable[[Any], None]:
        def changed(value: Any) -> None:
            with self.lock:
                change(value)
                self.refresh()

        return changed


class Form:
    """A column of controls whose handlers hear a person's changes only, not those that the code makes.

    Parameters
    ----------
    lock
        Held while a handler runs.
    """

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._filling = False

    def hear(self, control: ipywidgets.Widget, trait: str, handler: Callable[[Any], None]) -> None:
        """Call ``handler(new value)`` when a person changes *trait* of *control*."""

        def heard(change: Any) -> None:
            with self._lock:
                if not self._filling:
                    handler(change["new"])

        control.observe(heard, names=trait)

    def click(self, button: ipywidgets.Button, handler: Callable[[], None]) -> None:
        """Call *handler* when *button* is pressed."""

        def clicked(_: Any) -> None:
            with self._lock:
                handler()

        button.on_click(clicked)

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Change controls without being heard."""
        with self._lock:
            before, self._filling = self._filling, True
            try:
                yield
            finally:
                self._filling = before


class StepView(Form):
    """One step: a box of controls that shows the state and changes it.

    Parameters
    ----------
    desk
        What the steps share.
    """

    key = ""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.lock)
        self.desk = desk
        self.box = column()

    @property
    def state(self) -> StudioState:
        """The shared state."""
        return self.desk.state

    def refresh(self) -> None:
        """Show the state; called after each change of it, while the lock is held."""
        raise NotImplementedError

    def close(self) -> None:
        """End what runs beside the page."""


def column(*children: ipywidgets.Widget) -> ipywidgets.VBox:
    """Return a column of a form."""
    return styled(ipywidgets.VBox(children), "etn-form")


def styled(control: Any, *classes: str) -> Any:
    """Return *control* with CSS classes."""
    for name in classes:
        control.add_class(name)
    return control


def labelled(control: Any) -> Any:
    """Return a control whose label stands above it."""
    control.description_allow_html = False
    return styled(ipywidgets.VBox((control,)), "etn-field")


def show_html(place: ipywidgets.HTML, text: str) -> None:
    """Put *text* (HTML made by this package) in *place*, which disappears when there is none."""
    if place.value != text:
        place.value = text
    place.layout.display = "" if text else "none"
