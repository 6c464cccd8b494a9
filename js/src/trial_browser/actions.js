// What can be done with a trial: publish its weights, or train once more with its settings.
import { h, replace, setText } from "../shared/dom.js";
import { copyable } from "../shared/facts.js";

/** A button that unfolds a small form: one field, then go. */
export function askingButton({ label, tip, testid, field, type = "text", go, send }) {
  const input = h("input", { type, class: "etn-ask-field", "aria-label": field, "data-testid": `${testid}-field`, ...(type === "number" ? { min: 1, max: 1000, step: 1 } : { spellcheck: "false" }) });
  const form = h("form", { class: "etn-ask", hidden: true }, h("label", {}, h("span", { class: "etn-small" }, field), " ", input), h("button", { class: "etn-button", type: "submit", "data-testid": `${testid}-go` }, go));
  const button = h("button", { class: "etn-button", type: "button", title: tip, "aria-expanded": "false", "data-testid": testid, onclick: () => open(form.hidden) }, label);

  function open(on) {
    form.hidden = !on;
    button.setAttribute("aria-expanded", String(on));
    if (on) input.select();
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    open(false);
    send(type === "number" ? Number(input.value) : input.value.trim());
  });
  form.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") {
      open(false);
      button.focus();
    }
  });
  return {
    button, form, open,
    offer(value) {
      if (form.hidden) input.value = value;
    },
    allow(can, why) {
      button.disabled = !can;
      button.title = can ? tip : why;
      if (!can) open(false);
    },
  };
}

/** Publish and train again, for the trial that is looked at. */
export class Actions {
  #key = null;

  constructor(ask) {
    this.publish = askingButton({
      label: "Publish this one", tip: "make the weights of this trial a model with a name of its own", testid: "publish", field: "name of the model", go: "Publish",
      send: (name) => this.#send(ask, "publish", name),
    });
    this.again = askingButton({
      label: "Train again with these", tip: "one run of its own with these settings", testid: "train-again", field: "name of the model", go: "Train",
      send: (name) => this.#send(ask, "train_again", name),
    });
    this.told = h("div", { class: "etn-told", role: "status", hidden: true, "data-testid": "told" });
    this.el = h("div", { class: "etn-actions" }, this.publish.button, this.again.button, this.publish.form, this.again.form, this.told);
  }

  #send(ask, command, name) {
    this.tell({ text: "asked for; the kernel is at work …", ok: true, python: "" });
    ask(command, { key: this.#key, name });
  }

  /** @param {{publish: object, again: object} | null} offers null where no kernel can do it */
  show(key, offers) {
    if (key !== this.#key) this.told.hidden = true;
    this.#key = key;
    for (const [part, offer] of [[this.publish, offers?.publish], [this.again, offers?.again]]) {
      part.allow(Boolean(offer?.can), offer ? offer.why : "this needs a running kernel");
      if (offer?.name) part.offer(offer.name);
    }
  }

  /** What came of it; *python* is a line that goes on with the result. */
  tell({ text, ok, python }) {
    this.told.hidden = false;
    this.told.classList.toggle("etn-told-problem", !ok);
    replace(this.told, h("span", {}, ok ? "" : "✕ ", text), python && copyable(python));
  }
}

/** "+ trials" of the head. */
export const moreTrials = (ask) => {
  const part = askingButton({
    label: "+ trials", tip: "search on: add trials to the budget", testid: "add-trials", field: "how many more", type: "number", go: "Add",
    send: (count) => ask("add_trials", { count }),
  });
  part.offer(5);
  return { ...part, el: h("span", { class: "etn-more" }, part.button, part.form), setText: (text) => setText(part.button, text) };
};
