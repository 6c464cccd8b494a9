// Where a value lies on an axis, from 0 (bottom) to 1 (top). Pure.
import { number } from "../shared/format.js";

const clamp = (unit) => Math.max(0, Math.min(1, unit));
const identity = (value) => JSON.stringify(value ?? null);

/** A hyperparameter's value as a person would write it: 2e-4, 0.05, 64, none, yes. */
export function word(value) {
  if (value === null || value === undefined) return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map(word).join(", ");
  if (typeof value === "object") return Object.entries(value).map(([name, part]) => `${name} ${word(part)}`).join(", ");
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  const size = Math.abs(value);
  if (size < 1e-2 || size >= 1e6) return value.toExponential(1).replace(".0e", "e").replace("e+", "e");
  return String(+value.toPrecision(3));
}

/**
 * The scale of a dimension: `place(value)` is a number that can be brushed (for a choice: its place in
 * the list), `at(place)` lies between 0 and 1, `placeAt(unit)` is the way back. What the dimension does not
 * hold has no place (null).
 */
export function scaleOf({ kind, low, high, log, choices = [] }) {
  if (kind === "choice") return choiceScale(choices);
  return log && low > 0 ? logScale(low, high) : linearScale(low, high, kind === "int");
}

function choiceScale(choices) {
  const places = new Map(choices.map((choice, index) => [identity(choice), index]));
  const n = Math.max(1, choices.length);
  return {
    isChoice: true,
    step: 1 / n,
    place: (value) => places.get(identity(value)) ?? null,
    at: (place) => clamp((place + 0.5) / n),
    placeAt: (unit) => unit * n - 0.5,
    ticks: choices.map((choice, index) => ({ at: (index + 0.5) / n, text: word(choice) })),
    tell: (place) => word(choices[Math.max(0, Math.min(n - 1, Math.round(place)))]),
  };
}

const numeric = (value) => (typeof value === "number" && Number.isFinite(value) ? value : null);

function linearScale(low, high, whole) {
  const width = high - low;
  return {
    step: whole && width > 0 && width <= 20 ? 1 / width : 0.05,
    place: numeric,
    at: (value) => (width > 0 ? clamp((value - low) / width) : 0.5),
    // steps of a share add up to a little more or less than the whole number they stand for
    placeAt: (unit) => (whole ? +(low + unit * width).toFixed(9) : low + unit * width),
    ticks: ticksOf(low, high, whole),
    tell: (value) => (whole ? String(Math.round(value)) : word(value)),
  };
}

function logScale(low, high) {
  const [from, to] = [Math.log(low), Math.log(high)];
  const at = (value) => (to > from ? clamp((Math.log(value) - from) / (to - from)) : 0.5);
  const powers = [];
  for (let exponent = Math.ceil(Math.log10(low) - 1e-9); 10 ** exponent <= high * (1 + 1e-9); exponent++) powers.push(10 ** exponent);
  const ends = [low, high].filter((end) => powers.every((power) => Math.abs(at(power) - at(end)) > 0.08));
  return {
    isLog: true,
    step: 0.05,
    place: (value) => (numeric(value) !== null && value > 0 ? value : null),
    at,
    placeAt: (unit) => Math.exp(from + unit * (to - from)),
    ticks: [...powers, ...ends].sort((a, b) => a - b).map((value) => ({ at: at(value), text: word(value) })),
    tell: word,
  };
}

/** The least of 1, 2, 5, 10, 20, ... (and their tenths) that is not below *rough*. */
function round(rough) {
  const unit = 10 ** Math.floor(Math.log10(rough));
  return unit * [1, 2, 5, 10].find((factor) => factor * unit >= rough * (1 - 1e-9));
}

/** The same for things that are counted: at least 1. */
export const roundStep = (rough) => Math.max(1, round(rough));

/** About five round values between *low* and *high*. */
function ticksOf(low, high, whole) {
  if (!(high > low)) return [{ at: 0.5, text: word(low) }];
  const step = whole ? roundStep((high - low) / 4) : round((high - low) / 4);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) ticks.push({ at: (k * step - low) / (high - low), text: word(+(k * step).toPrecision(6)) });
  return ticks;
}

/** The scale of the metric over all scores and the base, with a little room at both ends. */
export function scoreScale(scores) {
  const known = scores.filter(Number.isFinite);
  if (!known.length) return linearScale(0, 1, false);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const pad = 0.05 * (high - low) || 0.01 * Math.abs(high) || 0.5;
  return { ...linearScale(low - pad, high + pad, false), tell: number };
}
