"""A plan: every setting of one job, resolved and frozen, with who chose it and why."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from embedtune_nb.errors import PlanError, did_you_mean
from embedtune_nb.plan.dimension import Dimension

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
SettingSource = Literal["user", "default", "inferred", "measured", "searched"]
# They follow from the machine or change nothing but the display, so two plans that differ only
# here give the same model.
_NOT_RECIPE = {
    "logging_steps",
    "micro_batch_size",
    "checkpoint_save_steps",
    "checkpoint_save_total_limit",
    "keep_trials",
    "trial_workers",
}


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes
    ----------
    value
        A value that JSON can carry.
    source
        ``user`` (asked for), ``default`` (fixed), ``inferred`` (from data, model or other settings),
        ``measured`` (found by the worker) or ``searched`` (chosen by a sweep).
    reason
        Why this value, in a few words.
    """

    value: Any
    source: SettingSource
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return the setting as a dict that JSON can carry."""
        return {"value": self.value, "source": self.source, "reason": self.reason}


@dataclass(frozen=True)
class FurtherObjective:
    """One more data set with its loss, in a run with several objectives.

    Attributes
    ----------
    data
        As that of the plan.
    settings
        What this objective has of its own, by name; all else it shares with the plan.
    """

    data: Mapping[str, Any]
    settings: Mapping[str, Setting]

    @property
    def title(self) -> str:
        """Its loss and the name of its data."""
        return f"{self.settings['loss'].value} on {self.data.get('name') or self.data.get('kind')}"

    def to_json(self) -> dict[str, Any]:
        """Return the objective as a dict that JSON can carry."""
        settings = {name: setting.to_json() for name, setting in self.settings.items()}
        return {"data": dict(self.data), "settings": settings}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> FurtherObjective:
        """Return the objective that :meth:`to_json` described."""
        settings = {name: Setting(**setting) for name, setting in content["settings"].items()}
        return cls(content["data"], settings)


@dataclass(frozen=True, repr=False)
class Plan:
    """All that a worker needs to know, beside the data itself.

    Attributes
    ----------
    name
        Name the tuned model will have.
    base
        Facts of the base model (see :class:`embedtune_nb.catalogue.BaseSpec`).
    data
        Kind, name, rows, fingerprint, roles and dropped rows of the training data, the report of the
        split, and how long its texts are in tokens.
    settings
        Every setting by name.
    estimate
        ``seconds_low``, ``seconds_high``, ``peak_memory_bytes`` (None where unknown), ``reason``, and
        ``evaluation_share``: what share of training the evaluations on the way will take.
    executor
        Where the job runs: ``"process"`` or ``"thread"``.
    advice
        Sentences worth reading before the start. Advice never stops a run.
    code
        The Python cell that repeats the call.
    kind
        Kind of job: ``"finetune"`` or ``"sweep"``.
    further
        Data and losses beside the first, in a run with several objectives. *data* and *settings* are
        those of the first, which selects and decides.
    space
        What a sweep searches; empty for a single run. *settings* of a sweep are those of its first trial.
    asked
        What a sweep needs to settle a trial from the same wishes: the losses as named, the fixed
        hyperparameters, instructions of the data and facts of the base models.
    """

    name: str
    base: Mapping[str, Any]
    data: Mapping[str, Any]
    settings: Mapping[str, Setting]
    estimate: Mapping[str, Any]
    executor: str
    advice: tuple[str, ...] = ()
    code: str = ""
    kind: str = field(default="finetune")
    further: tuple[FurtherObjective, ...] = ()
    space: tuple[Dimension, ...] = ()
    asked: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for attribute in ("base", "data", "settings", "estimate", "asked"):
            object.__setattr__(self, attribute, MappingProxyType(dict(getattr(self, attribute))))

    def __getitem__(self, name: str) -> Any:
        """Return the value of one setting."""
        if name not in self.settings:
            raise PlanError(
                f"The plan has no setting {name!r}.",
                expected=f"one of {', '.join(self.settings)}",
                fix=f"{did_you_mean(name, self.settings)}Correct the name.",
            )
        return self.settings[name].value

    @property
    def objectives(self) -> list[dict[str, Any]]:
        """The settings of each objective as plain values, shared ones included; the first one's first."""
        shared = {name: setting.value for name, setting in self.settings.items()}
        own = [{name: s.value for name, s in other.settings.items()} for other in self.further]
        return [shared, *({**shared, **values} for values in own)]

    @property
    def recipe_fingerprint(self) -> str:
        """Return a hash of all that decides the outcome: base model, data, split and settings.

        Two plans have the same fingerprint exactly if :meth:`diff` finds nothing.
        """
        content = json.dumps(self._recipe(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()

    def diff(self, other: Plan) -> list[tuple[str, Any, Any]]:
        """Return what differs as ``(what, here, there)``; empty if both would train the same model."""
        mine, theirs = self._recipe(), other._recipe()
        return [
            (what, mine.get(what), theirs.get(what))
            for what in dict.fromkeys([*mine, *theirs])
            if mine.get(what) != theirs.get(what)
        ]

    def _recipe(self) -> dict[str, Any]:
        recipe = {
            "base model": self.base.get("hub_id") or self.base.get("id"),
            **_fingerprints(self.data),
            **{name: s.value for name, s in self.settings.items() if name not in _NOT_RECIPE},
        }
        for place, other in enumerate(self.further, 2):
            own = {**_fingerprints(other.data), **{name: s.value for name, s in other.settings.items()}}
            recipe |= {f"{what} (objective {place})": value for what, value in own.items()}
        # a searched setting is settled trial by trial: what was asked for is its place to look
        return recipe | {f"searched {axis.name}": axis.extent() for axis in self.space}

    def to_frame(self) -> pd.DataFrame:
        """Return the settings as a DataFrame: setting, value, source, reason; one row each."""
        import pandas as pd

        rows = [(name, s.value, s.source, s.reason) for name, s in self.settings.items()]
        for place, other in enumerate(self.further, 2):
            rows += [
                (f"{name} (objective {place})", s.value, s.source, s.reason)
                for name, s in other.settings.items()
            ]
        return pd.DataFrame(rows, columns=["setting", "value", "source", "reason"]).astype({"value": object})

    def to_json(self) -> dict[str, Any]:
        """Return the whole plan as a dict that JSON can carry."""
        return {
            "format": FORMAT,
            "kind": self.kind,
            "name": self.name,
            "base": dict(self.base),
            "data": dict(self.data),
            "settings": {name: setting.to_json() for name, setting in self.settings.items()},
            "estimate": dict(self.estimate),
            "executor": self.executor,
            "advice": list(self.advice),
            "code": self.code,
            "further": [other.to_json() for other in self.further],
            "space": [axis.to_json() for axis in self.space],
            "asked": dict(self.asked),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any] | str) -> Plan:
        """Return the plan that :meth:`to_json` described, given as that dict or as JSON text.

        Raises
        ------
        PlanError
            If it was written in another format.
        """
        facts = json.loads(content) if isinstance(content, str) else content
        if facts.get("format") != FORMAT:
            raise PlanError(
                f"The plan has format {facts.get('format')!r}.",
                expected=f"format {FORMAT}",
                fix="open it with the version of embedtune_nb that wrote it.",
            )
        return cls(
            name=facts["name"],
            base=facts["base"],
            data=facts["data"],
            settings={name: Setting(**setting) for name, setting in facts["settings"].items()},
            estimate=facts["estimate"],
            executor=facts["executor"],
            advice=tuple(facts["advice"]),
            code=facts["code"],
            kind=facts["kind"],
            further=tuple(FurtherObjective.from_json(other) for other in facts.get("further", ())),
            space=tuple(Dimension.from_json(axis) for axis in facts.get("space", ())),
            asked=facts.get("asked", {}),
        )

    def __repr__(self) -> str:
        from embedtune_nb.plan.table import plan_as_text

        return plan_as_text(self)

    def _repr_html_(self) -> str:
        from embedtune_nb.plan.table import plan_as_html

        return plan_as_html(self)


def _fingerprints(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind of data": data.get("kind"),
        "data": data.get("fingerprint"),
        "evaluation data": (data.get("split") or {}).get("eval_fingerprint"),
    }
