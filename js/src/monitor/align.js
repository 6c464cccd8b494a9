/**
 * Put a second curve on the points of the first: `[x, ...columns]` and `[x, y]`, both ascending in x,
 * become one table over the x of either, with null where a curve has no value.
 */
export function aligned([x, ...columns], [otherX, otherY]) {
  const all = Float64Array.from(new Set([...x, ...otherX])).sort();
  const place = (from) => new Map(Array.from(from, (value, index) => [value, index]));
  const [mine, theirs] = [place(x), place(otherX)];
  const pick = (places, values) => Array.from(all, (value) => values[places.get(value)] ?? null);
  return [Array.from(all), ...columns.map((column) => pick(mine, column)), pick(theirs, otherY)];
}

/** The newest value that is known at *index*, or null. */
export function lastKnown(values, index) {
  for (let i = Math.min(index, values.length - 1); i >= 0; i--) if (values[i] !== null && values[i] !== undefined) return values[i];
  return null;
}
