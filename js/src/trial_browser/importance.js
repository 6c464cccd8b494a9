// How much of the difference between good and bad trials each hyperparameter explains.
import { h, replace } from "../shared/dom.js";

export class Importance {
  #seen = "";

  constructor() {
    this.el = h("section", { class: "etn-view etn-importance", "aria-label": "importance", "data-testid": "importance" });
  }

  update(importance) {
    const now = JSON.stringify(importance ?? null);
    if (now === this.#seen) return;
    this.#seen = now;
    if (!importance) return replace(this.el, h("div", { class: "etn-small" }, "reckoned by the kernel …"));
    if (!importance.rows.length) return replace(this.el, h("div", { class: "etn-small" }, "Two finished trials are needed at least."));
    const most = Math.max(...importance.rows.map(([, share]) => share), 1e-9);
    return replace(
      this.el,
      importance.caution && h("div", { class: "etn-caution", role: "note", "data-testid": "caution" }, importance.caution),
      h("div", { class: "etn-bars", role: "table", "aria-label": "importance" }, importance.rows.map(([name, share]) =>
        h("div", { class: "etn-bar-line", role: "row" },
          h("span", { class: "etn-bar-name", role: "rowheader", title: name }, name),
          h("span", { class: "etn-bar-box", "aria-hidden": "true" }, h("span", { class: "etn-bar", style: { width: `${(100 * share) / most}%` } })),
          h("span", { class: "etn-number", role: "cell" }, `${Math.round(100 * share)} %`)))),
      h("div", { class: "etn-small" }, "PED-ANOVA: how unlike the best trials are to the others, by hyperparameter"),
    );
  }
}
