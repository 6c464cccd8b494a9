"""The studio's first step: the data and the roles of its columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets

from embedtune_nb.widgets.data_picker import PickerForm
from embedtune_nb.widgets.studio_parts import heading
from embedtune_nb.widgets.studio_view import Desk, StepView


class DataStep(StepView):
    """Shows a data picker and passes on what it picked."""

    key = "data"

    def __init__(self, desk: Desk, namespace: Mapping[str, Any] | None) -> None:
        super().__init__(desk)
        self.picker = PickerForm(self._picked, errands=desk.errands, lock=desk.lock, namespace=namespace)
        title = heading("Data", "A table of this notebook or a file, and which column is what.")
        self.box.children = (ipywidgets.HTML(title), self.picker.box)

    def refresh(self) -> None:
        """Nothing: the picker shows itself."""

    def _picked(self) -> None:
        picker, state = self.picker, self.state
        if picker.reading or picker.choice is None:
            state.choose_data(picker.choice)
        elif picker.datasource is not None:
            state.data_read(picker.datasource)
        elif picker.problem is not None:
            state.data_refused(picker.problem)
        else:  # a file whose path is yet to be entered
            state.choose_data(None)
        self.desk.refresh()
