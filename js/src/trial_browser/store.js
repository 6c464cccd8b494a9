// The trials of one sweep in the browser, by key, and the curves of those that somebody looks at.
import { float32 } from "../shared/buffers.js";

const COLUMNS = ["step", "epoch", "value"];

export class TrialStore {
  #rows = new Map();
  #curves = new Map();
  #details = new Map();
  #listeners = new Set();
  #onGap;

  /** `onGap` is called when an update continues something that was never received. */
  constructor(onGap = () => {}) {
    this.#onGap = onGap;
  }

  /** Trials in order of their number, without the runs that confirm another. */
  get trials() {
    return [...this.#rows.values()].filter((row) => row.confirms === null).sort((a, b) => a.index - b.index);
  }

  /** Runs that confirm a trial, by its number. */
  get confirmations() {
    const found = new Map();
    for (const row of this.#rows.values()) {
      if (row.confirms !== null) found.set(row.confirms, [...(found.get(row.confirms) ?? []), row]);
    }
    for (const runs of found.values()) runs.sort((a, b) => a.seed - b.seed);
    return found;
  }

  row(key) {
    return this.#rows.get(key) ?? null;
  }

  /** `{metric: {step, epoch, value}}` of a trial, or null where they were not asked for yet. */
  curves(key) {
    return this.#curves.get(key) ?? null;
  }

  /** Plan, differences and code of a trial as the kernel tells them, or null. */
  detail(key) {
    return this.#details.get(key) ?? null;
  }

  /** Rows that changed, or with `whole` all there are; `count` is how many there are then. */
  takeRows({ rows, count, whole = false }) {
    if (whole) this.#rows.clear();
    for (const row of rows) this.#rows.set(row.key, row);
    if (this.#rows.size < count) this.#onGap();
    this.#tell();
  }

  /** `parts` say which curve each stretch of the one buffer continues, and from where. */
  takeCurves({ parts }, [buffer]) {
    const numbers = parts.length ? float32(buffer) : [];
    let offset = 0;
    let gap = false;
    for (const part of parts) {
      gap = !this.#append(part, numbers.subarray(offset, offset + COLUMNS.length * part.n)) || gap;
      offset += COLUMNS.length * part.n;
    }
    if (gap) this.#onGap();
    this.#tell();
  }

  #append({ key, metric, start, n }, numbers) {
    const curves = this.#curves.get(key) ?? {};
    const known = curves[metric] ?? Object.fromEntries(COLUMNS.map((column) => [column, []]));
    if (start > known.value.length) return false;
    COLUMNS.forEach((column, index) => known[column].splice(start, Infinity, ...numbers.subarray(index * n, (index + 1) * n)));
    this.#curves.set(key, { ...curves, [metric]: known });
    return true;
  }

  takeDetail({ key, detail }) {
    this.#details.set(key, detail);
    this.#tell();
  }

  /** Call *listener* after each change; returns a function that ends it. */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }
}
