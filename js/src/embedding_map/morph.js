// The morph from one position of the slider to another.

import { reducedMotion } from "../shared/dom.js";

export const MORPH_MS = 800;

/** Slow, quick, slow. */
export const ease = (t) => (t < 0.5 ? 4 * t ** 3 : 1 - (2 - 2 * t) ** 3 / 2);

/**
 * Call `step(value)` on every frame until `to` is reached, then `done()`.
 * @returns {() => void} ends it where it is
 */
export function morph(from, to, step, done) {
  if (reducedMotion()) {
    step(to);
    done();
    return () => {};
  }
  const duration = MORPH_MS * Math.abs(to - from);
  let start;
  let request = requestAnimationFrame(function frame(now) {
    start ??= now;
    const share = duration > 0 ? Math.min(1, (now - start) / duration) : 1;
    step(from + (to - from) * ease(share));
    if (share < 1) request = requestAnimationFrame(frame);
    else done();
  });
  return () => cancelAnimationFrame(request);
}
