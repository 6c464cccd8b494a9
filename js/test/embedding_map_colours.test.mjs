import assert from "node:assert/strict";
import { test } from "node:test";
import { UNLABELLED, changeColour, labelPalette, parseHex, toOklab } from "../src/embedding_map/colours.js";
import { changedLast, drawingOrder, litLast, paintPoints } from "../src/embedding_map/paint.js";

const distance = (a, b) => Math.hypot(...toOklab(parseHex(a)).map((part, i) => part - toOklab(parseHex(b))[i]));

test("the first colours are those of Okabe and Ito", () => {
  assert.deepEqual(labelPalette(6), ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"]);
});

for (const [dark, ground] of [
  [false, "#ffffff"],
  [true, "#111111"],
]) {
  test(`40 labels are told apart from one another and from the ground (dark: ${dark})`, () => {
    const palette = labelPalette(40, dark);
    palette.forEach((colour, i) => {
      assert.ok(distance(colour, ground) > 0.19, `${colour} on ${ground}`);
      for (const other of palette.slice(i + 1)) assert.ok(distance(colour, other) > 0.07, `${colour} and ${other}`);
    });
  });

  test(`neighbour change runs evenly away from the ground (dark: ${dark})`, () => {
    const lightness = Array.from({ length: 21 }, (_, i) => toOklab(changeColour(i / 20, dark))[0]);
    for (let i = 1; i < lightness.length; i++) {
      assert.ok(dark ? lightness[i] > lightness[i - 1] : lightness[i] < lightness[i - 1], `step ${i}`);
    }
  });
}

test("more labels do not change the colours of the first", () => {
  assert.deepEqual(labelPalette(60).slice(0, 20), labelPalette(20));
});

test("more than 256 labels repeat colours instead of failing", () => {
  const palette = labelPalette(600);
  assert.equal(palette.length, 600);
  assert.ok(palette.every((colour) => /^#[0-9a-fA-F]{6}$/.test(colour)));
});

const data = {
  n: 3,
  codes: Uint16Array.of(1, UNLABELLED, 0),
  kept: Float32Array.of(1, 0, 0.5),
};
const colours = ["#0072B2", "#E69F00"];

test("points wear the colour of their label, lit ones stronger", () => {
  const rgba = paintPoints(data, "label", Uint8Array.of(1, 1, 0), colours, false);
  assert.deepEqual([...rgba.subarray(0, 3)], parseHex("#E69F00"));
  assert.notDeepEqual([...rgba.subarray(4, 7)], parseHex("#0072B2"));
  assert.equal(rgba[11], Math.round(0.15 * 255));
  assert.ok(rgba[3] > 2 * rgba[11]);
});

test("by neighbour change, a text that kept all is faintest", () => {
  const rgba = paintPoints(data, "change", Uint8Array.of(1, 1, 1), colours, false);
  assert.deepEqual([...rgba.subarray(0, 3)], changeColour(0, false));
  assert.deepEqual([...rgba.subarray(4, 7)], changeColour(1, false));
});

test("the drawing order is a shuffle that puts lit points on top", () => {
  const order = drawingOrder(100);
  assert.deepEqual([...order].sort((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i));
  assert.notDeepEqual([...order], Array.from({ length: 100 }, (_, i) => i));
  const kept = Float32Array.from({ length: 100 }, (_, i) => (i % 7) / 7);
  const shares = [...changedLast(order, kept)].map((i) => kept[i]);
  assert.deepEqual(shares, [...shares].sort((a, b) => b - a));
  const mask = Uint8Array.from({ length: 100 }, (_, i) => (i < 10 ? 1 : 0));
  const drawn = [...litLast(order, mask)];
  assert.deepEqual(drawn.slice(90).sort((a, b) => a - b), Array.from({ length: 10 }, (_, i) => i));
});
