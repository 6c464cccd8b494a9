// One curve in a card: uPlot below a title line that says what the newest or the pointed-at value is.
import uPlot from "uplot";
import { h, onWidth, setText, token } from "../shared/dom.js";
import { drawLevel, roomyRange } from "../shared/levels.js";
import { aligned, lastKnown } from "./align.js";
import { clock, number } from "../shared/format.js";
import { smooth } from "./smoothing.js";

const HEIGHT = 200;
const X_COLUMN = { step: "step", epoch: "epoch", time: "wall" };
const LEARNING_RATE = "train/learning_rate";
// The loss on held-out rows goes into the chart of the training loss: where the two part, rows are learnt by heart.
const BESIDE = { "train/loss": "eval/loss" };

const bare = (name) => name.split("/").pop();

/** Columns of *series* ordered along *x*: a resumed run repeats steps, and uPlot wants them ascending. */
export function ordered(x, y) {
  for (let i = 1; i < x.length; i++) {
    if (x[i] < x[i - 1]) {
      const order = Array.from(x.keys()).sort((a, b) => x[a] - x[b] || a - b);
      return [order.map((index) => x[index]), order.map((index) => y[index])];
    }
  }
  return [Array.from(x), Array.from(y)];
}

export class Plot {
  #plot = null;
  #width = 0;
  #whole = [0, 1];
  #shownRange = [0, 1];
  #shown = "";
  #stale = true;
  #data = [[], []];
  #base = null;
  #best = null;

