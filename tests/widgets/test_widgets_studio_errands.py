"""Slow work of the studio: the newest request wins, and a failure is told."""

from __future__ import annotations

import threading

from embedtune_nb.widgets.errands import Errands

PATIENCE = 60


def test_the_newest_errand_of_a_topic_wins():
    errands, entered, go_on, results = Errands(), threading.Event(), threading.Event(), []

    def slow():
        entered.set()
        go_on.wait(PATIENCE)
        return "old"

    errands.ask("topic", slow, results.append, results.append)
    entered.wait(PATIENCE)
    errands.ask("topic", lambda: "newer", results.append, results.append)
    errands.ask("topic", lambda: "newest", results.append, results.append)
    errands.ask("other", lambda: "other", results.append, results.append)
    go_on.set()
    assert errands.settle(PATIENCE)
    assert results == ["newest", "other"]
    errands.close()


def test_an_errand_that_fails_says_so_and_the_next_one_runs():
    errands, failures, results = Errands(), [], []
    errands.ask("a", lambda: 1 / 0, results.append, failures.append)
    errands.ask("b", lambda: 1, lambda value: 1 / 0, failures.append)
    errands.ask("c", lambda: "fine", results.append, failures.append)
    assert errands.settle(PATIENCE)
    assert results == ["fine"] and [type(failure) for failure in failures] == [ZeroDivisionError] * 2
    errands.close()
