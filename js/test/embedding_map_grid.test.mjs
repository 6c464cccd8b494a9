import assert from "node:assert/strict";
import { test } from "node:test";
import { Grid, mixPositions } from "../src/embedding_map/grid.js";

function random(seed) {
  let state = seed;
  return () => ((state = (state * 1103515245 + 12345) % 2147483648) / 2147483648);
}

function nearestOfAll(positions, x, y, radius, accepts = () => true) {
  let [best, least] = [-1, radius * radius];
  for (let i = 0; i < positions.length / 2; i++) {
    const square = (positions[2 * i] - x) ** 2 + (positions[2 * i + 1] - y) ** 2;
    if (square <= least && accepts(i)) [best, least] = [i, square];
  }
  return best;
}

test("finds what looking at every point finds", () => {
  const next = random(7);
  const positions = Float32Array.from({ length: 4000 }, (_, i) => (i % 2 ? 3 * next() : next() ** 3 - 5));
  const grid = new Grid(positions);
  let hits = 0;
  for (let trial = 0; trial < 500; trial++) {
    const [x, y, radius] = [1.4 * next() - 5.2, 3.6 * next() - 0.3, 0.2 * next()];
    const expected = nearestOfAll(positions, x, y, radius);
    const found = grid.nearest(x, y, radius);
    if (expected >= 0) hits++;
    assert.equal(found, expected);
  }
  assert.ok(hits > 100 && hits < 500, `${hits} of 500 had a point within reach`);
});

test("skips points that are not accepted", () => {
  const grid = new Grid(Float32Array.of(0, 0, 1, 0, 2, 0));
  assert.equal(grid.nearest(0.1, 0, 5), 0);
  assert.equal(grid.nearest(0.1, 0, 5, (i) => i > 1), 2);
});

test("nothing within reach is -1; one point and none do not fail", () => {
  assert.equal(new Grid(Float32Array.of(0, 0, 9, 9)).nearest(4, 4, 1), -1);
  assert.equal(new Grid(Float32Array.of(3, 3)).nearest(3.1, 3, 1), 0);
  assert.equal(new Grid(new Float32Array()).nearest(0, 0, 1), -1);
});

test("follows the morph: positions are mixed, ends included", () => {
  const before = Float32Array.of(0, 0, 10, 10);
  const after = Float32Array.of(4, 2, 10, -10);
  const out = new Float32Array(4);
  assert.deepEqual([...mixPositions(before, after, 0, out)], [0, 0, 10, 10]);
  assert.deepEqual([...mixPositions(before, after, 0.5, out)], [2, 1, 10, 0]);
  assert.equal(new Grid(out).nearest(2, 1, 0.5), 0);
  assert.deepEqual([...mixPositions(before, after, 1, out)], [4, 2, 10, -10]);
});
