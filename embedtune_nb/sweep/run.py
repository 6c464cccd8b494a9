"""A sweep: trials until the budget is used up, the best ones run again, the winner published."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from embedtune_nb.data.split import Split
from embedtune_nb.encoder.threads import choose_threads, use_threads
from embedtune_nb.errors import JobFailedError, JobStoppedError
from embedtune_nb.jobs.budget import claims_lock, trial_budget, write_budget
from embedtune_nb.plan.plan import Plan
from embedtune_nb.store.events import Best, Decided, Event, Notice, Phase, Progress
from embedtune_nb.store.home import models_folder
from embedtune_nb.store.job_folder import JobFolder
from embedtune_nb.store.locks import locked
from embedtune_nb.sweep.carry_out import Worker
from embedtune_nb.sweep.claims import Claims
from embedtune_nb.sweep.decide import decide, in_words
from embedtune_nb.sweep.helpers import Helpers, shares_of_machine, trial_plans
from embedtune_nb.sweep.ranking import best_first, best_trial, scored
from embedtune_nb.sweep.studies import network_of_studies
from embedtune_nb.sweep.study import metric_of, sampling_of
from embedtune_nb.sweep.trial_folder import TrialRecord
from embedtune_nb.sweep.winner import base_score, curves_of, publish_winner
from embedtune_nb.training.publish_model import published_by

_LOOK_SECONDS = 1.0
_SHOWN_REASONS = 3


def run_sweep(folder: JobFolder, emit: Callable[[Event], None], should_stop: Callable[[], bool]) -> None:
    """Carry out a sweep job, or carry it on where an earlier worker ended.

    Parameters
    ----------
    folder
        Holds the plan and the data; receives the trials.
    emit
        Takes the events.
    should_stop
        Asked between steps and batches.

    Raises
    ------
    JobStoppedError
        If the user asked for a stop; trials that ended are kept.
    JobFailedError
        If no trial succeeded.
    """
    _Sweep(folder, emit, should_stop).carry_out()


class _Sweep:
    """The first worker of a sweep: it carries out trials like any other, and tells, decides and publishes."""

    def __init__(
        self, folder: JobFolder, emit: Callable[[Event], None], should_stop: Callable[[], bool]
    ) -> None:
        self.folder, self.emit, self._asked_to_stop = folder, emit, should_stop
        self.plan = Plan.from_json(folder.plan())
        self.split = Split.read(folder.data)
        self.higher_is_better = sampling_of(self.plan).higher_is_better
        self.helpers: Helpers | None = None
        self._looked = 0.0
        self._told: tuple[int, int] | None = None
        self._best: TrialRecord | None = None
        self._troubles: set[tuple[str, str]] = set()

    def carry_out(self) -> None:
        """Trials, confirming runs, decision, model; again if the budget grew meanwhile."""
        self.emit(Phase("loading"))
        published_by(models_folder() / self.plan.name, self.folder.id)  # another job's model: refused now
        with locked(claims_lock(self.folder)):
            write_budget(self.folder, trial_budget(self.folder))
        own, *further = shares_of_machine(1 + self._further_workers())
        if further:
            os.environ |= own
        use_threads(choose_threads())
        self.claims = Claims(self.folder, self.plan, trial_plans(self.plan, self.split))
        self._troubles = set(_troubles(self.claims.records()))  # told by an earlier attempt
        self.worker = Worker(self.claims, self.plan, self.split, self._should_stop)
        self.helpers = Helpers(self.folder, further)
        try:
            ended = False
            while not ended:
                budget = self._search()
                self._confirm()
                self._publish()
                ended = self._closed_at(budget)
        except JobStoppedError as stop:
            raise self._told_stop(stop) from stop
        finally:
            self.helpers.end()

    def _further_workers(self) -> int:
        count = int(self.plan["trial_workers"]) - 1
        if count and self.plan.executor == "thread":
            self.emit(Notice("One worker, as the job runs in a thread: more are processes of their own."))
            return 0
        if network := network_of_studies():
            self.emit(
                Notice(
                    f"The studies lie on a network filesystem ({network}), on whose locks several writers "
                    "cannot rely: one worker, and a rollback journal. A local disk, named in EMBEDTUNE_HOME "
                    "or EMBEDTUNE_STUDIES, allows more.",
                    "warning",
                )
            )
            return 0
        return count

    def _search(self) -> int:
        """Carry out trials until the budget is used up; return the budget."""
        planned = trial_budget(self.folder)
        self.emit(Phase("trials", planned))
        self._told = None
        self._tell_progress()
        budget = 0
        while budget != trial_budget(self.folder):  # it may grow just as the last trial ends
            budget = trial_budget(self.folder)
            for _ in self.worker.trials():
                self._tell_progress()
            self._tell_progress()
        self._told = None  # progress counts other things from here on
        records = self.claims.records()
        if budget < planned:
            everything = "all there is in the search space was tried"
            self.emit(Notice(f"{budget} trials instead of {planned}: {everything}."))
        if not scored(records):
            raise JobFailedError(
                f"No trial succeeded. {_reasons(records)}",
                fix="search elsewhere, or mend the cause and then job.add_trials(...); job.trials.to_frame() "
                "has the reason of each trial.",
            )
        return budget

    def _confirm(self) -> None:
        wanted = self.worker.to_confirm()
        if not wanted:
            return
        self.emit(Phase("confirming", len(wanted)))
        self._tell_confirmed(wanted)
        for _ in self.worker.confirming_runs():
            self._tell_confirmed(wanted)
        self._tell_confirmed(wanted)

    def _publish(self) -> None:
        """Decide, and publish the winner unless it stands already."""
        records = self.claims.records()
        decision = decide(records, higher_is_better=self.higher_is_better, grain=self._grain())
        self.emit(Decided(decision))
        best = best_first(records, self.higher_is_better)[: self.plan["keep_trials"]]
        self.emit(Notice(in_words(decision, kept={one.index for one in best if one.has_weights})))
        self._tell_if_nothing_gained(decision)
        before = published_by(models_folder() / self.plan.name, self.folder.id)
        earlier = before["sweep"]["trial"] if before else None
        winner = decision["winner"]
        if earlier is not None and earlier != winner:
            told = f"trial {winner} replaces trial {earlier}"
            self.emit(Notice(f"The model {self.plan.name!r} is published anew: {told}.", "warning"))
        if earlier != winner:
            self._keep_weights_of(winner)
        publish_winner(
            self.folder,
            replace(Plan.from_json(self.claims.folder_of(winner).plan()), name=self.plan.name),
            self.split,
            self.claims.folder_of(winner),
            emit=self.emit,
            should_stop=self._should_stop,
            trials=[record.to_json() for record in records],
            decision=decision,
            replace=earlier is not None and earlier != winner,
        )
        self.claims.keep_best(self.plan["keep_trials"])

    def _tell_if_nothing_gained(self, decision: dict[str, Any]) -> None:
        """Warn where the base model, which every trial began with, was as good as what it became."""
        winner, metric = self.claims.folder_of(decision["winner"]), metric_of(self.plan)
        before = base_score(curves_of(winner), metric)
        fresh = {one["index"]: one["mean"] for one in decision["confirmed"]}
        after = fresh.get(decision["winner"], winner.record().score)
        if before is None or after is None or (after > before if self.higher_is_better else after < before):
            return
        told = f"{metric} was {before:.4g} before training and is {after:.4g} in trial {decision['winner']}"
        self.emit(Notice(f"Nothing was gained on the rows that choose: {told}, the winner.", "warning"))

    def _grain(self) -> float:
        """Return how much one held-out row can move the score, a mean of values up to 1."""
        selection = self.split.selection
        return 1 / len(selection) if selection is not None and self.higher_is_better else 0.0

    def _keep_weights_of(self, winner: int) -> None:
        claim = self.claims.weightless(winner)
        if claim is not None:
            self.emit(Notice(f"The weights of trial {winner} were not kept; it is trained once more."))
            self.worker.train_again(claim)

    def _closed_at(self, budget: int) -> bool:
        """Return whether the budget is still *budget*; if so, whoever raises it starts a new worker."""
        with locked(claims_lock(self.folder)):
            if trial_budget(self.folder) != budget:
                return False
            write_budget(self.folder, budget, closed=True)
            return True

    def _should_stop(self) -> bool:
        """Pass the question on; between steps budget and other workers are looked after too."""
        if self._asked_to_stop():
            return True
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self._looked = time.monotonic()
            self._look_around()
        return False

    def _look_around(self) -> None:
        helped = self.helpers is not None and self.helpers.count > 0
        if self.helpers and (died := self.helpers.died()):
            told = "its trial is retried, and the others go on; the job's log tells more"
            self.emit(Notice(f"{died} of the further workers ended unasked: {told}.", "warning"))
        if self._told is not None and (helped or self._told[1] != trial_budget(self.folder)):
            self._tell_progress()

    def _tell_progress(self) -> None:
        records = self.claims.records()
        self._tell_trouble(records)
        told = self.claims.counted(), trial_budget(self.folder)
        if told != self._told:
            self._told = told
            self.emit(Progress(*told))
        best = best_trial(records, self.higher_is_better)
        if best is not None and best != self._best and best.score is not None:
            self._best = best
            self.emit(Best(f"eval/{metric_of(self.plan)}", best.score, best.index))

    def _tell_trouble(self, records: list[TrialRecord]) -> None:
        """Say once of each trial, whoever carried it out, that it failed or that another takes its place."""
        for trouble, notice in _troubles(records).items():
            if trouble not in self._troubles:
                self._troubles.add(trouble)
                self.emit(notice)

    def _tell_confirmed(self, wanted: list[tuple[int, int]]) -> None:
        records = self.claims.records()
        self._tell_trouble(records)
        ended = {
            (record.index, record.seed)
            for record in records
            if record.confirms is not None and record.state in ("done", "failed")
        }
        self.emit(Progress(len(ended & set(wanted)), len(wanted)))

    def _told_stop(self, stop: JobStoppedError) -> JobStoppedError:
        done, budget = self.claims.counted(), trial_budget(self.folder)
        return JobStoppedError(
            f"Stopped after {done} of {budget} trials, which are kept. {stop.found}",
            fix="carry on with job.resume(); a trial that was at work starts anew.",
        )


def _reasons(records: list[TrialRecord]) -> str:
    """Return why trials failed, the most frequent reason first."""
    failed = [record.reason for record in records if record.state == "failed"]
    frequent = sorted(set(failed), key=lambda reason: (-failed.count(reason), failed.index(reason)))
    shown = [f"{failed.count(reason)} of {len(failed)}: {reason}" for reason in frequent[:_SHOWN_REASONS]]
    if len(frequent) > _SHOWN_REASONS:
        shown.append(f"and {len(frequent) - _SHOWN_REASONS} more reasons")
    return "; ".join(shown) or "None of them came to an end"


def _troubles(records: list[TrialRecord]) -> dict[tuple[str, str], Notice]:
    """Return what to say of trials that failed, and of those that take the place of another."""
    found = {}
    for record in records:
        if record.state == "failed":
            again = "" if record.confirms is None else f", once more with seed {record.seed},"
            told = f"Trial {record.index}{again} failed: {record.reason}."
            found[record.key, "failed"] = Notice(told, "warning")
        if record.retry_of is not None:
            again = f"trial {record.index} tries the same values from the start"
            found[record.key, "retry"] = Notice(f"Trial {record.retry_of} did not come to its end; {again}.")
    return found
