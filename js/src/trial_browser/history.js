// Every trial in the order it was tried, the best so far, the base, and how far apart counts as a tie.
import { h, onWidth, replace } from "../shared/dom.js";
import { fit, FONT, layers } from "./canvas.js";
import { levelOf, ownLook } from "./colours.js";
import { diamond, glyph } from "./glyphs.js";
import { followTrials } from "./pointing.js";
import { SCORE } from "./axes.js";
import { roundStep } from "./scales.js";

const HEIGHT = 232;
const PAD = { left: 46, right: 12, top: 10, bottom: 34 };

export class History {
  #points = [];
  #width = 0;
  #seen = "";

  constructor(board, tooltip) {
    this.board = board;
    const { box, canvases } = layers(1, HEIGHT, {
      tabindex: 0, role: "application", "data-testid": "history", "data-label": "history of trials",
      "aria-label": "history of trials: arrow keys walk, Enter selects, Space adds",
    });
    [this.canvas] = canvases;
    this.direction = h("span", { class: "etn-small etn-hint", hidden: true }, "lower is better");
    this.legend = h("div", { class: "etn-legend etn-small" });
    this.el = h("section", { class: "etn-view", "aria-label": "history" }, h("h3", {}, "history", this.direction), box, this.legend);
    followTrials(box, board, tooltip, () => this.#points);
    this.stop = onWidth(box, (width) => {
      this.#width = width;
      this.draw();
    });
  }

  update(theme) {
    const { data, filter, selection, pointer } = this.board.version;
    const now = [data, filter, selection, pointer, theme.dark].join();
    if (now === this.#seen) return;
    this.#seen = now;
    this.theme = theme;
    this.#describe();
    this.draw();
  }

  draw() {
    if (!this.#width || !this.theme) return;
    const { board, theme } = this;
    const { rows, summary } = board;
    const scale = board.axes.find(({ name }) => name === SCORE).scale;
    const context = fit(this.canvas, this.#width, HEIGHT);
    const [left, right, top, bottom] = [PAD.left, this.#width - PAD.right, PAD.top, HEIGHT - PAD.bottom];
    const last = Math.max(summary.trial_count, ...rows.map((row) => row.index + 1), 1);
    const step = (right - left) / last;
    const x = (index) => left + (index + 0.5) * step;
    const y = (score) => bottom - scale.at(score) * (bottom - top);
    const radius = Math.max(2.5, Math.min(5, step * 0.4));
    this.#drawFrame(context, { left, right, bottom, y, x, last, scale });
    this.#drawBand(context, { left, right, y, scale });
    this.#drawBest(context, { x, y, right });

    this.#points = [];
    context.lineWidth = 1.5;
    const own = new Map(board.looked.map((key, place) => [key, ownLook(theme, place).colour]));
    for (const row of rows) {
      const [px, py] = [x(row.index), row.score === null ? bottom + 8 : y(row.score)];
      const level = levelOf(row.score, scale, summary.higher_is_better);
      context.fillStyle = context.strokeStyle = own.get(row.key) ?? (level < 0 ? theme["ink-2"] : theme.levels[Math.max(level, 3)]);
      context.globalAlpha = board.shown.has(row.key) ? 1 : 0.15;
      glyph(context, row.state, px, py, own.has(row.key) ? radius + 1.5 : radius);
      this.#points.push({ x: px, y: py, key: row.key });
      this.#drawConfirmations(context, row, px, y, radius);
    }
    context.globalAlpha = 1;
    for (const { x: px, y: py, key } of this.#points) {
      if (key !== board.pointed && !board.selected.includes(key)) continue;
      context.strokeStyle = own.get(key) ?? theme.ink;
      context.lineWidth = key === board.pointed ? 2 : 1.25;
      context.beginPath();
      context.arc(px, py, radius + 4.5, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  #drawFrame(context, { left, right, bottom, y, x, last, scale }) {
    const { theme } = this;
    context.font = FONT;
    context.fillStyle = theme["ink-2"];
    context.strokeStyle = theme.grid;
    context.lineWidth = 1;
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const tick of scale.ticks) {
      const at = Math.round(y(scale.placeAt(tick.at))) + 0.5;
      context.beginPath();
      context.moveTo(left, at);
      context.lineTo(right, at);
      context.stroke();
      context.fillText(tick.text, left - 6, at);
    }
    context.textAlign = "center";
    context.textBaseline = "top";
    const every = roundStep((last * 34) / Math.max(1, right - left));
    for (let index = 0; index < last; index += every) context.fillText(String(index), x(index), bottom + 18);
  }

  #drawBand(context, { left, right, y }) {
    const { band, best, base } = this.board.summary;
    if (band && best) {
      const [from, to] = [y(best.score + band), y(best.score - band)];
      context.fillStyle = this.theme.shade;
      context.fillRect(left, from, right - left, to - from);
    }
    if (base === null) return;
    context.strokeStyle = this.theme.before;
    context.lineWidth = 1.5;
    context.setLineDash([6, 4]);
    context.beginPath();
    context.moveTo(left, y(base));
    context.lineTo(right, y(base));
    context.stroke();
    context.setLineDash([]);
  }

  #drawBest(context, { x, y, right }) {
    const line = this.board.summary.best_so_far;
    if (!line.length) return;
    context.strokeStyle = this.theme.accent;
    context.lineWidth = 2;
    context.beginPath();
    line.forEach(([index, value], place) => {
      if (place === 0) context.moveTo(x(index), y(value));
      else {
        context.lineTo(x(index), y(line[place - 1][1]));
        context.lineTo(x(index), y(value));
      }
    });
    context.lineTo(Math.min(right, x(this.board.rows.at(-1)?.index ?? 0)), y(line.at(-1)[1]));
    context.stroke();
  }

  #drawConfirmations(context, row, px, y, radius) {
    const runs = this.board.confirmations.get(row.index) ?? [];
    runs.forEach((run, place) => {
      if (run.score === null) return;
      const at = { x: px + (place % 2 ? 1 : -1) * (radius + 4), y: y(run.score), key: run.key };
      diamond(context, at.x, at.y, 4);
      context.stroke();
      this.#points.push(at);
    });
  }

  #describe() {
    this.direction.hidden = this.board.summary.higher_is_better;
    const { rows, summary, confirmations } = this.board;
    const there = (state) => rows.some((row) => row.state === state);
    const entries = [
      there("done") && ["●", "done"], there("running") && ["○", "running"], there("pruned") && ["▽", "pruned"], there("stopped") && ["□", "stopped"],
      (there("failed") || there("lost")) && ["✕", "failed or lost"], confirmations.size > 0 && ["◇", "the same with another seed"],
      summary.best_so_far.length > 0 && ["━", "best so far", "etn-is"], summary.base !== null && ["┅", "base", "etn-was"], summary.band && ["▒", "a tie with the best", "etn-is"],
    ].filter(Boolean);
    replace(this.legend, entries.map(([sign, text, tone]) => h("span", {}, h("span", { class: tone ?? "", "aria-hidden": "true" }, sign), ` ${text}`)));
  }

  destroy() {
    this.stop();
  }
}
