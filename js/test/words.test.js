import assert from "node:assert/strict";
import { test } from "node:test";
import { clock, number } from "../src/shared/format.js";
import { phaseText, segments } from "../src/monitor/phases.js";
import { smooth } from "../src/monitor/smoothing.js";

test("smoothing starts at the first value and is the mean of equal values", () => {
  assert.deepEqual(smooth([4, 4, 4], 0.9).map((v) => +v.toFixed(9)), [4, 4, 4]);
});

test("without weight the smoothed curve is the raw one", () => {
  assert.deepEqual(smooth([3, 1, 2], 0), [3, 1, 2]);
});

test("smoothing weighs the past as its weights say", () => {
  // weights of two points at 0.5: 0.25 and 0.5, so (0.25 * 1 + 0.5 * 4) / 0.75 = 3
  assert.deepEqual(smooth([1, 4], 0.5), [1, 3]);
});

test("a NaN leaves a gap and does not poison what follows", () => {
  assert.deepEqual(smooth([2, NaN, 2], 0.5), [2, null, 2]);
});

test("numbers keep the digits that matter", () => {
  assert.deepEqual([0.5213, 271.4, 12.34, 2e-5, 0, null, NaN].map(number), ["0.521", "271", "12.3", "2.00e-5", "0.000", "–", "–"]);
});

test("seconds are read as a clock", () => {
  assert.deepEqual([48, 59.7, 3700].map(clock), ["0:48", "1:00", "1:01:40"]);
});

const summary = (changes) => ({ kind: "finetune", state: "running", phase: "", phase_done: 0, phase_total: 0, steps: 0, steps_total: 0, ...changes });
const done = (changes) => Object.fromEntries(segments(summary(changes)).map((part) => [part.name, part.done]));

test("training counts its steps, whatever an evaluation within it counts", () => {
  const parts = done({ phase: "training", phase_done: 1, phase_total: 4, steps: 75, steps_total: 150 });
  assert.equal(parts["evaluating base"], 1);
  assert.equal(parts.training, 0.5);
  assert.equal(parts.evaluating, 0);
});

test("a resumed run brings the steps that it has behind it", () => {
  assert.equal(done({ phase: "evaluating base", steps: 75, steps_total: 150 }).training, 0.5);
});

test("training that ended early is over once the evaluation has begun", () => {
  const parts = done({ phase: "evaluating", phase_done: 1, phase_total: 4, steps: 75, steps_total: 150 });
  assert.equal(parts.training, 1);
  assert.equal(parts.evaluating, 0.25);
  assert.equal(parts.verdict, 0);
});

test("the check of what was saved is a part of publishing", () => {
  const checking = summary({ phase: "checking", phase_done: 1, phase_total: 4, steps: 150, steps_total: 150 });
  assert.equal(segments(checking).at(-1).name, "publishing");
  assert.deepEqual(segments(checking).map((part) => part.done), [1, 1, 1, 1, 1, 0.25]);
  assert.equal(phaseText(checking), "checking 25 %");
});

test("stopping promises no step where there may be none", () => {
  assert.doesNotMatch(phaseText(summary({ state: "stopping", phase: "evaluating" })), /step/);
});

test("everything is over when the job is done", () => {
  assert.ok(Object.values(done({ state: "done", phase: "publishing" })).every((part) => part === 1));
});

test("a phase nobody planned for gets a place at the end", () => {
  assert.equal(segments(summary({ phase: "defragmenting" })).at(-1).name, "defragmenting");
});

test("a job of another kind shows only the phase it is in", () => {
  assert.deepEqual(done({ kind: "map", phase: "neighbours", phase_done: 1, phase_total: 2 }), { neighbours: 0.5 });
});

test("before the worker speaks the monitor says what is happening", () => {
  assert.equal(phaseText(summary({})), "starting: loading model");
  assert.equal(phaseText(summary({ phase: "first step" })), "first step");
  assert.equal(done({ phase: "first step" })["evaluating base"], 0);
  assert.equal(phaseText(summary({ phase: "training", steps: 84, steps_total: 150 })), "training 56 %");
  assert.equal(phaseText(summary({ state: "queued" })), "queued");
});
