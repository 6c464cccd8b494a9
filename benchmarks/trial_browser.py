"""What browsing a sweep costs: frames of the page while somebody brushes, CPU of the thread that feeds it.

The page is the committed bundle in a headless Chromium, with a made-up sweep of as many trials as asked for.
`draw` is the time that our code takes in one frame, `frame` the time from one frame to the next, `cpu` what
all processes of the browser spend on a frame, which a busy machine does not stretch; without a graphics card
the browser paints in software, which `frame` and `cpu` include.

    python benchmarks/trial_browser.py --trials 9 100 500
"""

from __future__ import annotations

import argparse
import base64
import json
import math
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "embedtune_nb" / "static"
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

PAGE = """<!doctype html><style>{css}</style><body><div id="out"></div><script type="module">
import widget from "data:text/javascript;base64,{js}";
class Model {{
  constructor(state) {{ this.state = state; this.heard = {{}}; }}
  get(name) {{ return this.state[name]; }}
  on(name, call) {{ (this.heard[name] ??= []).push(call); }}
  off() {{}}
  send(message) {{ if (message.command === "snapshot") setTimeout(() => model.tell(data.rows, true)); }}
  tell(rows, whole) {{ for (const call of this.heard["msg:custom"] ?? [])
    call({{ type: "rows", rows, count: data.rows.length, whole }}, []); }}
}}
const data = {data};
const control = new Model({{}});
const rest = {{ recipe: {{}}, importance: null, error: "", control: "IPY_MODEL_control" }};
window.model = new Model({{ ...data, ...rest }});
model.widget_manager = {{ get_model: async () => control,
  create_view: async () => ({{ el: document.createElement("span"), remove() {{}} }}) }};
const made = widget();
made.initialize({{ model }});
made.render({{ model, el: document.getElementById("out") }});
</script></body>"""

MEASURE = """async (what) => {
  const ask = window.requestAnimationFrame;
  const [draws, gaps] = [[], []];
  window.requestAnimationFrame = (call) => ask((at) => {
    const start = performance.now();
    call(at);
    draws.push(performance.now() - start);
  });
  const track = document.querySelector("[data-testid='axis-learning_rate']");
  track.setPointerCapture = () => {};
  const { left, bottom } = track.getBoundingClientRect();
  const fire = (type, y) => track.dispatchEvent(new PointerEvent(type,
    { bubbles: true, clientX: left + 14, clientY: y, pointerId: 1, button: 0, buttons: 1 }));
  const running = model.get("rows").at(-1);
  let last = null;
  if (what === "brush") fire("pointerdown", bottom - 5);
  for (let i = 0; i < 60; i++) {
    if (what === "brush") fire("pointermove", bottom - 10 - 3 * i);
    else model.tell([{ ...running, score: 0.5 + i / 500, steps_done: i }], false);
    const now = await new Promise((call) => ask(call));
    if (last !== null) gaps.push(now - last);
    last = now;
  }
  if (what === "brush") fire("pointerup", bottom - 190);
  window.requestAnimationFrame = ask;
  const at = (values, share) => [...values].sort((a, b) => a - b)[Math.floor(share * (values.length - 1))];
  return [at(draws, 0.5), at(draws, 0.95), at(gaps, 0.5), at(gaps, 0.95)];
}"""


