// The legend: labels with their counts, a click isolates; or the scale of neighbour change with how
// many texts stand where.

import { h, replace } from "../shared/dom.js";
import { changeColour, toHex, unlabelledColour } from "./colours.js";

const ROWS_MAX = 500;

/**
 * @param {HTMLElement} node
 * @param {{data: object, colours: string[], isolated: Set<number>, dark: boolean,
 *   toggle: (code: number, add: boolean) => void, clear: () => void}} view
 */
export function labelLegend(node, { data, colours, isolated, dark, toggle, clear }) {
  const rows = data.labels.slice(0, ROWS_MAX).map(({ name, count }, code) =>
    h(
      "button",
      {
        type: "button",
        class: "etn-map-row",
        title: `${name}: click to show it alone, with Shift or Ctrl to add it`,
        "aria-pressed": isolated.has(code) ? "true" : "false",
        "data-code": code,
        onclick: (event) => toggle(code, event.shiftKey || event.ctrlKey || event.metaKey),
      },
      h("span", { class: "etn-map-swatch", style: { background: colours[code] } }),
      h("span", { class: "etn-map-name" }, name),
      h("span", { class: "etn-number etn-small" }, count.toLocaleString("en")),
    ),
  );
  const hidden = data.labels.length - rows.length;
  const unlabelled = data.n - data.labels.reduce((sum, label) => sum + label.count, 0);
  const keyboardRow = node.contains(document.activeElement) ? document.activeElement.dataset.code : undefined;
  const scrolled = node.querySelector(".etn-map-rows")?.scrollTop ?? 0;
  const list = h(
    "div",
    { class: "etn-map-rows" },
    rows,
    unlabelled > 0 &&
      h(
        "div",
        { class: "etn-map-row" },
        h("span", { class: "etn-map-swatch", style: { background: unlabelledColour(dark) } }),
        h("span", { class: "etn-map-name" }, "no label"),
        h("span", { class: "etn-number etn-small" }, unlabelled.toLocaleString("en")),
      ),
    hidden > 0 && h("div", { class: "etn-small" }, `and ${hidden} rarer labels, found by search`),
  );
  const count = `${data.labels.length} label${data.labels.length === 1 ? "" : "s"}`;
  replace(
    node,
    h(
      "div",
      { class: "etn-map-heading" },
      h("span", {}, isolated.size ? `${isolated.size} of ${count}` : count),
      isolated.size > 0
        ? h("button", { type: "button", class: "etn-map-link", onclick: clear }, "show all")
        : h("span", { class: "etn-small" }, "click = show alone"),
    ),
    list,
  );
  list.scrollTop = scrolled;
  if (keyboardRow !== undefined) node.querySelector(`[data-code="${keyboardRow}"]`)?.focus();
}

/** Texts by the number of neighbours they lost: index 0 = kept all, k = kept none. */
export function lostCounts(kept, k) {
  const counts = new Array(k + 1).fill(0);
  for (const share of kept) counts[Math.round((1 - share) * k)]++;
  return counts;
}

/** The scale of neighbour change: a bar a count of lost neighbours, as high as texts have it. */
export function changeLegend(node, { data, dark }) {
  const counts = lostCounts(data.kept, data.k);
  const most = Math.max(...counts, 1);
  const bars = counts.map((count, lost) =>
    h("span", {
      class: "etn-map-bar",
      title: `${count.toLocaleString("en")} of the texts lost ${lost} of ${data.k} neighbours`,
      style: { height: `${2 + 46 * (count / most)}px`, background: toHex(changeColour(lost / data.k, dark)) },
    }),
  );
  const ramp = [0, 0.2, 0.4, 0.6, 0.8, 1].map((share) => toHex(changeColour(share, dark))).join(", ");
  replace(
    node,
    h("div", { class: "etn-map-heading" }, h("span", {}, "neighbours changed")),
    h("div", { class: "etn-map-bars", role: "img", "aria-label": "Number of texts by neighbours lost" }, bars),
    h("div", { class: "etn-map-ramp", style: { background: `linear-gradient(to right, ${ramp})` } }),
    h("div", { class: "etn-map-ends etn-small" }, h("span", {}, "kept all"), h("span", {}, "kept none")),
  );
}
