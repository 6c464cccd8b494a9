// Learning curves of the selected trials, one over the other.
import uPlot from "uplot";
import { h, onWidth, replace, token } from "../shared/dom.js";
import { drawLevel, roomyRange } from "../shared/levels.js";
import { number } from "../shared/format.js";
import { ownLook } from "./colours.js";
import { word } from "./scales.js";

const HEIGHT = 190;
const AXES = ["schedule", "step", "epoch"];

export class Curves {
  #plot = null;
  #shape = "";
  #width = 0;
  #data = [[]];
  #keys = [];
  #seen = "";

  constructor(board, store) {
    this.board = board;
    this.store = store;
    this.axis = "schedule";
    this.metric = null;
    this.axes = AXES.map((axis) => h("button", { class: "etn-button etn-quiet", type: "button", title: `x axis: ${axis}`, onclick: () => this.#choose({ axis }) }, axis));
    this.metrics = h("select", { class: "etn-select", "aria-label": "metric of the curves", "data-testid": "curve-metric", onchange: () => this.#choose({ metric: this.metrics.value }) });
    this.readout = h("div", { class: "etn-curve-readout etn-small etn-number", "data-testid": "curve-readout" });
    this.canvas = h("div", { class: "etn-plot", tabindex: 0, role: "img", "data-testid": "curves", onkeydown: (event) => this.#key(event) });
    this.empty = h("div", { class: "etn-empty" }, "no value yet");
    this.el = h("div", { class: "etn-curves" },
      h("div", { class: "etn-curve-tools" }, this.metrics, h("span", { class: "etn-axes", role: "group", "aria-label": "x axis of the curves" }, this.axes)),
      h("div", { class: "etn-plot-box", style: { height: `${HEIGHT}px` } }, this.canvas, this.empty), this.readout);
    this.stop = onWidth(this.canvas, (width) => {
      this.#width = width;
      if (this.#plot) this.#plot.setSize({ width, height: HEIGHT });
      else this.#draw();
    });
  }

  #choose(choice) {
    Object.assign(this, choice);
    this.#draw();
  }

  update(theme, received) {
    const { data, selection } = this.board.version;
    const now = [data, selection, received, theme.dark].join();
    if (now === this.#seen) return;
    const turned = this.theme && this.theme.dark !== theme.dark;
    this.#seen = now;
    this.theme = theme;
    this.#draw();
    if (turned) this.#plot?.redraw(false, true);
  }

  get #primary() {
    return this.board.summary.metric_key;
  }

  /** `[x, y]` of a trial's curve; what was not received in full is drawn from the small one of the table. */
  #points(key, metric) {
    const row = this.store.row(key);
    const curve = this.store.curves(key)?.[metric];
    if (!curve) return metric === this.#primary && this.axis === "schedule" && row ? row.spark : [[], []];
    const total = Math.max(row?.steps_total || 0, curve.step.at(-1) || 0) || 1;
    const x = this.axis === "schedule" ? curve.step.map((step) => step / total) : curve[this.axis];
    const order = Array.from(x.keys()).sort((a, b) => x[a] - x[b]);
    const finite = (value) => (Number.isFinite(value) ? value : null);
    return [order.map((index) => x[index]), order.map((index) => finite(curve.value[index]))];
  }

  #draw() {
    if (!this.#width || !this.theme) return;
    const names = this.#names();
    const metric = names.includes(this.metric) ? this.metric : this.#primary;
    this.#sync(names, metric);
    this.#keys = this.board.looked.filter((key) => this.#points(key, metric)[0].length > 0);
    const tables = this.#keys.map((key) => this.#points(key, metric));
    this.#data = tables.length ? uPlot.join(tables) : [[]];
    this.empty.hidden = tables.length > 0;
    const looks = this.#keys.map((key) => ownLook(this.theme, this.board.looked.indexOf(key)));
    const shape = JSON.stringify([this.axis, looks, metric]);
    if (shape !== this.#shape) {
      this.#shape = shape;
      this.#plot?.destroy();
      this.#plot = tables.length ? new uPlot(this.#config(looks, metric), this.#data, this.canvas) : null;
    } else this.#plot?.setData(this.#data);
    this.#describe(null, metric);
  }

  #names() {
    const names = new Set([this.#primary]);
    for (const key of this.board.looked) for (const name of Object.keys(this.store.curves(key) ?? {})) names.add(name);
    return [...names].filter(Boolean);
  }

  #sync(names, metric) {
    this.axes.forEach((button, index) => button.setAttribute("aria-pressed", String(AXES[index] === this.axis)));
    if (this.metrics.dataset.names !== names.join("\n")) {
      this.metrics.dataset.names = names.join("\n");
      replace(this.metrics, names.map((name) => h("option", { value: name }, name)));
    }
    this.metrics.value = metric;
  }

  #config(looks, metric) {
    const colour = (name) => () => token(this.el, name);
    const axis = { stroke: colour("--etn-ink-2"), font: "11px system-ui, sans-serif", ticks: { show: false }, border: { show: false } };
    const percent = this.axis === "schedule";
    return {
      width: this.#width,
      height: HEIGHT,
      padding: [8, 18, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: true, y: false }, points: { size: 6, width: 1.5, fill: colour("--etn-paper") } },
      scales: { x: { time: false, range: (_plot, low, high) => (percent && low === this.#data[0][0] && high === this.#data[0].at(-1) ? [0, 1] : low === high ? [low - 1, high + 1] : [low, high]) }, y: { range: (_plot, low, high) => roomyRange(low, high, this.#base(metric)) } },
      axes: [
        { ...axis, size: 26, gap: 4, grid: { show: false }, space: 60, values: (_plot, ticks) => ticks.map((tick) => (percent ? `${Math.round(100 * tick)} %` : word(+tick.toFixed(3)))) },
        { ...axis, size: 46, gap: 6, grid: { stroke: colour("--etn-grid"), width: 1 }, values: (_plot, ticks) => ticks.map((tick) => (tick === null ? "" : word(+tick.toPrecision(4)))) },
      ],
      series: [{}, ...looks.map(({ colour: stroke, dash }) => ({ stroke, dash, width: 2, spanGaps: true, points: { show: metric !== "train/loss", size: 5, fill: stroke, stroke } }))],
      hooks: { setCursor: [(plot) => this.#describe(plot.cursor.idx, metric)], drawAxes: [(plot) => drawLevel(plot, this.#base(metric), this.el)] },
    };
  }

  #base(metric) {
    return metric === this.#primary ? (this.board.summary.base ?? null) : null;
  }

  /** The value of each curve at the pointer, or its last one. */
  #describe(index, metric) {
    const values = this.#keys.map((key, place) => {
      const column = this.#data[place + 1];
      let at = index ?? column.length - 1;
      while (at >= 0 && (column[at] === null || column[at] === undefined)) at--;
      return [key, at < 0 ? null : column[at]];
    });
    replace(this.readout, values.map(([key, value]) => {
      const row = this.store.row(key);
      const { colour, dash } = ownLook(this.theme, this.board.looked.indexOf(key));
      const name = row.confirms === null ? `#${row.index}` : `#${row.confirms} seed ${row.seed}`;
      return h("span", {}, h("span", { class: "etn-swatch", style: { borderTopColor: colour, borderTopStyle: dash.length ? "dashed" : "solid" } }), `${name} ${number(value)}`);
    }), index === null && values.length > 0 && h("span", {}, "at the end"));
    this.canvas.setAttribute("aria-label", `${metric} of selected trials: ${this.readout.textContent}`);
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined || !this.#plot) return;
    event.preventDefault();
    event.stopPropagation();
    const last = this.#data[0].length - 1;
    const index = Math.max(0, Math.min(last, (this.#plot.cursor.idx ?? last) + step));
    this.#plot.setCursor({ left: this.#plot.valToPos(this.#data[0][index], "x"), top: 20 });
  }

  destroy() {
    this.stop();
    this.#plot?.destroy();
  }
}
