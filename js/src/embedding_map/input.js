// Hands on the map: pointer, wheel and keys, turned into calls on the view.

const CLICK_PIXELS = 4;
const WHEEL_LINE = 16;
const PAN_STEP = 48;
const ZOOM_STEP = 1.3;

const localPoint = (node, event) => {
  const box = node.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};

/** @param {HTMLElement} stage @param {object} view {pan, zoomAt, point, click} */
export function followPointer(stage, view, signal) {
  let drag = null;
  const listen = (name, handler, options = {}) => stage.addEventListener(name, handler, { signal, ...options });

  listen("pointerdown", (event) => {
    if (event.button !== 0) return;
    stage.focus({ preventScroll: true });
    stage.setPointerCapture(event.pointerId);
    drag = { x: event.clientX, y: event.clientY, travelled: 0 };
  });
  listen("pointermove", (event) => {
    if (!drag) {
      view.point(...localPoint(stage, event));
      return;
    }
    const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
    drag = { x: event.clientX, y: event.clientY, travelled: drag.travelled + Math.abs(dx) + Math.abs(dy) };
    if (drag.travelled > CLICK_PIXELS) {
      stage.classList.add("etn-map-dragging");
      view.pan(dx, dy);
    }
  });
  const drop = (event) => {
    if (drag && drag.travelled <= CLICK_PIXELS && event.type === "pointerup") view.click(...localPoint(stage, event));
    drag = null;
    stage.classList.remove("etn-map-dragging");
  };
  listen("pointerup", drop);
  listen("pointercancel", drop);
  listen("pointerleave", () => view.leave());
  listen(
    "wheel",
    (event) => {
      const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * WHEEL_LINE : event.deltaY;
      const speed = event.ctrlKey ? 0.01 : 0.0016; // a pinch on a trackpad arrives as small steps with ctrlKey
      const changed = view.zoomAt(...localPoint(stage, event), Math.exp(-pixels * speed));
      // Fully zoomed out, the wheel scrolls the notebook again.
      if (changed) event.preventDefault();
    },
    { passive: false },
  );
  listen("dblclick", (event) => view.zoomAt(...localPoint(stage, event), 2));
}

/** @param {HTMLElement} root @param {object} view {pan, zoomCentre, reset, play, focusSearch, escape} */
export function followKeys(root, view, signal) {
  const keys = {
    ArrowLeft: () => view.pan(PAN_STEP, 0),
    ArrowRight: () => view.pan(-PAN_STEP, 0),
    ArrowUp: () => view.pan(0, PAN_STEP),
    ArrowDown: () => view.pan(0, -PAN_STEP),
    "+": () => view.zoomCentre(ZOOM_STEP),
    "=": () => view.zoomCentre(ZOOM_STEP),
    "-": () => view.zoomCentre(1 / ZOOM_STEP),
    0: () => view.reset(),
    " ": () => view.play(),
    "/": () => view.focusSearch(),
    Escape: () => view.escape(),
  };
  root.addEventListener(
    "keydown",
    (event) => {
      const action = keys[event.key];
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      // To the notebook a single letter is a command: with the focus on the map, x would cut the cell.
      if (action || event.key.length === 1) event.stopPropagation();
      if (!action) return;
      const typing = event.target.matches("input, select, textarea");
      if (typing && event.key !== "Escape") return;
      if (event.target.matches("button") && event.key === " ") return;
      event.preventDefault();
      action();
    },
    { signal },
  );
}
