// What all views of one browser share: which trials pass, which are selected, which one is pointed at.
import { axesOf } from "./axes.js";
import { passes } from "./filter.js";

/** As many as can be told apart by colour and dash. */
export const SELECTED_MAX = 12;

export class Board {
  summary = { axes: [], metric: "", base: null, best: null };
  rows = [];
  confirmations = new Map();
  axes = [];
  brushes = new Map();
  hidden = new Set();
  search = "";
  shown = new Set();
  selected = [];
  pointed = null;
  /** Counts up with each change of its kind, so that a view draws only what concerns it. */
  version = { data: 0, filter: 0, selection: 0, pointer: 0 };
  #listeners = new Set();

  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(...kinds) {
    for (const kind of kinds) this.version[kind]++;
    for (const listener of this.#listeners) listener();
  }

  /** Take what the kernel tells: `rows` without confirming runs, in order of their number. */
  load(summary, rows, confirmations) {
    this.summary = summary;
    this.rows = rows;
    this.confirmations = confirmations;
    const all = [...rows, ...[...confirmations.values()].flat()];
    this.axes = axesOf(summary, all, this.axes);
    const keys = new Set(all.map((row) => row.key));
    this.selected = this.selected.filter((key) => keys.has(key));
    this.#sift();
    this.#changed("data", "filter", "selection");
  }

  #sift() {
    this.shown = new Set(this.rows.filter((row) => passes(row, this, this.axes)).map((row) => row.key));
  }

  #filtered() {
    this.#sift();
    this.#changed("filter");
  }

  /** Keep only trials between *low* and *high* on an axis; null lets all pass again. */
  brush(name, range) {
    if (range) this.brushes.set(name, range);
    else if (!this.brushes.delete(name)) return;
    this.#filtered();
  }

  toggleState(state) {
    if (!this.hidden.delete(state)) this.hidden.add(state);
    this.#filtered();
  }

  searchFor(text) {
    this.search = text.trim();
    this.#filtered();
  }

  get isFiltered() {
    return this.brushes.size > 0 || this.hidden.size > 0 || this.search !== "";
  }

  clearFilters() {
    this.brushes.clear();
    this.hidden.clear();
    this.search = "";
    this.#filtered();
  }

  /** Select one trial, or with *also* add it to the others, or take it away again. */
  select(key, also = false) {
    if (key === null) this.selected = [];
    else if (!also) this.selected = [key];
    else if (this.selected.includes(key)) this.selected = this.selected.filter((other) => other !== key);
    else this.selected = [...this.selected, key].slice(-SELECTED_MAX);
    this.#changed("selection");
  }

  point(key) {
    if (this.pointed === key) return;
    this.pointed = key;
    this.#changed("pointer");
  }

  /** What is looked at: the selected trials, or the best while none is. */
  get looked() {
    if (this.selected.length) return this.selected;
    return this.summary.best ? [this.summary.best.key] : [];
  }
}
