// Which rows are shown, and in which order. Pure, so that it can be tested without a browser.

/** The columns that can be sorted by: what is read of a row, and which end is worth seeing first. */
export const COLUMNS = {
  text: { value: (row) => row.text, down: false },
  before: { value: (row) => row.before, down: true },
  after: { value: (row) => row.after, down: false },
  worse_by: { value: (row) => row.worse_by, down: true },
  rank: { value: (row) => (row.rank_after === null ? null : row.rank_after - row.rank_before), down: true },
  displaced_by: { value: (row) => row.displaced_by, down: false },
  cause: { value: (row) => row.cause, down: false },
};

/** Places of *rows* in order; equal ones keep theirs, what has no value comes last. */
export function order(rows, { column, down }) {
  const { value } = COLUMNS[column];
  const sign = down ? -1 : 1;
  return rows
    .map((row, place) => ({ place, key: value(row) }))
    .sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.place - b.place;
      const first = typeof a.key === "string" ? a.key.localeCompare(b.key) : a.key - b.key;
      return sign * first || a.place - b.place;
    })
    .map(({ place }) => place);
}

/** Whether a row has one of the causes (an empty set: any) and every word of the search. */
export function matches(row, { causes, search }) {
  if (causes.size && !causes.has(row.cause)) return false;
  const text = `${row.text} ${row.answer} ${row.displaced_by} ${row.why}`.toLowerCase();
  return search.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}
