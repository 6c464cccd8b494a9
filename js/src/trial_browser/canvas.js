// A canvas that is as sharp as the screen, and what to do when its box changes its size.
import { h } from "../shared/dom.js";

export const FONT = "11px system-ui, sans-serif";

/** Make a canvas the size of its box; returns its context in CSS pixels, cleared. */
export function fit(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h_] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h_) {
    canvas.width = w;
    canvas.height = h_;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** A stack of canvases of equal size in one box. */
export function layers(count, height, props = {}) {
  const canvases = Array.from({ length: count }, () => h("canvas", { class: "etn-layer", "aria-hidden": "true" }));
  const box = h("div", { class: "etn-canvas-box", style: { height: `${height}px` }, ...props }, canvases);
  return { box, canvases };
}
