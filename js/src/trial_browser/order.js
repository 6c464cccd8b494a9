// In which order the table lists trials. Pure.
import { scaleOf } from "./scales.js";

/** What a column is sorted by, and which end is worth seeing first; columns named `=x` are the dimension x. */
export function columnOf(name, { axes = [], higher_is_better: higher = true }) {
  if (name.startsWith("=")) {
    const dimension = axes.find((entry) => entry.name === name.slice(1));
    const scale = dimension && scaleOf(dimension);
    return { value: (row) => (scale && dimension.name in row.values ? scale.place(row.values[dimension.name]) : null), down: false };
  }
  return {
    index: { value: (row) => row.index, down: true },
    rank: { value: (row) => row.rank, down: false },
    state: { value: (row) => row.state, down: false },
    score: { value: (row) => row.score, down: higher },
    seconds: { value: (row) => row.seconds, down: false },
  }[name];
}

/** *rows* in order; what has no value comes last either way, equal ones by their number. */
export function ordered(rows, { column, down }, summary) {
  const { value } = columnOf(column, summary);
  const sign = down ? -1 : 1;
  const missing = (key) => key === null || key === undefined;
  return rows
    .map((row) => ({ row, key: value(row) }))
    .sort((a, b) => {
      if (missing(a.key) || missing(b.key)) return missing(a.key) - missing(b.key) || a.row.index - b.row.index;
      const first = typeof a.key === "string" ? a.key.localeCompare(b.key) : a.key - b.key;
      return sign * first || a.row.index - b.row.index;
    })
    .map(({ row }) => row);
}

/** *rows* in the order in which *before* lists them, those that are new at the end. */
export function heldIn(before, rows) {
  const places = new Map(before.map(({ key }, place) => [key, place]));
  const placeOf = ({ key }) => places.get(key) ?? before.length;
  return [...rows].sort((a, b) => placeOf(a) - placeOf(b));
}

/** Each trial followed by the runs that confirm it. */
export function withConfirmations(rows, confirmations) {
  return rows.flatMap((row) => [row, ...(confirmations.get(row.index) ?? [])]);
}
