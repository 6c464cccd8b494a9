// All trials as a table: only the lines in sight are in the page, however many there are.
import { h, onWidth, replace, setText } from "../shared/dom.js";
import { stateIcon } from "../shared/icons.js";
import { cellText, columnsFor, template } from "./columns.js";
import { ownLook } from "./colours.js";
import { columnOf, heldIn, ordered, withConfirmations } from "./order.js";
import { drawSpark, sparkline, sparkRange } from "./spark.js";
import { counted, rankText, sharedRanks, story } from "./words.js";

const LINE = 28;
const LINES_MAX = 11;
const MARGIN = 3;

export class TrialTable {
  #sort = { column: "score", down: null }; // null: what is better comes first
  #lines = [];
  #pool = [];
  #columns = [];
  #width = 0;
  #seen = { list: "", look: "", rule: "" };

  constructor(board) {
    this.board = board;
    this.id = `etn-${Math.random().toString(36).slice(2)}`;
    this.chips = h("span", { class: "etn-chips", role: "group", "aria-label": "states that are shown" });
    this.search = h("input", {
      type: "search", class: "etn-find", placeholder: "search (/)", "aria-label": "search trials", "data-testid": "search-trials",
      oninput: () => board.searchFor(this.search.value),
    });
    this.head = h("div", { class: "etn-line etn-line-head", role: "row" });
    this.body = h("div", { class: "etn-lines", role: "rowgroup" });
    this.scroller = h("div", {
      class: "etn-scroller", tabindex: 0, role: "grid", "aria-label": "trials: arrow keys walk, Enter selects, Space adds", "aria-multiselectable": "true", "data-testid": "trial-table",
      onscroll: () => this.#fill(), onkeydown: (event) => this.#key(event), onpointerleave: () => this.#release(),
    }, this.head, this.body);
    this.none = h("div", { class: "etn-none etn-small", hidden: true });
    this.el = h("section", { class: "etn-view", "aria-label": "trials" }, h("h3", {}, "trials", this.chips, h("span", { class: "etn-push" }, this.search)), this.scroller, this.none);
    this.stop = onWidth(this.scroller, (width) => {
      this.#width = width;
      this.#seen.list = this.#seen.look = "";
      if (this.theme) this.update(this.theme);
    });
  }

