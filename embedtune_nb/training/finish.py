"""The end of every job that makes a model: judged on data that chose nothing, checked, published."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedtune_nb.data.split import Split
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.evaluation.forgetting import Forgetting
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.truncated import retention_line
from embedtune_nb.evaluation.vectors import VectorCache
from embedtune_nb.evaluation.verdict import Verdict
from embedtune_nb.plan.afterwards import advise_on_run
from embedtune_nb.plan.plan import Plan
from embedtune_nb.store.events import Event, Notice, Phase, Published, VerdictReached
from embedtune_nb.store.home import models_folder
from embedtune_nb.store.job_folder import JobFolder
from embedtune_nb.store.publish import publish
from embedtune_nb.training.curves import recorded_curves
from embedtune_nb.training.forgetting_guard import ForgettingGuard
from embedtune_nb.training.held_out import HeldOut, held_out_of
from embedtune_nb.training.publish_model import published_by, write_model
from embedtune_nb.training.reload_check import reload_check
from embedtune_nb.training.telling import Telling

Emit = Callable[[Event], None]


@dataclass(frozen=True)
class Judged:
    """What became of a model.

    Attributes
    ----------
    verdict
        On the first objective.
    further
        On the others.
    forgotten
        What became of the general probe.
    vectors
        What the model made of the texts of the first objective.
    """

    verdict: Verdict
    further: Sequence[Verdict]
    forgotten: Forgetting
    vectors: VectorCache


class Finish:
    """Judges base and tuned model on the verdict parts.

    Parameters
    ----------
    plan, split
        Of the run.
    folder
        Of the job; evaluations are kept there.
    emit
        Takes the events.
    telling
        Told about texts embedded, and asked to stop there.

    Attributes
    ----------
    main
        Held-out data of the objective that decides.
    """

    def __init__(self, plan: Plan, split: Split, folder: Path, *, emit: Emit, telling: Telling) -> None:
        self.plan, self.emit, self.telling = plan, emit, telling
        self.main, *self.others = held_out_of(plan, split, folder, telling)

    def judge_base(self, base: Encoder, guard: ForgettingGuard, vectors: VectorCache) -> Evaluation:
        """Evaluate *base*, have it see the general probe, and tell what its evaluation has to say.

        Nothing counts as done before :meth:`keep_base`.
        """
        before = self.main.judge(base, vectors)
        guard.see_base(base)
        for note in before.notes:
            self.emit(Notice(note))
        return before

    def keep_base(self, base: Encoder, before: Evaluation, vectors: VectorCache) -> None:
        """Evaluate *base* on the further objectives, and keep that and *before*."""
        for other in self.others:
            theirs = VectorCache()
            other.keep_before(other.judge(base, theirs), theirs)
        # last: a resumed run takes its being there as a sign that all are
        self.main.keep_before(before, vectors)

    def judge(self, encoder: Encoder, guard: ForgettingGuard) -> tuple[Forgetting, VectorCache]:
        """Evaluate the tuned model; return what it forgot, and its vectors of the first objective."""
        self.telling.at_stop = "Stopped during the closing evaluation; the trained weights are kept."
        self.emit(Phase("evaluating"))
        vectors = VectorCache()
        self.main.keep_after(self.main.judge(encoder, vectors), vectors)
        for other in self.others:
            theirs = VectorCache()
            other.keep_after(other.judge(encoder, theirs), theirs)
        return guard.measure(encoder), vectors

    def conclude(self, forgotten: Forgetting, vectors: VectorCache, curves: Path) -> Judged:
        """Compare before with after, and tell the verdict, what was forgotten, and what to try next.

        Parameters
        ----------
        forgotten, vectors
            As :meth:`judge` returned them.
        curves
            File of the events that tell how training went.
        """
        main = self.main
        assert main.before is not None and main.after is not None, "judged before it is concluded"
        self.emit(Phase("verdict"))
        verdict = main.verdict()
        self.emit(VerdictReached(verdict.to_dict()))
        for told in (verdict.note, retention_line(main.before, main.after)):
            if told:
                self.emit(Notice(told))
        further = [other.verdict() for other in self.others]
        for objective, theirs in zip(self.plan.further, further, strict=True):
            self.emit(Notice(f"{objective.title}: {theirs.text}"))
        tell_forgetting(forgotten, self.emit)
        for sentence in advise_on_run(recorded_curves(curves), main.settings, answer=verdict.answer):
            self.emit(Notice(sentence, "advice"))
        return Judged(verdict, further, forgotten, vectors)


def tell_forgetting(forgotten: Forgetting, emit: Emit) -> None:
    """Tell what became of the general probe; as a warning where something was lost."""
    emit(Notice(f"{forgotten.text}.", "warning" if forgotten.answer == "forgotten" else "info"))


def publish_judged(
    job: JobFolder,
    plan: Plan,
    encoder: Encoder,
    held_out: HeldOut,
    judged: Judged,
    *,
    emit: Emit,
    merged: dict[str, Any] | None = None,
    sweep: dict[str, Any] | None = None,
    beside: Mapping[str, str] | None = None,
    replace: bool = False,
) -> None:
    """Save a judged model, open it again in a fresh process, and publish it under the name of its plan.

    Parameters
    ----------
    job
        Who made it.
    plan
        How.
    encoder
        The tuned model.
    held_out, judged
        What it was judged on, and what came of it.
    emit
        Takes the events.
    merged, sweep
        Where else it came from, see :func:`embedtune_nb.training.publish_model.write_model`.
    beside
        Further files of the model's folder: name -> text.
    replace
        Whether a model of that name may stand there; it goes when this one stands.

    Raises
    ------
    IntegrityError
        If the saved model is not the one in memory.
    AlreadyExistsError
        If the name is taken, unless *replace*.
    """
    assert held_out.before is not None and held_out.after is not None, "judged before it is published"
    before, after = held_out.before, held_out.after
    emit(Phase("publishing"))

    def build(target: Path) -> None:
        encoder.save(target)
        emit(Phase("checking"))
        check = reload_check(
            target,
            encoder,
            held_out.split.verdict,
            reference=held_out.reference,
            settings=held_out.settings_of_verdict,
            vectors=judged.vectors,
            dimensions=held_out.settings.get("matryoshka_dims") or (),
        )
        write_model(
            target,
            plan,
            job_id=job.id,
            before=before,
            after=after,
            verdict=judged.verdict,
            further=judged.further,
            forgotten=judged.forgotten,
            check=check,
            merged=merged,
            sweep=sweep,
        )
        for name, text in (beside or {}).items():
            (target / name).write_text(text, encoding="utf-8")

    path = publish(models_folder() / plan.name, build, replace=replace)
    emit(Published(plan.name, str(path)))


def tell_if_published(job: JobFolder, plan: Plan, emit: Emit) -> bool:
    """Say what an earlier attempt, killed between publishing and its last word, had no time to say.

    Returns
    -------
    bool
        Whether the model stands already, so that nothing is left to be done.

    Raises
    ------
    AlreadyExistsError
        If the name is taken by what another job made.
    """
    target = models_folder() / plan.name
    record = published_by(target, job.id)
    if record is None:
        return False
    emit(Notice("The model was published by an earlier attempt; nothing was left to be done."))
    emit(VerdictReached(record["verdict"]))
    emit(Published(plan.name, str(target)))
    return True
