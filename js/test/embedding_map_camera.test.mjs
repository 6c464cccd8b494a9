import assert from "node:assert/strict";
import { test } from "node:test";
import { Camera, boundsOf } from "../src/embedding_map/camera.js";

const near = (actual, expected) =>
  actual.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-6, `${actual} is not ${expected}`));

function camera() {
  const made = new Camera();
  made.resize(800, 400);
  made.frame({ left: -10, right: 30, bottom: 0, top: 10 });
  return made;
}

test("bounds hold the points of all arrays", () => {
  const bounds = boundsOf(Float32Array.of(1, 2, -3, 4), Float32Array.of(0, 9));
  assert.deepEqual(bounds, { left: -3, right: 1, bottom: 2, top: 9 });
});

test("everything fits at home and up is up", () => {
  const made = camera();
  for (const [x, y] of [[-10, 0], [30, 10], [-10, 10], [30, 0]]) {
    const [px, py] = made.toScreen(x, y);
    assert.ok(px >= 0 && px <= 800 && py >= 0 && py <= 400, `${px}, ${py}`);
  }
  assert.ok(made.toScreen(0, 10)[1] < made.toScreen(0, 0)[1]);
});

test("screen and world are inverse", () => {
  const made = camera();
  made.pan(37, -12);
  made.zoomAt(100, 300, 3);
  near(made.toWorld(...made.toScreen(4.5, 7.25)), [4.5, 7.25]);
});

test("zooming keeps the point under the pointer", () => {
  const made = camera();
  const before = made.toWorld(120, 90);
  made.zoomAt(120, 90, 2.5);
  near(made.toWorld(120, 90), before);
  assert.ok(Math.abs(made.zoom - 2.5) < 1e-9);
});

test("panning moves the picture by the same pixels", () => {
  const made = camera();
  const [px, py] = made.toScreen(5, 5);
  made.pan(40, -25);
  near(made.toScreen(5, 5), [px + 40, py - 25]);
});

test("zoom has an end in both directions, and says so", () => {
  const made = camera();
  assert.equal(made.zoomAt(0, 0, 1e-9), true);
  assert.equal(made.zoomAt(0, 0, 0.5), false);
  made.zoomAt(0, 0, 1e9);
  assert.equal(made.zoomAt(0, 0, 2), false);
});

test("reset goes home", () => {
  const made = camera();
  const home = made.toScreen(3, 3);
  made.pan(100, 100);
  made.zoomAt(0, 0, 4);
  made.reset();
  near(made.toScreen(3, 3), home);
});

test("a single point and an empty map have finite places", () => {
  for (const positions of [Float32Array.of(2, 3), new Float32Array()]) {
    const made = new Camera();
    made.resize(300, 200);
    made.frame(boundsOf(positions));
    assert.ok(made.toScreen(made.x, made.y).every(Number.isFinite));
  }
});
