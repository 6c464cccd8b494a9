// What the progress bar shows: the named parts of a run, each with how much of it is done.

const FINETUNE = ["loading", "evaluating base", "training", "evaluating", "verdict", "publishing"];
const STARTING = "starting: loading model";
const WEIGHTS = { training: 5 };
// Phases inside another one: the first step warms up, what was saved is checked before it is published.
const WITHIN = { "first step": "loading", checking: "publishing" };

const share = (done, total) => (total > 0 ? Math.min(1, done / total) : 0);

/** The segments of the bar, in order: `{name, weight, done, current}` with *done* from 0 to 1. */
export function segments({ kind, phase, phase_done, phase_total, steps, steps_total, state }) {
  const planned = kind === "finetune" ? FINETUNE : [];
  const part = WITHIN[phase] ?? phase;
  const names = planned.includes(part) || (planned.length && !part) ? planned : [...planned, part];
  const at = names.indexOf(part);
  return names.map((name, index) => {
    const current = index === at && state !== "done";
    let done = current ? share(phase_done, phase_total) : 0;
    // Training has a count of its own, which a resumed run brings along; the phase's is that of an evaluation within.
    if (name === "training" && steps_total > 0) done = share(steps, steps_total);
    if (state === "done" || index < at) done = 1;
    return { name, weight: WEIGHTS[name] ?? 1, done, current };
  });
}

/** The words beside the bar: "training 56 %", "starting: loading model". */
export function phaseText(summary) {
  const { phase, state } = summary;
  if (state === "queued") return "queued";
  if (state === "stopping") return "stopping: the work at hand is finished first";
  if (!phase) return STARTING;
  const part = segments(summary).find((segment) => segment.current);
  if (!part) return phase;
  const counted = phase === "training" ? summary.steps_total > 0 : summary.phase_total > 0;
  const name = phase === "loading" ? STARTING : phase;
  return counted ? `${name} ${Math.round(100 * part.done)} %` : name;
}
