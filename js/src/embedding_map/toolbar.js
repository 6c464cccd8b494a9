// The row above the map: slider, play, colour, search, reset.

import { h } from "../shared/dom.js";

/**
 * @param {{scrub(t: number), play(), colourBy(by: string), search(query: string), reset()}} view
 * @param {string} uid makes ids unique where several maps share a page
 */
export function toolbar(view, uid) {
  const slider = h("input", {
    type: "range",
    class: "etn-map-slider",
    min: 0,
    max: 1,
    step: 0.005,
    value: 0,
    "aria-label": "From before to after",
    oninput: (event) => view.scrub(Number(event.target.value)),
  });
  const play = h(
    "button",
    { type: "button", class: "etn-button etn-map-icon", title: "Play (Space)", "aria-label": "Play", onclick: () => view.play() },
    "▶",
  );
  const colour = h(
    "select",
    { id: `${uid}-colour`, class: "etn-map-input", onchange: (event) => view.colourBy(event.target.value) },
    h("option", { value: "label" }, "label"),
    h("option", { value: "change" }, "neighbour change"),
  );
  const search = h("input", {
    type: "search",
    class: "etn-map-input etn-map-search",
    placeholder: "search texts",
    "aria-label": "Search texts",
    title: "Dims the texts that do not hold every word (/)",
    oninput: (event) => view.search(event.target.value),
  });
  const found = h("span", { class: "etn-small etn-number etn-map-found", role: "status" });
  const reset = h(
    "button",
    { type: "button", class: "etn-button", title: "Show everything again (0)", onclick: () => view.reset() },
    "reset",
  );
  const node = h(
    "div",
    { class: "etn-map-toolbar" },
    h(
      "div",
      { class: "etn-map-morph" },
      h("span", { class: "etn-map-end etn-map-before" }, "before"),
      slider,
      h("span", { class: "etn-map-end etn-map-after" }, "after"),
      play,
    ),
    h("div", { class: "etn-map-group" }, h("label", { for: `${uid}-colour` }, "colour"), colour),
    h("div", { class: "etn-map-group etn-map-seek" }, search, found),
    reset,
  );
  return { node, slider, play, colour, search, found };
}
