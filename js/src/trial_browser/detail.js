// The trials that are selected: their curves, and of the last one its plan, its differences and its code.
import { copyText, h, replace, setText } from "../shared/dom.js";
import { clock, number } from "../shared/format.js";
import { stateIcon } from "../shared/icons.js";
import { Actions } from "./actions.js";
import { ownLook } from "./colours.js";
import { Curves } from "./curves.js";

const TABS = ["Differences", "Plan", "Code"];

export class Detail {
  #tab = "Differences";
  #seen = "";
  #asked = new Set();

  /** @param {(command: string, values?: object) => boolean} ask says whether a kernel may hear it */
  constructor(board, store, ask) {
    Object.assign(this, { board, store, ask });
    this.curves = new Curves(board, store);
    this.actions = new Actions(ask);
    this.what = h("div", { class: "etn-detail-what", "data-testid": "detail" });
    this.others = h("div", { class: "etn-picked", role: "group", "aria-label": "selected trials" });
    this.reason = h("div", { class: "etn-detail-reason", hidden: true });
    this.tabs = TABS.map((name) => h("button", { class: "etn-button etn-quiet", type: "button", role: "tab", "data-testid": `tab-${name}`, onclick: () => this.#open(name) }, name));
    this.panel = h("div", { class: "etn-detail-panel", role: "tabpanel", tabindex: 0, "data-testid": "detail-panel" });
    this.el = h(
      "section",
      { class: "etn-view etn-detail", "aria-label": "selected trials" },
      h("h3", {}, "selected", h("span", { class: "etn-small etn-hint" }, "Ctrl-click or Space adds a trial")),
      this.others, this.curves.el, this.what, this.reason, this.actions.el,
      h("div", { class: "etn-tabs", role: "tablist" }, this.tabs), this.panel,
    );
  }

  #open(name) {
    this.#tab = name;
    this.#seen = "";
    this.update(this.theme, this.received);
  }

  update(theme, received) {
    Object.assign(this, { theme, received });
    this.curves.update(theme, received);
    const { data, selection } = this.board.version;
    const now = [data, selection, received, theme.dark, this.#tab].join();
    if (now === this.#seen) return;
    this.#seen = now;
    const looked = this.board.looked;
    const key = looked.at(-1) ?? null;
    const row = key && this.store.row(key);
    this.#want(looked);
    this.#showPicked(looked);
    this.#showWhat(row);
    this.#showPanel(row, key && this.store.detail(key));
  }

  /** Ask once for what the table does not know of a trial. */
  #want(keys) {
    // What can be done with a trial changes as it ends, and as its weights make room for better ones.
    const stamp = (key) => [key, this.store.row(key)?.state, this.store.row(key)?.has_weights].join();
    const missing = keys.filter((key) => !this.#asked.has(stamp(key)));
    if (!missing.length || !this.ask("look", { keys: missing })) return;
    for (const key of missing) this.#asked.add(stamp(key));
  }

  /** A kernel that is new, or a sweep that went on, tells everything anew. */
  forget() {
    this.#asked.clear();
    this.#seen = "";
  }

  #showPicked(keys) {
    const following = this.board.selected.length === 0;
    this.others.hidden = following || keys.length < 2;
    replace(this.others, keys.map((key, place) => {
      const row = this.store.row(key);
      const { colour } = ownLook(this.theme, place);
      const name = row.confirms === null ? `#${row.index}` : `#${row.confirms} seed ${row.seed}`;
      return h("span", { class: "etn-pick", style: { borderColor: colour } }, name,
        h("button", { type: "button", class: "etn-pick-off", "aria-label": `take ${name} away`, title: "take it away", onclick: () => this.board.select(key, true) }, "×"));
    }));
  }

  #showWhat(row) {
    if (!row) {
      replace(this.what, h("span", { class: "etn-small" }, "Click a trial in any view: its curve, its plan and its code appear here."));
      this.reason.hidden = true;
      return;
    }
    const { metric, best } = this.board.summary;
    const name = row.confirms === null ? `#${row.index}` : `#${row.confirms} again, seed ${row.seed}`;
    replace(
      this.what,
      h("strong", { class: "etn-detail-name" }, name),
      h("span", { class: "etn-word-state" }, stateIcon(row.state), row.state),
      row.score !== null && h("span", { class: "etn-number" }, `${metric} ${number(row.score)}`),
      row.key === best?.key && h("span", { class: "etn-is" }, this.board.summary.decided ? "◆ the winner" : "◆ best so far"),
      row.is_default && h("span", { class: "etn-small" }, "nearest to the defaults"),
      row.retry_of !== null && h("span", { class: "etn-small" }, `again for #${row.retry_of}`),
      row.seconds !== null && h("span", { class: "etn-small etn-number" }, clock(row.seconds)),
      h("span", { class: "etn-small etn-number" }, `seed ${row.seed}`),
      h("span", { class: "etn-small etn-number" }, row.steps_total ? `step ${row.steps_done}/${row.steps_total}` : ""),
    );
    this.reason.hidden = !row.reason;
    setText(this.reason, row.reason);
  }

  #showPanel(row, detail) {
    this.tabs.forEach((button, index) => {
      button.setAttribute("aria-selected", String(TABS[index] === this.#tab));
      button.setAttribute("aria-pressed", String(TABS[index] === this.#tab));
    });
    this.actions.el.hidden = !row;
    this.actions.show(row?.key ?? null, detail?.offers ?? null);
    this.panel.setAttribute("aria-label", this.#tab);
    if (!row) return replace(this.panel);
    if (!detail) return replace(this.panel, h("div", { class: "etn-small" }, this.ask() ? "reading the plan …" : "The plan and the code are read by the kernel, which is not here."));
    return replace(this.panel, { Differences: differences, Plan: plan, Code: code }[this.#tab](detail));
  }

  destroy() {
    this.curves.destroy();
  }
}

const table = (titles, lines) =>
  h("table", { class: "etn-recipe" }, h("thead", {}, h("tr", {}, titles.map((title) => h("th", { scope: "col" }, title)))), h("tbody", {}, lines));

function differences({ diff }) {
  if (!diff.length) return h("div", { class: "etn-small" }, "No difference: this trial tried the defaults, or what is nearest to them in the ranges.");
  return table(["setting", "default", "this trial"], diff.map(([name, usual, own]) =>
    h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "etn-value etn-number etn-usual" }, usual), h("td", { class: "etn-value etn-number" }, own))));
}

function plan({ settings }) {
  return table(["setting", "value", "source", "reason"], settings.map(([name, value, source, reason]) =>
    h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "etn-value etn-number" }, value), h("td", {}, h("span", { class: `etn-source etn-source-${source}` }, source)), h("td", { class: "etn-why" }, reason))));
}

function code({ code: source }) {
  const text = h("pre", { class: "etn-code", tabindex: 0, "data-testid": "trial-code" }, source);
  const copy = h("button", { class: "etn-button etn-copy", type: "button", "data-testid": "copy-code", onclick: () => copyText(source).then(() => setText(copy, "Copied")) }, "Copy");
  return h("div", { class: "etn-code-box" }, copy, text);
}
