// The answer of a finished run: before, after, the difference with its interval, wins and losses.
import { h, s } from "./dom.js";
import { count } from "./format.js";

const WORDS = {
  better: ["▲ Better", "etn-better"],
  worse: ["▼ Worse", "etn-worse"],
};

/** A bar for the interval around zero, the difference as a dot on it. */
export function intervalBar({ low, high, difference, shown }, tone) {
  const [width, height, pad] = [150, 22, 8];
  const from = Math.min(0, low);
  const to = Math.max(0, high);
  const x = (value) => pad + ((value - from) / (to - from || 1)) * (width - 2 * pad);
  const mid = height / 2;
  return s(
    "svg",
    {
      class: `etn-interval ${tone}`, viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
      "aria-label": `difference ${shown.difference}, 95 % interval ${shown.low} to ${shown.high}`,
    },
    s("line", { class: "etn-axis", x1: pad, x2: width - pad, y1: mid, y2: mid }),
    s("line", { class: "etn-zero", x1: x(0), x2: x(0), y1: 2, y2: height - 2 }),
    s("rect", { class: "etn-range", x: x(low), y: mid - 4, width: Math.max(2, x(high) - x(low)), height: 8, rx: 4 }),
    s("circle", { class: "etn-dot", cx: x(difference), cy: mid, r: 4 }),
  );
}

// `shown` holds the figures as the kernel writes them: every place that shows a verdict shows the same digits.
export function verdictLine(verdict) {
  const { shown } = verdict;
  const [word, tone] = WORDS[verdict.answer] ?? ["◆ No difference shown", "etn-undecided"];
  return h(
    "div",
    { class: "etn-verdict", "data-testid": "verdict" },
    h("strong", { class: `etn-answer ${tone}` }, word),
    h(
      "span",
      { class: "etn-comparison etn-number" },
      h("span", { class: "etn-unit" }, shown.metric),
      h("span", { class: "etn-was" }, shown.before),
      h("span", { class: "etn-unit" }, "→"),
      h("span", { class: "etn-is" }, shown.after),
      h("strong", { class: tone }, shown.difference),
      h("span", { class: "etn-unit" }, shown.interval),
    ),
    intervalBar(verdict, tone),
    h(
      "span",
      { class: "etn-number etn-unit" },
      [count(verdict.wins, "win", "wins"), count(verdict.losses, "loss", "losses"), count(verdict.ties, "tie", "ties")].join(" · "),
    ),
  );
}

/** The other metrics of the verdict, small, in one line each. */
export function otherMetrics(verdict) {
  const others = verdict.others ?? [];
  if (!others.length) return null;
  return h(
    "div",
    { class: "etn-others etn-small etn-number" },
    others.map(({ shown }) =>
      h("span", {}, `${shown.metric} ${shown.before} → ${shown.after} `, h("span", {}, `${shown.difference} ${shown.interval}`)),
    ),
  );
}
