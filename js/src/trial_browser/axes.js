// The axes that trials are drawn on and brushed by: every dimension of the search, then the metric.
import { scaleOf, scoreScale } from "./scales.js";

/** The metric's axis; no hyperparameter has a name like this. */
export const SCORE = "·score";

const axis = (name, title, scale, value) => ({
  name,
  title,
  scale,
  /** A number that can be brushed, or null where the trial has none. */
  place(row) {
    const raw = value(row);
    return raw === null || raw === undefined ? null : scale.place(raw);
  },
});

/**
 * @param {{axes: object[], metric: string, base: number | null}} summary
 * @param {object[]} rows every trial and every run that confirms one: what is drawn has to lie on the axis
 * @param {object[]} before kept as they are where nothing has changed, so that nobody draws them anew
 */
export function axesOf({ axes = [], metric, base }, rows, before = []) {
  // A choice may be none; a value that is missing is a dimension without effect in this trial.
  const held = (name) => (row) => (name in row.values ? (row.values[name] ?? NONE) : null);
  const scores = rows.map((row) => row.score ?? NaN);
  const score = scoreScale(base === null || base === undefined ? scores : [...scores, base]);
  const state = JSON.stringify([axes, metric, score.ticks]);
  if (before.state === state) return before;
  const made = [
    ...axes.map((dimension) => axis(dimension.name, dimension.name, withNone(scaleOf(dimension)), held(dimension.name))),
    axis(SCORE, metric, score, (row) => row.score),
  ];
  return Object.assign(made, { state });
}

const NONE = Symbol("none");
const withNone = (scale) => ({ ...scale, place: (value) => scale.place(value === NONE ? null : value) });
