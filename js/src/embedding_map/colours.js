// Which colour a label or a share of changed neighbours gets, on light and on dark ground.
// Labels: Okabe-Ito first; beyond eight, colours chosen one by one, each as far as possible in OKLab
// from all chosen so far and from the background (the idea of Glasbey et al. 2007).

// Their yellow would vanish on light ground and their black on dark: each gives way to a shade that shows.
const COMMON = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"];
const OKABE_ITO = [...COMMON, "#D6C400", "#000000"];
const OKABE_ITO_DARK = [...COMMON, "#F0E442", "#DDDDDD"];
const PALETTE_MAX = 256;

const SEQUENCE_LIGHT = ["#CBD5DF", "#9DB4D3", "#7A8FC4", "#7462B0", "#6E3190", "#4A0C57"];
const SEQUENCE_DARK = ["#4B5866", "#35709A", "#2F8F97", "#5FB87C", "#C3DB5A", "#FDF6A8"];

export const UNLABELLED = 0xffff;

export function parseHex(hex) {
  const value = parseInt(hex.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

export function toHex(rgb) {
  return `#${rgb.map((part) => Math.round(part).toString(16).padStart(2, "0")).join("")}`;
}

const toLinear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
const fromLinear = (part) => (part <= 0.0031308 ? part * 12.92 : 1.055 * part ** (1 / 2.4) - 0.055);

/** sRGB bytes to OKLab (Ottosson 2020): lightness 0..1 and two opponent axes. */
export function toOklab(rgb) {
  const [r, g, b] = rgb.map((part) => toLinear(part / 255));
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function fromOklab([lightness, a, b]) {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((part) => 255 * fromLinear(part));
}

const squared = (p, q) => (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2 + (p[2] - q[2]) ** 2;

/** All colours of the screen between two lightnesses that are not greyish, as OKLab. */
function candidates(dark) {
  const [lowest, highest] = dark ? [0.55, 0.92] : [0.42, 0.8];
  const found = [];
  for (let step = 0; step <= 8; step++) {
    const lightness = lowest + ((highest - lowest) * step) / 8;
    for (let chroma = 0.07; chroma <= 0.27; chroma += 0.04) {
      for (let hue = 0; hue < 360; hue += 8) {
        const angle = (hue * Math.PI) / 180;
        const lab = [lightness, chroma * Math.cos(angle), chroma * Math.sin(angle)];
        if (fromOklab(lab).every((part) => part >= 0 && part <= 255)) found.push(lab);
      }
    }
  }
  return found;
}

/** `count` colours as hex; the same count prefix gives the same colours. Beyond 256 they repeat. */
export function labelPalette(count, dark = false) {
  const chosen = [...(dark ? OKABE_ITO_DARK : OKABE_ITO)];
  const wanted = Math.min(count, PALETTE_MAX);
  if (wanted > chosen.length) {
    const pool = candidates(dark);
    const taken = [toOklab(dark ? [17, 17, 17] : [255, 255, 255]), ...chosen.map((hex) => toOklab(parseHex(hex)))];
    const distance = pool.map((lab) => Math.min(...taken.map((other) => squared(lab, other))));
    while (chosen.length < wanted) {
      let best = 0;
      for (let i = 1; i < pool.length; i++) if (distance[i] > distance[best]) best = i;
      const lab = pool[best];
      chosen.push(toHex(fromOklab(lab)));
      for (let i = 0; i < pool.length; i++) distance[i] = Math.min(distance[i], squared(pool[i], lab));
    }
  }
  return Array.from({ length: count }, (_, i) => chosen[i % chosen.length]);
}

/** Colour (RGB bytes) for a share of changed neighbours: 0 = all kept, 1 = none kept. */
export function changeColour(share, dark = false) {
  const stops = dark ? SEQUENCE_DARK : SEQUENCE_LIGHT;
  const place = Math.min(1, Math.max(0, share)) * (stops.length - 1);
  const at = Math.min(stops.length - 2, Math.floor(place));
  const from = parseHex(stops[at]);
  const to = parseHex(stops[at + 1]);
  return from.map((part, i) => Math.round(part + (to[i] - part) * (place - at)));
}

/** Colour of points without a label. */
export const unlabelledColour = (dark) => (dark ? "#7d8590" : "#9aa3ad");

/** A colour moved towards another by `share`; used to keep coloured text readable. */
export function blend(hex, other, share) {
  const [a, b] = [parseHex(hex), parseHex(other)];
  return toHex(a.map((part, i) => part + (b[i] - part) * share));
}
