"""The buttons of a job, on a comm of their own, so that a click arrives while a cell is running."""

from __future__ import annotations

import contextvars
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import traitlets

from embedtune_nb.widgets.base import Widget

T = TypeVar("T")

LATE_CLICK = "takes effect when the cell ends"


def running_kernel() -> Any | None:
    """Return the ipykernel kernel this code runs in, or None outside a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None)


def outside_the_cell(create: Callable[[], T]) -> tuple[T, bool]:
    """Call *create* as if no cell had asked for it; say whether that could be done.

    A kernel with subshells routes a click to the shell that last published on the widget's comm, and
    opening the comm counts as publishing. A widget that a cell opens is therefore deaf until that
    cell ends. Opened with an empty parent it has no such route, and the front end's own choice, a
    subshell that stays free, is respected.

    Parameters
    ----------
    create
        Makes the widget and returns it.

    Returns
    -------
    tuple
        What *create* returned, and True where its clicks can arrive during a running cell (also
        outside a notebook, where nothing blocks them).
    """
    kernel = running_kernel()
    if kernel is None:
        return create(), True
    parent = getattr(kernel, "_shell_parent", None)
    if not isinstance(parent, contextvars.ContextVar) or not getattr(
        kernel, "_supports_kernel_subshells", False
    ):
        return create(), False

    def create_detached() -> T:
        parent.set({})
        return create()

    return contextvars.copy_context().run(create_detached), True


class JobControl(Widget, stem="control"):
    """The commands a job's monitor offers in the browser; nothing but the browser ever writes here.

    Use :meth:`detached`: it also works out whether a click can arrive while a cell is running.

    Parameters
    ----------
    commands
        What to call, by name, with the message's values as keyword arguments. A command may run on any
        thread beside the user's cell, so it must only set a flag and return.
    note
        Shown on the button where clicks arrive late.
    """

    note = traitlets.Unicode("").tag(sync=True)

    def __init__(self, commands: Mapping[str, Callable[..., None]], *, note: str = "") -> None:
        super().__init__(note=note)
        self._commands = dict(commands)
        self.on_msg(self._obey)

    @classmethod
    def detached(cls, commands: Mapping[str, Callable[..., None]]) -> JobControl:
        """Make a control whose clicks do not wait for the cell that made it, where the kernel allows it."""
        control, prompt = outside_the_cell(lambda: cls(commands))
        if not prompt:
            control.note = LATE_CLICK
        return control

    def _obey(self, _widget: Widget, message: Any, _buffers: Any) -> None:
        name = message.get("command") if isinstance(message, dict) else None
        if not isinstance(name, str) or name not in self._commands:
            return
        command, values = self._commands[name], message.get("values", {})
        try:
            inspect.signature(command).bind(**values)
        except TypeError:  # a message that fits no command is none
            return
        command(**values)

    def __repr__(self) -> str:
        return f"JobControl({', '.join(self._commands)})"
