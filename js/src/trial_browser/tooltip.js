// One box beside the pointer that tells about a trial. Text nodes only.
import { h, replace } from "../shared/dom.js";

export class Tooltip {
  constructor() {
    this.el = h("div", { class: "etn-tooltip", "aria-hidden": "true", hidden: true });
  }

  /** Show *lines* at a place in the window; the box stays inside its widget. */
  show(lines, clientX, clientY) {
    replace(this.el, lines.map((line, index) => h("div", { class: index ? "" : "etn-tooltip-head" }, line)));
    this.el.hidden = false;
    const home = this.el.parentNode.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.el;
    const [x, y] = [clientX - home.left, clientY - home.top];
    const left = x + 14 + width > home.width ? x - width - 10 : x + 14;
    this.el.style.left = `${Math.max(4, Math.min(home.width - width - 4, left))}px`;
    this.el.style.top = `${Math.max(4, Math.min(home.height - height - 4, y + 12))}px`;
  }

  hide() {
    this.el.hidden = true;
  }
}
