// A trial's curve, small, for a line of the table.
import { s } from "../shared/dom.js";

const [WIDTH, HEIGHT, PAD] = [72, 18, 2];

/** An SVG that `drawSpark` fills. */
export const sparkline = () =>
  s("svg", { class: "etn-spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, "aria-hidden": "true" },
    s("path", { class: "etn-spark-line" }), s("circle", { class: "etn-spark-end", r: 2 }));

/** *spark* is `[share of the schedule, value]` as two lists; *low* and *high* are those of all trials. */
export function drawSpark(svg, [at, values], low, high) {
  const x = (share) => PAD + share * (WIDTH - 2 * PAD);
  const y = (value) => HEIGHT - PAD - ((value - low) / (high - low || 1)) * (HEIGHT - 2 * PAD);
  const points = at.map((share, index) => [x(share), y(values[index])]).filter(([, py]) => Number.isFinite(py));
  const [line, end] = svg.children;
  line.setAttribute("d", points.map(([px, py], index) => `${index ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`).join(""));
  end.style.display = points.length ? "" : "none";
  if (points.length) {
    end.setAttribute("cx", points.at(-1)[0].toFixed(1));
    end.setAttribute("cy", points.at(-1)[1].toFixed(1));
  }
}

/** The range of all sparks. */
export function sparkRange(rows) {
  let [low, high] = [Infinity, -Infinity];
  for (const { spark } of rows) {
    for (const value of spark[1]) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low <= high ? [low, high] : [0, 1];
}
