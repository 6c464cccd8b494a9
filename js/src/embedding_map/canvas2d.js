// The point layer for browsers without WebGL2: the same methods, slower, and no more than 20,000 points.

import { mixPositions } from "./grid.js";

export const CANVAS_POINTS_MAX = 20_000;

export class CanvasLayer {
  constructor(canvas) {
    this.name = "canvas2d";
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
  }

  load(data) {
    this.data = data;
    this.mixed = new Float32Array(data.before.length);
  }

  paint(rgba, order) {
    this.rgba = rgba;
    // The end of the order is what lies on top, so it is what must not be missing.
    this.order = order.slice(-CANVAS_POINTS_MAX);
  }

  draw({ camera, mix, size, ratio }) {
    const { context, canvas, data, rgba } = this;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!this.order) return;
    mixPositions(data.before, data.after, mix, this.mixed);
    for (const i of this.order) {
      const [x, y] = camera.toScreen(this.mixed[2 * i], this.mixed[2 * i + 1]);
      if (x < -size || y < -size || x > camera.width + size || y > camera.height + size) continue;
      context.fillStyle = `rgba(${rgba[4 * i]},${rgba[4 * i + 1]},${rgba[4 * i + 2]},${rgba[4 * i + 3] / 255})`;
      context.beginPath();
      if (data.roles?.[i]) {
        const half = size * 0.75;
        context.moveTo(x, y - half);
        context.lineTo(x + half, y);
        context.lineTo(x, y + half);
        context.lineTo(x - half, y);
      } else {
        context.arc(x, y, size / 2, 0, 2 * Math.PI);
      }
      context.fill();
    }
  }

  free() {
    this.canvas.width = this.canvas.height = 0;
  }
}
