// The view onto the plane: a centre in world units and a zoom relative to "everything fits".
// World y points up, screen y points down. No DOM in here.

const ZOOM_MIN = 0.5;
const ZOOM_MAX = 400;

/** Smallest box around the points of several position arrays (x0, y0, x1, y1, ...). */
export function boundsOf(...arrays) {
  let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const positions of arrays) {
    for (let i = 0; i < positions.length; i += 2) {
      left = Math.min(left, positions[i]);
      right = Math.max(right, positions[i]);
      bottom = Math.min(bottom, positions[i + 1]);
      top = Math.max(top, positions[i + 1]);
    }
  }
  if (left > right) return { left: -1, right: 1, bottom: -1, top: 1 };
  return { left, right, bottom, top };
}

export class Camera {
  constructor() {
    this.width = 1;
    this.height = 1;
    this.zoom = 1;
    this.frame({ left: -1, right: 1, bottom: -1, top: 1 });
  }

  /** Look at all of `bounds`; also what reset() returns to. */
  frame(bounds) {
    this.bounds = bounds;
    this.reset();
  }

  reset() {
    const { left, right, bottom, top } = this.bounds;
    this.x = (left + right) / 2;
    this.y = (bottom + top) / 2;
    this.zoom = 1;
  }

  get isHome() {
    const { left, right, bottom, top } = this.bounds;
    return this.zoom === 1 && this.x === (left + right) / 2 && this.y === (bottom + top) / 2;
  }

  resize(width, height) {
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
  }

  /** CSS pixels per world unit. */
  get scale() {
    const { left, right, bottom, top } = this.bounds;
    const padding = Math.min(28, this.width / 8, this.height / 8);
    const across = (this.width - 2 * padding) / Math.max(right - left, 1e-9);
    const upward = (this.height - 2 * padding) / Math.max(top - bottom, 1e-9);
    return Math.min(across, upward) * this.zoom;
  }

  toScreen(x, y) {
    const scale = this.scale;
    return [this.width / 2 + (x - this.x) * scale, this.height / 2 - (y - this.y) * scale];
  }

  toWorld(px, py) {
    const scale = this.scale;
    return [this.x + (px - this.width / 2) / scale, this.y - (py - this.height / 2) / scale];
  }

  /** Move the picture by CSS pixels, as a hand drags a sheet of paper. */
  pan(dx, dy) {
    const scale = this.scale;
    this.x -= dx / scale;
    this.y += dy / scale;
  }

  /** Zoom so that the world point under (px, py) stays there. Returns whether anything changed. */
  zoomAt(px, py, factor) {
    const wanted = Math.min(ZOOM_MAX, Math.max(ZOOM_MIN, this.zoom * factor));
    if (wanted === this.zoom) return false;
    const [x, y] = this.toWorld(px, py);
    this.zoom = wanted;
    const [nowX, nowY] = this.toWorld(px, py);
    this.x += x - nowX;
    this.y += y - nowY;
    return true;
  }
}
