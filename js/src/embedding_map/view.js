// One view of one map: its parts, its state and when it draws. The parts know nothing of each other.

import { h, onThemeChange, replace, setText } from "../shared/dom.js";
import { Camera, boundsOf } from "./camera.js";
import { CanvasLayer } from "./canvas2d.js";
import { showCard } from "./card.js";
import { labelPalette } from "./colours.js";
import { progressLine, showFooter } from "./figures.js";
import { foldTexts, litPoints } from "./filter.js";
import { WebglLayer } from "./gl.js";
import { Grid, mixPositions } from "./grid.js";
import { followKeys, followPointer } from "./input.js";
import { labelAnchors } from "./labels.js";
import { changeLegend, labelLegend } from "./legend.js";
import { morph } from "./morph.js";
import { Overlay } from "./overlay.js";
import { changedLast, drawingOrder, litLast, paintPoints, pointSize } from "./paint.js";
import { buildParts, fitCanvases } from "./parts.js";
import { readTheme } from "./theme.js";

const REACH_PIXELS = 14;

export class MapView {
  constructor(el) {
    this.camera = new Camera();
    this.mix = 0;
    this.by = "label";
    this.isolated = new Set();
    this.query = "";
    this.hovered = this.pinned = -1;
    this.closing = new AbortController();
    Object.assign(this, buildParts(this));
    replace(el, this.root);
    this.enable(false);
    this.layer = WebglLayer.open(this.points, (lost) => this.keepContext(lost)) ?? new CanvasLayer(this.points);
    this.overlay = new Overlay(this.names);
    this.root.dataset.renderer = this.layer.name;
    followPointer(this.stage, this, this.closing.signal);
    followKeys(this.root, this, this.closing.signal);
    this.sizes = new ResizeObserver(() => this.schedule());
    this.sizes.observe(this.stage);
    this.endTheme = onThemeChange(() => requestAnimationFrame(() => this.restyle()));
  }

  enable(on) {
    this.bar.node.querySelectorAll("input, button, select").forEach((control) => (control.disabled = !on));
  }

  /** A sentence over the empty stage, with a bar where the total is known. */
  tell(text, share) {
    const bar =
      share === undefined
        ? null
        : h("progress", { class: "etn-map-progress", max: 1, value: share, "aria-label": text });
    replace(this.word, text && h("span", {}, text), bar);
  }

  /** What went wrong in the kernel; an empty text takes the message away. */
  fail(text) {
    setText(this.failure, text);
    this.failure.hidden = !text;
    if (text && !this.data) {
      this.root.dataset.state = "failed";
      this.tell("");
    }
  }

  progress(message) {
    if (this.data) return;
    this.root.dataset.state = "computing";
    this.tell(progressLine(message), message.total ? message.done / message.total : undefined);
  }

  /** @param {import("./dataset.js").Dataset} data */
  show(data) {
    if (this.data?.revision === data.revision) return;
    this.data = data;
    this.folded = foldTexts(data.texts);
    const shuffled = drawingOrder(data.n);
    this.orders = { label: shuffled, change: changedLast(shuffled, data.kept) };
    this.isolated.clear();
    this.hovered = this.pinned = -1;
    this.mixed = new Float32Array(data.before.length);
    this.grid = null;
    const bounds = boundsOf(data.before, data.after);
    this.camera.frame(bounds);
    const anchors = (positions) => labelAnchors(positions, data.codes, data.labels.length, bounds);
    this.anchors = { before: anchors(data.before), after: anchors(data.after) };
    this.by = data.labels.length ? "label" : "change";
    this.bar.colour.value = this.by;
    this.layer.load(data);
    this.enable(true);
    this.bar.colour.disabled = !data.labels.length;
    showFooter(this.foot, data, this.layer.name);
    this.root.dataset.state = "ready";
    this.restyle();
  }

  /** Take on the colours of the host. */
  restyle() {
    if (!this.data) return;
    this.theme = readTheme(this.root, this.overlay.context);
    this.colours = labelPalette(this.data.labels.length, this.theme.dark);
    this.repaint();
  }

  /** What is lit, legend and card anew; then draw. */
  repaint() {
    const { data, by, theme } = this;
    this.lit = litPoints(this.folded, data.codes, this.isolated, this.query);
    const rgba = paintPoints(data, by, this.lit.mask, this.colours, theme.dark);
    this.layer.paint(rgba, litLast(this.orders[by], this.lit.mask));
    const searched = this.query.trim() ? `${this.lit.count.toLocaleString("en")} found` : "";
    setText(this.bar.found, searched);
    this.tell(this.lit.count ? "" : "No text matches. Escape shows all texts again.");
    this.root.dataset.lit = this.lit.count;
    if (by === "label") {
      labelLegend(this.legend, {
        data,
        colours: this.colours,
        isolated: this.isolated,
        dark: theme.dark,
        toggle: (code, add) => this.isolate(code, add),
        clear: () => this.isolate(null),
      });
    } else {
      changeLegend(this.legend, { data, dark: theme.dark });
    }
    this.showCard();
    this.schedule();
  }

