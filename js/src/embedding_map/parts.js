// The elements of a view and how they lie inside one another.

import { h } from "../shared/dom.js";
import { toolbar } from "./toolbar.js";

const KEYS = "Arrow keys move, plus and minus zoom, 0 resets, space plays, slash searches, Escape clears.";
let views = 0;

const RATIO_MAX = 3;

/** Give the canvases the pixels of the screen; returns pixels a CSS pixel. */
export function fitCanvases({ width, height }, ...canvases) {
  const ratio = Math.min(RATIO_MAX, devicePixelRatio || 1);
  const size = { width: Math.round(width * ratio), height: Math.round(height * ratio) };
  for (const canvas of canvases) {
    // Setting a size clears the canvas, even to the same value.
    for (const side of ["width", "height"]) if (canvas[side] !== size[side]) canvas[side] = size[side];
  }
  return ratio;
}

/** @param {object} view what the toolbar calls, see toolbar() */
export function buildParts(view) {
  const bar = toolbar(view, `etn-map-${++views}`);
  const points = h("canvas", { class: "etn-map-canvas" });
  const names = h("canvas", { class: "etn-map-canvas" });
  const word = h("div", { class: "etn-map-word", role: "status" });
  const stage = h(
    "div",
    { class: "etn-map-stage", tabindex: 0, role: "application", "aria-label": `Map of texts. ${KEYS}` },
    points,
    names,
    word,
  );
  const card = h("div", { class: "etn-map-card" });
  const legend = h("div", { class: "etn-map-legend" });
  const foot = h("div", { class: "etn-map-foot etn-small etn-number" });
  const failure = h("div", { class: "etn-error", role: "alert", hidden: true });
  const root = h(
    "div",
    { class: "etn-root etn-map", "data-testid": "embedding-map", "data-state": "waiting" },
    failure,
    bar.node,
    h("div", { class: "etn-map-body" }, stage, h("div", { class: "etn-map-side" }, card, legend)),
    foot,
  );
  return { bar, points, names, word, stage, card, legend, foot, failure, root };
}
