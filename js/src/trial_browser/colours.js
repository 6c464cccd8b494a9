// Colours of trials: by score for all, one of its own for each that is selected.
import { token } from "../shared/dom.js";

export const LEVELS = 12;
// Okabe and Ito's, without the orange that means the base everywhere.
const OWN = { light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#333333", "#7a5cc4"], dark: ["#56b4e9", "#ff8c4a", "#3cc79d", "#e39ac0", "#e8e8e8", "#a994f0"] };
const SCORE = { light: ["#c9d3dc", "#7fb2d6", "#0b4f8a"], dark: ["#3c4a57", "#3f87b5", "#c4ecff"] };

const parts = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

function between(stops, unit) {
  const place = unit * (stops.length - 1);
  const from = Math.min(stops.length - 2, Math.floor(place));
  const [a, b] = [parts(stops[from]), parts(stops[from + 1])];
  return `rgb(${a.map((part, i) => Math.round(part + (b[i] - part) * (place - from))).join(",")})`;
}

/** What is needed to draw in the colours of the host. */
export function readTheme(node) {
  const dark = getComputedStyle(node).colorScheme === "dark";
  const kind = dark ? "dark" : "light";
  return {
    dark,
    own: OWN[kind],
    levels: Array.from({ length: LEVELS }, (_, level) => between(SCORE[kind], level / (LEVELS - 1))),
    ...Object.fromEntries(["accent", "before", "ink", "ink-2", "paper", "line", "grid", "shade", "worse"].map((name) => [name, token(node, `--etn-${name}`)])),
  };
}

/** Of 0..LEVELS-1, how good a score is among all; -1 without one. */
export function levelOf(score, scale, higherIsBetter) {
  if (score === null || score === undefined) return -1;
  const unit = scale.at(score);
  return Math.round((higherIsBetter ? unit : 1 - unit) * (LEVELS - 1));
}

/** The look of the selected trial at *place* in the list: colour, and a dash once all colours are taken. */
export const ownLook = (theme, place) => ({ colour: theme.own[place % theme.own.length], dash: place < theme.own.length ? [] : [6, 4] });
