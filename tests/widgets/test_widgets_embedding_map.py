"""The map's checks, messages, page and still picture; how it looks and feels is asked in tests/browser."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from embedtune_nb.errors import ColumnError, DataError
from embedtune_nb.widgets.embedding_map import EmbeddingMap

META = {"trust_before": 0.88, "trust_after": 0.884, "noise_floor": 0.05, "kept_mean": 0.612}
HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)> \u2028 ]]>"


def make_frame(n: int = 40, k: int = 3, **columns: object) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(n, 4)), columns=["x_before", "y_before", "x_after", "y_after"])
    frame["text"] = [f"text {i}" for i in range(n)]
    frame["kept"] = rng.integers(0, k + 1, n) / k
    frame["moved"] = rng.gamma(2.0, size=n)
    for side in ("before", "after"):
        frame[f"neighbors_{side}"] = list((np.arange(n)[:, None] + np.arange(1, k + 1)) % n)
    return frame.assign(**columns)


def record(widget: EmbeddingMap) -> list[tuple[dict, list[bytes]]]:
    sent: list[tuple[dict, list[bytes]]] = []
    widget.send = lambda content, buffers=None: sent.append((content, list(buffers or [])))
    return sent


def say_ready(widget: EmbeddingMap) -> None:
    widget._handle_custom_msg({"type": "ready"}, [])


def column(sent: tuple[dict, list[bytes]], name: str) -> np.ndarray:
    message, buffers = sent
    index = [entry["name"] for entry in message["columns"]].index(name)
    return np.frombuffer(buffers[index], message["columns"][index]["dtype"])


def test_a_view_that_is_ready_gets_all_columns_and_texts():
    frame = make_frame(label=["a", "b", "b", None] * 10)
    widget = EmbeddingMap(frame, META)
    sent = record(widget)
    say_ready(widget)
    (snapshot,) = sent
    message = snapshot[0]
    assert message["type"] == "snapshot"
    assert message["texts"] == frame["text"].tolist()
    assert message["labels"] == [{"name": "b", "count": 20}, {"name": "a", "count": 10}]
    np.testing.assert_array_equal(column(snapshot, "codes"), [1, 0, 0, 65535] * 10)
    np.testing.assert_allclose(column(snapshot, "before").reshape(-1, 2), frame[["x_before", "y_before"]])
    np.testing.assert_allclose(column(snapshot, "after").reshape(-1, 2), frame[["x_after", "y_after"]])
    np.testing.assert_array_equal(
        column(snapshot, "neighbors_after").reshape(-1, 3), np.stack(frame["neighbors_after"])
    )
    np.testing.assert_allclose(column(snapshot, "kept"), frame["kept"], rtol=1e-6)
    np.testing.assert_allclose(column(snapshot, "moved"), frame["moved"], rtol=1e-6)


def test_the_data_is_no_part_of_the_saved_widget_state():
    state = EmbeddingMap(make_frame(text=["UNMISTAKABLE"] * 40), META).get_state()
    state = {name: value for name, value in state.items() if name not in {"_esm", "_css"}}
    assert "UNMISTAKABLE" not in str(state)


def test_an_empty_map_tells_its_progress_and_is_filled_later():
    widget = EmbeddingMap()
    sent = record(widget)
    say_ready(widget)
    assert sent == []
    widget.progress("compiling, the first time only")
    widget.progress("drawing the map", 20, 100)
    say_ready(widget)
    assert [(m["phase"], m["done"], m["total"]) for m, _ in sent] == [
        ("compiling, the first time only", 0, 0),
        ("drawing the map", 20, 100),
        ("drawing the map", 20, 100),
    ]
    assert "drawing the map" in repr(widget)
    sent.clear()
    widget.fill(make_frame(), META)
    widget.progress("too late")
    assert [message["type"] for message, _ in sent] == ["snapshot"]


def test_each_filling_has_a_revision_of_its_own():
    widget = EmbeddingMap(make_frame(), META)
    sent = record(widget)
    say_ready(widget)
    say_ready(widget)
    widget.fill(make_frame(n=10), META)
    assert [message["revision"] for message, _ in sent] == [1, 1, 2]


def test_long_texts_are_cut_visibly_and_short_ones_are_whole():
    texts = ["x" * 300, "y" * 301, *["z"] * 38]
    widget = EmbeddingMap(make_frame(text=texts), META)
    sent = record(widget)
    say_ready(widget)
    received = sent[0][0]["texts"]
    assert received[0] == "x" * 300
    assert received[1] == "y" * 299 + "…"


def test_what_is_sent_is_plain_json_in_utf8():
    texts = pd.Series(["\ud800 half a pair", HOSTILE, "naïve 🐍", *["z"] * 37], dtype=object)
    widget = EmbeddingMap(make_frame(text=texts, label=HOSTILE), {"trust_before": float("nan")})
    sent = record(widget)
    say_ready(widget)
    json.dumps(sent[0][0], allow_nan=False, ensure_ascii=False).encode("utf-8")
    assert sent[0][0]["texts"][1] == HOSTILE
    assert sent[0][0]["meta"]["trust_before"] is None


def test_numeric_labels_keep_their_looks_beside_missing_ones():
    widget = EmbeddingMap(make_frame(n=4, label=[3, 3, None, 12]))
    sent = record(widget)
    say_ready(widget)
    assert [label["name"] for label in sent[0][0]["labels"]] == ["3", "12"]


def test_roles_travel_where_there_are_any():
    with_roles = EmbeddingMap(make_frame(role=["query", "document"] * 20))
    without = EmbeddingMap(make_frame())
    sent = record(with_roles)
    say_ready(with_roles)
    np.testing.assert_array_equal(column(sent[0], "roles"), [1, 0] * 20)
    sent = record(without)
    say_ready(without)
    assert "roles" not in [entry["name"] for entry in sent[0][0]["columns"]]


def test_the_frame_that_comes_out_is_a_copy():
    frame = make_frame(label="a")
    widget = EmbeddingMap(frame, META)
    taken = widget.to_frame()
    taken["text"] = "changed"
    frame["text"] = "changed too"
    pd.testing.assert_frame_equal(widget.to_frame(), make_frame(label="a"))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda f: f.rename(columns={"text": "Text"}), ColumnError, "Did you mean 'Text'"),
        (lambda f: f.drop(columns="x_after"), ColumnError, "'x_after'"),
        (lambda f: f.iloc[:0], DataError, "no texts"),
        (lambda f: f.assign(y_before=np.nan), DataError, "'y_before' has 40 values"),
        (lambda f: f.iloc[:10], DataError, "Do not filter the frame"),
        (lambda f: f.assign(neighbors_after=[[1]] * 40), DataError, "1 neighbours on one side and 3"),
        (lambda f: f.assign(neighbors_after=[[1, 2, 3]] * 39 + [[1]]), DataError, "one length"),
        (lambda f: f.assign(role="author"), DataError, "'author'"),
        (lambda f: f.to_dict(), DataError, "was given a dict"),
    ],
)
def test_a_frame_that_cannot_be_drawn_is_refused_with_a_reason(change, error, words):
    with pytest.raises(error, match=re.escape(words)):
        EmbeddingMap(change(make_frame()), META)


def test_an_empty_map_has_no_frame_chart_or_page(tmp_path):
    widget = EmbeddingMap()
    for ask in (widget.to_frame, widget.chart, lambda: widget.save_html(tmp_path / "map.html")):
        with pytest.raises(DataError, match="still empty"):
            ask()
    assert not (tmp_path / "map.html").exists()


def test_the_repr_tells_what_the_footer_tells():
    assert repr(EmbeddingMap(make_frame(n=2569, label="a"), META)) == (
        "EmbeddingMap(2,569 texts · 1 label · trustworthiness 0.88/0.88 · "
        "identical data would move 0.05 · neighbours kept 61%)"
    )


def test_texts_left_out_of_the_picture_are_counted():
    widget = EmbeddingMap(make_frame(), {**META, "left_out": 1200})
    assert "1,200 more not in the picture" in repr(widget)
    assert "1,200 more not in the picture" in widget.fallback_html()


def test_the_mean_share_of_kept_neighbours_is_computed_where_it_was_not_given():
    frame = make_frame()
    assert EmbeddingMap(frame).meta["kept_mean"] == pytest.approx(frame["kept"].mean())


def test_the_chart_shows_both_sides_and_says_when_it_draws_a_sample():
    small = json.dumps(EmbeddingMap(make_frame(label="a"), META).chart().to_dict())
    assert "x_before" in small
    assert "x_after" in small
    assert "neighbors_before" not in small
    large = EmbeddingMap(make_frame(n=6000), META).chart(colour="kept").to_dict()
    assert "4,000 of 6,000" in json.dumps(large["title"])
    with pytest.raises(DataError, match="'colour_of_sky'"):
        EmbeddingMap(make_frame()).chart(colour="colour_of_sky")


def still_picture(html: str) -> ElementTree.Element:
    encoded = re.search(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", html)[1]
    return ElementTree.fromstring(base64.b64decode(encoded))


def test_a_saved_notebook_keeps_a_picture_of_every_text_on_both_sides():
    labels = np.tile([HOSTILE, *"bcdefghijklmn"], 3)[:40]
    html = EmbeddingMap(make_frame(label=labels), META).fallback_html()
    svg = still_picture(html)
    tag = "{http://www.w3.org/2000/svg}"
    points = sum(path.get("d").count("h0") for path in svg.iter(f"{tag}path"))
    assert points == 2 * 40
    words = [text.text for text in svg.iter(f"{tag}text")]
    assert words[:2] == ["before", "after"]
    assert "2 other labels" in words
    assert "trustworthiness 0.88/0.88" in html
    assert "<script" not in html


def test_the_still_picture_keeps_the_places():
    frame = make_frame(n=2).assign(x_before=[0.0, 10.0], y_before=[0.0, 5.0], x_after=0.0, y_after=0.0)
    frame[["neighbors_before", "neighbors_after"]] = [[[1], [1]], [[0], [0]]]
    svg = still_picture(EmbeddingMap(frame).fallback_html())
    path = svg.find(".//{http://www.w3.org/2000/svg}path").get("d")
    (x0, y0), (x1, y1) = (map(int, pair) for pair in re.findall(r"M(\d+) (\d+)", path))
    assert x1 - x0 == pytest.approx(2 * (y0 - y1), abs=2)
    assert x1 > x0


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] == "script":
            self.scripts[-1] += data


def test_no_text_can_break_out_of_the_page(tmp_path):
    plain, hostile = Tags(), Tags()
    title = "Map of </title><script>alert(3)</script>"
    texts = [HOSTILE, *["z"] * 39]
    harmless = EmbeddingMap(make_frame(label="a"), META).save_html(tmp_path / "a.html")
    plain.feed(harmless.read_text())
    page = EmbeddingMap(make_frame(text=texts, label=HOSTILE), META).save_html(
        tmp_path / "b.html", title=title
    )
    hostile.feed(page.read_text())
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]
    data = json.loads(hostile.scripts[0])
    assert data["texts"] == texts
    assert data["labels"][0]["name"] == HOSTILE


def test_the_page_names_no_address(tmp_path):
    page = Tags()
    page.feed(EmbeddingMap(make_frame(), META).save_html(tmp_path / "map.html").read_text())
    for tag, attributes in page.tags:
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:"), (tag, attributes)


def test_pieces_of_one_page_do_not_share_ids():
    first, second = (EmbeddingMap(make_frame(), META).html_parts() for _ in range(2))
    ids = [set(re.findall(r'id="([^"]+)"', part.body)) for part in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]
