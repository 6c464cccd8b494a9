// What got worse: a table to sort, search and tick; a row unfolds what displaced its right answer.
import { follow } from "../shared/channel.js";
import { h, replace, setText } from "../shared/dom.js";
import { COLUMNS, matches, order } from "./order.js";

const PAGE = 25;
const figure = (value) => (Number.isFinite(value) ? value.toFixed(3) : "–");
const rankMove = (row) => (row.rank_after === null ? "–" : `${row.rank_before} → ${row.rank_after}`);

function render({ model, el }) {
  const state = { column: "worse_by", down: true, causes: new Set(), search: "", shown: PAGE, open: new Set() };
  const summary = h("div", { class: "etn-reg-summary" });
  const chips = h("div", { class: "etn-reg-chips", role: "group", "aria-label": "likely causes" });
  const advice = h("div", { class: "etn-small", "aria-live": "polite" });
  const search = h("input", {
    type: "search", class: "etn-reg-search", placeholder: "search texts", "aria-label": "search texts",
    oninput: () => {
      state.search = search.value;
      state.shown = PAGE;
      drawBody();
    },
  });
  const headRow = h("tr", {});
  const body = h("tbody", {});
  const table = h("table", { class: "etn-reg-table" }, h("thead", {}, headRow), body);
  const more = h("button", { class: "etn-button", type: "button", onclick: () => {
    state.shown += PAGE;
    drawBody();
  } });
  const ticked = h("span", { class: "etn-small", role: "status" });
  const notes = h("div", { class: "etn-small" });
  const tools = h("div", { class: "etn-reg-tools" }, chips, search);
  const foot = h("div", { class: "etn-reg-foot" }, more, ticked);
  const root = h(
    "div",
    { class: "etn-root etn-card etn-regressions", role: "region", "aria-label": "what got worse", "data-lm-suppress-shortcuts": "true", "data-testid": "regressions" },
    summary, tools, advice, table, foot, notes,
  );

  const titles = () => ({
    text: "text", before: "before", after: "after", worse_by: "worse by",
    ...(model.get("head").ranked ? { rank: "rank" } : {}),
    displaced_by: "displaced by", cause: "likely cause",
  });

  function sortBy(column) {
    state.down = state.column === column ? !state.down : COLUMNS[column].down;
    state.column = column;
    drawHead();
    drawBody();
    headRow.querySelector(`[data-column=${column}] button`).focus();
  }

  function drawHead() {
    replace(headRow, h("th", { scope: "col", class: "etn-reg-tick" }, h("span", { class: "etn-hidden" }, "tick")),
      Object.entries(titles()).map(([column, title]) => {
        const sorted = state.column === column;
        return h(
          "th",
          { scope: "col", "data-column": column, class: `etn-reg-${column}`, "aria-sort": sorted ? (state.down ? "descending" : "ascending") : null },
          h("button", { type: "button", class: "etn-reg-sort", onclick: () => sortBy(column), title: `sort by ${title}` },
            title, h("span", { "aria-hidden": "true" }, sorted ? (state.down ? " ↓" : " ↑") : "")),
        );
      }));
  }

  function tick(place, on) {
    const selected = model.get("selected").filter((other) => other !== place);
    model.set("selected", on ? [...selected, place] : selected);
    model.save_changes();
  }

  function story(place, row) {
    const facts = [["text", row.text], ["right answer", row.answer], ["displaced by", row.displaced_by], ["predicted", row.said_after && `${row.said_before} → ${row.said_after}`], ["likely cause", [row.cause, row.why].filter(Boolean).join(". ")]];
    return h("tr", { class: "etn-reg-story", id: `${id}-${place}` },
      h("td", { colspan: Object.keys(titles()).length + 1 },
        h("dl", {}, facts.filter(([, text]) => text).flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]))));
  }

  function rowOf(place, row) {
    const open = state.open.has(place);
    const toggle = () => {
      if (open) state.open.delete(place);
      else state.open.add(place);
      drawBody();
      body.querySelector(`[data-place="${place}"] .etn-reg-open`).focus();
    };
    const box = h("input", { type: "checkbox", "aria-label": `tick ${row.text.slice(0, 60)}`, onchange: () => tick(place, box.checked) });
    box.checked = model.get("selected").includes(place);
    const cells = {
      text: h("button", { type: "button", class: "etn-reg-open", "aria-expanded": String(open), "aria-controls": `${id}-${place}`, onclick: toggle }, row.text),
      before: figure(row.before), after: figure(row.after), worse_by: figure(row.worse_by),
      rank: rankMove(row), displaced_by: h("div", { class: "etn-reg-clamp" }, row.displaced_by || "–"), cause: row.cause,
    };
    return [
      h("tr", { "data-place": place }, h("td", { class: "etn-reg-tick" }, box),
        Object.keys(titles()).map((column) => h("td", { class: `etn-reg-${column}` }, cells[column]))),
      open ? story(place, row) : null,
    ];
  }

  function drawBody() {
    const rows = model.get("rows");
    const places = order(rows, state).filter((place) => matches(rows[place], state));
    replace(body, places.slice(0, state.shown).flatMap((place) => rowOf(place, rows[place])));
    if (!places.length && rows.length) replace(body, h("tr", {}, h("td", { colspan: Object.keys(titles()).length + 1 }, "no row matches")));
    const left = places.length - state.shown;
    more.hidden = left <= 0;
    setText(more, `Show ${Math.min(left, PAGE)} more of ${left}`);
  }

  function drawChips() {
    replace(chips, model.get("head").causes.map(({ cause, count }) =>
      h("button", {
        type: "button", class: "etn-button", "aria-pressed": String(state.causes.has(cause)),
        onclick: (event) => {
          if (!state.causes.delete(cause)) state.causes.add(cause);
          state.shown = PAGE;
          event.currentTarget.setAttribute("aria-pressed", String(state.causes.has(cause)));
          drawAdvice();
          drawBody();
        },
      }, `${cause} ${count}`)));
    drawAdvice();
  }

  function drawAdvice() {
    replace(advice, model.get("head").causes.filter(({ cause }) => state.causes.has(cause)).map(({ cause, advice: text }) => h("div", {}, `${cause}: ${text}`)));
  }

  function drawTicked() {
    const count = model.get("selected").length;
    setText(ticked, count ? `${count} ticked: ${model.get("head").ways.map((way) => `.selected.${way}`).join(", ")}` : "tick rows to go on with .selected");
    for (const line of body.querySelectorAll("tr[data-place]")) line.querySelector("input").checked = model.get("selected").includes(Number(line.dataset.place));
  }

  const id = `etn-reg-${Math.random().toString(36).slice(2)}`;
  replace(el, root);
  const endings = [
    follow(model, "head", (head) => {
      setText(summary, head.summary);
      replace(notes, head.notes.map((note) => h("div", {}, note)));
      drawChips();
      drawHead();
    }),
    follow(model, "rows", (rows) => {
      const none = !rows.length;
      for (const part of [tools, advice, table, foot]) part.hidden = none;
      drawBody();
    }),
    follow(model, "selected", drawTicked),
  ];
  return () => endings.forEach((end) => end());
}

export default { render };
