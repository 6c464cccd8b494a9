// Figures as sentences of the footer and of the progress line.

const decimal = (value) => (Number.isFinite(value) ? value.toFixed(2).replace(/^0\./, ".") : "?");
const percent = (value) => (Number.isFinite(value) ? `${Math.round(100 * value)} %` : "?");

/** The parts of the footer with the explanation of each. */
export function footer({ n, meta, roles }) {
  const parts = [
    {
      text: `${n.toLocaleString("en")} texts`,
      title: roles ? "Diamonds are queries, discs are documents" : "One disc a text",
    },
    {
      text: `trustworthiness ${decimal(meta.trust_before)}/${decimal(meta.trust_after)}`,
      title: "How far neighbours on the map are true neighbours, before and after; 1 is perfect",
    },
    {
      text: `identical data would move ${decimal(meta.noise_floor)}`,
      title: "The movement of a second map of unchanged vectors, in units of the radius of the map: the noise",
    },
    {
      text: `neighbours kept ${percent(meta.kept_mean)}`,
      title: "Mean share of nearest neighbours kept, measured with the full vectors and not on the map",
    },
  ];
  if (roles) parts.splice(1, 0, { text: "◆ query ● document", title: "Shape tells the role" });
  return parts;
}

/** "making the map · 40 %", or only the phase while no total is known. */
export function progressLine({ phase, done, total }) {
  return total ? `${phase} · ${Math.min(100, Math.round((100 * done) / total))} %` : phase;
}
