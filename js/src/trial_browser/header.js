// Top line of a sweep: how many trials, the best, the base, what was decided and what it is worth.
import { h, replace, setText } from "../shared/dom.js";
import { copyable, fact } from "../shared/facts.js";
import { clock, number } from "../shared/format.js";
import { stateIcon } from "../shared/icons.js";
import { troubleBox } from "../shared/trouble.js";
import { otherMetrics, verdictLine } from "../shared/verdict.js";
import { moreTrials } from "./actions.js";

export class Header {
  #drawn = {};

  constructor(ask, openLog) {
    this.icon = h("span", { class: "etn-state-icon" });
    this.word = h("span", { class: "etn-state-word", "data-testid": "state" });
    this.name = h("strong", { class: "etn-name", "data-testid": "name" });
    this.line = h("span", { class: "etn-plan-line" });
    this.facts = { trials: fact("trials", "trials"), running: fact("running"), best: fact("best", "best"), base: fact("base"), eta: fact("ETA", "eta") };
    this.control = h("span", { class: "etn-control-slot", "data-testid": "control-slot" });
    this.more = moreTrials(ask);
    this.more.el.hidden = true;
    this.bar = h("span", { class: "etn-fill" });
    this.progressBar = h("div", { class: "etn-phases", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": "trials" }, h("span", { class: "etn-segment" }, this.bar));
    this.phase = h("span", { class: "etn-phase-text", "data-testid": "phase" });
    this.progress = h("div", { class: "etn-progress" }, this.progressBar, this.phase);
    this.answer = h("div", { class: "etn-answer-line" });
    this.trouble = troubleBox(openLog);
    this.notices = h("div", { class: "etn-notices", "data-testid": "notices" });
    this.spoken = h("div", { class: "etn-hidden", role: "status", "aria-live": "polite" });
    this.el = h(
      "header",
      { class: "etn-head" },
      h("div", { class: "etn-top" },
        h("span", { class: "etn-who" }, h("span", { class: "etn-state" }, this.icon, this.word), this.name, this.line),
        h("span", { class: "etn-facts" }, Object.values(this.facts).map(({ box }) => box), this.control, this.more.el)),
      this.answer, this.progress, this.trouble.el, this.notices, this.spoken,
    );
  }

  #once(key, value, draw) {
    const text = JSON.stringify(value);
    if (this.#drawn[key] === text) return;
    this.#drawn[key] = text;
    draw(value);
  }

  update(summary) {
    const { state, name, line, done, trial_count: count, running, best, base, eta, final, can_grow: canGrow } = summary;
    this.#once("state", state, () => {
      replace(this.icon, stateIcon(state));
      setText(this.word, state);
    });
    setText(this.name, name);
    setText(this.line, line.join(" · "));
    this.facts.trials.show(String(done), count);
    this.facts.running.show(running ? String(running) : null);
    this.facts.best.show(best ? `#${best.index} ${number(best.score)}` : null);
    this.facts.base.show(base === null ? null : number(base));
    this.facts.eta.show(eta !== null && !final ? clock(eta) : null);
    this.progress.hidden = final;
    const share = count ? Math.min(1, done / count) : 0;
    this.bar.style.width = `${100 * share}%`;
    this.progressBar.setAttribute("aria-valuenow", Math.round(100 * share));
    setText(this.phase, phaseOf(summary));
    this.more.allow(canGrow, "no trials can be added to what was published");
    const { reason, levers } = summary;
    this.#once("trouble", { state, reason, levers, log_tail: "" }, this.trouble.show);
    this.#once("answer", [summary.decided, summary.verdict, summary.python, isSearching(summary)], () => this.#showAnswer(summary));
    this.#once("notices", summary.notices, (list) =>
      replace(this.notices, list.map(({ text, level }) => h("div", { class: `etn-notice etn-notice-${level}` }, h("span", { class: "etn-unit" }, level), " ", text))));
    this.#once("spoken", [state, done], () => setText(this.spoken, `${name}: ${state}, ${done} of ${count} trials${best ? `, best #${best.index} ${number(best.score)}` : ""}`));
  }

  #showAnswer(summary) {
    const { decided, verdict, python } = summary;
    replace(
      this.answer,
      decided && isSearching(summary) && h("div", { class: "etn-small", "data-testid": "earlier-answer" }, "found before trials were added:"),
      decided && h("div", { class: "etn-decided", "data-testid": "decided" },
        h("strong", {}, `${decided.tie ? "≈" : "◆"} ${decided.head}`), h("span", {}, decided.reason), decided.facts.map((text) => h("span", { class: "etn-small etn-number" }, text))),
      verdict && verdictLine(verdict),
      verdict?.explanation && h("div", { class: "etn-explanation" }, verdict.explanation),
      verdict && otherMetrics(verdict),
      python.length > 0 && h("div", { class: "etn-next etn-small", "data-testid": "python" }, "in Python", python.map(copyable)),
    );
  }
}

// What was decided before trials were added stays, for the model that it is about stays too.
const isSearching = ({ phase, final }) => !final && ["trials", "confirming"].includes(phase);

function phaseOf({ state, phase, phase_done: done, phase_total: total }) {
  if (state === "queued") return "queued";
  if (state === "stopping") return "stopping: what is done is kept";
  if (!phase) return "starting";
  return total > 0 ? `${phase} ${done}/${total}` : phase;
}
