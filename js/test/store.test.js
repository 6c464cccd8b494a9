import assert from "node:assert/strict";
import { test } from "node:test";
import { RunStore } from "../src/monitor/store.js";

const part = (series, start, rows) => ({
  part: { series, start, n: rows.length },
  // column after column, as the kernel sends them
  buffer: new Float32Array([0, 1, 2, 3].flatMap((column) => rows.map((row) => row[column]))).buffer,
});
const message = (type, ...parts) => [{ type, parts: parts.map(({ part }) => part) }, parts.map(({ buffer }) => buffer)];

test("deltas continue a series in order", () => {
  const store = new RunStore();
  store.receive(...message("append", part("train/loss", 0, [[1, 0.5, 10, 2], [2, 1, 20, 1.5]])));
  store.receive(...message("append", part("train/loss", 2, [[3, 1.5, 30, 1.25]])));
  const { step, epoch, wall, value } = store.series("train/loss");
  assert.deepEqual([...step], [1, 2, 3]);
  assert.deepEqual([...epoch], [0.5, 1, 1.5]);
  assert.deepEqual([...wall], [10, 20, 30]);
  assert.deepEqual([...value], [2, 1.5, 1.25]);
});

test("the same delta twice changes nothing", () => {
  const store = new RunStore();
  const delta = message("append", part("a", 0, [[1, 0, 0, 7]]));
  store.receive(...delta);
  store.receive(...delta);
  assert.deepEqual([...store.series("a").value], [7]);
});

test("a delta behind the end is left out and asks for a snapshot", () => {
  let gaps = 0;
  const store = new RunStore(() => gaps++);
  store.receive(...message("append", part("a", 5, [[6, 0, 0, 1]])));
  assert.equal(gaps, 1);
  assert.equal(store.series("a"), null);
  store.receive(...message("snapshot", part("a", 0, [[1, 0, 0, 3], [2, 0, 0, 4]])));
  assert.deepEqual([...store.series("a").value], [3, 4]);
  assert.equal(gaps, 1);
});

test("a snapshot forgets series that are no more", () => {
  const store = new RunStore();
  store.receive(...message("append", part("old", 0, [[1, 0, 0, 1]])));
  store.receive(...message("snapshot", part("new", 0, [[1, 0, 0, 1]])));
  assert.deepEqual(store.names, ["new"]);
});

test("a long run outgrows the first buffer", () => {
  const store = new RunStore();
  for (let start = 0; start < 1000; start += 100) {
    const rows = Array.from({ length: 100 }, (_, i) => [start + i, 0, 0, start + i]);
    store.receive(...message("append", part("a", start, rows)));
  }
  const { value } = store.series("a");
  assert.equal(value.length, 1000);
  assert.ok(value.every((v, i) => v === i));
});

test("a buffer at an odd offset is read right", () => {
  const bytes = new Uint8Array(17);
  bytes.set(new Uint8Array(new Float32Array([1, 2, 3, 4]).buffer), 1);
  const store = new RunStore();
  store.receive({ type: "append", parts: [{ series: "a", start: 0, n: 1 }] }, [new DataView(bytes.buffer, 1, 16)]);
  assert.deepEqual([...store.series("a").value], [4]);
});

test("listeners hear of each message until they leave", () => {
  const store = new RunStore();
  let heard = 0;
  const leave = store.subscribe(() => heard++);
  store.receive(...message("append", part("a", 0, [[1, 0, 0, 1]])));
  leave();
  store.receive(...message("append", part("a", 1, [[2, 0, 0, 1]])));
  assert.equal(heard, 1);
});
