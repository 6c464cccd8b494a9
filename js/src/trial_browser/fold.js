// A part that unfolds below a button.
import { h } from "../shared/dom.js";

export function fold(name, key, content, opened) {
  const id = `etn-${name}-${Math.random().toString(36).slice(2)}`;
  const el = h("div", { class: "etn-folded", id, hidden: true }, content);
  const button = h("button", { class: "etn-button", type: "button", "aria-expanded": "false", "aria-controls": id, title: `${name} (${key})`, "data-testid": `fold-${name}`, onclick: toggle },
    name, h("span", { class: "etn-caret", "aria-hidden": "true" }));

  function toggle() {
    el.hidden = !el.hidden;
    button.setAttribute("aria-expanded", String(!el.hidden));
    if (!el.hidden) opened();
  }
  return { button, el, toggle };
}
