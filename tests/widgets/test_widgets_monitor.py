"""What the monitor's kernel side sends, and what remains of it where no widget can be shown."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from made_up.job import ScriptedJob
from made_up.verdict import UNCLEAR, VERDICT, WHY

from embedtune_nb.evaluation.verdict import Verdict
from embedtune_nb.models.finetuned import FinetunedEmbeddingModel
from embedtune_nb.widgets.monitor import TrainingMonitor

FINAL = 1.0


class Browser:
    """Puts the monitor's messages together as its view does."""

    def __init__(self, monitor: TrainingMonitor) -> None:
        self.series: dict[str, list[tuple[float, ...]]] = {}
        self.kinds: list[str] = []
        self.log: str | None = None
        self.heard = threading.Condition()
        monitor.send = self.receive  # type: ignore[method-assign]

    def receive(self, message: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        with self.heard:
            self.kinds.append(message["type"])
            if message["type"] == "log":
                self.log = message["text"]
            if message["type"] == "snapshot":
                self.series.clear()
            for part, buffer in zip(message.get("parts", []), buffers or [], strict=True):
                rows = self.series.setdefault(part["series"], [])
                assert part["start"] == len(rows), "a delta must continue where the last one ended"
                numbers = struct.unpack(f"{4 * part['n']}f", buffer)
                rows += zip(*(numbers[i * part["n"] : (i + 1) * part["n"]] for i in range(4)), strict=True)
            self.heard.notify_all()

    def wait_for(self, condition: Any) -> None:
        with self.heard:
            assert self.heard.wait_for(condition, timeout=20), f"never came; messages: {self.kinds}"


@pytest.fixture
def monitors() -> Iterator[list[TrainingMonitor]]:
    made: list[TrainingMonitor] = []
    yield made
    for monitor in made:
        monitor.close()


def open_monitor(monitors: list[TrainingMonitor], job: ScriptedJob) -> tuple[TrainingMonitor, Browser]:
    monitors.append(TrainingMonitor(job))
    return monitors[-1], Browser(monitors[-1])


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "embedtune-monitor"]


@pytest.mark.slow
def test_deltas_add_up_to_the_whole_curve(monitors: list[TrainingMonitor]) -> None:
    job = ScriptedJob(at=0.3)
    monitor, browser = open_monitor(monitors, job)
    monitor._publisher.want_snapshot()
    browser.wait_for(lambda: "snapshot" in browser.kinds)
    for part in (0.5, 0.7, FINAL):
        points = len(browser.series["train/loss"])
        job.at = part
        browser.wait_for(lambda points=points: len(browser.series["train/loss"]) > points)
    monitor._publisher.join(20)
    frame = monitor.to_frame()
    for name, rows in browser.series.items():
        expected = frame[frame["metric"] == name][["step", "epoch", "seconds", "value"]].to_numpy()
        assert rows == [pytest.approx(tuple(row), rel=1e-6) for row in expected]
    assert "append" in browser.kinds


@pytest.mark.slow
@pytest.mark.parametrize("at", [0.5, 0.6, 0.8])
def test_a_resumed_run_that_repeats_steps_is_sent_anew(monitors: list[TrainingMonitor], at: float) -> None:
    job = ScriptedJob(at=0.6)
    monitor, browser = open_monitor(monitors, job)
    monitor._publisher.want_snapshot()
    browser.wait_for(lambda: len(browser.series.get("train/loss", ())) == 97)
    job.resume(checkpoint=60, at=at)

    def same() -> bool:
        frame = monitor.to_frame()
        expected = frame[frame["metric"] == "train/loss"][["step", "epoch", "seconds", "value"]].to_numpy()
        seen = np.array(browser.series["train/loss"])
        repeated = seen[seen[:, 0] > 60]
        return (
            len(repeated) > 0
            and (repeated[:, 2] > 300).all()
            and seen.shape == expected.shape
            and np.allclose(seen, expected)
        )

    browser.wait_for(same)


def test_a_table_waits_for_points_that_are_just_being_written(monitors: list[TrainingMonitor]) -> None:
    monitor, _ = open_monitor(monitors, ScriptedJob(at=FINAL))
    monitor._publisher.join(20)
    series = monitor._feed.snapshot.series["train/loss"]

    class WritersLock:
        """Free again only when its holder has written the rest of the point."""

        def __enter__(self) -> None:
            if len(series.value) < len(series.step):
                series.value.append(0.25)

        def __exit__(self, *problem: object) -> None:
            pass

    monitor._feed.lock = WritersLock()
    for read in (monitor.to_frame, monitor.chart):
        series.step.append(series.step[-1] + 1)
        series.epoch.append(3.0)
        series.wall.append(200.0)
        read()
    assert (monitor.to_frame()["value"] == 0.25).sum() == 2


