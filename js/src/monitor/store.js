// The series of one run in the browser, filled by snapshots and appended deltas.
import { float32 } from "../shared/buffers.js";

const COLUMNS = ["step", "epoch", "wall", "value"];

class Column {
  #values = new Float64Array(256);
  length = 0;

  write(start, source) {
    const end = start + source.length;
    if (end > this.#values.length) {
      const larger = new Float64Array(Math.max(end, 2 * this.#values.length));
      larger.set(this.#values.subarray(0, this.length));
      this.#values = larger;
    }
    this.#values.set(source, start);
    this.length = end;
  }

  get values() {
    return this.#values.subarray(0, this.length);
  }
}

/** All series by name. `onGap` is called when a delta starts behind the end: something was missed. */
export class RunStore {
  #series = new Map();
  #listeners = new Set();
  #onGap;

  constructor(onGap = () => {}) {
    this.#onGap = onGap;
  }

  /** The names of the series, in order of appearance. */
  get names() {
    return [...this.#series.keys()];
  }

  /** `{step, epoch, wall, value}` as typed arrays, or null. */
  series(name) {
    const columns = this.#series.get(name);
    return columns ? Object.fromEntries(COLUMNS.map((column) => [column, columns[column].values])) : null;
  }

  /** Apply a message of the kernel: `parts` say which series each buffer continues and from where. */
  receive({ type, parts }, buffers) {
    if (type === "snapshot") this.#series.clear();
    let gap = false;
    parts.forEach((part, index) => {
      gap = !this.#append(part, float32(buffers[index])) || gap;
    });
    if (gap) this.#onGap();
    for (const listener of this.#listeners) listener();
  }

  #append({ series: name, start, n }, numbers) {
    if (!this.#series.has(name)) {
      if (start > 0) return false;
      this.#series.set(name, Object.fromEntries(COLUMNS.map((column) => [column, new Column()])));
    }
    const columns = this.#series.get(name);
    if (start > columns.step.length) return false;
    // A part that overlaps what is known replaces it: the same message twice changes nothing.
    COLUMNS.forEach((column, index) => columns[column].write(start, numbers.subarray(index * n, (index + 1) * n)));
    return true;
  }

  /** Call *listener* after each change; returns a function that ends it. */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
