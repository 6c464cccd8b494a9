// Plan, Log, Code and what got worse, each behind a button; at most what is open takes room.
import { copyText, h, replace, setText } from "./dom.js";

const LOG_EVERY_MS = 2000;

export function folds({ askForLog, askForWorse, isFinal }) {
  const panels = {};
  const buttons = {};

  function fold(name, key, content, title = name) {
    const id = `etn-${name}-${Math.random().toString(36).slice(2)}`;
    panels[name] = h("section", { class: `etn-fold etn-fold-${name}`, id, hidden: true, "aria-label": title }, content);
    buttons[name] = h(
      "button",
      { class: "etn-button", type: "button", "aria-expanded": "false", "aria-controls": id, title: `${title} (${key})`, "data-testid": `fold-${name}`, onclick: () => toggle(name) },
      title, h("span", { class: "etn-caret", "aria-hidden": "true" }),
    );
  }

  const plan = h("div", { class: "etn-scroll" });
  const log = h("pre", { class: "etn-log", tabindex: 0, "data-testid": "log" }, "reading the log …");
  const code = h("pre", { class: "etn-code", tabindex: 0, "data-testid": "code" });
  const copy = h("button", { class: "etn-button etn-copy", type: "button", onclick: () => copyText(code.textContent).then(() => setText(copy, "Copied")) }, "Copy");
  fold("Plan", "P", plan);
  fold("Log", "L", log);
  fold("Code", "C", h("div", { class: "etn-code-box" }, copy, code));

  const worse = h("div", { role: "status" });
  const sayWorse = (text) => replace(worse, h("div", { class: "etn-small" }, text));
  let asking = false;
  fold("Worse", "W", worse, "What got worse");
  buttons.Worse.hidden = true;

  let timer;
  function followLog() {
    clearTimeout(timer);
    if (panels.Log.hidden || !panels.Log.isConnected) return;
    askForLog();
    if (!isFinal()) timer = setTimeout(followLog, LOG_EVERY_MS);
  }

  function toggle(name, open = panels[name].hidden) {
    if (buttons[name].hidden) return;
    panels[name].hidden = !open;
    buttons[name].setAttribute("aria-expanded", String(open));
    if (name === "Log") followLog();
    if (name === "Worse" && open && !asking) {
      asking = true;
      sayWorse("looking at every held-out row …");
      askForWorse();
    }
  }

  return {
    buttons: Object.values(buttons),
    el: h("div", { class: "etn-folds" }, Object.values(panels)),
    toggle,
    close: () => clearTimeout(timer),
    showLog(text) {
      const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 30;
      setText(log, text || "the log is empty");
      if (atEnd) log.scrollTop = log.scrollHeight;
    },
    offerWorse(offered) {
      buttons.Worse.hidden = !offered;
    },
    showWorse(table) {
      asking = true;
      replace(worse, table);
    },
    failWorse(problem) {
      asking = false; // opened again, it asks again
      sayWorse(problem);
    },
    showRecipe({ settings = [], advice = [], code: source = "" }) {
      setText(code, source || "this job recorded no code");
      setText(copy, "Copy");
      replace(
        plan,
        h(
          "table",
          { class: "etn-recipe", "data-testid": "plan" },
          h("thead", {}, h("tr", {}, ["setting", "value", "source", "reason"].map((title) => h("th", { scope: "col" }, title)))),
          h("tbody", {}, settings.map(([name, value, origin, reason]) =>
            h("tr", {},
              h("th", { scope: "row" }, name),
              h("td", { class: "etn-number etn-value" }, value),
              h("td", {}, h("span", { class: `etn-source etn-source-${origin}` }, origin)),
              h("td", { class: "etn-why" }, reason)))),
        ),
        advice.length > 0 && h("ul", { class: "etn-advice etn-small" }, advice.map((text) => h("li", {}, text))),
      );
    },
  };
}