def test_the_thread_ends_with_the_job_and_answers_a_later_view(monitors: list[TrainingMonitor]) -> None:
    monitor, browser = open_monitor(monitors, ScriptedJob(at=FINAL))
    monitor._publisher.join(20)
    assert threads() == []
    browser.kinds.clear()
    monitor.control._obey(monitor.control, {"command": "snapshot"}, [])
    browser.wait_for(lambda: "snapshot" in browser.kinds)
    assert len(browser.series["train/loss"]) == 150


def test_the_summary_says_what_a_finished_job_found(monitors: list[TrainingMonitor]) -> None:
    monitor, _ = open_monitor(monitors, ScriptedJob(at=FINAL))
    monitor._publisher.join(20)
    assert monitor.summary["state"] == "done"
    assert monitor.summary["verdict"]["wins"] == 180
    assert monitor.summary["verdict"]["others"][0]["shown"]["interval"] == "[+0.053, +0.095]"
    assert monitor.log_tail.startswith("12:00:00")


def test_the_python_of_a_finished_job_names_what_there_is(monitors: list[TrainingMonitor]) -> None:
    monitor, _ = open_monitor(monitors, ScriptedJob(at=FINAL))
    lines = monitor.summary["python"]
    assert 'FinetunedEmbeddingModel.open("api-docs")' in lines[0]
    used = re.findall(r"\bmodel\.(\w+)", "\n".join(lines))
    assert {"verdict", "map", "regressions", "save_report"} <= set(used)
    assert [name for name in [*used, "open"] if not hasattr(FinetunedEmbeddingModel, name)] == []
    running, _ = open_monitor(monitors, ScriptedJob(at=0.5))
    assert running.summary["python"] == []


def test_measured_values_replace_the_plans(monitors: list[TrainingMonitor]) -> None:
    job = ScriptedJob(at=0.3)
    monitor, _ = open_monitor(monitors, job)
    monitor._feed.snapshot.measured = {"batch_size": {"value": 64, "reason": "128 did not fit"}}
    from embedtune_nb.widgets.summary import recipe_of

    rows = {row[0]: row[1:] for row in recipe_of(monitor._feed.snapshot)["settings"]}
    assert rows["batch_size"] == ["64", "measured", "128 did not fit"]
    assert len(rows) == 9


def test_stop_in_the_browser_stops_the_job(monitors: list[TrainingMonitor]) -> None:
    job = ScriptedJob(at=0.5)
    monitor, _ = open_monitor(monitors, job)
    monitor.control._obey(monitor.control, {"command": "stop"}, [])
    monitor._publisher.join(20)
    assert monitor.summary["state"] == "stopped"


@pytest.mark.parametrize("message", ["stop", None, {}, {"command": "format"}, {"command": ["stop"]}])
def test_a_message_that_is_no_command_does_nothing(message: Any, monitors: list[TrainingMonitor]) -> None:
    job = ScriptedJob(at=0.5)
    monitor, _ = open_monitor(monitors, job)
    monitor.control._obey(monitor.control, message, [])
    assert job.stopped_at is None


def test_a_stop_that_fails_is_shown(monitors: list[TrainingMonitor]) -> None:
    job = ScriptedJob(at=0.5)

    def stop() -> None:
        raise OSError("the job's folder is read-only")

    job.stop = stop  # type: ignore[method-assign]
    monitor, browser = open_monitor(monitors, job)
    monitor.control._obey(monitor.control, {"command": "stop"}, [])
    monitor._publisher.want_log()
    browser.wait_for(lambda: browser.log is not None)
    browser.wait_for(lambda: "read-only" in monitor.error)


def test_a_feed_that_breaks_is_shown_and_ends_the_thread(monitors: list[TrainingMonitor]) -> None:
    monitor, _ = open_monitor(monitors, ScriptedJob(at=0.5))

    def poll() -> bool:
        raise OSError("no such folder")

    monitor._feed.poll = poll
    monitor._publisher.join(20)
    assert "no such folder" in monitor.error


def test_close_ends_the_thread(monitors: list[TrainingMonitor]) -> None:
    monitor, _ = open_monitor(monitors, ScriptedJob(at=0.5))
    assert len(threads()) == 1
    monitor.close()
    assert threads() == []


