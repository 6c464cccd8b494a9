// Numbers and names as people read them.

/** 48 -> "0:48", 3700 -> "1:01:40". */
export function clock(seconds) {
  const all = Math.max(0, Math.round(seconds));
  const two = (n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** A value with about three digits that matter: 0.5213 -> ".521", 2e-5 -> "2.00e-5", 271.4 -> "271". */
export function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(2);
  if (size >= 100) return value.toFixed(0);
  return size >= 10 ? value.toFixed(1) : value.toFixed(3);
}

/** "1 win", "180 wins". */
export const count = (n, one, many) => `${n} ${n === 1 ? one : many}`;
