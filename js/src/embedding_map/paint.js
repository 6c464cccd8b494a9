// From labels, neighbour change and the filter to one colour a point and the order of drawing.

import { UNLABELLED, changeColour, parseHex, unlabelledColour } from "./colours.js";

export const DIMMED = 0.15;

/** A fixed shuffle: drawn in file order, the last label would cover all others. */
export function drawingOrder(n) {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  let state = 2463534242;
  for (let i = n - 1; i > 0; i--) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const j = (state >>> 0) % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** Dimmed points first, so that lit ones lie on top; the order is kept inside both groups. */
export function litLast(order, mask) {
  const out = new Uint32Array(order.length);
  let at = 0;
  for (const lit of [0, 1]) for (const i of order) if (mask[i] === lit) out[at++] = i;
  return out;
}

/** The most changed texts on top: they are few, and what one looks for. */
export const changedLast = (order, kept) => order.slice().sort((a, b) => kept[b] - kept[a]);

/** Opacity of lit points: many points need to be seen through. */
export const opacityFor = (n) => Math.max(0.5, Math.min(0.9, 1.3 - 0.15 * Math.log10(Math.max(n, 1))));

/** Diameter in CSS pixels: shrinks with the number of points, grows slowly with the zoom. */
export function pointSize(n, zoom) {
  const base = Math.max(2.2, Math.min(8, 13 - 2.35 * Math.log10(Math.max(n, 1))));
  return Math.min(22, base * Math.max(1, zoom) ** 0.35);
}

const RAMP = 256;

/**
 * RGBA bytes a point, alpha not multiplied in.
 * @param {{n: number, codes: Uint16Array, kept: Float32Array}} data
 * @param {"label" | "change"} by
 * @param {string[]} colours hex, by label code
 */
export function paintPoints(data, by, mask, colours, dark) {
  const rgba = new Uint8Array(4 * data.n);
  const palette = colours.map(parseHex);
  const ramp = Array.from({ length: RAMP }, (_, i) => changeColour(i / (RAMP - 1), dark));
  const unlabelled = parseHex(unlabelledColour(dark));
  const lit = Math.round(255 * opacityFor(data.n));
  const dimmed = Math.round(255 * DIMMED);
  for (let i = 0; i < data.n; i++) {
    let rgb = unlabelled; // dimmed points too: in a dense place their own faint colours would add up
    if (mask[i] && by === "change") rgb = ramp[Math.round((1 - data.kept[i]) * (RAMP - 1))];
    else if (mask[i] && data.codes[i] !== UNLABELLED) rgb = palette[data.codes[i]];
    rgba[4 * i] = rgb[0];
    rgba[4 * i + 1] = rgb[1];
    rgba[4 * i + 2] = rgb[2];
    rgba[4 * i + 3] = mask[i] ? lit : dimmed;
  }
  return rgba;
}
