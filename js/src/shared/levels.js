// What every plot against a base does: room for both, and a dashed line at the base.
import { token } from "./dom.js";

const finite = (value) => value !== null && Number.isFinite(value);

/** The range of an axis that shows *values* with some room; null among them is passed over. */
export function roomyRange(...values) {
  const known = values.filter(finite);
  if (!known.length) return [0, 1];
  const [from, to] = [Math.min(...known), Math.max(...known)];
  // At least a hundredth of the value: base and first point may differ by a rounding error only.
  const pad = Math.max(0.08 * (to - from), 0.01 * Math.abs(to)) || 0.5;
  return [from - pad, to + pad];
}

/** Draw a dashed line across a uPlot at *value*, in the colour of what was before; null draws none. */
export function drawLevel(plot, value, el) {
  if (value === null) return;
  const { ctx, bbox } = plot;
  const y = plot.valToPos(value, "y", true);
  ctx.save();
  ctx.strokeStyle = token(el, "--etn-before");
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}
