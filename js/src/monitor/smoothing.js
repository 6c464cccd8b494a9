/**
 * The exponential moving average of *values*, freed of its bias towards the start: the weights of the
 * points seen so far are divided by their sum, so the first smoothed point is the first value.
 * What is not finite becomes null and is passed over.
 */
export function smooth(values, weight) {
  const smoothed = new Array(values.length);
  let mean = 0;
  let mass = 0;
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) {
      smoothed[i] = null;
      continue;
    }
    mean = weight * mean + (1 - weight) * values[i];
    mass = weight * mass + (1 - weight);
    smoothed[i] = mean / mass;
  }
  return smoothed;
}
