// The columns of the table: what they show, how wide they are, which of them there is room for.
import { clock, number } from "../shared/format.js";
import { word } from "./scales.js";

const DIMENSION_MIN = 66;
/** `width` in pixels; those without one share what is left. */
const FIXED = {
  rank: { title: "rank", width: 48, tip: "trials that the noise cannot tell apart share a rank" },
  index: { title: "#", width: 58, tip: "number of the trial" },
  state: { title: "state", width: 92, tip: "what became of it" },
  score: { width: 104 },
  seconds: { title: "time", width: 56, tip: "wall time of the trial" },
  spark: { title: "curve", width: 84, tip: "the metric over the trial's own schedule" },
};
const NARROW = { seconds: 0, spark: 0 };

/** @returns {{name: string, title: string, tip: string, width: number | null}[]} */
export function columnsFor(summary, width) {
  const narrow = width < 520;
  const fixed = (name) => ({ name, ...FIXED[name], width: (narrow ? NARROW[name] : undefined) ?? FIXED[name].width });
  const score = { ...fixed("score"), title: summary.metric, tip: noiseTip(summary) };
  const taken = Object.keys(FIXED).reduce((sum, name) => sum + fixed(name).width, 0);
  const room = Math.max(0, Math.floor((width - taken) / DIMENSION_MIN));
  const dimensions = summary.axes.slice(0, room).map(({ name }) => ({ name: `=${name}`, title: name, tip: name, width: null }));
  return [fixed("rank"), fixed("index"), fixed("state"), ...dimensions, score, fixed("seconds"), fixed("spark")].filter((column) => column.width !== 0);
}

function noiseTip({ metric, band }) {
  return band ? `${metric}; two trials less than ${number(band)} apart are a tie` : `${metric}; how noisy it is will be known once the best have been run with other seeds`;
}

export const template = (columns) => columns.map(({ width }) => (width === null ? "minmax(0, 1fr)" : `${width}px`)).join(" ");

/** The text of a cell; state and curve are drawn. */
export function cellText(name, row, { band }) {
  if (name === "seconds") return row.seconds === null ? "" : clock(row.seconds);
  if (name === "index") return row.confirms === null ? `#${row.index}` : `seed ${row.seed}`;
  if (name === "score") return row.score === null ? "–" : band ? `${number(row.score)} ± ${digits(band)}` : number(row.score);
  if (name.startsWith("=")) return name.slice(1) in row.values ? word(row.values[name.slice(1)]) : "";
  return "";
}

const digits = (band) => (band < 0.001 ? band.toExponential(0) : band.toFixed(3).replace(/^0/, ""));