  showCard() {
    const i = this.pinned >= 0 ? this.pinned : this.hovered;
    this.root.dataset.hover = i;
    showCard(this.card, this.data, i, this.colours, this.pinned >= 0, () => this.pin(-1));
  }

  schedule() {
    this.request ??= requestAnimationFrame(() => {
      this.request = undefined;
      this.draw();
    });
  }

  draw() {
    if (!this.data || !this.stage.clientWidth) return;
    const { camera, data, mix, theme } = this;
    camera.resize(this.stage.clientWidth, this.stage.clientHeight);
    const ratio = fitCanvases(camera, this.points, this.names);
    const frame = { camera, mix, theme, ratio, size: pointSize(data.n, camera.zoom) };
    this.layer.draw({ ...frame, paper: theme.paperRgb });
    this.overlay.begin(frame);
    if (this.query.trim()) this.overlay.finds(frame, data, this.lit);
    const colours = this.by === "label" ? this.colours : null;
    this.overlay.names(frame, data.labels, colours, this.anchors, (code) => this.lit.labels.has(code));
    const i = this.pinned >= 0 ? this.pinned : this.hovered;
    if (i >= 0) this.overlay.point(frame, data, i);
    this.root.dataset.mix = mix.toFixed(3);
    this.root.dataset.camera = [camera.x, camera.y, camera.scale].join(" ");
  }

  keepContext(lost) {
    this.root.dataset.context = lost ? "lost" : "held";
    this.tell(lost ? "The browser took the graphics memory of this map, which comes back when other maps close." : "");
    if (!lost) this.schedule();
  }

  // What the toolbar, the pointer and the keys ask for.

  setMix(t) {
    this.mix = t;
    this.grid = null;
    this.bar.slider.value = t;
    this.schedule();
  }

  scrub(t) {
    this.stopMorph();
    this.setMix(t);
  }

  stopMorph() {
    this.endMorph?.();
    this.endMorph = undefined;
    setText(this.bar.play, "▶");
    this.bar.play.setAttribute("aria-label", "Play");
  }

  play() {
    if (!this.data) return;
    if (this.endMorph) {
      this.stopMorph();
      return;
    }
    setText(this.bar.play, "❚❚");
    this.bar.play.setAttribute("aria-label", "Pause");
    let finished = false;
    const end = morph(this.mix, this.mix < 0.5 ? 1 : 0, (t) => this.setMix(t), () => {
      finished = true;
      this.stopMorph();
    });
    if (!finished) this.endMorph = end;
  }

  colourBy(by) {
    this.by = by;
    if (by !== "label") this.isolated.clear();
    this.repaint();
  }

  search(query) {
    this.query = query;
    this.repaint();
  }

  isolate(code, add = false) {
    const alone = this.isolated.size === 1 && this.isolated.has(code);
    if (code === null || (alone && !add)) this.isolated.clear();
    else if (!add) this.isolated = new Set([code]);
    else if (!this.isolated.delete(code)) this.isolated.add(code);
    this.repaint();
  }

  reset() {
    this.camera.reset();
    this.escape();
  }

  escape() {
    this.isolated.clear();
    this.query = this.bar.search.value = "";
    this.pinned = -1;
    if (this.data) this.repaint();
    if (this.bar.search === document.activeElement) this.stage.focus({ preventScroll: true });
  }

  focusSearch() {
    this.bar.search.focus();
  }

  pan(dx, dy) {
    this.camera.pan(dx, dy);
    this.schedule();
  }

  zoomAt(px, py, factor) {
    const changed = this.camera.zoomAt(px, py, factor);
    if (changed) this.schedule();
    return changed;
  }

  zoomCentre(factor) {
    this.zoomAt(this.camera.width / 2, this.camera.height / 2, factor);
  }

  find(px, py) {
    this.grid ??= new Grid(mixPositions(this.data.before, this.data.after, this.mix, this.mixed));
    const [x, y] = this.camera.toWorld(px, py);
    return this.grid.nearest(x, y, REACH_PIXELS / this.camera.scale, (i) => this.lit.mask[i] === 1);
  }

  point(px, py) {
    if (this.data) this.hover(this.find(px, py));
  }

  leave() {
    if (this.data) this.hover(-1);
  }

  hover(i) {
    if (i === this.hovered) return;
    this.hovered = i;
    this.stage.classList.toggle("etn-map-over", i >= 0);
    if (this.pinned < 0) this.pin(-1);
  }

  click(px, py) {
    if (this.data) this.pin(this.find(px, py));
  }

  /** Keep text `i` on the card; -1 lets go, and the card follows the pointer. */
  pin(i) {
    this.pinned = i;
    this.showCard();
    this.schedule();
  }

  free() {
    this.stopMorph();
    cancelAnimationFrame(this.request);
    this.closing.abort();
    this.sizes.disconnect();
    this.endTheme();
    this.layer.free();
  }
}
