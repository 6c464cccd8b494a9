// One choice out of a few, each a card with its facts: native radio buttons, so keys and screen readers know them.
import { follow } from "../shared/channel.js";
import { h, replace } from "../shared/dom.js";

let groups = 0;

function render({ model, el }) {
  const name = `etn-choice-${++groups}-${Math.random().toString(36).slice(2)}`;
  const cards = h("div", { class: "etn-cards" });
  const root = h("fieldset", { class: "etn-root etn-choice-cards", "data-testid": model.get("testid") }, h("legend", {}, model.get("label")), cards);

  function choose(value) {
    model.set("value", value);
    model.save_changes();
  }

  function card(option) {
    const input = h("input", { type: "radio", name, value: option.value, onchange: () => choose(option.value) });
    input.checked = option.value === model.get("value");
    return h(
      "label",
      { class: "etn-choice" },
      input,
      h(
        "span",
        { class: "etn-choice-head" },
        h("span", { class: "etn-choice-title" }, option.title),
        option.badge ? h("span", { class: `etn-badge${option.warn ? " etn-badge-warn" : ""}` }, option.badge) : null,
      ),
      option.text ? h("span", { class: "etn-choice-text" }, option.text) : null,
      option.facts ? h("span", { class: "etn-choice-facts" }, option.facts) : null,
    );
  }

  function draw() {
    const focused = cards.contains(document.activeElement) ? document.activeElement.value : null;
    replace(cards, model.get("options").map(card));
    if (focused !== null) [...cards.querySelectorAll("input")].find((input) => input.value === focused)?.focus();
  }

  function mark() {
    for (const input of cards.querySelectorAll("input")) input.checked = input.value === model.get("value");
  }

  replace(el, root);
  const endings = [follow(model, "options", draw), follow(model, "value", mark)];
  return () => endings.forEach((end) => end());
}

export default { render };
