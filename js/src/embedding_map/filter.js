// Which points are lit: those of the isolated labels that also match the search. The rest is dimmed.

/** Texts prepared for searching, so that a keystroke costs no case folding. */
export const foldTexts = (texts) => texts.map((text) => text.toLowerCase());

/** Test of "every word occurs" for one folded text, or null when the query is empty. */
export function matcher(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return null;
  return (folded) => words.every((word) => folded.includes(word));
}

/**
 * @param {string[]} folded texts from foldTexts
 * @param {Uint16Array} codes label code a point
 * @param {Set<number>} isolated label codes; empty = all labels
 * @returns {{mask: Uint8Array, count: number, labels: Set<number>}} mask: 1 = lit; labels: codes with a lit point
 */
export function litPoints(folded, codes, isolated, query) {
  const mask = new Uint8Array(codes.length);
  const matches = matcher(query);
  const labels = new Set();
  let count = 0;
  for (let i = 0; i < mask.length; i++) {
    const inLabels = !isolated.size || isolated.has(codes[i]);
    if (inLabels && (!matches || matches(folded[i]))) {
      mask[i] = 1;
      labels.add(codes[i]);
      count++;
    }
  }
  return { mask, count, labels };
}
