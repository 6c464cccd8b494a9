// The row below the charts: smoothing, scale, x axis, which metrics.
import { h, replace } from "../shared/dom.js";

const AXES = ["step", "epoch", "time"];

/** `options` is shared and changed in place; *changed* is called after each change. */
export function optionRow(options, changed) {
  const set = (name, value) => {
    options[name] = value;
    sync();
    changed();
  };

  const slider = h("input", {
    type: "range", min: 0, max: 0.99, step: 0.01, value: options.smoothing, "aria-label": "smoothing", "data-testid": "smoothing",
    oninput: () => set("smoothing", Number(slider.value)),
  });
  const amount = h("output", { class: "etn-number etn-unit" });
  const axes = AXES.map((axis) =>
    h("button", { class: "etn-button", type: "button", title: `x axis: ${axis} (X for the next)`, "data-testid": `axis-${axis}`, onclick: () => set("axis", axis) }, axis));
  const log = h("button", { class: "etn-button", type: "button", title: "logarithmic loss axis (G)", "data-testid": "log-scale", onclick: () => set("log", !options.log) }, "log");

  const list = h("div", { class: "etn-menu", role: "group", "aria-label": "metrics", hidden: true });
  const menu = h("button", { class: "etn-button", type: "button", title: "choose metrics (M)", "aria-haspopup": "true", "aria-expanded": "false", "data-testid": "metrics-menu", onclick: () => openMenu(list.hidden) },
    "metrics", h("span", { class: "etn-caret", "aria-hidden": "true" }));
  const holder = h("span", { class: "etn-menu-holder" }, menu, list);

  let boxes = new Map();
  const choose = () => set("metrics", [...boxes].filter(([, box]) => box.checked).map(([name]) => name));

  function openMenu(open) {
    list.hidden = !open;
    menu.setAttribute("aria-expanded", String(open));
    if (open) list.querySelector("input")?.focus();
  }
  holder.addEventListener("focusout", (event) => {
    if (!holder.contains(event.relatedTarget)) openMenu(false);
  });
  holder.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      openMenu(false);
      menu.focus();
    }
  });

  function sync() {
    amount.value = options.smoothing.toFixed(2);
    axes.forEach((button, index) => button.setAttribute("aria-pressed", String(AXES[index] === options.axis)));
    log.setAttribute("aria-pressed", String(options.log));
  }
  sync();

  return {
    el: [
      h("label", { class: "etn-option" }, h("span", { class: "etn-unit" }, "smoothing"), slider, amount),
      h("span", { class: "etn-axes", role: "group", "aria-label": "x axis" }, axes),
      log, holder,
    ],
    // Boxes stay where they are while the keyboard walks them.
    showMetrics(names, shown) {
      if (names.join() !== [...boxes.keys()].join()) {
        boxes = new Map(names.map((name) => [name, h("input", { type: "checkbox", "data-testid": `shows-${name}`, onchange: choose })]));
        replace(list, names.map((name) => h("label", {}, boxes.get(name), " ", name)));
      }
      for (const [name, box] of boxes) box.checked = shown.includes(name);
    },
    keys: {
      x: () => set("axis", AXES[(AXES.indexOf(options.axis) + 1) % AXES.length]),
      g: () => set("log", !options.log),
      m: () => openMenu(list.hidden),
    },
  };
}
