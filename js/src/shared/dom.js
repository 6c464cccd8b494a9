// Small helpers over the DOM. Text always becomes a text node, never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(node.style, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** `h("button", {class: "etn-button", onclick: f}, "Stop")`: an element with attributes, listeners and children. */
export const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);

/** The same for an SVG element. */
export const s = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);

/** Set the text of *node* only when it differs, so that idle updates cause no layout. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Replace the children of *node*; the keyboard stays where it was if what it was on has a successor of its name. */
export function replace(node, ...children) {
  const focused = node.contains(document.activeElement) && document.activeElement.dataset.testid;
  node.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  if (focused) node.querySelector(`[data-testid="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

/** The computed value of a CSS variable, e.g. `token(el, "--etn-accent")`, for drawing on a canvas. */
export const token = (node, name) => getComputedStyle(node).getPropertyValue(name).trim();

export const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Call *listener* when the colours of the host change; returns a function that ends it. */
export function onThemeChange(listener) {
  const observer = new MutationObserver(listener);
  observer.observe(document.body, { attributes: true, attributeFilter: ["class", "data-jp-theme-name", "data-jp-theme-light"] });
  const query = matchMedia("(prefers-color-scheme: dark)");
  query.addEventListener("change", listener);
  return () => {
    observer.disconnect();
    query.removeEventListener("change", listener);
  };
}

/** Call *listener(width)* when the width of *node* changes; returns a function that ends it. */
export function onWidth(node, listener) {
  let last = 0;
  const observer = new ResizeObserver(([entry]) => {
    const width = Math.floor(entry.contentRect.width);
    if (width !== last && width > 0) requestAnimationFrame(() => listener((last = width)));
  });
  observer.observe(node);
  return () => observer.disconnect();
}

/** Put *text* on the clipboard, also where the page is not served over https. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { style: { position: "fixed", opacity: "0" } });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}
