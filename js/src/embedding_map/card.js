// The card beside the map: one text, its neighbours before and after, how far it went.

import { h, replace } from "../shared/dom.js";
import { UNLABELLED } from "./colours.js";
import { neighbours } from "./dataset.js";

const GLANCE = 5; // neighbours a side while only pointing; a kept text shows all
const ROLES = ["document", "query"];

function list(data, title, side, mine, others, mark, most) {
  const hidden = mine.length - most;
  return h(
    "section",
    { class: `etn-map-neighbours etn-map-${side}` },
    h("h4", {}, title),
    h(
      "ul",
      {},
      mine.slice(0, most).map((j) => {
        const changed = !others.has(j);
        return h(
          "li",
          { class: changed ? "etn-map-changed" : null, title: data.texts[j] },
          h("span", { class: "etn-map-mark", "aria-label": changed ? mark.word : "in both" }, changed ? mark.sign : "·"),
          h("span", { class: "etn-map-cut" }, data.texts[j]),
        );
      }),
      hidden > 0 && h("li", { class: "etn-small etn-map-more" }, `and ${hidden} more`),
    ),
  );
}

/** @param {number} i index of the point, -1 = none @param {boolean} pinned */
export function showCard(node, data, i, colours, pinned, unpin) {
  if (i < 0) {
    replace(
      node,
      h(
        "p",
        { class: "etn-small etn-map-hint" },
        "Point at a text to see its neighbours before and after. Click keeps it here.",
      ),
    );
    return;
  }
  const before = neighbours(data, "before", i);
  const after = neighbours(data, "after", i);
  const code = data.codes[i];
  const most = pinned ? Infinity : GLANCE;
  const kept = Math.round(data.kept[i] * data.k);
  replace(
    node,
    h(
      "div",
      { class: "etn-map-heading" },
      h(
        "span",
        { class: "etn-map-label" },
        code !== UNLABELLED && h("span", { class: "etn-map-swatch", style: { background: colours[code] } }),
        h("span", { class: "etn-map-name" }, code === UNLABELLED ? "no label" : data.labels[code].name),
        data.roles && h("span", { class: "etn-small" }, ROLES[data.roles[i]]),
      ),
      pinned &&
        h("button", { type: "button", class: "etn-map-link", title: "Let go of this text (Esc)", onclick: unpin }, "let go"),
    ),
    h("p", { class: "etn-map-text" }, data.texts[i]),
    h(
      "p",
      { class: "etn-map-figures etn-number" },
      `kept ${kept}/${data.k}`,
      h("span", { class: "etn-small" }, " neighbours · "),
      `moved ${data.moved[i].toFixed(1)}×`,
      h("span", { class: "etn-small" }, " noise"),
    ),
    list(data, "neighbours before", "before", before, new Set(after), { sign: "−", word: "only before" }, most),
    list(data, "neighbours after", "after", after, new Set(before), { sign: "+", word: "only after" }, most),
  );
}
