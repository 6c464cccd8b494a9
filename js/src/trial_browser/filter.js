// Which trials pass: brushes on the axes, states that are shown, words that are searched. Pure.
import { word } from "./scales.js";

/**
 * @param {object} row a trial
 * @param {{brushes: Map<string, [number, number]>, hidden: Set<string>, search: string}} filter
 * @param {{name: string, place: (row: object) => number | null}[]} axes
 */
export function passes(row, { brushes, hidden, search }, axes) {
  if (hidden.has(row.state)) return false;
  for (const { name, place } of axes) {
    const brush = brushes.get(name);
    if (!brush) continue;
    const value = place(row);
    if (value === null || value < brush[0] || value > brush[1]) return false;
  }
  return !search || matches(row, search);
}

/** Whether every word of *search* is a part of the trial's number, state, reason, names or values. */
export function matches(row, search) {
  const text = textOf(row);
  return search.toLowerCase().split(/\s+/).every((part) => text.includes(part));
}

function textOf(row) {
  const values = Object.entries(row.values).map(([name, value]) => `${name}=${word(value)}`);
  return [`#${row.index}`, row.state, row.is_default ? "default" : "", row.reason, ...values].join(" ").toLowerCase();
}