def test_an_unknown_keyword_is_refused() -> None:
    with pytest.raises(TypeError, match="colour"):
        TrainingMonitor(ScriptedJob(at=0.5), colour="red")


def test_repr_and_bundle_tell_the_state_in_words(monitors: list[TrainingMonitor]) -> None:
    monitor, _ = open_monitor(monitors, ScriptedJob(at=FINAL))
    data, _ = monitor._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    for text in (repr(monitor), data["text/plain"], data["text/html"].replace("&gt;", ">")):
        assert "api-docs: Better: NDCG@10 0.521 -> 0.597, +0.076 [+0.058, +0.094]" in text
        assert "180 wins, 66 losses, 404 ties" in text


@pytest.mark.parametrize("verdict", [VERDICT, UNCLEAR])
def test_a_verdict_has_the_same_figures_everywhere(
    monitors: list[TrainingMonitor], verdict: dict[str, Any]
) -> None:
    monitor, _ = open_monitor(monitors, ScriptedJob(at=FINAL, verdict=verdict))
    line = str(Verdict.from_dict(verdict))
    shown = monitor.summary["verdict"]["shown"]
    assert line in repr(monitor)
    assert line in monitor.fallback_html().replace("&gt;", ">")
    assert f"{shown['before']} -> {shown['after']}, {shown['difference']} {shown['interval']}," in line
    assert all(figure in Verdict.from_dict(verdict)._repr_html_() for figure in shown.values())


def test_no_difference_comes_with_its_reason(monitors: list[TrainingMonitor]) -> None:
    monitor, _ = open_monitor(monitors, ScriptedJob(at=FINAL, verdict=UNCLEAR))
    assert monitor.summary["verdict"]["explanation"] == WHY
    assert WHY in monitor.fallback_html()
    assert WHY in repr(monitor)


def test_a_hostile_name_stays_text(monitors: list[TrainingMonitor]) -> None:
    monitor, _ = open_monitor(monitors, ScriptedJob(at=0.5, name="<img src=x onerror=alert(1)>"))
    html = monitor.fallback_html()
    assert "<img" not in html
    assert "&lt;img src=x" in html


def test_the_chart_holds_both_curves_the_base_and_the_best(monitors: list[TrainingMonitor]) -> None:
    monitor, _ = open_monitor(monitors, ScriptedJob(at=FINAL))
    spec = monitor.chart().to_dict()
    titles = [part.get("title") or part["layer"][0]["title"] for part in spec["hconcat"]]
    assert titles[0].startswith("train/loss   eval/loss (dashed) 0.7")
    assert titles[1].startswith("eval/ndcg@10   base 0.521   best 0.60")


@pytest.mark.slow
def test_a_monitor_needs_no_torch_and_no_plotting_library() -> None:
    code = (
        "import sys; import embedtune_nb.widgets.monitor, embedtune_nb.widgets.watch; "
        "print([m for m in ('torch', 'transformers', 'altair', 'vl_convert', 'umap') if m in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


def test_what_got_worse_is_found_once_when_asked_for(monitors: list[TrainingMonitor]) -> None:
    monitor, _ = open_monitor(monitors, ScriptedJob(at=FINAL))
    monitor._publisher.join(20)
    assert monitor.regressions is None, "nobody has asked"
    monitor.control._obey(monitor.control, {"command": "regressions"}, [])
    monitor._publisher.join(20)
    table = monitor.regressions
    assert len(table.to_frame()) == 30 and not monitor.regressions_problem
    monitor.control._obey(monitor.control, {"command": "regressions"}, [])
    monitor._publisher.join(20)
    assert monitor.regressions is table


def test_what_got_worse_but_is_not_kept_is_told_with_a_remedy(monitors: list[TrainingMonitor]) -> None:
    monitor, _ = open_monitor(monitors, ScriptedJob(at=FINAL, name="lost"))
    monitor._publisher.want_regressions()
    monitor._publisher.join(20)
    assert monitor.regressions is None and not monitor.error
    assert "no longer kept" in monitor.regressions_problem and "on other data" in monitor.regressions_problem


def test_a_model_that_lost_nothing_has_no_line_for_what_got_worse(monitors: list[TrainingMonitor]) -> None:
    monitor, _ = open_monitor(monitors, ScriptedJob(at=FINAL, verdict=VERDICT | {"losses": 0}))
    assert (
        "model.map()" in monitor.summary["python"] and "model.regressions()" not in monitor.summary["python"]
    )
