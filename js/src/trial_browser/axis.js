// One axis of the parallel coordinates: its ticks, its brush, and two handles for the keyboard.
import { h, replace, setText } from "../shared/dom.js";

const LEAST_DRAG = 0.02;

export class Axis {
  #from = null;
  #entry = null;

  /** @param {string} name @param {object} board */
  constructor(name, board) {
    this.name = name;
    this.board = board;
    this.title = h("div", { class: "etn-axis-title" });
    this.ticks = h("div", { class: "etn-axis-ticks", "aria-hidden": "true" });
    this.bar = h("div", { class: "etn-axis-brush" });
    this.handles = ["low", "high"].map((end) =>
      h("button", { class: `etn-axis-handle etn-axis-${end}`, type: "button", role: "slider", "aria-orientation": "vertical", "aria-valuemin": 0, "aria-valuemax": 100, onkeydown: (event) => this.#key(event, end), "data-testid": `brush-${end}-${name}` }));
    this.track = h("div", { class: "etn-axis-track", "data-testid": `axis-${name}` }, h("div", { class: "etn-axis-line" }), this.bar, this.ticks, this.handles);
    this.el = h("div", { class: "etn-axis", role: "group" }, this.track);
    this.#listen();
  }

  update(entry) {
    if (entry !== this.#entry) {
      this.#entry = entry;
      setText(this.title, entry.title);
      this.title.title = entry.title;
      this.el.setAttribute("aria-label", `axis ${entry.title}`);
      replace(this.ticks, entry.scale.ticks.map(({ at, text }) => h("span", { class: "etn-axis-tick", style: { bottom: `${100 * at}%` }, title: text }, text)));
    }
    const [low, high] = this.#units();
    const brushed = this.board.brushes.has(this.name);
    this.el.classList.toggle("etn-brushed", brushed);
    Object.assign(this.bar.style, { bottom: `${100 * low}%`, height: `${100 * (high - low)}%` });
    [low, high].forEach((unit, index) => {
      const handle = this.handles[index];
      const end = ["at least", "at most"][index];
      const open = index === 0 ? unit <= 0 : unit >= 1;
      const text = open ? "anything" : entry.scale.tell(this.#shownPlace(unit, index));
      handle.style.bottom = `${100 * unit}%`;
      handle.setAttribute("aria-label", `${entry.title} ${end}`);
      handle.setAttribute("aria-valuenow", Math.round(100 * unit));
      handle.setAttribute("aria-valuetext", text);
      handle.title = `${entry.title} ${end}: ${text} (arrow keys; Delete lets all pass)`;
    });
  }

  // The edge of a brush lies between two choices; what it lets pass is the choice inside.
  #shownPlace(unit, index) {
    const place = this.#entry.scale.placeAt(unit);
    if (!this.#entry.scale.isChoice) return place;
    return index === 0 ? Math.ceil(place - 1e-9) : Math.floor(place + 1e-9);
  }

  /** The brush from 0 to 1; an open end lies at the end of the axis. */
  #units() {
    const range = this.board.brushes.get(this.name);
    if (!range) return [0, 1];
    const { scale } = this.#entry;
    // A choice's place is its middle; its brush ends at its edge.
    const at = (place, open) => (Number.isFinite(place) ? (scale.isChoice ? Math.max(0, Math.min(1, (place + 0.5) * scale.step)) : scale.at(place)) : open);
    return [at(range[0], 0), at(range[1], 1)];
  }

  #set(low, high) {
    const { scale } = this.#entry;
    if (low <= 0.001 && high >= 0.999) return this.board.brush(this.name, null);
    // An end of the axis is open: what comes later and lies beyond passes too.
    return this.board.brush(this.name, [low <= 0.001 ? -Infinity : scale.placeAt(low), high >= 0.999 ? Infinity : scale.placeAt(high)]);
  }

  #unitOf(event) {
    const { top, height } = this.track.getBoundingClientRect();
    return Math.max(0, Math.min(1, 1 - (event.clientY - top) / height));
  }

  #listen() {
    const { track } = this;
    track.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      track.setPointerCapture(event.pointerId);
      const unit = this.#unitOf(event);
      const [low, high] = this.#units();
      const brushed = this.board.brushes.has(this.name);
      const near = 0.04;
      if (brushed && Math.abs(unit - low) < near) this.#from = { kind: "edge", fixed: high };
      else if (brushed && Math.abs(unit - high) < near) this.#from = { kind: "edge", fixed: low };
      else if (brushed && unit > low && unit < high) this.#from = { kind: "move", unit, low, high };
      else this.#from = { kind: "new", fixed: unit };
      this.#from.moved = false;
    });
    track.addEventListener("pointermove", (event) => {
      if (!this.#from) return;
      const unit = this.#unitOf(event);
      const { kind, fixed, low, high } = this.#from;
      if (!this.#from.moved && Math.abs(unit - (fixed ?? this.#from.unit)) < LEAST_DRAG && kind !== "edge") return;
      this.#from.moved = true;
      if (kind === "move") {
        const by = Math.max(-low, Math.min(1 - high, unit - this.#from.unit));
        this.#set(low + by, high + by);
      } else this.#set(Math.min(fixed, unit), Math.max(fixed, unit));
    });
    const end = () => {
      if (this.#from && !this.#from.moved) this.board.brush(this.name, null);
      this.#from = null;
    };
    track.addEventListener("pointerup", end);
    track.addEventListener("pointercancel", () => (this.#from = null));
  }

  #key(event, end) {
    if (event.key === "Delete" || event.key === "Backspace") this.board.brush(this.name, null);
    else {
      const step = this.#entry.scale.step;
      const by = { ArrowUp: step, ArrowRight: step, ArrowDown: -step, ArrowLeft: -step, PageUp: 4 * step, PageDown: -4 * step, Home: -1, End: 1 }[event.key];
      if (by === undefined) return;
      let [low, high] = this.#units();
      // A brush keeps room for one step, or nothing could be inside.
      if (end === "low") low = Math.max(0, Math.min(high - step, low + by));
      else high = Math.min(1, Math.max(low + step, high + by));
      this.#set(low, high);
    }
    event.preventDefault();
    event.stopPropagation();
  }
}
