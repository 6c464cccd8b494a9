"""Who carries out which trial: one claim at a time, whoever asks, and never one more than the budget.

The records of the trials are the truth, and the study follows them: a worker writes the record first and
tells the study then, so that a kill in between is mended by the next claim, whoever makes it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

import optuna
from optuna.trial import TrialState

from embedtune_nb.errors import EmbedtuneError
from embedtune_nb.jobs.budget import claims_lock, trial_budget, write_budget
from embedtune_nb.plan.plan import Plan
from embedtune_nb.store.job_folder import JobFolder
from embedtune_nb.store.locks import is_held, locked, take
from embedtune_nb.sweep.encoding import meant, shown, start_values, suggest_shown
from embedtune_nb.sweep.ranking import best_first
from embedtune_nb.sweep.sampling import propose
from embedtune_nb.sweep.studies import quiet
from embedtune_nb.sweep.study import open_study, sampling_of, state_in_study
from embedtune_nb.sweep.trial_folder import (
    COUNTED,
    TRIALS,
    TrialFolder,
    TrialRecord,
    trial_folders,
    trial_key,
)

#: A worker that dies leaves its trial to the next; one that is deadly to every worker has to end.
RETRIES = 2


@dataclass
class Claim:
    """A trial that is this worker's to carry out, as long as the lease is open.

    Attributes
    ----------
    record
        As it was claimed.
    folder
        Its folder, with the plan.
    plan
        Of this trial alone, once it is resolved.
    trial
        In the study; None for a run that confirms another.
    lease
        Open descriptor of the locked lease.
    """

    record: TrialRecord
    folder: TrialFolder
    plan: Plan
    trial: optuna.Trial | None
    lease: int


class Claims:
    """The trials of one sweep as its workers see them.

    Parameters
    ----------
    folder
        Of the job.
    sweep
        Its plan.
    plan_of
        Resolves the plan of one trial from its values and, where it confirms another, its seed.

    Raises
    ------
    JobError
        If the study searches another space.
    StoreError
        If the database of studies cannot be opened.
    """

    def __init__(
        self, folder: JobFolder, sweep: Plan, plan_of: Callable[[Mapping[str, Any], int | None], Plan]
    ) -> None:
        self._job, self._sweep, self._plan_of = folder, sweep, plan_of
        self._how = sampling_of(sweep)
        with locked(claims_lock(folder)):
            self.study = open_study(folder.id, sweep, self.records())

    def records(self) -> list[TrialRecord]:
        """Return all trials and the runs that confirm them."""
        return [folder.record() for folder in trial_folders(self._job.path)]

    def folder_of(self, index: int, seed: int | None = None) -> TrialFolder:
        """Return the folder of a trial, or of the run that confirms it with *seed*."""
        return TrialFolder(self._job.path / TRIALS / trial_key(index, seed))

    def counted(self) -> int:
        """Return how many trials used up their part of the budget."""
        return sum(_counts(record) for record in self.records())

    def at_work(self, *, confirming: bool) -> bool:
        """Return whether somebody carries out a trial or, if *confirming*, a run that confirms one."""
        return any(
            record.state == "running" and confirming == (record.confirms is not None)
            for record in self.records()
        )

    def weightless(self, index: int) -> Claim | None:
        """Claim a trial that ended, so that it is trained once more; None if its weights are kept."""
        with locked(claims_lock(self._job)):
            folder = self.folder_of(index)
            record = folder.record()
            if record.has_weights and folder.weights.is_dir():
                return None
            return self._begin(replace(record, state="running"), None)

    def next(self) -> Claim | None:
        """Claim the next trial: one whose worker died, else a new one; None if the budget gives none.

        Where all there is in the search space was tried, the budget shrinks to that.

        Whoever gets None and sees that others are at work should ask again: one of them may die.
        """
        while True:
            with locked(claims_lock(self._job)):
                records = self._reaped()
                used = sum(_counts(one) or _runs(one) for one in records)
                if used >= trial_budget(self._job):
                    return None
                claim = self._claim_next(records)
                if claim is None and not any(map(_runs, records)):
                    write_budget(self._job, used)  # there is nothing to use the rest up with
            if claim is None or claim.record.state == "running":
                return claim

    def next_confirming(self, wanted: Iterable[tuple[int, int]]) -> Claim | None:
        """Claim one of the *wanted* runs, given as index of a trial and new seed; None if none is left."""
        for index, seed in wanted:
            with locked(claims_lock(self._job)):
                known = {record.key: record for record in self._reaped()}
                before = known.get(trial_key(index, seed))
                if before is not None and before.state not in ("lost", "stopped"):
                    continue
                claim = self._claim_confirming(known[trial_key(index)], seed, before)
            if claim.record.state == "running":
                return claim
        return None

    def finish(self, claim: Claim, record: TrialRecord) -> None:
        """Write what became of a claimed trial, tell its study, and give the lease back."""
        try:
            claim.folder.write(record)
            if claim.trial is not None:
                _annotate(claim.trial, record)
                self._tell(claim.trial.number, record)
        finally:
            os.close(claim.lease)

    def keep_best(self, count: int) -> None:
        """Remove the weights of all trials but the best *count*, and of all runs that only confirm."""
        with locked(claims_lock(self._job)):
            records = self.records()
            kept = {record.key for record in best_first(records, self._how.higher_is_better)[:count]}
            for folder, record in zip(trial_folders(self._job.path), records, strict=True):
                if record.state == "running" or record.key in kept:
                    continue
                if record.has_weights:
                    folder.write(replace(record, has_weights=False))
                shutil.rmtree(folder.weights, ignore_errors=True)

    def _claim_next(self, records: list[TrialRecord]) -> Claim | None:
        if not self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            proposed = self._proposed(records)
            if proposed is None:
                return None
            values, attributes = proposed
            self.study.enqueue_trial({name: shown(value) for name, value in values.items()}, attributes)
        trial = self.study.ask()  # of what waits there: the values above, or ones queued by the user
        try:
            values = suggest_shown(trial, self._sweep.space)
        except ValueError as cause:  # queued by the user: such as a rate below 0 on a logarithmic axis
            return self._refuse(self._begun(self._record(trial, {}, records), trial), str(cause))
        return self._begin(self._record(trial, values, records), trial)

    def _proposed(self, records: list[TrialRecord]) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return values for the next trial and what to note beside them; None if all there is was tried."""
        again = {record.retry_of for record in records}
        for record in records:
            if record.state in ("lost", "stopped") and record.confirms is None and record.index not in again:
                return dict(record.values), {"retry_of": record.index}
        trials = [record for record in records if record.confirms is None]
        values = propose(self._sweep.space, trials, self._how)
        return None if values is None else (values, {})

    def _claim_confirming(self, trial: TrialRecord, seed: int, before: TrialRecord | None) -> Claim:
        record = TrialRecord(
            index=trial.index,
            seed=seed,
            state="running",
            values=trial.values,
            confirms=trial.index,
            attempt=_next_attempt(before),
        )
        return self._begin(record, None)

    def _begin(self, record: TrialRecord, trial: optuna.Trial | None) -> Claim:
        """Take the lease, then say that the trial runs: a reader never sees one that runs without."""
        claim = self._begun(record, trial)
        try:
            claim.plan = self._plan_of(record.values, record.seed if record.confirms is not None else None)
        except EmbedtuneError as refused:
            return self._refuse(claim, refused.found)
        claim.folder.plan_file.write_text(json.dumps(claim.plan.to_json(), indent=1, ensure_ascii=False))
        claim.folder.write(claim.record)
        return claim

    def _begun(self, record: TrialRecord, trial: optuna.Trial | None) -> Claim:
        folder = self.folder_of(record.index, record.seed if record.confirms is not None else None)
        folder.path.mkdir(parents=True, exist_ok=True)
        lease = take(folder.lease)
        assert lease is not None, "claims are made one at a time, and nobody runs what is claimed"
        started = datetime.now(timezone.utc).isoformat(timespec="seconds")
        return Claim(replace(record, started=started), folder, self._sweep, trial, lease)

    def _refuse(self, claim: Claim, why: str) -> Claim:
        claim.record = replace(claim.record, state="failed", reason=f"these values were refused: {why}")
        self.finish(claim, claim.record)
        return claim

    def _reaped(self) -> list[TrialRecord]:
        """Return all records, after writing down which trials lost their worker; the study is told."""
        for folder in trial_folders(self._job.path):
            record = folder.record()
            if record.state == "lost" and not record.reason:
                folder.drop_unfinished()
                folder.write(_without_worker(record))
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            folder = self.folder_of(trial.number)
            if is_held(folder.lease):
                continue  # at work, or about to tell the study itself
            begun = folder.record_file.is_file()
            self._tell(trial.number, folder.record() if begun else self._never_begun(trial, self.records()))
        return self.records()

    def _never_begun(self, trial: optuna.trial.FrozenTrial, known: Iterable[TrialRecord]) -> TrialRecord:
        """Write the record of a trial whose worker died between asking for it and saying so."""
        folder = self.folder_of(trial.number)
        folder.path.mkdir(parents=True, exist_ok=True)
        wished = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
        values = {one.name: meant(one, wished[one.name]) for one in self._sweep.space if one.name in wished}
        record = _without_worker(self._record(trial, values, known))
        folder.write(record)
        return record

    def _record(
        self,
        trial: optuna.Trial | optuna.trial.FrozenTrial,
        values: dict[str, Any],
        known: Iterable[TrialRecord],
    ) -> TrialRecord:
        retried = next((one for one in known if one.key == _key_of_retried(trial)), None)
        return TrialRecord(
            index=trial.number,
            seed=self._sweep["seed"],
            state="running",
            values=values,
            retry_of=retried.index if retried else None,
            attempt=_next_attempt(retried),
            is_default=values == start_values(self._sweep.space),
        )

    def _tell(self, number: int, record: TrialRecord) -> None:
        state = state_in_study(record)
        value = record.score if state is TrialState.COMPLETE else None
        with quiet():
            self.study.tell(number, value, state, skip_if_finished=True)


def _annotate(trial: optuna.Trial, record: TrialRecord) -> None:
    """Note beside a trial of the study what a browser of studies would like to show."""
    if record.metrics:
        trial.set_user_attr("metrics", {name: round(value, 6) for name, value in record.metrics.items()})
    if record.reason:
        trial.set_user_attr("reason", record.reason)


def _counts(record: TrialRecord) -> bool:
    return record.confirms is None and record.state in COUNTED


def _runs(record: TrialRecord) -> bool:
    return record.confirms is None and record.state == "running"


def _without_worker(record: TrialRecord) -> TrialRecord:
    if record.attempt > RETRIES:
        reason = f"its worker died each of the {record.attempt} times: killed, or out of memory"
        return replace(record, state="failed", reason=reason)
    return replace(record, state="lost", reason="its worker died: killed, or the machine went down")


def _key_of_retried(trial: optuna.Trial | optuna.trial.FrozenTrial) -> str | None:
    retried = trial.user_attrs.get("retry_of")
    return None if retried is None else trial_key(retried)


def _next_attempt(before: TrialRecord | None) -> int:
    return 1 if before is None else before.attempt + (before.state == "lost")
