"""The map in a real browser: inside JupyterLab, and as a page of its own."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from lab import Lab, NotebookPage

from embedtune_nb.widgets.embedding_map import EmbeddingMap

# Three clusters that stay, and one text without a label that wanders from an empty corner to another.
FRAME = r"""
import numpy as np, pandas as pd
rng = np.random.default_rng(0)
centres = np.repeat([[0.0, 0.0], [6.0, 5.0], [12.0, 0.0]], [60, 50, 40], axis=0)
xy = np.vstack([centres + rng.normal(0, 0.5, (150, 2)), [[0.0, 10.0]]])
after = xy.copy()
after[150] = [12.0, 10.0]
frame = pd.DataFrame({
    "x_before": xy[:, 0], "y_before": xy[:, 1], "x_after": after[:, 0], "y_after": after[:, 1],
    "text": [f"text number {i}" for i in range(150)] + ["<script>window.hacked = 1</script> <b>wanderer</b>"],
    "label": ["alpha"] * 60 + ["beta"] * 50 + ["<i>gamma</i>"] * 40 + [None],
    "kept": [1.0] * 150 + [1 / 3], "moved": [0.5] * 150 + [12.25],
    "neighbors_before": [[1, 2, 3]] * 151, "neighbors_after": [[1, 2, 3]] * 150 + [[1, 101, 102]],
})
meta = {"trust_before": 0.881, "trust_after": 0.884, "noise_floor": 0.05, "kept_mean": 0.61}
"""
MAKE = "from embedtune_nb.widgets.embedding_map import EmbeddingMap\n"
WANDERER = 150


def frame_of_cell() -> tuple[pd.DataFrame, dict[str, float]]:
    names: dict[str, Any] = {}
    exec(FRAME, names)
    return names["frame"], names["meta"]


class Map:
    """One map on a page: where its texts are and what colour the screen has there."""

    def __init__(self, page: Any, root: Any) -> None:
        self.page, self.root = page, root
        self.frame, _ = frame_of_cell()
        self.stage = root.locator(".etn-map-stage")
        self.wait("state", "ready")
        self.root.and_(page.locator("[data-camera]")).wait_for()
        self.stage.scroll_into_view_if_needed()

    def data(self, name: str) -> str | None:
        return self.root.get_attribute(f"data-{name}")

    def wait(self, name: str, value: str) -> None:
        self.root.and_(self.page.locator(f"[data-{name}='{value}']")).wait_for(timeout=20_000)

    def place(self, i: int, side: str) -> tuple[float, float]:
        """Where text *i* is on the page, from the published camera and the frame alone."""
        x, y, scale = map(float, self.data("camera").split())
        box = self.stage.evaluate(
            "e => { const b = e.getBoundingClientRect();"
            " return [b.left + e.clientLeft, b.top + e.clientTop, e.clientWidth, e.clientHeight]; }"
        )
        row = self.frame.iloc[i]
        return (
            box[0] + box[2] / 2 + (row[f"x_{side}"] - x) * scale,
            box[1] + box[3] / 2 - (row[f"y_{side}"] - y) * scale,
        )

    def colour(self, place: tuple[float, float]) -> tuple[int, int, int]:
        """The colour that a person sees at *place*, read from a screenshot."""
        self.page.wait_for_timeout(150)
        picture = base64.b64encode(self.page.screenshot()).decode()
        rgb = self.page.evaluate(
            """async ([picture, x, y]) => {
                const image = new Image();
                image.src = "data:image/png;base64," + picture;
                await image.decode();
                const canvas = document.createElement("canvas");
                [canvas.width, canvas.height] = [image.width, image.height];
                const context = canvas.getContext("2d");
                context.drawImage(image, 0, 0);
                return [...context.getImageData(Math.round(x), Math.round(y), 1, 1).data].slice(0, 3);
            }""",
            [picture, *place],
        )
        return tuple(rgb)

    def paper(self) -> tuple[int, int, int]:
        x, y = self.place(WANDERER, "before")
        return self.colour((x + 90, y + 60))

    def paper_once(self, settled: Callable[[tuple[int, int, int]], bool]) -> tuple[int, int, int]:
        """The paper's colour once it is as wanted; a theme's style sheets arrive one after another."""
        for _ in range(40):
            self.root.scroll_into_view_if_needed()
            if settled(paper := self.paper()):
                return paper
        raise AssertionError(f"the paper stayed {paper}")

    def leave(self) -> None:
        self.page.mouse.move(2, 2)

    def slide(self, key: str) -> None:
        self.root.locator(".etn-map-slider").press(key)


def differ(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    return max(abs(p - q) for p, q in zip(a, b, strict=True))


def open_map(notebook: NotebookPage) -> Map:
    notebook.run()
    notebook.find("embedding-map").wait_for()
    return Map(notebook.page, notebook.find("embedding-map"))


@pytest.fixture
def open_page(lab: Lab, tmp_path: Path) -> Iterator[Callable[..., Map]]:
    """Open the map as a saved page, offline; any request fails the test."""
    opened = []

    def open_one(script: str = "", **context: Any) -> Map:
        frame, meta = frame_of_cell()
        path = EmbeddingMap(frame, meta).save_html(tmp_path / "map.html")
        browser = lab.browser.new_context(viewport={"width": 1100, "height": 700}, offline=True, **context)
        page = browser.new_page()
        trouble: list[str] = []
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("console", lambda line: line.type == "error" and trouble.append(line.text))
        page.on("request", lambda request: trouble.append(request.url))
        opened.append((browser, trouble, path.as_uri()))
        page.add_init_script(script)
        page.goto(path.as_uri())
        return Map(page, page.locator("[data-testid=embedding-map]"))

    yield open_one
    for browser, trouble, own in opened:
        browser.close()
        assert [line for line in trouble if line != own and not line.startswith("blob:")] == []


def test_in_jupyterlab_the_slider_moves_points_and_pointing_shows_the_text(open_notebook, shots):
    notebook = open_notebook([FRAME, MAKE + "EmbeddingMap(frame, meta)"])
    shown = open_map(notebook)
    assert shown.data("renderer") == "webgl2"
    start, end = shown.place(WANDERER, "before"), shown.place(WANDERER, "after")
    paper = shown.paper()
    assert differ(shown.colour(start), paper) > 40
    assert differ(shown.colour(end), paper) < 10
    footer = "151 texts · trustworthiness .88/.88 · identical data would move .05 · neighbours kept 61 %"
    assert footer in shown.root.inner_text()

    shown.slide("End")
    shown.wait("mix", "1.000")
    assert differ(shown.colour(start), paper) < 10
    assert differ(shown.colour(end), paper) > 40

    shown.page.mouse.move(*end)
    shown.wait("hover", str(WANDERER))
    card = shown.root.locator(".etn-map-card").inner_text()
    assert "<script>window.hacked = 1</script> <b>wanderer</b>" in card
    assert "kept 1/3" in card
    assert "moved 12.3× noise" in card
    for side, neighbours in (("before", [1, 2, 3]), ("after", [1, 101, 102])):
        texts = shown.root.locator(f".etn-map-neighbours.etn-map-{side} .etn-map-cut").all_inner_texts()
        assert texts == [f"text number {i}" for i in neighbours]
    assert shown.page.evaluate("window.hacked") is None
    notebook.screenshot(shots, "map-lab-light")
    shown.leave()
    shown.wait("hover", "-1")
    assert notebook.console_errors == []


def test_in_jupyterlab_a_map_can_be_filled_later_and_shown_twice(open_notebook, shots):
    notebook = open_notebook(
        [
            FRAME,
            MAKE + "later = EmbeddingMap()\nlater.progress('compiling, the first time only')\nlater",
            "later",
        ]
    )
    notebook.run()
    views = notebook.page.locator("[data-testid=embedding-map]")
    views.nth(1).wait_for()
    for index in range(2):
        views.nth(index).get_by_text("compiling, the first time only").wait_for()
    height = views.first.bounding_box()["height"]
    notebook.execute("later.progress('drawing the map', 30, 120)")
    views.first.get_by_text("drawing the map · 25 %").wait_for()
    notebook.screenshot(shots, "map-lab-progress")
    notebook.execute("later.fill(frame, meta)")
    maps = [Map(notebook.page, views.nth(index)) for index in range(2)]
    assert views.first.bounding_box()["height"] == pytest.approx(height, abs=24)
    maps[0].slide("End")
    maps[0].wait("mix", "1.000")
    assert maps[1].data("mix") == "0.000"

    # Keys on the map are not the notebook's: "0 0" would restart the kernel, "x" cut the cell.
    maps[0].stage.focus()
    for key in ("x", "+", "ArrowLeft", "0", "0", " "):
        maps[0].page.keyboard.press(key)
    maps[0].wait("mix", "0.000")
    assert notebook.page.locator(".jp-Dialog").count() == 0
    assert views.count() == 2

    notebook.execute("later.error = 'The worker ended.'")
    views.first.get_by_role("alert").get_by_text("The worker ended.").wait_for()


def test_in_jupyterlab_a_map_that_is_cleared_away_gives_its_graphics_context_back(open_notebook):
    notebook = open_notebook([FRAME, MAKE + "EmbeddingMap(frame, meta)"])
    open_map(notebook)
    held = "window.held.getContext('webgl2').isContextLost()"
    notebook.page.evaluate("() => { window.held = document.querySelector('.etn-map-canvas'); }")
    assert notebook.page.evaluate(held) is False
    notebook.command("notebook:clear-all-cell-outputs")
    notebook.page.wait_for_function(held, timeout=20_000)


def test_in_jupyterlab_the_map_follows_the_theme(open_notebook, shots):
    notebook = open_notebook([FRAME, MAKE + "EmbeddingMap(frame, meta)"], theme="dark")
    shown = open_map(notebook)
    paper = shown.paper()
    assert max(paper) < 60
    assert differ(shown.colour(shown.place(WANDERER, "before")), paper) > 40
    notebook.screenshot(shots, "map-lab-dark")
    notebook.command("apputils:change-theme", {"theme": "JupyterLab Light"})
    notebook.page.wait_for_selector("body[data-jp-theme-light=true]", state="attached")
    paper = shown.paper_once(lambda colour: min(colour) > 200)
    assert differ(shown.colour(shown.place(WANDERER, "before")), paper) > 40


def test_the_legend_isolates_and_counts(open_page):
    shown = open_page()
    rows = shown.root.locator("button.etn-map-row")
    assert [row.split("\n") for row in rows.all_inner_texts()] == [
        ["alpha", "60"],
        ["beta", "50"],
        ["<i>gamma</i>", "40"],
    ]
    wanderer = shown.place(WANDERER, "before")
    strong = differ(shown.colour(wanderer), shown.paper())
    rows.nth(1).click()
    shown.wait("lit", "50")
    assert 0 < differ(shown.colour(wanderer), shown.paper()) < strong / 2
    rows.nth(2).click(modifiers=["Shift"])
    shown.wait("lit", "90")
    shown.root.get_by_role("button", name="show all").click()
    shown.wait("lit", "151")


def test_dimmed_texts_are_not_pointed_at(open_page):
    shown = open_page()
    shown.page.mouse.move(*shown.place(WANDERER, "before"))
    shown.wait("hover", str(WANDERER))
    shown.leave()
    shown.root.locator("button.etn-map-row").first.click()
    shown.page.mouse.move(*shown.place(WANDERER, "before"))
    shown.page.wait_for_timeout(200)
    assert shown.data("hover") == "-1"


def test_search_dims_what_does_not_match(open_page):
    shown = open_page()
    shown.stage.focus()
    shown.page.keyboard.press("/")
    shown.page.keyboard.type("NUMBER text 14")
    matches = shown.frame["text"].str.contains("14") & shown.frame["text"].str.contains("number")
    shown.wait("lit", str(matches.sum()))
    assert f"{matches.sum()} found" in shown.root.inner_text()
    shown.page.keyboard.type("nothing has this")
    shown.root.get_by_text("No text matches").wait_for()
    shown.page.keyboard.press("Escape")
    shown.wait("lit", "151")


def test_a_click_keeps_a_text_on_the_card_until_escape(open_page):
    shown = open_page()
    shown.page.mouse.click(*shown.place(WANDERER, "before"))
    shown.leave()
    assert "wanderer" in shown.root.locator(".etn-map-card").inner_text()
    shown.stage.focus()
    shown.page.keyboard.press("Escape")
    assert "wanderer" not in shown.root.locator(".etn-map-card").inner_text()


def test_wheel_drag_keys_and_reset_move_the_camera(open_page):
    shown = open_page()
    home = shown.data("camera")
    x, y = shown.place(WANDERER, "before")
    shown.page.mouse.move(x, y)
    shown.page.mouse.wheel(0, -600)
    shown.page.wait_for_timeout(200)
    assert shown.place(WANDERER, "before") == pytest.approx((x, y), abs=1)
    assert float(shown.data("camera").split()[2]) > 1.5 * float(home.split()[2])
    shown.page.mouse.down()
    shown.page.mouse.move(x + 60, y + 40, steps=4)
    shown.page.mouse.up()
    shown.page.wait_for_timeout(200)
    assert shown.place(WANDERER, "before") == pytest.approx((x + 60, y + 40), abs=2)
    shown.page.keyboard.press("ArrowLeft")
    shown.page.wait_for_timeout(200)
    assert shown.place(WANDERER, "before")[0] > x + 80
    shown.root.get_by_role("button", name="reset").click()
    shown.page.wait_for_timeout(200)
    assert shown.data("camera") == home


def test_play_morphs_through_the_middle(open_page):
    shown = open_page(
        """
        window.seen = [];
        new MutationObserver(records => records.forEach(r => seen.push(r.target.dataset.mix)))
            .observe(document, { subtree: true, attributeFilter: ["data-mix"] });
        """
    )
    shown.stage.focus()
    shown.page.keyboard.press(" ")
    shown.wait("mix", "1.000")
    assert any(0.1 < float(value) < 0.9 for value in shown.page.evaluate("seen"))
    shown.root.get_by_role("button", name="Play").wait_for()


def test_reduced_motion_jumps_without_a_morph(open_page):
    shown = open_page(
        """
        window.seen = [];
        new MutationObserver(records => records.forEach(r => seen.push(r.target.dataset.mix)))
            .observe(document, { subtree: true, attributeFilter: ["data-mix"] });
        """,
        reduced_motion="reduce",
    )
    shown.stage.focus()
    shown.page.keyboard.press(" ")
    shown.wait("mix", "1.000")
    assert set(shown.page.evaluate("seen")) == {"0.000", "1.000"}


def test_colour_by_neighbour_change_shows_its_scale(open_page):
    shown = open_page()
    wanderer = shown.place(WANDERER, "before")
    by_label = shown.colour(wanderer)
    shown.root.get_by_label("colour").select_option("change")
    assert differ(shown.colour(wanderer), by_label) > 40
    legend = shown.root.locator(".etn-map-legend")
    assert "kept all" in legend.inner_text()
    assert legend.get_by_title("1 of the texts lost 2 of 3 neighbours").count() == 1


def test_a_lost_graphics_context_comes_back(open_page):
    shown = open_page()
    wanderer = shown.place(WANDERER, "before")
    shown.page.evaluate(
        """() => { const gl = document.querySelector(".etn-map-canvas").getContext("webgl2");
                   window.context = gl.getExtension("WEBGL_lose_context"); window.context.loseContext(); }"""
    )
    shown.wait("context", "lost")
    assert differ(shown.colour(wanderer), shown.paper()) < 10
    shown.page.evaluate("() => window.context.restoreContext()")
    shown.wait("context", "held")
    assert differ(shown.colour(wanderer), shown.paper()) > 40


def test_without_webgl2_the_map_is_drawn_all_the_same(open_page):
    shown = open_page(
        """
        const original = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
            return kind === "webgl2" ? null : original.call(this, kind, ...rest);
        };
        """
    )
    assert shown.data("renderer") == "canvas2d"
    assert differ(shown.colour(shown.place(WANDERER, "before")), shown.paper()) > 40
    shown.slide("End")
    shown.wait("mix", "1.000")
    assert differ(shown.colour(shown.place(WANDERER, "after")), shown.paper()) > 40


def test_the_saved_page_is_dark_where_the_system_is(open_page):
    shown = open_page(color_scheme="dark")
    paper = shown.paper()
    assert max(paper) < 60
    assert differ(shown.colour(shown.place(WANDERER, "before")), paper) > 40


@pytest.mark.parametrize("width", [480, 700, 1600])
def test_nothing_scrolls_sideways(open_page, width):
    shown = open_page()
    shown.page.set_viewport_size({"width": width, "height": 800})
    shown.page.wait_for_timeout(200)
    assert shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
