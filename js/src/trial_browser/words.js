// Trials in words: for tooltips, for readers of the screen, for the table.
import { clock, number } from "../shared/format.js";
import { word } from "./scales.js";

/** "=1" where several trials share the rank, "4" where one has it alone, "" without. */
export function rankText(row, shared) {
  if (row.rank === null) return "";
  return shared.has(row.rank) ? `=${row.rank}` : String(row.rank);
}

/** The ranks that more than one trial has. */
export function sharedRanks(rows) {
  const seen = new Set();
  const shared = new Set();
  for (const { rank } of rows) {
    if (rank === null) continue;
    if (seen.has(rank)) shared.add(rank);
    seen.add(rank);
  }
  return shared;
}

/** Lines about a trial: what it is, what it reached, what it tried. */
export function story(row, { metric, axes }) {
  const what = row.confirms === null ? `#${row.index}` : `confirms #${row.confirms}, seed ${row.seed}`;
  const score = row.score === null ? "no score yet" : `${metric} ${number(row.score)}`;
  return [
    [what, row.state, row.is_default ? "nearest to the defaults" : ""].filter(Boolean).join(" · "),
    row.seconds === null ? score : `${score} · ${clock(row.seconds)}`,
    ...axes.filter(({ name }) => name in row.values).map(({ name }) => `${name} ${word(row.values[name])}`),
  ];
}

/** "7 done, 1 running". */
export function counted(rows) {
  const counts = new Map();
  for (const { state } of rows) counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts;
}
