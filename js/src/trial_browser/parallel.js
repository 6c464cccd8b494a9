// Parallel coordinates: a line a trial through all axes; a brush on an axis filters every view.
import { h, onWidth, replace, setText } from "../shared/dom.js";
import { SCORE } from "./axes.js";
import { Axis } from "./axis.js";
import { fit, layers } from "./canvas.js";
import { levelOf, ownLook } from "./colours.js";
import { story } from "./words.js";

const HEIGHT = 236;
const PAD = { side: 44, top: 10, bottom: 22 };
const REACH = 8;
// Lines of one screen pixel are drawn ten times as fast as wider ones, and many of those would be a blot.
const MANY = 120;
const HAIRLINE = () => 1 / (window.devicePixelRatio || 1);

export class Parallel {
  #width = 0;
  #paths = [];
  #axes = new Map();
  #seen = {};

  constructor(board, tooltip) {
    this.board = board;
    this.tooltip = tooltip;
    const { box, canvases } = layers(3, HEIGHT, { "data-testid": "parallel" });
    [this.faint, this.lines, this.top] = canvases;
    this.box = box;
    this.holder = h("div", { class: "etn-axes-row", style: { top: `${PAD.top}px`, bottom: `${PAD.bottom}px` } });
    this.titles = h("div", { class: "etn-axis-titles", "aria-hidden": "true" });
    box.append(this.holder);
    this.clear = h("button", { class: "etn-button etn-quiet", type: "button", title: "let all trials pass again (Escape)", hidden: true, "data-testid": "clear-filters", onclick: () => board.clearFilters() }, "Clear filters");
    this.count = h("span", { class: "etn-small etn-number", role: "status", "data-testid": "passing" });
    this.el = h(
      "section",
      { class: "etn-view", "aria-label": "parallel coordinates" },
      h("h3", {}, "parallel coordinates", h("span", { class: "etn-small etn-hint" }, "drag along an axis to filter"), h("span", { class: "etn-push" }, this.count, this.clear)),
      this.titles, box,
    );
    box.addEventListener("pointermove", (event) => this.#hover(event));
    box.addEventListener("pointerleave", () => this.#leave());
    box.addEventListener("click", (event) => {
      const key = this.#find(event);
      if (key !== null && !event.target.closest(".etn-axis-track")) board.select(key, event.ctrlKey || event.metaKey || event.shiftKey);
    });
    this.stop = onWidth(box, (width) => {
      this.#width = width;
      this.#seen = {};
      if (this.theme) this.update(this.theme);
    });
  }

  update(theme) {
    this.theme = theme;
    if (!this.#width) return;
    const { data, filter, selection, pointer } = this.board.version;
    const stale = (part, ...versions) => {
      const now = versions.join();
      const changed = this.#seen[part] !== now;
      this.#seen[part] = now;
      return changed;
    };
    if (stale("axes", data, filter)) this.#placeAxes();
    if (stale("faint", data, theme.dark)) this.#drawFaint();
    if (stale("lines", data, filter, theme.dark)) this.#drawLines();
    if (stale("top", data, filter, selection, pointer, theme.dark)) this.#drawTop();
  }

  #x(index) {
    const n = this.board.axes.length;
    return n < 2 ? this.#width / 2 : PAD.side + (index * (this.#width - 2 * PAD.side)) / (n - 1);
  }

  #placeAxes() {
    const { board } = this;
    const names = board.axes.map(({ name }) => name);
    if (names.join("\n") !== [...this.#axes.keys()].join("\n")) {
      this.#axes = new Map(names.map((name) => [name, new Axis(name, board)]));
      replace(this.holder, [...this.#axes.values()].map(({ el }) => el));
      replace(this.titles, [...this.#axes.values()].map(({ title }) => title));
    }
    const room = (this.#width - 2 * PAD.side) / Math.max(1, board.axes.length - 1);
    board.axes.forEach((entry, index) => {
      const axis = this.#axes.get(entry.name);
      axis.el.style.left = axis.title.style.left = `${this.#x(index)}px`;
      axis.title.style.maxWidth = `${Math.min(2 * PAD.side, room) - 6}px`;
      axis.el.style.setProperty("--etn-room", `${Math.min(64, Math.max(0, room - 24))}px`);
      axis.update(entry);
    });
    const { size } = board.shown;
    setText(this.count, board.isFiltered ? `${size} of ${board.rows.length} pass` : "");
    this.clear.hidden = !board.isFiltered;
  }

  /** Where a trial's line goes; a dimension without effect in it lies below its axis. */
  #path(row) {
    const foot = HEIGHT - 8;
    const inner = HEIGHT - PAD.top - PAD.bottom;
    return this.board.axes.map(({ scale, place, name }, index) => {
      const value = place(row);
      if (value === null && name === SCORE) return null;
      return [this.#x(index), value === null ? foot : PAD.top + (1 - scale.at(value)) * inner];
    });
  }

  /** Where all trials lie, filtered out or not: drawn only when they change, not while somebody brushes. */
  #drawFaint() {
    const { board, theme } = this;
    const context = fit(this.faint, this.#width, HEIGHT);
    const scale = board.axes.at(-1).scale;
    this.#paths = board.rows.map((row) => ({
      row,
      points: this.#path(row).filter(Boolean),
      level: levelOf(row.score, scale, board.summary.higher_is_better),
    }));
    // Bad ones first: the good lie on top.
    this.#paths.sort((a, b) => a.level - b.level);
    context.globalAlpha = 0.1;
    context.strokeStyle = theme["ink-2"];
    context.lineWidth = HAIRLINE();
    for (const { points } of this.#paths) stroke(context, points);
  }

  #drawLines() {
    const { board, theme } = this;
    const context = fit(this.lines, this.#width, HEIGHT);
    const many = board.rows.length > MANY;
    context.globalAlpha = Math.max(0.45, Math.min(0.95, 12 / Math.sqrt(board.shown.size + 1)));
    context.lineWidth = many ? HAIRLINE() : 1.5;
    for (const { row, points, level } of this.#paths) {
      if (!board.shown.has(row.key)) continue;
      context.strokeStyle = level < 0 ? theme["ink-2"] : theme.levels[level];
      context.setLineDash(level < 0 && !many ? [4, 4] : []);
      stroke(context, points);
    }
  }

  #drawTop() {
    const { board, theme } = this;
    const context = fit(this.top, this.#width, HEIGHT);
    const byKey = new Map(this.#paths.map((path) => [path.row.key, path]));
    this.#drawBase(context);
    board.looked.forEach((key, place) => {
      const look = ownLook(theme, place);
      if (byKey.has(key)) this.#emphasise(context, byKey.get(key), look.colour, 2.5, look.dash);
    });
    if (byKey.has(board.pointed) && !board.looked.includes(board.pointed)) this.#emphasise(context, byKey.get(board.pointed), theme.ink, 2, []);
  }

  #emphasise(context, { row, points }, colour, width, dash) {
    context.globalAlpha = this.board.shown.has(row.key) ? 1 : 0.35;
    context.setLineDash([]);
    for (const [paint, wide] of [[this.theme.paper, width + 3], [colour, width]]) {
      context.strokeStyle = paint;
      context.lineWidth = wide;
      if (paint === colour) context.setLineDash(dash);
      stroke(context, points);
    }
    context.setLineDash([]);
    context.fillStyle = colour;
    for (const [x, y] of points) {
      context.beginPath();
      context.arc(x, y, width + 1, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  #drawBase(context) {
    const { summary, axes } = this.board;
    if (summary.base === null) return;
    const x = this.#x(axes.length - 1);
    const y = PAD.top + (1 - axes.at(-1).scale.at(summary.base)) * (HEIGHT - PAD.top - PAD.bottom);
    context.strokeStyle = this.theme.before;
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(x - 9, y);
    context.lineTo(x + 9, y);
    context.stroke();
  }

  /** The trial whose line passes nearest to the pointer. */
  #find(event) {
    const { left, top } = this.box.getBoundingClientRect();
    const [x, y] = [event.clientX - left, event.clientY - top];
    let [best, least] = [null, REACH];
    for (const { row, points } of this.#paths) {
      if (!this.board.shown.has(row.key)) continue;
      for (let i = 1; i < points.length; i++) {
        const [[x0, y0], [x1, y1]] = [points[i - 1], points[i]];
        if (x < x0 || x > x1) continue;
        const slope = (y1 - y0) / (x1 - x0);
        const distance = Math.abs(y - y0 - slope * (x - x0)) / Math.hypot(1, slope);
        if (distance < least) [best, least] = [row.key, distance];
      }
    }
    return best;
  }

  #hover(event) {
    if (event.buttons) return;
    const onAxis = event.target.closest(".etn-axis-track");
    const key = onAxis ? null : this.#find(event);
    this.board.point(key);
    this.box.classList.toggle("etn-over", key !== null);
    const row = key && this.board.rows.find((other) => other.key === key);
    if (row) this.tooltip.show(story(row, this.board.summary), event.clientX, event.clientY);
    else this.tooltip.hide();
  }

  #leave() {
    this.board.point(null);
    this.tooltip.hide();
  }

  destroy() {
    this.stop();
  }
}

// A stroke for each trial: one long path that crosses itself takes a rasterizer three times as long.
function stroke(context, points) {
  context.beginPath();
  points.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.stroke();
}
