// The steps of a studio: where one is, what was chosen in each, and what still needs attention.
import { follow } from "../shared/channel.js";
import { h, replace, s } from "../shared/dom.js";

const stroke = { fill: "none", stroke: "currentColor", "stroke-width": 2, "stroke-linecap": "round", "stroke-linejoin": "round" };
const DRAW = {
  done: () => [s("path", { d: "M3.5 8.5 6.7 11.7 12.5 5", ...stroke })],
  attention: () => [s("path", { d: "M8 3.5v5.5", ...stroke }), s("circle", { cx: 8, cy: 12.4, r: 1.3, fill: "currentColor" })],
  busy: () => [s("circle", { cx: 8, cy: 8, r: 4.5, fill: "currentColor", class: "etn-pulse" })],
};

function mark(step, number) {
  const drawn = DRAW[step.mark]?.();
  const sign = drawn ? s("svg", { viewBox: "0 0 16 16", width: 16, height: 16 }, ...drawn) : String(number);
  return h("span", { class: `etn-mark etn-mark-${step.mark}`, "aria-hidden": "true" }, sign);
}

function render({ model, el }) {
  const list = h("ol", { class: "etn-steps" });
  const root = h("nav", { class: "etn-root etn-studio-rail", "aria-label": "Steps", "data-testid": "studio-rail" }, list);

  const go = (key) => {
    model.set("current", key);
    model.save_changes();
  };

  function draw() {
    const focused = list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const current = model.get("current");
    replace(
      list,
      model.get("steps").map((step, place) =>
        h(
          "li",
          {},
          h(
            "button",
            {
              type: "button",
              class: "etn-step",
              "data-key": step.key,
              "data-testid": `step-${step.key}`,
              "data-mark": step.mark,
              "aria-current": step.key === current ? "step" : false,
              title: step.summary,
              onclick: () => go(step.key),
            },
            mark(step, place + 1),
            h("span", { class: "etn-step-title" }, step.title),
            h("span", { class: "etn-hidden" }, ` (${step.word}): `),
            h("span", { class: "etn-step-summary" }, step.summary),
          ),
        ),
      ),
    );
    if (focused) list.querySelector(`[data-key="${focused}"]`)?.focus();
  }

  list.addEventListener("keydown", (event) => {
    const move = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!move) return;
    const buttons = [...list.querySelectorAll("button")];
    const next = buttons[buttons.indexOf(document.activeElement) + move];
    next?.focus();
    event.preventDefault();
    event.stopPropagation();
  });

  replace(el, root);
  // JupyterLab's own keys must not take what is typed anywhere in the studio.
  requestAnimationFrame(() => el.closest(".etn-studio")?.setAttribute("data-lm-suppress-shortcuts", "true"));
  const endings = [follow(model, "steps", draw), follow(model, "current", draw)];
  return () => endings.forEach((end) => end());
}

export default { render };
