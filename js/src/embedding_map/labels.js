// Names on the map: where a label is densest, and which names fit without covering one another.

import { UNLABELLED } from "./colours.js";

const CELLS = 24;

/**
 * The densest place of every label, as x0, y0, x1, y1, ... A mean would put a label that has two
 * clusters into the empty space between them.
 */
export function labelAnchors(positions, codes, labelCount, bounds) {
  const stepX = (bounds.right - bounds.left) / CELLS || 1;
  const stepY = (bounds.top - bounds.bottom) / CELLS || 1;
  const clamp = (value) => Math.max(0, Math.min(CELLS - 1, Math.floor(value)));
  const cellOf = (i) => [
    clamp((positions[2 * i] - bounds.left) / stepX),
    clamp((positions[2 * i + 1] - bounds.bottom) / stepY),
  ];

  const members = Array.from({ length: labelCount }, () => []);
  for (let i = 0; i < codes.length; i++) if (codes[i] !== UNLABELLED) members[codes[i]].push(i);

  const anchors = new Float32Array(2 * labelCount);
  members.forEach((points, code) => {
    const counts = new Map();
    let fullest = -1;
    for (const i of points) {
      const [column, row] = cellOf(i);
      const cell = column + CELLS * row;
      counts.set(cell, (counts.get(cell) ?? 0) + 1);
      if (fullest < 0 || counts.get(cell) > counts.get(fullest)) fullest = cell;
    }
    let [x, y, near] = [0, 0, 0];
    for (const i of points) {
      const [column, row] = cellOf(i);
      const columnsAway = Math.abs(column - (fullest % CELLS));
      const rowsAway = Math.abs(row - Math.floor(fullest / CELLS));
      if (columnsAway > 1 || rowsAway > 1) continue;
      x += positions[2 * i];
      y += positions[2 * i + 1];
      near++;
    }
    anchors[2 * code] = near ? x / near : 0;
    anchors[2 * code + 1] = near ? y / near : 0;
  });
  return anchors;
}

/**
 * Put each name above its place, else below, else on it; leave out those that would overlap an
 * earlier name or leave the picture. Earlier = more important.
 * @param {{text: string, x: number, y: number, width: number}[]} wanted places in CSS pixels
 */
export function placeLabels(wanted, { width, height, lineHeight = 15, rise = 14, gap = 4 }) {
  const placed = [];
  const fits = ({ x, y, width: own }) =>
    x - own / 2 >= 2 &&
    x + own / 2 <= width - 2 &&
    y >= lineHeight / 2 &&
    y <= height - lineHeight / 2 &&
    placed.every(
      (other) => Math.abs(other.x - x) >= (own + other.width) / 2 + gap || Math.abs(other.y - y) >= lineHeight + gap / 2,
    );
  for (const name of wanted) {
    const spot = [-rise, rise, 0].map((dy) => ({ ...name, y: name.y + dy })).find(fits);
    if (spot) placed.push(spot);
  }
  return placed;
}

/** A name cut for the map; the legend and the hover card show it whole. */
export const shortName = (name, most = 30) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);
