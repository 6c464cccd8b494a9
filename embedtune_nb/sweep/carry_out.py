"""What a worker of a sweep does: claim a trial, carry it out, write down what came of it, and again."""

from __future__ import annotations

import errno
import gc
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import psutil
import torch
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from embedtune_nb.data.split import Split
from embedtune_nb.errors import EmbedtuneError, JobStoppedError
from embedtune_nb.plan.plan import Plan
from embedtune_nb.sweep.claims import Claim, Claims
from embedtune_nb.sweep.decide import candidates, fresh_seeds
from embedtune_nb.sweep.pruning import Reporter
from embedtune_nb.sweep.run_trial import PrunedError, TrialOutcome, run_trial
from embedtune_nb.sweep.study import metric_of, sampling_of
from embedtune_nb.sweep.trial_folder import TrialRecord
from embedtune_nb.training.shared import Shared

_WAIT_SECONDS = 0.2
_WORTH_COLLECTING = 256 * 2**20
_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
_DISK_IN_WORDS = "No space left on device"


class Worker:
    """Carries out trials of one sweep, beside others or alone.

    Parameters
    ----------
    claims
        Where it gets them.
    sweep, split
        Plan and data of the sweep.
    should_stop
        Asked between steps and batches, and while there is nothing to do.
    """

    def __init__(self, claims: Claims, sweep: Plan, split: Split, should_stop: Callable[[], bool]) -> None:
        self._claims, self._sweep, self._split = claims, sweep, split
        self._should_stop = should_stop
        self._shared = Shared()
        self._leftovers = _Leftovers()

    def trials(self) -> Iterator[TrialRecord]:
        """Carry out trials until the budget is used up; yield those that were carried out here.

        Raises
        ------
        JobStoppedError
            If a stop was asked for.
        OSError or SQLAlchemyError
            If the disk or the database failed, which is no trial's fault.
        """
        return self._all_of(self._claims.next, confirming=False)

    def confirming_runs(self) -> Iterator[TrialRecord]:
        """Run the best trials again on new seeds, where that has yet to be done; else as :meth:`trials`."""
        return self._all_of(lambda: self._claims.next_confirming(self.to_confirm()), confirming=True)

    def to_confirm(self) -> list[tuple[int, int]]:
        """Return trial and seed of each run that confirms the best trials; nothing without ``confirm``."""
        if not self._sweep["confirm"]:
            return []
        best = candidates(self._claims.records(), sampling_of(self._sweep).higher_is_better)
        return [(trial.index, seed) for seed in fresh_seeds(self._sweep["seed"]) for trial in best]

    def train_again(self, claim: Claim) -> TrialRecord:
        """Carry out a claimed trial whose weights were not kept."""
        return self._carry_out(claim)

    def _all_of(self, claim_next: Callable[[], Claim | None], *, confirming: bool) -> Iterator[TrialRecord]:
        while True:
            if self._should_stop():
                raise JobStoppedError("Stopped between two trials.", fix="carry on with job.resume().")
            claim = claim_next()
            if claim is not None:
                yield self._carry_out(claim)
            elif self._claims.at_work(confirming=confirming):
                time.sleep(_WAIT_SECONDS)  # another worker's; it may die, and its trial is retried then
            else:
                return

    def _carry_out(self, claim: Claim) -> TrialRecord:
        began = time.monotonic()

        def ended(state: str, reason: str = "") -> TrialRecord:
            return TrialRecord.from_json(
                claim.record.to_json()
                | {
                    "state": state,
                    "reason": reason,
                    "metric": metric_of(self._sweep),
                    "seconds": round(time.monotonic() - began, 3),
                }
            )

        try:
            outcome = run_trial(
                claim.folder,
                claim.plan,
                self._split,
                self._shared,
                should_stop=self._should_stop,
                on_value=self._reporting(claim),
            )
            record = _with_outcome(ended("pruned" if outcome.pruned else "done"), outcome)
        except JobStoppedError as stop:
            self._claims.finish(claim, ended("stopped", stop.found))
            raise
        except Exception as cause:
            if _is_of_the_machine(cause):
                with suppress(Exception):  # the disk that is full may have no room for this either
                    self._claims.finish(claim, ended("stopped", _in_words(cause)))
                raise
            record = ended("failed", _in_words(cause))
        except BaseException:
            os.close(claim.lease)
            raise
        record = replace(record, has_weights=claim.folder.weights.is_dir())
        self._claims.finish(claim, record)
        self._claims.keep_best(max(self._sweep["keep_trials"], 2))
        self._leftovers.clear()
        return record

    def _reporting(self, claim: Claim) -> Callable[[float, float], None]:
        if claim.trial is None:
            return lambda fraction, value: None
        reporter = Reporter(claim.trial)

        def on_value(fraction: float, value: float) -> None:
            if reporter.lags(fraction, value):
                raise PrunedError(f"below the median of the trials so far after {fraction:.0%} of its steps")

        return on_value


def _with_outcome(record: TrialRecord, outcome: TrialOutcome) -> TrialRecord:
    record = replace(
        record,
        score=outcome.score,
        metrics=outcome.metrics,
        best_step=outcome.best_step,
        steps_done=outcome.steps_done,
        steps_total=outcome.steps_total,
        reason=outcome.pruned,
    )
    if record.state == "done" and (outcome.score is None or not math.isfinite(outcome.score)):
        return replace(record, state="failed", score=None, reason=f"its {record.metric} is {outcome.score}")
    return record


def _is_of_the_machine(cause: BaseException) -> bool:
    """Return whether *cause* would befall every trial: a full disk, a database that is gone."""
    chain: list[BaseException] = []
    one: BaseException | None = cause
    while one is not None and one not in chain:
        chain.append(one)
        one = one.__cause__ or one.__context__
    return any(
        isinstance(one, (SQLAlchemyError, StorageInternalError))
        or (isinstance(one, OSError) and one.errno in _DISK)
        or _DISK_IN_WORDS in str(one)
        for one in chain
    )


def _in_words(cause: BaseException) -> str:
    if isinstance(cause, EmbedtuneError):
        return cause.found
    first = (str(cause).strip().splitlines() or ["no message"])[0]
    return f"{type(cause).__name__}: {first}"


class _Leftovers:
    """Models of trials that ended, which refer to their trainers and so wait for the garbage collector."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._known = self._process.memory_info().rss

    def clear(self) -> None:
        """Collect them where they cost something: looking through all objects can take half a second."""
        on_gpu = torch.cuda.is_available()
        if on_gpu or self._process.memory_info().rss - self._known > _WORTH_COLLECTING:
            gc.collect()
            self._known = self._process.memory_info().rss
        if on_gpu:
            torch.cuda.empty_cache()
