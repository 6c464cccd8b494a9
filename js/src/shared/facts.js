// Figures with a label below, and lines of code with a button that copies them.
import { copyText, h, replace, setText } from "./dom.js";

/** A large figure; `show(null)` hides it, `show("84", 150)` writes 84/150. */
export function fact(label, testid) {
  const value = h("span", { class: "etn-fact-value etn-number", "data-testid": testid });
  const box = h("span", { class: "etn-fact" }, value, h("span", { class: "etn-fact-label" }, label));
  return {
    box,
    show(text, total) {
      box.hidden = text === null;
      if (text === null) return;
      const whole = total === undefined ? text : `${text}/${total}`;
      if (value.textContent !== whole) replace(value, text, total === undefined ? null : h("span", { class: "etn-unit" }, `/${total}`));
    },
  };
}

/** A line of code beside a button that puts it on the clipboard. */
export function copyable(code) {
  const button = h("button", { class: "etn-button etn-quiet", type: "button", "aria-label": `Copy ${code}` }, "Copy");
  button.addEventListener("click", () => copyText(code).then(() => setText(button, "Copied")));
  return h("span", { class: "etn-copyable" }, h("code", {}, code), button);
}
