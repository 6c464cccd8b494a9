import assert from "node:assert/strict";
import { test } from "node:test";
import { TrialStore } from "../src/trial_browser/store.js";

const row = (key, more = {}) => ({ key, index: Number(key.slice(0, 4)), seed: 42, confirms: null, ...more });
const part = (start, ...points) => [{ parts: [{ key: "0000", metric: "train/loss", start, n: points.length }] }, [new DataView(new Float32Array([0, 1, 2].flatMap((column) => points.map((point) => point[column]))).buffer)]];

test("changed rows replace the old ones and whole ones replace all", () => {
  const store = new TrialStore();
  store.takeRows({ rows: [row("0001"), row("0000")], count: 2, whole: true });
  store.takeRows({ rows: [row("0001", { state: "done" })], count: 2 });
  assert.deepEqual(store.trials.map(({ key, state }) => [key, state]), [["0000", undefined], ["0001", "done"]]);
  store.takeRows({ rows: [row("0005")], count: 1, whole: true });
  assert.deepEqual(store.trials.map(({ key }) => key), ["0005"]);
});

test("runs that confirm a trial are no trials, and stand by their seed", () => {
  const store = new TrialStore();
  const confirming = [44, 43].map((seed) => row(`0000-seed-${seed}`, { confirms: 0, seed }));
  store.takeRows({ rows: [row("0000"), ...confirming], count: 3, whole: true });
  assert.equal(store.trials.length, 1);
  assert.deepEqual(store.confirmations.get(0).map(({ seed }) => seed), [43, 44]);
});

test("rows that were missed are asked for", () => {
  let asked = 0;
  const store = new TrialStore(() => asked++);
  store.takeRows({ rows: [row("0007")], count: 8 });
  assert.equal(asked, 1);
});

test("curves grow by deltas; one that overlaps replaces what follows", () => {
  const store = new TrialStore();
  store.takeCurves(...part(0, [1, 0.1, 2], [2, 0.2, 1.5]));
  store.takeCurves(...part(2, [3, 0.3, 1]));
  assert.deepEqual(store.curves("0000")["train/loss"].step, [1, 2, 3]);
  store.takeCurves(...part(1, [2, 0.2, 9]));
  assert.deepEqual(store.curves("0000")["train/loss"].value, [2, 9]);
  assert.equal(store.curves("0001"), null);
});

test("a curve that begins behind its end is a gap, and is left as it was", () => {
  let asked = 0;
  const store = new TrialStore(() => asked++);
  store.takeCurves(...part(5, [6, 0.1, 2]));
  assert.equal(asked, 1);
  assert.equal(store.curves("0000"), null);
});