def made_up(count: int) -> dict[str, Any]:
    """Return summary and rows of a sweep of *count* trials, the last still running."""
    draw = random.Random(1)
    axes: list[dict[str, Any]] = [
        {"name": "learning_rate", "kind": "float", "low": 1e-5, "high": 1e-3, "log": True},
        {"name": "loss", "kind": "choice", "choices": ["contrastive", "proxy", "triplet"]},
        {"name": "batch_size", "kind": "choice", "choices": [16, 32, 64, 128]},
        {"name": "epochs", "kind": "int", "low": 1, "high": 4},
        {"name": "warmup", "kind": "float", "low": 0.0, "high": 0.2},
    ]
    rows = []
    for index in range(count):
        values = {
            axis["name"]: draw.choice(axis["choices"])
            if axis["kind"] == "choice"
            else draw.randint(1, 4)
            if axis["kind"] == "int"
            else 10 ** draw.uniform(-5, -3)
            if axis.get("log")
            else draw.uniform(0, 0.2)
            for axis in axes
        }
        score = 0.6 - 0.05 * (math.log10(values["learning_rate"]) + 4) ** 2 + draw.gauss(0, 0.008)
        spark = [[k / 24 for k in range(1, 25)], [0.52 + (score - 0.52) * k / 24 for k in range(1, 25)]]
        rows.append(
            {
                "key": f"{index:04d}", "index": index, "seed": 42, "values": values, "score": score,
                "state": "running" if index == count - 1 else "done", "confirms": None, "steps_done": 150,
                "steps_total": 150, "seconds": 40.0, "reason": "", "retry_of": None, "is_default": index == 0,
                "has_weights": False, "rank": None, "spark": spark,
            }
        )  # fmt: skip
    summary = {
        "name": "api-docs", "line": [], "state": "running", "final": False, "reason": "", "levers": [],
        "phase": "trials", "phase_done": count - 1, "phase_total": count, "eta": 60.0, "metric": "NDCG@10",
        "metric_key": "eval/ndcg@10", "higher_is_better": True, "base": 0.521, "trial_count": count,
        "done": count - 1, "running": 1, "best": None, "best_so_far": [], "band": None, "decided": None,
        "verdict": None, "python": [], "notices": [], "axes": axes, "can_grow": True,
    }  # fmt: skip
    return {"summary": summary, "rows": rows}


def frames(browser: Any, count: int) -> dict[str, list[float]]:
    """Return milliseconds of a brushed and of a live page: draw p50, p95, frame p50, p95, cpu."""
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    code = base64.b64encode((STATIC / "trial_browser.js").read_bytes()).decode()
    data = json.dumps(made_up(count)).replace("</", "<\\/")
    page.set_content(PAGE.format(css=(STATIC / "trial_browser.css").read_text(), js=code, data=data))
    page.wait_for_selector(".etn-line[data-key]")
    page.wait_for_timeout(500)
    measured = {}
    for what in ("brush", "live"):
        spent = browser_cpu()
        measured[what] = page.evaluate(MEASURE, what)
        measured[what].append(1000 * (browser_cpu() - spent) / 60)
    page.close()
    return measured


def browser_cpu() -> float:
    """Return the CPU seconds that all processes of the browser have spent so far."""
    times = [
        process.cpu_times()
        for process in psutil.Process().children(recursive=True)
        if "chrom" in process.name()
    ]
    return sum(time.user + time.system for time in times)


def feeding(count: int, seconds: float = 10.0) -> float:
    """Return the share of one core that the publisher's thread takes while the last trial runs."""
    from made_up.sweep import MadeUpSweep

    from embedtune_nb import Job, TrialBrowser
    from embedtune_nb.store.events import Metrics

    with tempfile.TemporaryDirectory() as home:
        os.environ["EMBEDTUNE_HOME"] = home
        sweep = MadeUpSweep(trial_count=count)
        for _ in range(count - 1):
            sweep.trial()
        key = sweep.begin()
        browser = TrialBrowser(Job(sweep.folder))
        browser._publisher.want_curves([key])
        time.sleep(3)
        clock = time.pthread_getcpuclockid(browser._publisher._thread.ident)
        began, spent = time.monotonic(), time.clock_gettime(clock)
        for step in range(int(2 * seconds)):
            sweep._curves[key].emit(Metrics(3 * step + 3, step / 20, {"train/loss": 1 / (step + 1)}))
            time.sleep(0.5)
        share = (time.clock_gettime(clock) - spent) / (time.monotonic() - began)
        browser.close()
        sweep.close()
    return share


def main() -> None:
    """Measure and print a table."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description="Measure what browsing a sweep costs.")
    parser.add_argument("--trials", type=int, nargs="+", default=[9, 100, 500])
    counts = parser.parse_args().trials
    print("trials  what   draw p50   p95   frame p50   p95     cpu   (ms)")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for count in counts:
            for what, (draw, draw_95, frame, frame_95, cpu) in frames(browser, count).items():
                row = f"{count:6d}  {what:5s} {draw:9.1f} {draw_95:5.1f} {frame:11.1f} {frame_95:5.1f}"
                print(f"{row} {cpu:7.1f}")
        browser.close()
    for count in counts:
        print(f"{count} trials: the publisher takes {100 * feeding(count):.2f} % of one core")
    print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
