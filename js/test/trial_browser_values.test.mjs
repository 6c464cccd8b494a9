import assert from "node:assert/strict";
import { test } from "node:test";
import { axesOf, SCORE } from "../src/trial_browser/axes.js";
import { Board, SELECTED_MAX } from "../src/trial_browser/board.js";
import { cellText, columnsFor, template } from "../src/trial_browser/columns.js";
import { heldIn, ordered, withConfirmations } from "../src/trial_browser/order.js";
import { roundStep, scaleOf, word } from "../src/trial_browser/scales.js";
import { rankText, sharedRanks } from "../src/trial_browser/words.js";

const RATE = { name: "learning_rate", kind: "float", low: 1e-5, high: 1e-3, log: true };
const LOSS = { name: "loss", kind: "choice", choices: ["contrastive", "proxy", null] };
const SUMMARY = { axes: [RATE, LOSS], metric: "NDCG@10", base: 0.5, higher_is_better: true, best: { key: "0001" } };
const row = (index, values, score, more = {}) => ({ key: String(index).padStart(4, "0"), index, values, score, state: "done", rank: null, confirms: null, seconds: 10, reason: "", is_default: index === 0, ...more });
const ROWS = [
  row(0, { learning_rate: 1e-5, loss: "contrastive" }, 0.55),
  row(1, { learning_rate: 1e-4, loss: "proxy" }, 0.6),
  row(2, { learning_rate: 1e-3, loss: null }, 0.58),
  row(3, { loss: "proxy" }, null, { state: "failed", reason: "Out of memory" }),
];
const boardOf = (rows = ROWS, confirmations = new Map()) => {
  const board = new Board();
  board.load(SUMMARY, rows, confirmations);
  return board;
};

test("values are written as people write them", () => {
  assert.deepEqual([2e-4, 0.05, 64, null, true, "proxy", 1234.5, ["a", 1]].map(word), ["2e-4", "0.05", "64", "none", "yes", "proxy", "1.23e+3", "a, 1"].map((text, i) => (i === 6 ? "1230" : text)));
});

test("a logarithmic axis puts equal ratios at equal distances, and its way back is exact", () => {
  const scale = scaleOf(RATE);
  assert.ok(Math.abs(scale.at(1e-4) - 0.5) < 1e-12);
  assert.ok(Math.abs(scale.placeAt(0.5) - 1e-4) < 1e-16);
  assert.deepEqual(scale.ticks.map(({ text }) => text), ["1e-5", "1e-4", "1e-3"]);
  assert.equal(scale.place(0), null);
});

test("a choice lies in the middle of its share, none is a choice like others, and strangers have no place", () => {
  const scale = scaleOf(LOSS);
  assert.deepEqual(["contrastive", "proxy", null].map((value) => scale.at(scale.place(value))), [0.5 / 3, 1.5 / 3, 2.5 / 3]);
  assert.equal(scale.place("triplet"), null);
});

test("whole numbers get whole ticks", () => {
  assert.deepEqual(scaleOf({ kind: "int", low: 1, high: 4 }).ticks.map(({ text }) => text), ["1", "2", "3", "4"]);
  assert.deepEqual([0.3, 3, 47, 120].map(roundStep), [1, 5, 50, 200]);
});

test("stepping along whole numbers arrives at them exactly", () => {
  const scale = scaleOf({ kind: "int", low: 1, high: 8 });
  let unit = 0;
  for (let value = 2; value <= 8; value++) {
    unit += scale.step;
    assert.equal(scale.placeAt(unit), value);
  }
});

test("an axis whose ends are equal does not divide by zero", () => {
  for (const dimension of [{ kind: "float", low: 2, high: 2 }, { kind: "float", low: 2, high: 2, log: true }]) assert.equal(scaleOf(dimension).at(2), 0.5);
});

test("a brush lets through what lies inside, and nothing that has no value there", () => {
  const board = boardOf();
  board.brush("learning_rate", [5e-5, Infinity]);
  assert.deepEqual([...board.shown], ["0001", "0002"]);
  board.brush(SCORE, [0.59, Infinity]);
  assert.deepEqual([...board.shown], ["0001"]);
  board.brush("learning_rate", null);
  board.brush(SCORE, null);
  assert.equal(board.shown.size, 4);
});

test("a brush on a choice takes whole choices, none among them", () => {
  const board = boardOf();
  board.brush("loss", [1.2, Infinity]);
  assert.deepEqual([...board.shown], ["0002"]);
});

