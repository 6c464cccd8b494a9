// A sweep, live: history, parallel coordinates, table, curves, slices and importance over one selection.
import { follow, listen, listenToLife } from "../shared/channel.js";
import { h, onThemeChange, replace, setText } from "../shared/dom.js";
import { copyable } from "../shared/facts.js";
import { folds as planAndLog } from "../shared/folds.js";
import { Kernel } from "../shared/kernel.js";
import { Board } from "./board.js";
import { readTheme } from "./colours.js";
import { Detail } from "./detail.js";
import { fold } from "./fold.js";
import { Header } from "./header.js";
import { History } from "./history.js";
import { Importance } from "./importance.js";
import { Parallel } from "./parallel.js";
import { Slices } from "./slices.js";
import { TrialStore } from "./store.js";
import { TrialTable } from "./table.js";
import { Tooltip } from "./tooltip.js";

// With more axes than this the parallel coordinates take the whole width.
const AXES_BESIDE = 7;

// The kernel calls this once for each model: all its views share one store.
export default function trialBrowser() {
  const kernel = new Kernel();
  let heard = false;
  // A saved notebook restores the control too: that a kernel listens is known once it has said something.
  const deserted = new Set();
  const ask = (command, values) => {
    if (command && heard && !kernel.send(command, values)) {
      heard = false;
      for (const told of deserted) told();
    }
    return heard;
  };
  const store = new TrialStore(() => kernel.askAnew());

  return {
    initialize: ({ model }) => {
      const kept = model.get("rows");
      if (kept.length) store.takeRows({ rows: kept, count: kept.length, whole: true });
      return listen(model, {
        rows: (message) => {
          heard = true;
          store.takeRows(message);
        },
        curves: (message, buffers) => store.takeCurves(message, buffers),
        detail: (message) => store.takeDetail(message),
      });
    },
    render: ({ model, el }) => render({ model, el, store, ask, kernel, deserted }),
  };
}

function render({ model, el, store, ask, kernel, deserted }) {
  const board = new Board();
  const tooltip = new Tooltip();
  const planFolds = planAndLog({ askForLog: () => ask("log"), isFinal: () => model.get("summary").final });
  const head = new Header(ask, () => planFolds.toggle("Log", true));
  const views = { history: new History(board, tooltip), parallel: new Parallel(board, tooltip), table: new TrialTable(board) };
  const detail = new Detail(board, store, ask);
  const importance = new Importance();
  const slices = new Slices(board, tooltip);
  const folds = [
    fold("importance", "I", importance.el, () => {
      ask("importance");
      schedule();
    }),
    fold("slices", "S", slices.el, () => schedule()),
  ];
  const error = h("div", { class: "etn-error", role: "alert", hidden: true });
  const noKernel = h("div", { class: "etn-error", role: "alert", hidden: true, "data-testid": "no-kernel" });
  const showNoKernel = () => {
    noKernel.hidden = false;
    replace(noKernel, "The kernel that showed this was restarted: nothing here moves or answers any more. A new cell shows the sweep again: ", copyable(`import embedtune_nb as et; et.Job.open("${model.get("summary").id}")`));
  };
  const root = h(
    "div",
    { class: "etn-root etn-trials etn-live etn-card", tabindex: -1, role: "region", "aria-label": "trials of a sweep", "data-lm-suppress-shortcuts": "true", "data-testid": "trial-browser" },
    noKernel, head.el, error,
    h("div", { class: "etn-trials-top" }, views.history.el, views.parallel.el),
    h("div", { class: "etn-trials-main" },
      h("div", { class: "etn-trials-left" }, views.table.el, h("div", { class: "etn-options" }, folds.map(({ button }) => button), h("span", { class: "etn-fold-buttons" }, planFolds.buttons)), folds.map(({ el: panel }) => panel), planFolds.el),
      detail.el),
    tooltip.el,
  );
  replace(el, root);

  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches("input, textarea, select, pre");
    if (typing && event.key !== "Escape") return;
    const keys = {
      i: () => folds[0].toggle(),
      s: () => folds[1].toggle(),
      p: () => planFolds.toggle("Plan"),
      l: () => planFolds.toggle("Log"),
      c: () => planFolds.toggle("Code"),
      "/": () => views.table.search.focus(),
      b: () => board.summary.best && board.select(board.summary.best.key),
      escape: () => (board.isFiltered ? board.clearFilters() : board.select(null)),
    };
    const action = keys[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  });

  let [theme, frame, received, stale] = [null, 0, 0, true];
  function draw() {
    frame = 0;
    if (!root.isConnected) return; // colours and widths are known once it stands in the page
    theme ??= readTheme(root);
    if (ask() && !("live" in root.dataset)) {
      root.dataset.live = "";
      head.more.el.hidden = false;
      detail.forget();
    }
    const summary = model.get("summary");
    root.dataset.state = summary.state;
    if (stale) {
      stale = false;
      board.load(summary, store.trials, store.confirmations);
    }
    head.update(summary);
    for (const view of Object.values(views)) view.update(theme);
    detail.update(theme, received);
    importance.update(model.get("importance"));
    slices.update(theme);
    root.classList.toggle("etn-many-axes", board.axes.length > AXES_BESIDE);
    root.dataset.passing = board.shown.size;
    root.dataset.selected = board.selected.join(" ");
  }
  const schedule = () => (frame ||= requestAnimationFrame(draw));
  const news = () => {
    stale = true;
    schedule();
  };

  const placed = new ResizeObserver(() => {
    theme = null;
    schedule();
  });
  placed.observe(root);
  const endings = [
    () => placed.disconnect(),
    store.subscribe(() => {
      received++;
      news();
    }),
    board.subscribe(schedule),
    follow(model, "summary", news),
    follow(model, "importance", () => schedule()),
    follow(model, "recipe", (recipe) => {
      planFolds.showRecipe(recipe);
    }),
    follow(model, "error", (text) => {
      error.hidden = !text;
      setText(error, text);
    }),
    listen(model, {
      log: ({ text }) => planFolds.showLog(text),
      told: (message) => detail.actions.tell(message),
      started: () => detail.forget(),
    }),
    onThemeChange(() => {
      theme = null;
      schedule();
    }),
    listenToLife(model, () => ask("snapshot")),
    () => deserted.delete(showNoKernel),
    () => planFolds.close(),
    () => cancelAnimationFrame(frame),
    () => [...Object.values(views), detail, slices].forEach((view) => view.destroy()),
  ];
  deserted.add(showNoKernel);
  draw();

  kernel.connect(model).then(async (control) => {
    if (!control) return;
    const view = await model.widget_manager.create_view(control);
    head.control.replaceChildren(view.el);
    endings.push(() => view.remove());
  });

  return () => endings.forEach((end) => end());
}
