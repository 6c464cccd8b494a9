// Top line, progress, notices, and what a job that ended says.
import { h, replace, setText } from "../shared/dom.js";
import { copyable, fact } from "../shared/facts.js";
import { clock, number } from "../shared/format.js";
import { stateIcon } from "../shared/icons.js";
import { troubleBox } from "../shared/trouble.js";
import { otherMetrics, verdictLine } from "../shared/verdict.js";
import { phaseText, segments } from "./phases.js";

export function header(logButton) {
  const icon = h("span", { class: "etn-state-icon" });
  const word = h("span", { class: "etn-state-word", "data-testid": "state" });
  const name = h("strong", { class: "etn-name", "data-testid": "name" });
  const line = h("span", { class: "etn-plan-line" });
  const facts = {
    step: fact("step", "step"), epoch: fact("epoch"), eta: fact("ETA", "eta"), rate: fact("texts/s"), time: fact("time"),
  };
  const control = h("span", { class: "etn-control-slot", "data-testid": "control-slot" });
  const answer = h("div", { class: "etn-answer-line" });
  const bar = h("div", { class: "etn-phases", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 });
  const phase = h("span", { class: "etn-phase-text", "data-testid": "phase" });
  const progress = h("div", { class: "etn-progress" }, bar, phase);
  const trouble = troubleBox(logButton);
  const notices = h("div", { class: "etn-notices", "data-testid": "notices" });
  const spoken = h("div", { class: "etn-hidden", role: "status", "aria-live": "polite" });

  const el = h(
    "header",
    { class: "etn-head" },
    h(
      "div",
      { class: "etn-top" },
      h("span", { class: "etn-who" }, h("span", { class: "etn-state" }, icon, word), name, line),
      h("span", { class: "etn-facts" }, Object.values(facts).map(({ box }) => box), control),
    ),
    answer, progress, trouble.el, notices, spoken,
  );

  let drawn = {};
  const once = (key, value, draw) => {
    const text = JSON.stringify(value);
    if (drawn[key] !== text) {
      drawn[key] = text;
      draw(value);
    }
  };

  function showFacts(summary) {
    const { steps, steps_total, epoch, epochs, eta, rate, elapsed, final } = summary;
    facts.step.show(steps_total > 0 ? String(steps) : null, steps_total);
    facts.epoch.show(epoch !== null && epochs ? epoch.toFixed(1) : null, number1(epochs));
    facts.eta.show(eta !== null && !final ? clock(eta) : null);
    facts.rate.show(rate !== null ? number(rate) : null);
    facts.time.show(elapsed !== null && final ? clock(elapsed) : null);
  }

  function showProgress(summary) {
    progress.hidden = summary.final;
    const parts = segments(summary);
    if (bar.children.length !== parts.length) {
      replace(bar, parts.map(() => h("span", { class: "etn-segment" }, h("span", { class: "etn-fill" }))));
    }
    parts.forEach((part, index) => {
      const segment = bar.children[index];
      segment.title = part.name;
      segment.style.flexGrow = part.weight;
      segment.classList.toggle("etn-current", part.current);
      segment.firstChild.style.width = `${100 * part.done}%`;
    });
    const text = phaseText(summary);
    setText(phase, text);
    const whole = parts.reduce((sum, part) => sum + part.weight * part.done, 0) / parts.reduce((sum, part) => sum + part.weight, 0);
    bar.setAttribute("aria-valuenow", Math.round(100 * whole));
    bar.setAttribute("aria-valuetext", text);
  }

  function showAnswer({ verdict, python }) {
    replace(
      answer,
      verdict && verdictLine(verdict),
      verdict?.explanation && h("div", { class: "etn-explanation", "data-testid": "explanation" }, verdict.explanation),
      verdict && otherMetrics(verdict),
      python.length > 0 && h("div", { class: "etn-next etn-small", "data-testid": "python" }, "in Python", python.map(copyable)),
    );
  }

  return {
    el, control,
    update(summary, recipe, logTail) {
      once("state", summary.state, (state) => {
        replace(icon, stateIcon(state));
        setText(word, state);
      });
      setText(name, summary.name ?? "");
      setText(line, (recipe.line ?? []).join(" · "));
      showFacts(summary);
      showProgress(summary);
      once("trouble", { ...pick(summary, ["state", "reason", "levers"]), log_tail: logTail }, trouble.show);
      once("answer", pick(summary, ["verdict", "python"]), showAnswer);
      once("notices", summary.notices, (list) =>
        replace(notices, list.map(({ text, level }) => h("div", { class: `etn-notice etn-notice-${level}` }, h("span", { class: "etn-unit" }, level), " ", text))));
      const tenth = Math.floor((10 * summary.steps) / (summary.steps_total || 1));
      once("spoken", [summary.state, summary.phase, tenth], () => setText(spoken, `${summary.name}: ${summary.final ? summary.state : phaseText(summary)}`));
    },
  };
}

const number1 = (value) => (value === null || value === undefined ? undefined : String(+value.toFixed(1)));
const pick = (object, names) => Object.fromEntries(names.map((name) => [name, object[name]]));
