"""The event log survives a torn line, a half-written line and a second run."""

import json

from embedtune_nb.store.events import EventReader, EventWriter, Metrics, Notice, Phase, State


def test_events_come_back_in_order_and_only_once(tmp_path):
    path = tmp_path / "events.jsonl"
    writer, reader = EventWriter(path), EventReader(path)
    writer.emit(State("running"))
    writer.emit(Metrics(3, 0.5, {"train/loss": 1.25}))
    first = list(reader.new())
    assert [e["type"] for e in first] == ["state", "metrics"]
    assert first[1]["values"] == {"train/loss": 1.25}
    assert list(reader.new()) == []
    writer.emit(Phase("training", 10))
    assert [e["name"] for e in reader.new()] == ["training"]


def test_a_line_in_the_making_is_left_for_later(tmp_path):
    path = tmp_path / "events.jsonl"
    reader = EventReader(path)
    line = json.dumps({"type": "notice", "t": 1, "text": "x", "level": "info"})
    path.write_text(line[:10])
    assert list(reader.new()) == []
    path.write_text(line + "\n")
    assert [e["text"] for e in reader.new()] == ["x"]


def test_a_torn_tail_is_cut_before_the_next_event(tmp_path):
    path = tmp_path / "events.jsonl"
    writer = EventWriter(path)
    writer.emit(Notice("one"))
    with path.open("ab") as file:
        file.write(b'{"type": "notice", "te')
    EventWriter(path).emit(Notice("two"))
    assert [e["text"] for e in EventReader(path).new()] == ["one", "two"]


def test_the_clock_of_a_resumed_run_goes_on(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps({"type": "notice", "t": 100.0, "text": "", "level": "info"}) + "\n")
    EventWriter(path).emit(Notice("later"))
    assert [e["t"] for e in EventReader(path).new()][1] >= 100.0


def test_what_json_has_no_word_for_becomes_text(tmp_path):
    path = tmp_path / "events.jsonl"
    EventWriter(path).emit(Metrics(1, 0.1, {"train/loss": float("nan")}))
    (event,) = EventReader(path).new()
    assert event["values"]["train/loss"] == "nan"


def test_garbage_lines_are_passed_over(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(
        b"\xff\xfe garbage\n[1]\n"
        + json.dumps({"type": "notice", "t": 0, "text": "kept", "level": "info"}).encode()
        + b"\n"
    )
    assert [e["text"] for e in EventReader(path).new()] == ["kept"]