  constructor(name, { store, options, syncKey }) {
    Object.assign(this, { name, store, options, syncKey, isLoss: name.startsWith("train/"), beside: BESIDE[name] });
    this.readout = h("span", { class: "etn-readout etn-number", "data-testid": "readout" });
    this.baseMark = h("span", { class: "etn-base-mark etn-number", hidden: true, "data-testid": "base" });
    this.bestMark = h("span", { class: "etn-best-mark etn-number", hidden: true, "data-testid": "best" });
    this.besideMark = h("span", { class: "etn-beside-mark etn-number", hidden: true, "data-testid": "beside" });
    this.empty = h("div", { class: "etn-empty" }, this.isLoss ? "the first value comes with the first steps" : "no value yet");
    this.canvas = h("div", {
      class: "etn-plot", tabindex: 0, role: "img", "aria-label": name,
      title: "drag to zoom, double-click to see all; arrow keys move the pointer",
      onkeydown: (event) => this.#key(event),
    });
    this.el = h(
      "figure",
      { class: "etn-chart", "data-metric": name },
      h("figcaption", {}, h("span", { class: "etn-metric" }, name), this.readout, h("span", { class: "etn-marks" }, this.besideMark, this.baseMark, this.bestMark)),
      h("div", { class: "etn-plot-box", style: { height: `${HEIGHT}px` } }, this.canvas, this.empty),
    );
    this.stopWatching = onWidth(this.canvas, (width) => {
      this.#width = width;
      if (this.#plot) this.#plot.setSize({ width, height: HEIGHT });
      else this.draw();
    });
  }

  /** Show what the store and the options say now. */
  update(summary) {
    const base = summary.base?.[this.name] ?? null;
    const best = summary.best && bare(summary.best.name) === bare(this.name) && !this.isLoss ? summary.best : null;
    this.#base = base;
    this.#best = best;
    this.baseMark.hidden = base === null;
    if (base !== null) setText(this.baseMark, `base ${number(base)}`);
    this.bestMark.hidden = best === null;
    if (best) setText(this.bestMark, `best ${number(best.value)} ◆`);
    this.#whole = this.#wholeRange(summary);
    this.#stale = true;
    this.draw();
  }

  draw() {
    if (!this.#stale || this.#width === 0) return;
    this.#stale = false;
    this.#data = this.#columns();
    const points = this.#data[0].length;
    this.empty.hidden = points > 0;
    const shape = JSON.stringify([this.options.axis, this.options.log, points > 0, this.#data.length]);
    if (shape !== this.#shown) {
      this.#shown = shape;
      this.#plot?.destroy();
      this.#plot = points > 0 ? new uPlot(this.#config(), this.#data, this.canvas) : null;
    } else if (this.#plot) {
      const zoomed = this.#isZoomed();
      this.#plot.setData(this.#data, !zoomed);
      if (zoomed) this.#plot.redraw();
    }
    this.#describe(null);
  }

  redraw() {
    this.#plot?.redraw(false, true);
  }

  destroy() {
    this.stopWatching();
    this.#plot?.destroy();
    this.#plot = null;
  }

  #columns() {
    const series = this.store.series(this.name);
    const [x, raw] = series ? this.#points(series) : [[], []];
    if (!this.isLoss) return [x, raw];
    const curve = [x, raw, smooth(raw.map((value) => value ?? NaN), this.options.smoothing)];
    const other = this.beside && this.store.series(this.beside);
    return other ? aligned(curve, this.#points(other)) : curve;
  }

  #points(series) {
    const [x, y] = ordered(series[X_COLUMN[this.options.axis]], series.value);
    return [x, y.map((value) => (Number.isFinite(value) && !(this.#isLog() && value <= 0) ? value : null))];
  }

  #isLog() {
    return this.options.log && this.isLoss;
  }

  #config() {
    const colour = (name) => () => token(this.el, name);
    const axis = { stroke: colour("--etn-ink-2"), font: "11px system-ui, sans-serif", ticks: { show: false }, border: { show: false } };
    const accent = { stroke: colour("--etn-accent"), spanGaps: true };
    const dots = (name) => ({ spanGaps: true, width: 2, stroke: colour(name), points: { show: true, size: 6, fill: colour(name), stroke: colour(name) } });
    const loss = [{}, { ...accent, width: 1, alpha: 0.25, points: { show: false } }, { ...accent, width: 2, points: { show: false } }];
    if (this.#data.length > loss.length) loss.push({ ...dots("--etn-held-out"), dash: [5, 3] });
    const time = this.options.axis === "time";
    return {
      width: this.#width,
      height: HEIGHT,
      padding: [8, 22, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: this.syncKey },
        drag: { x: true, y: false },
        points: { size: 7, width: 1.5, fill: colour("--etn-paper") },
      },
      scales: {
        x: { time: false, range: (_plot, low, high) => this.#horizontalRange(low, high) },
        y: this.#isLog() ? { distr: 3 } : { range: (_plot, low, high) => roomyRange(low, high, this.#base) },
      },
      axes: [
        { ...axis, size: 26, gap: 4, grid: { show: false }, space: 60, values: (_plot, ticks) => ticks.map((tick) => (time ? clock(tick) : String(+tick.toFixed(3)))) },
        { ...axis, size: 46, gap: 6, grid: { stroke: colour("--etn-grid"), width: 1 }, values: (_plot, ticks) => ticks.map((tick) => (tick === null ? "" : tickLabel(tick, ticks))) },
      ],
      series: this.isLoss ? loss : [{}, dots("--etn-accent")],
      hooks: {
        setCursor: [(plot) => this.#describe(plot.cursor.idx)],
        setScale: [(plot) => (this.el.dataset.xTo = plot.scales.x.max)],
        drawAxes: [(plot) => drawLevel(plot, this.#base, this.el)],
        draw: [(plot) => this.#drawBest(plot)],
      },
    };
  }

  // While a run goes on the axis reaches to its planned end, so that a curve grows instead of shrinking.
  #wholeRange({ final, steps_total, epochs, elapsed }) {
    const planned = { step: steps_total, epoch: epochs, time: elapsed }[this.options.axis];
    return [0, final ? 0 : (planned ?? 0)];
  }

  // uPlot asks with the extent of the data when all is to be seen, with the chosen part after a zoom.
  #horizontalRange(low, high) {
    const [x] = this.#data;
    const last = x[x.length - 1];
    // Around a single point uPlot asks for a padded extent; that is no zoom either.
    const all = x.length < 2 || (low === x[0] && high === last);
    if (!all) return [low, high];
    return (this.#shownRange = [0, Math.max(this.#whole[1], last) || 1]);
  }

  #isZoomed() {
    const { min, max } = this.#plot.scales.x;
    return min !== this.#shownRange[0] || max !== this.#shownRange[1];
  }

  #drawBest(plot) {
    const series = this.#best && this.store.series(this.name);
    const index = series ? series.step.indexOf(this.#best.step) : -1;
    if (index < 0) return;
    const x = plot.valToPos(series[X_COLUMN[this.options.axis]][index], "x", true);
    const y = plot.valToPos(this.#best.value, "y", true);
    const size = 7 * devicePixelRatio;
    const { ctx } = plot;
    ctx.save();
    ctx.fillStyle = token(this.el, "--etn-accent");
    ctx.strokeStyle = token(this.el, "--etn-paper");
    ctx.lineWidth = 2 * devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(x, y - size);
    ctx.lineTo(x + size, y);
    ctx.lineTo(x, y + size);
    ctx.lineTo(x - size, y);
    ctx.closePath();
    ctx.stroke();
    ctx.fill();
    ctx.restore();
  }

  #describe(index) {
    const [x, raw, , beside] = this.#data;
    const last = x.length - 1;
    this.besideMark.hidden = !beside;
    if (last < 0) return setText(this.readout, "");
    const at = index ?? last;
    const heldOut = beside ? `${this.beside} ${number(lastKnown(beside, at))}` : "";
    setText(this.besideMark, heldOut);
    const place = this.options.axis === "time" ? clock(x[at]) : `${this.options.axis} ${+x[at].toFixed(2)}`;
    const rate = index !== null && this.name === "train/loss" ? this.#learningRate(x[at]) : "";
    const text = `${number(lastKnown(raw, at))} at ${place}${rate}`;
    setText(this.readout, text);
    this.canvas.setAttribute("aria-label", `${this.name}: ${text}${heldOut && `, ${heldOut}`}`);
  }

  #learningRate(x) {
    const series = this.store.series(LEARNING_RATE);
    const index = series ? series[X_COLUMN[this.options.axis]].indexOf(x) : -1;
    return index < 0 ? "" : ` · lr ${number(series.value[index])}`;
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined || !this.#plot) return;
    event.preventDefault();
    const [x, raw] = this.#data;
    const from = this.#plot.cursor.idx ?? x.length - 1;
    const index = Math.max(0, Math.min(x.length - 1, from + step));
    this.#plot.setCursor({ left: this.#plot.valToPos(x[index], "x"), top: this.#plot.valToPos(lastKnown(raw, index) ?? 0, "y") });
  }
}

function tickLabel(tick, ticks) {
  const known = ticks.filter((value) => value !== null);
  const gap = known.length > 1 ? Math.abs(known[1] - known[0]) : 1;
  if (tick !== 0 && (Math.abs(tick) < 1e-3 || Math.abs(tick) >= 1e5)) return tick.toExponential(1);
  return tick.toFixed(Math.max(0, Math.min(5, Math.ceil(-Math.log10(gap)))));
}
