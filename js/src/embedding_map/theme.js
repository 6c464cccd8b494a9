// The host's colours in a form that a canvas and arithmetic can use.

import { token } from "../shared/dom.js";
import { blend, parseHex, toHex } from "./colours.js";

/** Any CSS colour as "#rrggbb"; a translucent one as it looks on `ground`. */
function solid(context, css, ground) {
  context.fillStyle = ground;
  context.fillStyle = css;
  const value = context.fillStyle;
  if (value.startsWith("#")) return value;
  const [r, g, b, alpha] = value.match(/[\d.]+/g).map(Number);
  return blend(ground, toHex([r, g, b]), alpha);
}

/** @param {HTMLElement} root an element that carries `.etn-root` */
export function readTheme(root, context) {
  const style = getComputedStyle(root);
  const dark = style.colorScheme.includes("dark");
  const paper = solid(context, token(root, "--etn-paper"), dark ? "#111111" : "#ffffff");
  return {
    dark,
    paper,
    paperRgb: parseHex(paper),
    ink: solid(context, style.color, paper),
    before: solid(context, token(root, "--etn-before"), paper),
    after: solid(context, token(root, "--etn-after"), paper),
    font: style.fontFamily,
  };
}
