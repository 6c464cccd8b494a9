// Figures as sentences of the footer and of the progress line.

import { h, replace } from "../shared/dom.js";
import { CANVAS_POINTS_MAX } from "./canvas2d.js";

const decimal = (value) => value.toFixed(2).replace(/^0\./, ".");
const known = (...values) => values.every(Number.isFinite);

/** The parts of the footer, each with its explanation; a figure that is not known has no part. */
export function footer({ n, meta, roles }) {
  const { trust_before: before, trust_after: after, noise_floor: noise, kept_mean: kept, left_out: missing } = meta;
  return [
    { text: `${n.toLocaleString("en")} text${n === 1 ? "" : "s"}`, title: "One mark a text" },
    missing > 0 && {
      text: `${missing.toLocaleString("en")} more not in the picture`,
      title: "The map was made of a sample",
    },
    roles && { text: "◆ query ● document", title: "Shape tells the role" },
    known(before, after) && {
      text: `trustworthiness ${decimal(before)}/${decimal(after)}`,
      title: "How far neighbours on the map are true neighbours, before and after; 1 is perfect",
    },
    known(noise) && {
      text: `identical data would move ${decimal(noise)}`,
      title: "The movement of a second map of unchanged vectors, in units of the radius of the map: the noise",
    },
    known(kept) && {
      text: `neighbours kept ${Math.round(100 * kept)} %`,
      title: "Mean share of nearest neighbours kept, measured with the full vectors and not on the map",
    },
  ].filter(Boolean);
}

/** @param {string} renderer name of the point layer */
export function showFooter(node, data, renderer) {
  const parts = footer(data);
  if (renderer === "canvas2d" && data.n > CANVAS_POINTS_MAX) {
    const drawn = CANVAS_POINTS_MAX.toLocaleString("en");
    parts.push({ text: `without WebGL2 only ${drawn} of them are drawn`, title: "Another browser may have WebGL2" });
  }
  replace(node, parts.flatMap(({ text, title }, i) => [i ? " · " : null, h("span", { title }, text)]));
}

/** "making the map · 40 %", or only the phase while no total is known. */
export function progressLine({ phase, done, total }) {
  return total ? `${phase} · ${Math.min(100, Math.round((100 * done) / total))} %` : phase;
}
