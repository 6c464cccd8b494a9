// A training job, live: what it does now, its curves, its plan, log and code, and its answer.
import { follow, listen, resolveModel } from "../shared/channel.js";
import { h, onThemeChange, replace, setText } from "../shared/dom.js";
import { folds } from "../shared/folds.js";
import { Kernel } from "../shared/kernel.js";
import { header } from "./header.js";
import { optionRow } from "./options.js";
import { Plot } from "./plot.js";
import { RunStore } from "./store.js";

// The kernel calls this once for each model: all its views share one store.
export default function monitor() {
  const kernel = new Kernel();
  const store = new RunStore(() => kernel.askAnew());

  return {
    initialize: ({ model }) => {
      const receive = (message, buffers) => store.receive(message, buffers);
      return listen(model, { append: receive, snapshot: receive });
    },
    render: ({ model, el }) => render({ model, el, store, kernel }),
  };
}

// The metric that decides is not always the one that is measured on the way.
function defaultMetrics({ primary, best }, names) {
  const measured = names.filter((name) => name.startsWith("eval/"));
  const shown = measured.includes(primary) || !measured.length ? primary : [best?.name, measured[0]].find((name) => names.includes(name));
  return ["train/loss", ...(shown ? [shown] : [])];
}

function render({ model, el, store, kernel }) {
  const ask = (command) => kernel.send(command);
  const options = { smoothing: 0.8, axis: "step", log: false, metrics: null };
  const syncKey = `etn-${Math.random().toString(36).slice(2)}`;
  const plots = new Map();
  let shown = [];
  let frame = 0;

  const fold = folds({ askForLog: () => ask("log"), askForWorse: () => ask("regressions"), isFinal: () => model.get("summary").final });
  const head = header(() => fold.toggle("Log", true));
  const row = optionRow(options, () => schedule());
  const charts = h("div", { class: "etn-charts" });
  const error = h("div", { class: "etn-error", role: "alert", hidden: true });
  const root = h(
    "div",
    { class: "etn-root etn-monitor etn-live etn-card", tabindex: -1, role: "region", "aria-label": "training job", "data-lm-suppress-shortcuts": "true", "data-testid": "monitor" },
    head.el, error, charts, h("div", { class: "etn-options" }, row.el, h("span", { class: "etn-fold-buttons" }, fold.buttons)), fold.el,
  );
  root.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input[type=text], input[type=search], textarea, pre");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = { ...row.keys, p: () => fold.toggle("Plan"), l: () => fold.toggle("Log"), c: () => fold.toggle("Code"), w: () => fold.toggle("Worse") };
    const action = keys[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  });
  replace(el, root);

  function arrangePlots() {
    for (const [name, plot] of plots) {
      if (!shown.includes(name)) {
        plot.destroy();
        plot.el.remove();
        plots.delete(name);
      }
    }
    for (const name of shown) {
      if (plots.has(name)) continue;
      plots.set(name, new Plot(name, { store, options, syncKey }));
      charts.append(plots.get(name).el);
    }
  }

  let menuNames = "";
  function draw() {
    frame = 0;
    const summary = model.get("summary");
    root.dataset.state = summary.state;
    head.update(summary, model.get("recipe"), model.get("log_tail"));
    fold.offerWorse(summary.kind === "finetune" && summary.state === "done" && summary.verdict?.losses > 0);
    const standard = defaultMetrics(summary, store.names);
    shown = options.metrics ?? standard;
    const names = [...new Set([...standard, ...store.names])];
    if (menuNames !== [...names, ...shown].join()) {
      menuNames = [...names, ...shown].join();
      row.showMetrics(names, shown);
    }
    // an evaluation, a map or a merge takes no steps
    const stepless = summary.kind !== "finetune" && !store.names.length;
    for (const part of [charts, ...row.el]) part.hidden = stepless;
    arrangePlots();
    for (const plot of plots.values()) plot.update(summary);
  }
  const schedule = () => (frame ||= requestAnimationFrame(draw));

  const endings = [
    store.subscribe(schedule),
    follow(model, "summary", schedule),
    follow(model, "recipe", (recipe) => {
      fold.showRecipe(recipe);
      schedule();
    }),
    follow(model, "log_tail", (text) => {
      if (text) fold.showLog(text);
      schedule();
    }),
    follow(model, "error", (text) => {
      error.hidden = !text;
      setText(error, text);
    }),
    follow(model, "regressions", async (reference) => {
      const table = await resolveModel(model, reference);
      if (!table) return;
      const view = await model.widget_manager.create_view(table);
      fold.showWorse(view.el);
      endings.push(() => view.remove());
    }),
    follow(model, "regressions_problem", (text) => {
      if (text) fold.failWorse(text);
    }),
    listen(model, { log: ({ text }) => fold.showLog(text) }),
    onThemeChange(() => requestAnimationFrame(() => plots.forEach((plot) => plot.redraw()))),
    () => fold.close(),
    () => cancelAnimationFrame(frame),
    () => plots.forEach((plot) => plot.destroy()),
  ];
  draw();

  kernel.connect(model).then(async (control) => {
    if (!control) return;
    root.dataset.live = "";
    const view = await model.widget_manager.create_view(control);
    head.control.replaceChildren(view.el);
    endings.push(() => view.remove());
  });

  return () => endings.forEach((end) => end());
}
