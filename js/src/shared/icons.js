// The icon of each state; a word always stands beside it.
import { s } from "./dom.js";

const box = (state, ...shapes) =>
  s("svg", { class: `etn-icon etn-icon-${state}`, viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, ...shapes);

const DOT = { cx: 8, cy: 8, r: 5 };
const stroke = { fill: "none", stroke: "currentColor", "stroke-width": 2, "stroke-linecap": "round", "stroke-linejoin": "round" };

const DRAW = {
  queued: () => [s("circle", { ...DOT, ...stroke })],
  running: () => [s("circle", { ...DOT, fill: "currentColor", class: "etn-pulse" })],
  stopping: () => [s("circle", { ...DOT, fill: "currentColor", class: "etn-pulse" })],
  done: () => [s("path", { d: "M3 8.5 6.5 12 13 4.5", ...stroke })],
  stopped: () => [s("rect", { x: 3.5, y: 3.5, width: 9, height: 9, rx: 1, fill: "currentColor" })],
  pruned: () => [s("path", { d: "M3.5 4h9L8 12.5z", ...stroke, "stroke-width": 1.8 })],
  failed: () => [s("path", { d: "M4 4l8 8M12 4l-8 8", ...stroke })],
  lost: () => [
    s("path", { d: "M5.5 6a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8", ...stroke, "stroke-width": 1.8 }),
    s("circle", { cx: 8, cy: 13, r: 1.1, fill: "currentColor" }),
  ],
};

export const stateIcon = (state) => box(state, ...(DRAW[state] ?? DRAW.lost)());
