import assert from "node:assert/strict";
import { test } from "node:test";
import { aligned, lastKnown } from "../src/monitor/align.js";

test("two curves share one x, with gaps where one has no value", () => {
  const table = aligned([[1, 2, 3], [9, 8, 7], [9, 8.5, 8]], [[2, 2.5, 4], [6, 5, 4]]);
  assert.deepEqual(table, [
    [1, 2, 2.5, 3, 4],
    [9, 8, null, 7, null],
    [9, 8.5, null, 8, null],
    [null, 6, 5, null, 4],
  ]);
});

test("a curve without points changes nothing but adds an empty column", () => {
  assert.deepEqual(aligned([[1, 2], [3, 4]], [[], []]), [[1, 2], [3, 4], [null, null]]);
});

test("what is read at a point is the newest value up to it", () => {
  assert.equal(lastKnown([1, null, 3, null], 1), 1);
  assert.equal(lastKnown([1, null, 3, null], 3), 3);
  assert.equal(lastKnown([null], 0), null);
});
