"""The studio's second step: what to start from, what to train for, and the few settings worth a field."""

from __future__ import annotations

from typing import Any

import ipywidgets

from embedtune_nb.catalogue import CATALOGUE, BaseSpec, is_here, resolve_base
from embedtune_nb.errors import EmbedtuneError
from embedtune_nb.plan.hyperparams import HYPERPARAMS
from embedtune_nb.plan.losses import losses_for
from embedtune_nb.plan.table import shown
from embedtune_nb.widgets.studio_parts import ChoiceCards, complaint, heading, say, small
from embedtune_nb.widgets.studio_state import FORM_ENTRIES
from embedtune_nb.widgets.studio_view import Desk, StepView, labelled, show_html, styled

_OTHER = ""


class ModelStep(StepView):
    """Base model, loss and hyperparameters."""

    key = "model"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._here: dict[str, bool] = {}
        self._bases = ChoiceCards(label="Base model", testid="base-cards")
        self._other = ipywidgets.Text(
            description="Hub id or folder",
            placeholder="organisation/name, or a folder with a model",
            continuous_update=False,
        )
        self._other_field = labelled(self._other)
        self._losses = ChoiceCards(label="Loss", testid="loss-cards")
        self._remark, self._base_problem = ipywidgets.HTML(), ipywidgets.HTML()
        self._fields = {key: _EntryField(key, self) for key in FORM_ENTRIES}
        title = "What to start from, and what the training is to bring about."
        self.box.children = (
            ipywidgets.HTML(heading("Model & loss", title)),
            self._bases,
            self._other_field,
            self._base_problem,
            self._losses,
            self._remark,
            ipywidgets.HTML("<b>Hyperparameters</b> " + small("Leave a field empty for its default.")),
            styled(ipywidgets.Box([field.box for field in self._fields.values()]), "etn-fields"),
        )
        self.hear(self._bases, "value", self._choose_base)
        self.hear(self._other, "value", self._choose_base)
        self.hear(self._losses, "value", self._choose_loss)
        desk.ask("models here", _which_are_here, self._here.update, lambda problem: None)

    def refresh(self) -> None:
        """Show the catalogue, the losses that fit and the defaults as they are now."""
        state = self.state
        catalogued = state.base_name in CATALOGUE
        with self.filling():
            self._bases.options = [self._base_card(name, spec) for name, spec in CATALOGUE.items()] + [
                {
                    "value": _OTHER,
                    "title": "Another model",
                    "text": "Any hub id, or a folder on this machine.",
                }
            ]
            self._bases.value = state.base_name if catalogued else _OTHER
            self._other_field.layout.display = "none" if catalogued else ""
            if not catalogued:
                self._other.value = state.base_name
            show_html(self._base_problem, complaint(state.base_problem))
            self._losses.options = self._loss_cards()
            self._losses.value = state.effective_loss
            remark = state.remark or (
                "" if state.datasource else "Which losses fit depends on the data: choose it first."
            )
            show_html(self._remark, say(remark))
            problems = state.entry_problems
            for key, field in self._fields.items():
                field.show(state.entries.get(key, ""), problems.get(key), self._default_of(key))

    def _base_card(self, name: str, spec: BaseSpec) -> dict[str, Any]:
        card: dict[str, Any] = {
            "value": name,
            "title": name,
            "text": spec.hub_id or "",
            "facts": facts_of(spec),
        }
        if name in self._here:
            here = self._here[name]
            card |= {"badge": "on this machine" if here else "needs a download", "warn": not here}
        return card

    def _loss_cards(self) -> list[dict[str, Any]]:
        if self.state.datasource is None:
            return []
        recommended = self.state.recommended_loss
        return [
            {
                "value": loss.name,
                "title": loss.name,
                "badge": "recommended" if loss.name == recommended else "",
                "text": loss.summary,
                "facts": f"Best for: {loss.best_for}",
            }
            for loss in losses_for(self.state.datasource.kind)
        ]

    def _default_of(self, key: str) -> str:
        plan, loss = self.state.plan, self.state.effective_loss
        fixed = HYPERPARAMS[key].default_for(loss) if loss else None
        rule = "" if fixed is None else shown(fixed)
        if plan is None or key not in plan.settings or plan.settings[key].source == "user":
            return rule
        resolved = shown(plan[key])
        return resolved if rule in ("", resolved) else f"{rule}, here {resolved}"

    def _choose_base(self, name: str) -> None:
        self.state.choose_base(name)
        self.desk.refresh()

    def _choose_loss(self, name: str) -> None:
        self.state.choose_loss(name)
        self.desk.refresh()

    def enter(self, key: str, text: str) -> None:
        """Take what was typed."""
        self.state.enter(key, text)
        self.desk.refresh()


class _EntryField:
    """One hyperparameter: its field, its meaning, and the objection to what was typed."""

    def __init__(self, key: str, step: ModelStep) -> None:
        self._entry, self._key = (
            ipywidgets.Text(description=key, placeholder="default", continuous_update=False),
            key,
        )
        self._below = ipywidgets.HTML()
        self.box = styled(ipywidgets.VBox((labelled(self._entry), self._below)), "etn-field")
        step.hear(self._entry, "value", lambda text: step.enter(key, text))

    def show(self, text: str, problem: EmbedtuneError | None, default: str) -> None:
        """Show the entry, and why it is wrong if it is."""
        self._entry.value = text
        known = HYPERPARAMS[self._key]
        self._entry.tooltip = f"{known.meaning} Takes {known.allowed}."
        if problem is None:
            self.box.remove_class("etn-wrong")
            # not in the placeholder: any change of the field itself would wipe what is being typed there
            self._below.value = small(f"{known.meaning} Default: {default or 'follows from the data'}.")
        else:
            self.box.add_class("etn-wrong")
            self._below.value = complaint(problem)


def facts_of(base: BaseSpec) -> str:
    """Return the facts of a base model in one line."""
    facts = [f"{base.dimension} dimensions" if base.dimension else ""]
    facts.append("any length" if base.max_length is None else f"{base.max_length:,} tokens")
    facts.append(f"{base.parameters / 1e6:,.0f} M weights" if base.parameters else "")
    facts.append(f"{base.size_bytes / 1e6:,.0f} MB" if base.size_bytes else "")
    facts.append("reads instructions" if base.instructions else "")
    return " · ".join(fact for fact in facts if fact)


def _which_are_here() -> dict[str, bool]:
    return {name: _usable_here(name) for name in CATALOGUE}


def _usable_here(name: str) -> bool:
    try:
        return is_here(resolve_base(name))
    except EmbedtuneError:
        return False