  update(theme) {
    this.theme = theme;
    if (!this.#width) return;
    const { data, filter, selection, pointer } = this.board.version;
    this.#sort.down ??= this.board.summary.higher_is_better;
    const rule = [filter, this.#sort.column, this.#sort.down].join();
    const list = [data, rule].join();
    const look = [list, selection, pointer, theme.dark].join();
    // news of a running sweep move no line from under the pointer that is about to click it
    if (list !== this.#seen.list) this.#arrange(rule === this.#seen.rule && this.body.matches(":hover"));
    if (look !== this.#seen.look) this.#fill();
    Object.assign(this.#seen, { list, look, rule });
  }

  /** Let the lines find their places again: the pointer has left them. */
  #release() {
    this.#seen.list = this.#seen.look = "";
    if (this.theme) this.update(this.theme);
    this.board.point(null);
  }

  sortBy(column) {
    const same = this.#sort.column === column;
    this.#sort = { column, down: same ? !this.#sort.down : columnOf(column, this.board.summary).down };
    this.update(this.theme);
    this.head.querySelector(`[data-column="${CSS.escape(column)}"]`)?.focus();
  }

  #arrange(held) {
    const { board } = this;
    const shown = board.rows.filter((row) => board.shown.has(row.key));
    const lines = withConfirmations(ordered(shown, this.#sort, board.summary), board.confirmations);
    this.#lines = held ? heldIn(this.#lines, lines) : lines;
    this.shared = sharedRanks(board.rows);
    this.range = sparkRange(board.rows);
    const columns = columnsFor(board.summary, this.#width);
    if (JSON.stringify(columns) !== JSON.stringify(this.#columns)) {
      this.#columns = columns;
      this.scroller.style.setProperty("--etn-columns", template(columns));
      this.#pool = [];
      replace(this.body);
    }
    this.#drawHead();
    this.#drawChips();
    this.scroller.setAttribute("aria-rowcount", this.#lines.length + 1);
    this.scroller.style.height = `${LINE * (Math.min(LINES_MAX, Math.max(3, this.#lines.length)) + 1) + 2}px`;
    this.body.style.height = `${LINE * this.#lines.length}px`;
    this.none.hidden = this.#lines.length > 0;
    setText(this.none, board.rows.length ? "No trial passes the filters. Escape clears them." : "The first trial has not begun yet.");
    if (this.search.value.trim() !== board.search) this.search.value = board.search;
  }

  #drawHead() {
    const { column, down } = this.#sort;
    const state = [this.#columns.map(({ title }) => title), column, down].join("\n");
    if (this.headState === state) return;
    this.headState = state;
    replace(this.head, this.#columns.map(({ name, title, tip }) => {
      const sorted = name === column;
      const text = h("span", { class: "etn-head-text" }, title);
      if (name === "spark") return h("span", { role: "columnheader", class: "etn-cell etn-of-spark", title: tip }, text);
      return h("button", {
        type: "button", role: "columnheader", class: `etn-cell etn-of-${kindOf(name)}`, title: `${tip} (click to sort)`, "data-column": name,
        "aria-sort": sorted ? (down ? "descending" : "ascending") : "none", onclick: () => this.sortBy(name),
      }, text, h("span", { "aria-hidden": "true" }, sorted ? (down ? "↓" : "↑") : ""));
    }));
  }

  #drawChips() {
    const { board } = this;
    const counts = [...counted(board.rows)];
    const state = JSON.stringify([counts, [...board.hidden]]);
    if (this.chipState === state) return;
    this.chipState = state;
    replace(this.chips, counts.map(([name, count]) =>
      h("button", {
        type: "button", class: "etn-button etn-chip", "aria-pressed": String(!board.hidden.has(name)), title: `show or hide trials that are ${name}`, "data-testid": `chip-${name}`,
        onclick: () => board.toggleState(name),
      }, stateIcon(name), `${name} ${count}`)));
  }

  /** Write the lines in sight. */
  #fill() {
    const { scroller, board } = this;
    const first = Math.max(0, Math.floor(scroller.scrollTop / LINE) - MARGIN);
    const last = Math.min(this.#lines.length, first + LINES_MAX + 2 * MARGIN + 1);
    while (this.#pool.length < last - first) this.#pool.push(this.#newLine());
    const own = new Map(board.selected.map((key, place) => [key, ownLook(this.theme, place).colour]));
    this.#pool.forEach((line, index) => {
      const row = this.#lines[first + index];
      line.el.hidden = first + index >= last;
      if (!line.el.hidden) this.#write(line, row, first + index, own.get(row.key));
    });
    const pointed = this.#lines.findIndex((row) => row.key === board.pointed);
    if (pointed >= first && pointed < last) scroller.setAttribute("aria-activedescendant", `${this.id}-${pointed}`);
    else scroller.removeAttribute("aria-activedescendant");
  }

  #newLine() {
    const line = { key: null, icon: h("span", { class: "etn-state-icon" }), word: h("span", { class: "etn-head-text" }), spark: sparkline(), row: null };
    line.cells = this.#columns.map(({ name }) => {
      const inside = { state: [line.icon, line.word], spark: [line.spark] }[name] ?? [];
      return h("span", { role: "gridcell", class: `etn-cell etn-of-${kindOf(name)}` }, inside);
    });
    line.el = h("div", {
      class: "etn-line", role: "row",
      onpointerenter: () => this.board.point(line.key),
      onclick: (event) => this.board.select(line.key, event.ctrlKey || event.metaKey || event.shiftKey),
    }, line.cells);
    this.body.append(line.el);
    return line;
  }

  #write(line, row, place, colour) {
    const { board } = this;
    const { el } = line;
    el.style.transform = `translateY(${place * LINE}px)`;
    el.style.setProperty("--etn-own", colour ?? "transparent");
    el.setAttribute("aria-selected", String(colour !== undefined));
    el.classList.toggle("etn-pointed", row.key === board.pointed);
    if (line.row === row && line.seen === `${this.#seen.list}${place}${board.version.data}`) return;
    line.seen = `${this.#seen.list}${place}${board.version.data}`;
    Object.assign(line, { row, key: row.key });
    el.id = `${this.id}-${place}`;
    el.setAttribute("aria-rowindex", place + 2);
    el.setAttribute("aria-label", story(row, board.summary).join(", "));
    el.dataset.key = row.key;
    el.dataset.state = row.state;
    el.classList.toggle("etn-confirms", row.confirms !== null);
    if (line.state !== row.state) {
      line.state = row.state;
      replace(line.icon, stateIcon(row.state));
    }
    const told = row.confirms !== null && row.state === "done" ? "confirms" : row.state;
    setText(line.word, told);
    el.title = row.reason;
    this.#columns.forEach(({ name }, index) => {
      const cell = line.cells[index];
      if (name === "spark") drawSpark(line.spark, row.spark, ...this.range);
      else if (name === "rank") setText(cell, rankText(row, this.shared));
      else if (name !== "state") setText(cell, cellText(name, row, board.summary));
      if (name.startsWith("=")) cell.title = cell.textContent;
      if (name === "index") cell.classList.toggle("etn-default", row.is_default);
    });
  }

  #key(event) {
    if (event.target !== this.scroller) return;
    const { board } = this;
    const step = { ArrowUp: -1, ArrowDown: 1, PageUp: -LINES_MAX, PageDown: LINES_MAX, Home: -Infinity, End: Infinity }[event.key];
    if (step !== undefined && this.#lines.length) {
      const at = this.#lines.findIndex((row) => row.key === board.pointed);
      const place = Math.max(0, Math.min(this.#lines.length - 1, at < 0 ? 0 : at + step));
      this.#reveal(place);
      board.point(this.#lines[place].key);
    } else if ((event.key === "Enter" || event.key === " ") && board.pointed !== null) board.select(board.pointed, event.key === " ");
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #reveal(place) {
    const { scroller } = this;
    const [top, height] = [place * LINE, scroller.clientHeight - LINE];
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + LINE > scroller.scrollTop + height) scroller.scrollTop = top + LINE - height;
  }

  destroy() {
    this.stop();
  }
}

const kindOf = (name) => (name.startsWith("=") ? "dimension" : name);
