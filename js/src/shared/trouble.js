// What a job that failed, was lost or was stopped has to say: the reason, what to do, the end of its log.
import { h, replace } from "./dom.js";

const WHAT_NOW = {
  lost: "The process that ran this job is gone. job.resume() carries on from the last that was kept.",
  unknown: "This job runs on another machine; this one cannot tell whether it is alive.",
  stopped: "job.resume() carries on from where it stopped.",
};

/** A box for the state of a job; *openLog* is called by its "Show log" button. */
export function troubleBox(openLog) {
  const el = h("div", { class: "etn-trouble", hidden: true, "data-testid": "trouble" });

  function show({ state, reason, levers, log_tail }) {
    const asks = state === "failed" || state === "lost" || state === "stopped" || state === "unknown";
    el.hidden = !asks;
    if (!asks) return;
    const first = reason.split("\n").find((text) => text.trim()) ?? (state === "failed" ? "No reason was recorded." : "");
    const rest = reason.split("\n").slice(1).join("\n").trim();
    replace(
      el,
      first && h("div", { class: "etn-reason" }, first),
      rest && h("div", { class: "etn-small etn-rest" }, rest),
      levers.length > 0 && h("ul", { class: "etn-levers" }, levers.map((lever) => h("li", {}, lever))),
      !levers.length && WHAT_NOW[state] && h("div", { class: "etn-small" }, WHAT_NOW[state]),
      state === "failed" && log_tail && h("pre", { class: "etn-log-tail", tabindex: 0 }, log_tail.trimEnd().split("\n").slice(-6).join("\n")),
      (state === "failed" || state === "lost") && h("button", { class: "etn-button", type: "button", onclick: openLog }, "Show log"),
    );
  }

  return { el, show };
}