test("states and words narrow all views, and clearing lets all pass", () => {
  const board = boardOf();
  board.toggleState("done");
  assert.deepEqual([...board.shown], ["0003"]);
  board.toggleState("done");
  board.searchFor(" loss=proxy  MEMORY ");
  assert.deepEqual([...board.shown], ["0003"]);
  assert.ok(board.isFiltered);
  board.clearFilters();
  assert.equal(board.shown.size, 4);
});

test("a new trial is sifted by the brushes that are there", () => {
  const board = boardOf(ROWS.slice(0, 2));
  board.brush(SCORE, [0.57, Infinity]);
  board.load(SUMMARY, ROWS, new Map());
  assert.deepEqual([...board.shown], ["0001", "0002"]);
});

test("selection: one, several, off again, never more than can be told apart", () => {
  const board = boardOf();
  assert.deepEqual(board.looked, ["0001"], "the best, while nothing is selected");
  board.select("0000");
  board.select("0002", true);
  assert.deepEqual(board.looked, ["0000", "0002"]);
  board.select("0000", true);
  assert.deepEqual(board.looked, ["0002"]);
  for (let i = 0; i < 20; i++) board.select(`x${i}`, true);
  assert.equal(board.selected.length, SELECTED_MAX);
  board.load(SUMMARY, ROWS, new Map());
  assert.deepEqual(board.selected, [], "what is no more is not selected");
});

test("only what concerns a view counts as a change for it", () => {
  const board = boardOf();
  const before = { ...board.version };
  board.point("0001");
  board.point("0001");
  assert.deepEqual(board.version, { ...before, pointer: before.pointer + 1 });
});

test("the score's axis holds the base and all scores", () => {
  const { scale } = axesOf(SUMMARY, ROWS).at(-1);
  assert.ok(scale.at(0.5) > 0 && scale.at(0.6) < 1);
  assert.ok(Number.isFinite(axesOf({ ...SUMMARY, base: null }, []).at(-1).scale.at(0.5)));
});

test("a run that confirms a trial lies on the score's axis, however far from all trials", () => {
  const run = row(1, {}, 0.4, { key: "0001-seed-43", confirms: 1 });
  const { scale } = boardOf(ROWS, new Map([[1, [run]]])).axes.at(-1);
  assert.ok(scale.at(0.4) > 0 && scale.at(0.4) < scale.at(0.5));
});

test("the table is sorted both ways, and what has no value comes last", () => {
  const keys = (column, down) => ordered(ROWS, { column, down }, SUMMARY).map(({ index }) => index);
  assert.deepEqual(keys("score", true), [1, 2, 0, 3]);
  assert.deepEqual(keys("score", false), [0, 2, 1, 3]);
  assert.deepEqual(keys("=learning_rate", true), [2, 1, 0, 3]);
  assert.deepEqual(keys("=loss", false), [0, 1, 3, 2]);
  assert.deepEqual(keys("=gone", false), [0, 1, 2, 3]);
});

test("runs that confirm a trial stand below it, however the table is sorted", () => {
  const run = row(1, {}, 0.59, { key: "0001-seed-43", confirms: 1 });
  const list = withConfirmations(ordered(ROWS, { column: "score", down: true }, SUMMARY), new Map([[1, [run]]]));
  assert.deepEqual(list.map(({ key }) => key), ["0001", "0001-seed-43", "0002", "0000", "0003"]);
});

test("a rank that several share says so", () => {
  const rows = [1, 1, 3, null].map((rank, index) => row(index, {}, 0.5, { rank }));
  assert.deepEqual(rows.map((each) => rankText(each, sharedRanks(rows))), ["=1", "=1", "3", ""]);
});

test("columns take what room there is and no more", () => {
  const wide = columnsFor(SUMMARY, 1000);
  const narrow = columnsFor(SUMMARY, 420);
  assert.deepEqual(wide.map(({ name }) => name), ["rank", "index", "state", "=learning_rate", "=loss", "score", "seconds", "spark"]);
  assert.ok(narrow.length < wide.length && narrow.every(({ name }) => name !== "spark"));
  assert.doesNotMatch(template(wide), /false|null|undefined|NaN/);
});

test("a score wears the noise once it is known", () => {
  assert.equal(cellText("score", ROWS[1], { band: null }), "0.600");
  assert.equal(cellText("score", ROWS[1], { band: 0.0123 }), "0.600 ± .012");
  assert.equal(cellText("score", ROWS[3], { band: 0.0123 }), "–");
});

test("lines under the pointer keep their order, new ones come last", () => {
  const [a, b, c, d] = ["a", "b", "c", "d"].map((key) => ({ key }));
  assert.deepEqual(heldIn([b, a], [d, a, c, b]), [b, a, d, c]);
  assert.deepEqual(heldIn([b, a, c], [a, c]), [a, c]);
});
