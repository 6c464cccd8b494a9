"""Text progress outside a notebook, and the picture a finished job leaves."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ElementTree

import pytest
from made_up.job import ScriptedJob

from embedtune_nb.jobs.feed import JobSnapshot
from embedtune_nb.widgets import static_twin, watch


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def snapshot(**when: object) -> JobSnapshot:
    feed = ScriptedJob(**when).feed()
    feed.poll()
    return feed.snapshot


def printed(stream: io.StringIO, **when: object) -> str:
    printer = watch.ProgressPrinter(stream)
    job = ScriptedJob(at=0.0, **when)
    feed = job.feed()
    for part in range(101):
        job.at = part / 100
        feed.poll()
        printer.show(feed.snapshot)
        printer.show(feed.snapshot)
    return stream.getvalue()


def test_a_pipe_gets_a_line_a_tenth_and_the_verdict() -> None:
    lines = printed(io.StringIO()).splitlines()
    training = [line for line in lines if "training" in line]
    assert 10 <= len(training) <= 11
    assert len(lines) < 70
    numbers = r"api-docs: training \d+%, step \d+/150, loss \d\.\d+, 271 texts/s, ETA \d:\d\d"
    assert re.fullmatch(numbers, training[-1])
    assert lines[-1].startswith("api-docs: Better: NDCG@10 0.521 -> 0.597")
    assert sum("longer than 256 tokens" in line for line in lines) == 1


def test_a_terminal_keeps_one_line() -> None:
    text = printed(Terminal())
    assert text.count("\n") == 2  # the notice and the verdict
    assert text.count("\r") > 50


def test_a_failure_ends_with_the_reason_and_what_helps() -> None:
    text = printed(io.StringIO(), end="failed")
    assert text.splitlines()[-3].startswith("api-docs: failed (Out of memory at step 63 of 150)")
    assert text.splitlines()[-2].strip() == 'hyperparams={"batch_size": 64}'


@pytest.mark.slow
def test_watching_outside_a_notebook_ends_with_the_job(capsys: pytest.CaptureFixture[str]) -> None:
    watch.watch(ScriptedJob(seconds=0.5))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("api-docs: Better")


def test_the_picture_is_one_svg_with_both_curves() -> None:
    html = static_twin.picture_html(snapshot(at=1.0))
    (encoded,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', html)
    picture = ElementTree.fromstring(base64.b64decode(encoded))
    words = " ".join(text for text in picture.itertext())
    assert "train/loss" in words
    assert "eval/ndcg@10" in words
    assert "base 0.521" in words
    assert "MRR@10" in html


def test_a_job_without_values_leaves_words_only() -> None:
    html = static_twin.picture_html(snapshot(at=0.0, end="failed", fail_at=0.0))
    assert "<img" not in html
    assert "Out of memory" in html
