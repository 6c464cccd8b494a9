// Nearest point under the pointer: points sorted into the cells of a uniform grid (counting sort).
// Rebuilding costs a few milliseconds for 100,000 points, so it follows the morph instead of approximating it.

const POINTS_PER_CELL = 2;
const CELLS_MAX = 512;

/** Positions between before (t = 0) and after (t = 1), written into `out`. */
export function mixPositions(before, after, t, out) {
  for (let i = 0; i < out.length; i++) out[i] = before[i] + (after[i] - before[i]) * t;
  return out;
}

export class Grid {
  /** @param {Float32Array} positions x0, y0, x1, y1, ... */
  constructor(positions) {
    this.positions = positions;
    const n = positions.length / 2;
    const side = Math.max(1, Math.min(CELLS_MAX, Math.ceil(Math.sqrt(n / POINTS_PER_CELL))));
    this.side = side;
    let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < positions.length; i += 2) {
      left = Math.min(left, positions[i]);
      right = Math.max(right, positions[i]);
      bottom = Math.min(bottom, positions[i + 1]);
      top = Math.max(top, positions[i + 1]);
    }
    this.left = n ? left : 0;
    this.bottom = n ? bottom : 0;
    this.stepX = (right - left) / side || 1;
    this.stepY = (top - bottom) / side || 1;

    this.starts = new Uint32Array(side * side + 1);
    const cellOf = new Uint32Array(n);
    for (let i = 0; i < n; i++) {
      const cell = this.column(positions[2 * i]) + side * this.row(positions[2 * i + 1]);
      cellOf[i] = cell;
      this.starts[cell + 1]++;
    }
    for (let cell = 0; cell < side * side; cell++) this.starts[cell + 1] += this.starts[cell];
    const next = this.starts.slice();
    this.members = new Uint32Array(n);
    for (let i = 0; i < n; i++) this.members[next[cellOf[i]]++] = i;
  }

  column(x) {
    return Math.max(0, Math.min(this.side - 1, Math.floor((x - this.left) / this.stepX)));
  }

  row(y) {
    return Math.max(0, Math.min(this.side - 1, Math.floor((y - this.bottom) / this.stepY)));
  }

  /** Index of the nearest point within `radius` that `accepts(index)`, or -1. */
  nearest(x, y, radius, accepts = () => true) {
    let best = -1;
    let bestSquare = radius * radius;
    const lastColumn = this.column(x + radius);
    const lastRow = this.row(y + radius);
    for (let row = this.row(y - radius); row <= lastRow; row++) {
      for (let column = this.column(x - radius); column <= lastColumn; column++) {
        const cell = column + this.side * row;
        for (let slot = this.starts[cell]; slot < this.starts[cell + 1]; slot++) {
          const i = this.members[slot];
          const dx = this.positions[2 * i] - x;
          const dy = this.positions[2 * i + 1] - y;
          const square = dx * dx + dy * dy;
          if (square <= bestSquare && accepts(i)) {
            best = i;
            bestSquare = square;
          }
        }
      }
    }
    return best;
  }
}
