import assert from "node:assert/strict";
import { test } from "node:test";
import { UNLABELLED } from "../src/embedding_map/colours.js";
import { neighbours, unpack } from "../src/embedding_map/dataset.js";
import { footer, progressLine } from "../src/embedding_map/figures.js";
import { foldTexts, litPoints } from "../src/embedding_map/filter.js";
import { labelAnchors, placeLabels, shortName } from "../src/embedding_map/labels.js";
import { lostCounts } from "../src/embedding_map/legend.js";

const folded = foldTexts(["My CARD is lost", "Where is my Straße card?", "top up failed", "card lost in transit"]);
const codes = Uint16Array.of(0, 0, 1, UNLABELLED);
const all = new Set();

test("an empty search lights everything", () => {
  assert.equal(litPoints(folded, codes, all, "   ").count, 4);
});

test("search wants every word, in any order and case", () => {
  const { mask, count, labels } = litPoints(folded, codes, all, "LOST card");
  assert.deepEqual([...mask], [1, 0, 0, 1]);
  assert.equal(count, 2);
  assert.deepEqual([...labels].sort(), [0, UNLABELLED]);
});

test("search and isolated labels hold together", () => {
  assert.deepEqual([...litPoints(folded, codes, new Set([0]), "card").mask], [1, 1, 0, 0]);
  assert.equal(litPoints(folded, codes, new Set([1]), "card").count, 0);
});

test("characters of regular expressions are ordinary characters", () => {
  assert.equal(litPoints(folded, codes, all, "card?").count, 1);
  assert.equal(litPoints(folded, codes, all, "(").count, 0);
});

test("a name stands where its label is densest, not between two clusters", () => {
  const positions = Float32Array.of(0, 0, 0.1, 0, 0, 0.1, 10, 10);
  const bounds = { left: 0, right: 10, bottom: 0, top: 10 };
  const [x, y] = labelAnchors(positions, Uint16Array.of(0, 0, 0, 0), 1, bounds);
  assert.ok(x < 0.2 && y < 0.2, `${x}, ${y}`);
});

test("names never overlap and the first one wins", () => {
  const wanted = Array.from({ length: 60 }, (_, i) => ({ text: `${i}`, x: 100 + 3 * i, y: 80 + (i % 3), width: 50 }));
  const placed = placeLabels(wanted, { width: 400, height: 200 });
  assert.equal(placed[0].text, "0");
  assert.ok(placed.length > 3 && placed.length < 60);
  placed.forEach((a, i) =>
    placed.slice(i + 1).forEach((b) => assert.ok(Math.abs(a.x - b.x) >= 50 || Math.abs(a.y - b.y) >= 15)),
  );
});

test("names outside of the picture are left out", () => {
  assert.deepEqual(placeLabels([{ text: "a", x: -40, y: 50, width: 30 }], { width: 300, height: 200 }), []);
});

test("long names are cut visibly", () => {
  assert.equal(shortName("a".repeat(80)).length, 30);
  assert.ok(shortName("a".repeat(80)).endsWith("…"));
  assert.equal(shortName("short"), "short");
});

test("a snapshot unpacks, also from a misaligned view", () => {
  const bytes = new Uint8Array(17);
  bytes.set(new Uint8Array(Float32Array.of(1.5, -2, 3, 4).buffer), 1);
  const message = {
    revision: 3, n: 2, k: 2, texts: ["a", "b"], labels: [], meta: {},
    columns: [{ name: "before", dtype: "float32" }, { name: "neighbors_after", dtype: "int32" }],
  };
  const data = unpack(message, [new DataView(bytes.buffer, 1, 16), Int32Array.of(1, -1, 0, 1).buffer]);
  assert.deepEqual([...data.before], [1.5, -2, 3, 4]);
  assert.deepEqual(neighbours(data, "after", 0), [1]);
  assert.deepEqual(neighbours(data, "after", 1), [0, 1]);
  assert.equal(data.roles, null);
});

test("the footer reads as promised, and leaves out what is not known", () => {
  const meta = { trust_before: 0.881, trust_after: 0.884, noise_floor: 0.05, kept_mean: 0.612 };
  assert.equal(
    footer({ n: 2569, meta, roles: null }).map(({ text }) => text).join(" · "),
    "2,569 texts · trustworthiness .88/.88 · identical data would move .05 · neighbours kept 61 %",
  );
  assert.equal(footer({ n: 5, meta: { left_out: 1200 }, roles: null })[1].text, "1,200 more not in the picture");
  const unknown = { trust_before: null, trust_after: 0.9, noise_floor: null };
  assert.deepEqual(footer({ n: 1, meta: unknown, roles: null }).map(({ text }) => text), ["1 text"]);
});

test("progress is a phase, with a share where the total is known", () => {
  assert.equal(progressLine({ phase: "compiling", done: 0, total: 0 }), "compiling");
  assert.equal(progressLine({ phase: "map", done: 50, total: 200 }), "map · 25 %");
});

test("texts are counted by the neighbours they lost", () => {
  assert.deepEqual(lostCounts(Float32Array.of(1, 0.9, 0.9, 0), 10), [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
});
