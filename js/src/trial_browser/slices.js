// The metric against one hyperparameter at a time.
import { h, onWidth, replace } from "../shared/dom.js";
import { SCORE } from "./axes.js";
import { fit, FONT, layers } from "./canvas.js";
import { levelOf, ownLook } from "./colours.js";
import { glyph } from "./glyphs.js";
import { followTrials } from "./pointing.js";

const HEIGHT = 150;
const PAD = { left: 42, right: 10, top: 8, bottom: 22 };

export class Slices {
  #panels = [];
  #seen = "";

  constructor(board, tooltip) {
    this.board = board;
    this.tooltip = tooltip;
    this.grid = h("div", { class: "etn-slices" });
    this.el = h("section", { class: "etn-view", "aria-label": "slices", "data-testid": "slices" }, this.grid);
  }

  update(theme) {
    if (this.el.closest("[hidden]")) return;
    const { data, filter, selection, pointer } = this.board.version;
    const now = [data, filter, selection, pointer, theme.dark].join();
    if (now === this.#seen) return;
    this.#seen = now;
    this.theme = theme;
    this.#arrange();
    for (const panel of this.#panels) this.#draw(panel);
  }

  #arrange() {
    const names = this.board.axes.filter(({ name }) => name !== SCORE).map(({ name }) => name);
    if (names.join("\n") === this.#panels.map(({ name }) => name).join("\n")) return;
    this.destroy();
    this.#panels = names.map((name) => this.#panel(name));
    replace(this.grid, this.#panels.map(({ el }) => el));
  }

  #panel(name) {
    const { box, canvases } = layers(1, HEIGHT, { tabindex: 0, role: "application", "data-testid": `slice-${name}`, "data-label": `${name} against the metric`, "aria-label": `${name} against the metric: arrow keys walk, Enter selects` });
    const panel = { name, canvas: canvases[0], points: [], width: 0, el: h("figure", { class: "etn-slice" }, h("figcaption", { class: "etn-small", title: name }, name), box) };
    followTrials(box, this.board, this.tooltip, () => panel.points);
    panel.stop = onWidth(box, (width) => {
      panel.width = width;
      this.#draw(panel);
    });
    return panel;
  }

  #draw(panel) {
    const { board, theme } = this;
    const axis = board.axes.find(({ name }) => name === panel.name);
    if (!panel.width || !axis) return;
    const scores = board.axes.find(({ name }) => name === SCORE).scale;
    const context = fit(panel.canvas, panel.width, HEIGHT);
    const [left, right, top, bottom] = [PAD.left, panel.width - PAD.right, PAD.top, HEIGHT - PAD.bottom];
    const x = (unit) => left + unit * (right - left);
    const y = (unit) => bottom - unit * (bottom - top);
    this.#drawTicks(context, axis.scale.ticks, scores.ticks, { x, y, left, right, bottom });
    const own = new Map(board.looked.map((key, place) => [key, ownLook(theme, place).colour]));
    panel.points = [];
    context.lineWidth = 1.5;
    for (const row of board.rows) {
      const place = axis.place(row);
      if (place === null || row.score === null) continue;
      // Trials of one choice would hide each other.
      const spread = axis.scale.isChoice ? ((((row.index * 37) % 11) - 5) / 5) * 0.25 * axis.scale.step : 0;
      const point = { x: x(axis.scale.at(place) + spread), y: y(scores.at(row.score)), key: row.key };
      const level = levelOf(row.score, scores, board.summary.higher_is_better);
      context.globalAlpha = board.shown.has(row.key) ? 1 : 0.12;
      context.fillStyle = context.strokeStyle = own.get(row.key) ?? theme.levels[Math.max(3, level)];
      glyph(context, row.state, point.x, point.y, own.has(row.key) ? 5 : 3.5);
      panel.points.push(point);
    }
    context.globalAlpha = 1;
    const pointed = panel.points.find(({ key }) => key === board.pointed);
    if (pointed) {
      context.strokeStyle = theme.ink;
      context.beginPath();
      context.arc(pointed.x, pointed.y, 8, 0, 2 * Math.PI);
      context.stroke();
    }
    panel.points.sort((a, b) => a.x - b.x);
  }

  #drawTicks(context, across, up, { x, y, left, right, bottom }) {
    const { theme } = this;
    context.font = FONT;
    context.fillStyle = theme["ink-2"];
    context.strokeStyle = theme.grid;
    context.lineWidth = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const { at, text } of up) {
      context.beginPath();
      context.moveTo(left, y(at));
      context.lineTo(right, y(at));
      context.stroke();
      context.fillText(text, left - 6, y(at));
    }
    context.textBaseline = "top";
    let free = -Infinity;
    for (const { at, text } of across) {
      const wide = Math.min(context.measureText(text).width, right - left);
      const start = Math.max(left - 8, Math.min(right + 8 - wide, x(at) - wide / 2));
      if (start < free) continue;
      context.textAlign = "left";
      context.fillText(text, start, bottom + 6, right - left);
      free = start + wide + 8;
    }
  }

  destroy() {
    for (const panel of this.#panels) panel.stop();
  }
}
