import assert from "node:assert/strict";
import { test } from "node:test";
import { matches, order } from "../src/regressions/order.js";

const row = (text, worse_by, ranks = [1, 2], cause = "truncated") => ({ text, worse_by, rank_before: ranks[0], rank_after: ranks[1], cause, answer: "", displaced_by: "", why: "" });
const ROWS = [row("beta", 0.2, [1, 9]), row("alpha", 0.5, [2, 3]), row("gamma", 0.2, [null, null], "rare class")];

test("rows are ordered by a column, both ways, and equal ones keep their place", () => {
  assert.deepEqual(order(ROWS, { column: "worse_by", down: true }), [1, 0, 2]);
  assert.deepEqual(order(ROWS, { column: "worse_by", down: false }), [0, 2, 1]);
  assert.deepEqual(order(ROWS, { column: "text", down: false }), [1, 0, 2]);
});

test("a rank is ordered by how far it moved, and rows without one come last either way", () => {
  assert.deepEqual(order(ROWS, { column: "rank", down: true }), [0, 1, 2]);
  assert.deepEqual(order(ROWS, { column: "rank", down: false }), [1, 0, 2]);
});

test("causes and every word of a search narrow the rows", () => {
  const any = { causes: new Set(), search: "" };
  assert.equal(ROWS.filter((r) => matches(r, any)).length, 3);
  assert.deepEqual(ROWS.filter((r) => matches(r, { ...any, causes: new Set(["rare class"]) })).map((r) => r.text), ["gamma"]);
  assert.ok(matches({ ...ROWS[0], answer: "The Card" }, { ...any, search: "card BETA" }));
  assert.ok(!matches(ROWS[0], { ...any, search: "beta missing" }));
});
