"""What the trial browser's kernel side sends, what its commands do, and what remains where no widget is."""

from __future__ import annotations

import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from made_up.sweep import BASE, METRIC, MadeUpSweep, finished_sweep

from embedtune_nb.jobs.job import Job
from embedtune_nb.store.events import Decided
from embedtune_nb.sweep.reading import trials_of_job, trials_of_model
from embedtune_nb.widgets.job_view import view_of
from embedtune_nb.widgets.sweep_twin import picture_html
from embedtune_nb.widgets.trial_browser import TrialBrowser

pytestmark = pytest.mark.usefixtures("home")
HOSTILE = "<img src=x onerror=alert(1)>"


class Page:
    """Puts the browser's messages together as its view does."""

    def __init__(self, browser: TrialBrowser) -> None:
        self.rows: dict[str, dict[str, Any]] = {row["key"]: row for row in browser.rows}
        self.curves: dict[tuple[str, str], list[tuple[float, ...]]] = {}
        self.details: dict[str, dict[str, Any]] = {}
        self.told: list[dict[str, Any]] = []
        self.kinds: list[str] = []
        self.sent: list[int] = []
        self.heard = threading.Condition()
        browser.send = self.receive  # type: ignore[method-assign]

    def receive(self, message: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        with self.heard:
            kind = message["type"]
            self.kinds.append(kind)
            if kind == "rows":
                if message["whole"]:
                    self.rows.clear()
                self.sent.append(len(message["rows"]))
                self.rows |= {row["key"]: row for row in message["rows"]}
                assert len(self.rows) == message["count"], "the rows and their number must agree"
            elif kind == "curves":
                self._take_curves(message["parts"], *(buffers or []))
            elif kind == "detail":
                self.details[message["key"]] = message["detail"]
            elif kind == "told":
                self.told.append(message)
            self.heard.notify_all()

    def _take_curves(self, parts: list[dict[str, Any]], buffer: bytes) -> None:
        numbers = struct.unpack(f"{len(buffer) // 4}f", buffer)
        offset = 0
        for part in parts:
            points = self.curves.setdefault((part["key"], part["metric"]), [])
            assert part["start"] <= len(points), "a delta must continue where the last one ended"
            columns = [numbers[offset + i * part["n"] : offset + (i + 1) * part["n"]] for i in range(3)]
            points[part["start"] :] = zip(*columns, strict=True)
            offset += 3 * part["n"]

    def wait_for(self, condition: Any) -> None:
        with self.heard:
            assert self.heard.wait_for(condition, timeout=20), f"never came; messages: {self.kinds}"


@pytest.fixture
def browsers() -> Iterator[list[TrialBrowser]]:
    made: list[TrialBrowser] = []
    yield made
    for browser in made:
        browser.close()


def open_browser(made: list[TrialBrowser], source: Any) -> tuple[TrialBrowser, Page]:
    made.append(TrialBrowser(source))
    return made[-1], Page(made[-1])


def command(browser: TrialBrowser, what: str, **values: Any) -> None:
    """Say what a click says."""
    browser.control._obey(browser.control, {"command": what, "values": values}, [])


@pytest.mark.slow
def test_a_running_sweep_is_followed_trial_by_trial(browsers: list[TrialBrowser]) -> None:
    sweep = MadeUpSweep(trial_count=4)
    browser, page = open_browser(browsers, Job(sweep.folder))
    assert page.rows == {}
    assert browser.summary["trial_count"] == 4
    key = sweep.begin()
    page.wait_for(lambda: page.rows.get(key, {}).get("state") == "running")
    reached = sweep.advance(key, 0.4)
    page.wait_for(lambda: page.rows[key]["score"] == pytest.approx(reached))
    assert page.rows[key]["spark"][0][-1] == pytest.approx(0.4)
    reached = sweep.advance(key)
    sweep.end(key, score=reached)
    page.wait_for(lambda: page.rows[key]["state"] == "done")
    page.wait_for(lambda: browser.summary["best"] is not None)
    assert browser.summary["best"]["score"] == pytest.approx(reached)
    assert (browser.summary["done"], browser.summary["base"]) == (1, BASE)
    sweep.close()


@pytest.mark.slow
def test_only_rows_that_changed_are_sent(browsers: list[TrialBrowser]) -> None:
    sweep = MadeUpSweep(trial_count=30)
    for _ in range(20):
        sweep.trial()
    _, page = open_browser(browsers, Job(sweep.folder))
    key = sweep.begin()
    page.wait_for(lambda: key in page.rows)
    page.sent.clear()
    sweep.advance(key, 0.4)
    page.wait_for(lambda: page.rows[key]["steps_done"] == 60)
    assert max(page.sent) <= 2
    sweep.close()


@pytest.mark.slow
def test_curves_of_trials_that_are_looked_at_arrive_as_deltas(browsers: list[TrialBrowser]) -> None:
    sweep = MadeUpSweep()
    key = sweep.begin()
    sweep.advance(key, 0.4)
    browser, page = open_browser(browsers, Job(sweep.folder))
    command(browser, "look", keys=[key])
    page.wait_for(lambda: len(page.curves.get((key, f"eval/{METRIC}"), [])) == 3)
    sweep.advance(key, 1.0)
    page.wait_for(lambda: page.curves[key, "train/loss"][-1][0] == 150)
    expected = trials_of_job(Job(sweep.folder))[0].curve
    for metric in ("train/loss", f"eval/{METRIC}"):
        frame = expected[expected["metric"] == metric][["step", "epoch", "value"]]
        assert page.curves[key, metric] == [pytest.approx(tuple(row), rel=1e-6) for row in frame.to_numpy()]
    assert (key, "train/learning_rate") not in page.curves
    sweep.close()


def test_a_new_view_is_told_everything_after_the_end(browsers: list[TrialBrowser]) -> None:
    sweep = finished_sweep()
    browser, page = open_browser(browsers, Job(sweep.folder))
    browser._publisher.join(20)
    page.rows.clear()
    command(browser, "snapshot")
    page.wait_for(lambda: len(page.rows) == 13)
    browser._publisher.join(20)
    assert len(browser.rows) == 13, "a saved notebook keeps the trials"


def test_ties_share_a_rank_and_confirming_runs_have_none(browsers: list[TrialBrowser]) -> None:
    sweep = finished_sweep()
    _, page = open_browser(browsers, Job(sweep.folder))
    ranks = [row["rank"] for row in page.rows.values() if row["confirms"] is None and row["state"] == "done"]
    assert ranks.count(1) > 1
    assert [row["rank"] for row in page.rows.values() if row["confirms"] is not None] == [None] * 4


def test_the_decision_is_told_in_words_and_figures(browsers: list[TrialBrowser]) -> None:
    sweep = finished_sweep()
    browser, _ = open_browser(browsers, Job(sweep.folder))
    browser._publisher.join(20)
    decided = browser.summary["decided"]
    assert decided["reason"] == sweep.decision["reason"]
    assert f"#{sweep.decision['proposed']}" in decided["head"]
    assert browser.summary["best"]["index"] == sweep.decision["winner"]
    assert any("0.010" in fact for fact in decided["facts"])
    assert browser.summary["verdict"]["wins"] == 180


def test_of_many_that_were_confirmed_the_two_of_the_tie_are_named(browsers: list[TrialBrowser]) -> None:
    sweep = finished_sweep()
    (first, second) = sorted(sweep.decision["confirmed"], key=lambda run: -run["mean"])
    earlier = {"index": 8, "seeds": [43, 44], "scores": [0.5, 0.5], "mean": 0.5, "seconds": 20.0}
    decision = sweep.decision | {"confirmed": [earlier, second, first], "tie": True}
    sweep.grow(10)
    sweep._events.emit(Decided(decision))
    sweep.finish()
    browser, _ = open_browser(browsers, Job(sweep.folder))
    browser._publisher.join(20)
    assert browser.summary["decided"]["head"].startswith(
        f"#{first['index']} and #{second['index']} are a tie"
    )


def test_a_trial_tells_plan_differences_code_and_what_can_be_done(browsers: list[TrialBrowser]) -> None:
    sweep = finished_sweep()
    browser, page = open_browser(browsers, Job(sweep.folder))
    command(browser, "look", keys=["0001", "no such trial", 7])
    page.wait_for(lambda: "0001" in page.details)
    detail = page.details["0001"]
    trial = trials_of_job(Job(sweep.folder))[1]
    settings = {name: value for name, value, *_ in detail["settings"]}
    assert settings["learning_rate"] == f"{trial.hyperparameters['learning_rate']:.4g}"
    assert "learning_rate" in [name for name, *_ in detail["diff"]]
    assert detail["code"] == trial.code
    assert not detail["offers"]["publish"]["can"]
    assert "keep_trials" in detail["offers"]["publish"]["why"]
    assert detail["offers"]["again"] == {"can": True, "why": "", "name": "api-docs-again-1"}
    assert set(page.details) == {"0001"}


def test_commands_reach_the_job_and_answers_the_page(
    browsers: list[TrialBrowser], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = MadeUpSweep()
    sweep.trial()
    job = Job(sweep.folder)
    asked: list[Any] = []
    monkeypatch.setattr(job, "add_trials", lambda count: asked.append(("more", count)))
    door = "embedtune_nb.sweep.trial.Trial"
    monkeypatch.setattr(
        f"{door}.publish", lambda trial, name, background: asked.append((trial.index, name)) or job
    )

    def refuse(trial: Any, name: str) -> None:
        raise ValueError(f"The name {name!r} is taken.")

    monkeypatch.setattr(f"{door}.train_again", refuse)
    browser, page = open_browser(browsers, job)
    command(browser, "add_trials", count=3)
    command(browser, "publish", key="0000", name="best-one")
    page.wait_for(lambda: len(page.told) == 1)
    command(browser, "train_again", key="0000", name="best-one")
    page.wait_for(lambda: len(page.told) == 2)
    assert asked == [("more", 3), (0, "best-one")]
    assert page.told[0]["ok"]
    assert job.id in page.told[0]["python"]
    assert (page.told[1]["ok"], page.told[1]["text"]) == (False, "The name 'best-one' is taken.")
    assert not sweep.folder.stop_flag.exists()
    command(browser, "stop")
    assert browser._errands.settle(20)
    assert sweep.folder.stop_flag.exists()
    sweep.close()


@pytest.mark.slow
def test_a_sweep_that_goes_on_elsewhere_is_followed_again(browsers: list[TrialBrowser]) -> None:
    sweep = finished_sweep()
    browser, page = open_browser(browsers, Job(sweep.folder))
    browser._publisher.join(20)
    told_elsewhere = threading.Event()
    browser.when_grown = told_elsewhere.set
    sweep.grow(12)
    key = sweep.begin()
    page.wait_for(lambda: key in page.rows)
    assert "started" in page.kinds
    assert told_elsewhere.is_set()
    sweep.end(key, score=0.7)
    page.wait_for(lambda: page.rows[key]["state"] == "done")
    assert browser.summary["trial_count"] == 12
    sweep.finish()
    browser._publisher.join(20)
    assert [row["state"] for row in browser.rows if row["key"] == key] == ["done"], "what is saved is new too"


def test_what_cannot_be_added_is_said_until_something_can(
    browsers: list[TrialBrowser], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = finished_sweep()
    browser, _ = open_browser(browsers, Job(sweep.folder))
    said, unsaid = threading.Event(), threading.Event()
    browser.observe(lambda change: (said if change["new"] else unsaid).set(), "error")
    command(browser, "add_trials", count=0)
    assert said.wait(20)
    assert "1 or more" in browser.error
    monkeypatch.setattr(browser.job, "add_trials", lambda count: browser.job)
    command(browser, "add_trials", count=2)
    assert unsaid.wait(20)


@pytest.mark.parametrize("values", [{}, {"keys": "0000"}, {"wrong": 1}, {"keys": [[1]]}, None, [1]])
def test_a_message_that_fits_no_command_does_nothing(values: Any, browsers: list[TrialBrowser]) -> None:
    sweep = finished_sweep()
    browser, page = open_browser(browsers, Job(sweep.folder))
    browser.control._obey(browser.control, {"command": "look", "values": values}, [])
    assert browser._errands.settle(20)
    assert page.details == {}
    assert browser.error == ""


@pytest.mark.slow
def test_importance_comes_when_it_is_asked_for_and_warns_of_few_trials(browsers: list[TrialBrowser]) -> None:
    sweep = finished_sweep()
    browser, _ = open_browser(browsers, Job(sweep.folder))
    browser._publisher.join(20)
    assert browser.importance is None
    arrived = threading.Event()
    browser.observe(lambda change: arrived.set(), "importance")
    command(browser, "importance")
    assert arrived.wait(30)
    assert sum(share for _, share in browser.importance["rows"]) == pytest.approx(1)
    assert "below 15" in browser.importance["caution"]


def test_a_published_model_is_browsed_without_its_job(browsers: list[TrialBrowser]) -> None:
    import shutil

    sweep = finished_sweep()
    model = sweep.publish()
    shutil.rmtree(sweep.folder.path)
    trials = trials_of_model(model, "api-docs", sweep.folder.id)
    browser, page = open_browser(browsers, trials)
    assert len(page.rows) == 13
    assert not browser.summary["can_grow"]
    assert browser.to_frame().shape[0] == 13
    assert page.rows["0001"]["spark"][1]


def test_a_feed_that_breaks_is_shown(browsers: list[TrialBrowser]) -> None:
    sweep = MadeUpSweep()
    browser, _ = open_browser(browsers, Job(sweep.folder))

    def poll() -> bool:
        raise OSError("no such folder")

    browser._feed.poll = poll  # type: ignore[method-assign]
    browser._publisher.join(20)
    assert "no such folder" in browser.error
    sweep.close()


def test_close_ends_the_threads(browsers: list[TrialBrowser]) -> None:
    sweep = MadeUpSweep()
    browser, _ = open_browser(browsers, Job(sweep.folder))
    browser.close()
    left = {thread.name for thread in threading.enumerate()} & {"embedtune-monitor", "embedtune-trials"}
    assert left == set()
    sweep.close()


def test_a_sweep_is_shown_by_a_browser_and_another_job_by_a_monitor(browsers: list[TrialBrowser]) -> None:
    sweep = finished_sweep()
    browsers.append(view_of(Job(sweep.folder)))  # type: ignore[arg-type]
    assert isinstance(browsers[0], TrialBrowser)


def test_repr_and_bundle_tell_the_sweep_in_words(browsers: list[TrialBrowser]) -> None:
    sweep = finished_sweep()
    browser, _ = open_browser(browsers, Job(sweep.folder))
    data, _ = browser._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "base 0.521" in repr(browser)
    page = data["text/html"]
    for text in (
        sweep.decision["reason"],
        "▽ pruned: below the median",
        "✗ failed: The loss is not",
        "learning_rate",
    ):
        assert text in page
    assert page.count("(confirms)") == 4


@pytest.mark.slow
def test_the_picture_that_stays_has_the_history_and_a_table() -> None:
    page = picture_html(trials_of_job(Job(finished_sweep().folder)))
    assert "data:image/svg+xml" in page
    assert "<td>done" not in page
    assert "✓ done" in page


def test_hostile_names_and_values_stay_text(browsers: list[TrialBrowser]) -> None:
    sweep = MadeUpSweep()
    sweep.trial("failed", reason=HOSTILE, batch_size=HOSTILE)
    browser, page = open_browser(browsers, Job(sweep.folder))
    assert page.rows["0000"]["values"]["batch_size"] == HOSTILE
    assert HOSTILE not in browser.fallback_html()
    assert "&lt;img src=x" in browser.fallback_html()
    sweep.close()


@pytest.mark.slow
def test_a_browser_needs_no_torch_and_no_optuna() -> None:
    code = (
        "import sys; import embedtune_nb.widgets.trial_browser, embedtune_nb.widgets.watch; "
        "print([m for m in ('torch', 'transformers', 'altair', 'optuna', 'umap') if m in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


def test_what_stands_in_the_decision_is_not_repeated_below_it() -> None:
    from embedtune_nb.widgets.trial_rows import _without

    told = "trial 0 and trial 1 are a tie"
    notices = [
        {"text": "Trial 0 and trial 1 are a tie. job.trials[1].publish(...) publishes it.", "level": "info"},
        {"text": "Two cores.", "level": "info"},
        {"text": told, "level": "info"},
    ]  # fmt: skip
    kept = [notice["text"] for notice in _without(notices, told)]
    assert kept == ["job.trials[1].publish(...) publishes it.", "Two cores."]
    assert _without(notices, "") == notices
    assert _without([*notices, *notices], "") == notices, "what is said once more is no news"
