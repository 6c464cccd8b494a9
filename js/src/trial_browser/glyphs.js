// The mark of a trial on a canvas; each state has a shape of its own.

/** Draw *state* around (x, y); the caller has set colour and line width. */
export function glyph(context, state, x, y, r) {
  context.beginPath();
  switch (state) {
    case "done":
      context.arc(x, y, r, 0, 2 * Math.PI);
      context.fill();
      return;
    case "running":
      context.arc(x, y, r, 0, 2 * Math.PI);
      break;
    case "pruned":
      context.moveTo(x - r, y - r * 0.8);
      context.lineTo(x + r, y - r * 0.8);
      context.lineTo(x, y + r);
      context.closePath();
      break;
    case "stopped":
      context.rect(x - r * 0.8, y - r * 0.8, 1.6 * r, 1.6 * r);
      break;
    default: // failed, lost
      context.moveTo(x - r, y - r);
      context.lineTo(x + r, y + r);
      context.moveTo(x + r, y - r);
      context.lineTo(x - r, y + r);
  }
  context.stroke();
}

export function diamond(context, x, y, r) {
  context.beginPath();
  context.moveTo(x, y - r);
  context.lineTo(x + r, y);
  context.lineTo(x, y + r);
  context.lineTo(x - r, y);
  context.closePath();
}

/** The index of the point nearest to (x, y) within *reach* pixels, or -1. */
export function nearest(points, x, y, reach = 14) {
  let best = -1;
  let least = reach * reach;
  points.forEach((point, index) => {
    const distance = (point.x - x) ** 2 + (point.y - y) ** 2;
    if (distance <= least) [best, least] = [index, distance];
  });
  return best;
}
