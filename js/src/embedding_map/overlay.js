// What lies over the points: names of labels, and for one point where it was, where it went and its
// nearest neighbours on the side the slider is nearer to.

import { neighbours } from "./dataset.js";
import { blend } from "./colours.js";
import { placeLabels, shortName } from "./labels.js";

const FINDS_RINGED = 300;

/** Where point `i` lies on the screen at `t` between before and after. */
function placeOf(camera, data, i, t) {
  const [x, y] = [data.before[2 * i], data.before[2 * i + 1]];
  return camera.toScreen(x + (data.after[2 * i] - x) * t, y + (data.after[2 * i + 1] - y) * t);
}

export class Overlay {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.widths = new Map();
  }

  /** @param {{camera: object, mix: number, ratio: number, theme: object}} frame */
  begin({ camera, ratio }) {
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.clearRect(0, 0, camera.width, camera.height);
  }

  width(text, font) {
    const key = `${font}\n${text}`;
    if (!this.widths.has(key)) {
      this.context.font = font;
      this.widths.set(key, this.context.measureText(text).width);
    }
    return this.widths.get(key);
  }

  /**
   * @param {object[]} labels by code
   * @param {{before: Float32Array, after: Float32Array}} anchors
   * @param {string[] | null} colours of the labels, null where points show something else
   * @param {(code: number) => boolean} shown
   */
  names({ camera, mix, theme }, labels, colours, anchors, shown) {
    const { context } = this;
    const font = `600 11px ${theme.font}`;
    const wanted = [];
    labels.forEach(({ name }, code) => {
      if (!shown(code)) return;
      const [x, y] = [0, 1].map((axis) => {
        const from = anchors.before[2 * code + axis];
        return from + (anchors.after[2 * code + axis] - from) * mix;
      });
      const [px, py] = camera.toScreen(x, y);
      const text = shortName(name);
      wanted.push({ text, code, x: px, y: py, width: this.width(text, font) });
    });
    const { width, height } = camera;
    context.font = font;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = 4;
    context.strokeStyle = theme.paper;
    for (const { text, code, x, y } of placeLabels(wanted, { width, height })) {
      context.globalAlpha = 0.85;
      context.strokeText(text, x, y);
      context.globalAlpha = 1;
      context.fillStyle = colours ? blend(colours[code], theme.ink, 0.5) : blend(theme.ink, theme.paper, 0.3);
      context.fillText(text, x, y);
    }
  }

  /** A thin ring around each found text, while they are few enough to be looked at one by one. */
  finds({ camera, mix, theme, size }, data, { mask, count }) {
    if (count > FINDS_RINGED) return;
    const { context } = this;
    context.strokeStyle = theme.ink;
    context.lineWidth = 1.25;
    context.beginPath();
    for (let i = mask.indexOf(1); i >= 0; i = mask.indexOf(1, i + 1)) {
      const [x, y] = placeOf(camera, data, i, mix);
      context.moveTo(x + size / 2 + 2.5, y);
      context.arc(x, y, size / 2 + 2.5, 0, 2 * Math.PI);
    }
    context.stroke();
  }

  /** Rings, the way between them, and lines to the neighbours of point `i`. */
  point({ camera, mix, theme, size }, data, i) {
    const { context } = this;
    const place = (j, t) => placeOf(camera, data, j, t);
    const stroke = (colour, width, alpha) => {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.globalAlpha = alpha;
      context.stroke();
    };

    const side = mix < 0.5 ? "before" : "after";
    const here = place(i, mix);
    context.beginPath();
    for (const j of neighbours(data, side, i)) {
      context.moveTo(...here);
      context.lineTo(...place(j, mix));
    }
    stroke(theme[side], 1, 0.45);

    const radius = size / 2 + 5;
    const [[fromX, fromY], [toX, toY]] = [place(i, 0), place(i, 1)];
    const length = Math.hypot(toX - fromX, toY - fromY);
    if (length > 2 * radius) {
      const [stepX, stepY] = [((toX - fromX) * radius) / length, ((toY - fromY) * radius) / length];
      context.beginPath();
      context.moveTo(fromX + stepX, fromY + stepY);
      context.lineTo(toX - stepX, toY - stepY);
      stroke(theme.ink, 1.5, 0.8);
    }

    for (const [t, colour] of [
      [0, theme.before],
      [1, theme.after],
    ]) {
      const [x, y] = place(i, t);
      for (const [line, width] of [
        [theme.paper, 6],
        [colour, 3],
      ]) {
        context.beginPath();
        context.arc(x, y, radius, 0, 2 * Math.PI);
        stroke(line, width, 1);
      }
    }
    context.globalAlpha = 1;
  }
}
