"""The studio's last step: did it get better, where did it not, and what to do with the model."""

from __future__ import annotations

from typing import Any

import ipywidgets
import pandas as pd

from embedtune_nb.errors import EmbedtuneError, StoreError
from embedtune_nb.evaluation.regressions import Regressions
from embedtune_nb.jobs.job import Job
from embedtune_nb.maps.of_model import map_job, read_map
from embedtune_nb.models.finetuned import FinetunedEmbeddingModel
from embedtune_nb.widgets.embedding_map import EmbeddingMap
from embedtune_nb.widgets.regressions_table import RegressionsTable
from embedtune_nb.widgets.studio_follow import Follower
from embedtune_nb.widgets.studio_parts import complaint, heading, say, small
from embedtune_nb.widgets.studio_view import Desk, StepView, labelled, show_html, styled


class ResultStep(StepView):
    """Verdict, map, what got worse, and a copy of the model."""

    key = "result"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.model: FinetunedEmbeddingModel | None = None
        self._follower: Follower | None = None
        self._empty, self._verdict, self._problem, self._saved = (ipywidgets.HTML() for _ in range(4))
        self._show_map = styled(
            ipywidgets.Button(
                description="Show map",
                tooltip="The same texts before and after; computed by a worker beside the notebook",
            ),
            "etn-primary",
        )
        self._show_worse = ipywidgets.Button(
            description="What got worse",
            tooltip="The held-out rows that got worse, what displaced their answers, and the likely cause",
        )
        self._folder = ipywidgets.Text(description="Folder for a copy", placeholder="a new or empty folder")
        self._save = ipywidgets.Button(description="Save to folder", tooltip="Copy the model there")
        self._map_place, self._worse_place = ipywidgets.VBox(), ipywidgets.VBox()
        self._actions = ipywidgets.VBox(
            (
                styled(ipywidgets.Box((self._show_map, self._show_worse)), "etn-row"),
                self._problem,
                self._map_place,
                self._worse_place,
                styled(ipywidgets.Box((styled(labelled(self._folder), "etn-name"),)), "etn-fields"),
                styled(ipywidgets.Box((self._save, self._saved)), "etn-row"),
            )
        )
        self.box.children = (
            ipywidgets.HTML(heading("Result")),
            self._empty,
            self._verdict,
            styled(self._actions, "etn-form"),
        )
        self.click(self._show_map, self._ask_for_map)
        self.click(self._show_worse, self._ask_for_worse)
        self.click(self._save, self._ask_to_save)
        show_html(self._saved, "")

    def show(self, model: FinetunedEmbeddingModel) -> None:
        """Show the verdict on *model*; call it while holding the lock."""
        self.forget()
        self.model = model
        show_html(self._verdict, f'<div class="etn-card">{model._repr_html_()}</div>')

    def forget(self) -> None:
        """Show no model: another job is at work."""
        self.close()
        self.model = None
        self._map_place.children = self._worse_place.children = ()
        self._show_map.disabled = self._show_worse.disabled = False
        for place in (self._verdict, self._saved):
            show_html(place, "")

    def refresh(self) -> None:
        """Show what the step is waiting for, if it is."""
        self._actions.layout.display = "" if self.model is not None else "none"
        show_html(self._empty, small(self._why_empty()))
        show_html(self._problem, complaint(self.state.result_problem))

    def close(self) -> None:
        """End the following of the map's job; the job goes on."""
        if self._follower is not None:
            self._follower.close()
        for drawn in (*self._map_place.children, *self._worse_place.children):
            drawn.close()

    def _why_empty(self) -> str:
        line = self.state.job
        if self.model is not None:
            return ""
        if line is None:
            return "There is no result yet. Press Train in the step Plan."
        if line.state == "done":
            return "Opening the model ..."
        return f"There is no result yet: {line.text}." + (f" {line.reason}" if line.reason else "")

    # The map -------------------------------------------------------------------------------------------

    def _ask_for_map(self) -> None:
        model, drawn = self.model, EmbeddingMap()
        self._show_map.disabled = True
        self.state.result_problem = None
        drawn.progress("starting")
        self._map_place.children = (drawn,)
        self.desk.ask("map", lambda: map_job(model), lambda job: self._follow(job, drawn), self._refused)
        self.desk.refresh()

    def _follow(self, job: Job, drawn: EmbeddingMap) -> None:
        def changed(snapshot: Any) -> None:
            if not snapshot.ended:
                drawn.progress(snapshot.phase or "starting", snapshot.phase_done, snapshot.phase_total)
                return
            # a second map, made only to be read, would be closed before the browser knew it
            self.desk.ask("map", lambda: read_map(job), lambda made: self._fill(drawn, *made), self._refused)

        self._follower = Follower(job, changed)

    def _fill(self, drawn: EmbeddingMap, frame: pd.DataFrame, meta: dict[str, Any]) -> None:
        drawn.fill(frame, meta)
        self._viewed("model.map()")

    def _refused(self, problem: Exception) -> None:
        self._map_place.children = ()
        self._show_map.disabled = False
        self.state.result_problem = problem

    def _viewed(self, view: str) -> None:
        self.state.viewed = (*(other for other in self.state.viewed if other != view), view)

    # What got worse ------------------------------------------------------------------------------------

    def _ask_for_worse(self) -> None:
        model = self.model
        self._show_worse.disabled = True
        self.state.result_problem = None
        self._worse_place.children = (ipywidgets.HTML(small("Looking at every held-out row ...")),)
        self.desk.ask(
            "what got worse", lambda: (model, model.regressions()), self._found_worse, self._no_worse
        )
        self.desk.refresh()

    def _found_worse(self, found: tuple[FinetunedEmbeddingModel, Regressions]) -> None:
        model, regressions = found
        if model is self.model:  # another job may have taken the place meanwhile
            self._worse_place.children = (RegressionsTable(regressions),)
            self._viewed("model.regressions()")

    def _no_worse(self, problem: Exception) -> None:
        self._worse_place.children = ()
        self._show_worse.disabled = False
        self.state.result_problem = problem

    # A copy --------------------------------------------------------------------------------------------

    def _ask_to_save(self) -> None:
        folder, model = self._folder.value.strip(), self.model
        show_html(self._saved, "")

        def save() -> str:
            if not folder:
                raise StoreError("No folder is named.", fix="enter a new or empty folder.")
            return str(model.save(folder))

        self.desk.ask("save", save, lambda path: self._was_saved(folder, path), self._not_saved)

    def _was_saved(self, folder: str, path: str) -> None:
        self.state.saved_to = folder
        show_html(
            self._saved, say(f"Saved to {path}. It loads with SentenceTransformer, nothing of ours needed.")
        )

    def _not_saved(self, problem: Exception) -> None:
        told = problem if isinstance(problem, EmbedtuneError) else StoreError(str(problem))
        show_html(self._saved, complaint(told))
