// EmbeddingMap in the browser: asks the kernel for the data once, then needs it no more.

import { follow, listen } from "../shared/channel.js";
import { unpack } from "./dataset.js";
import { MapView } from "./view.js";

const PATIENCE_MS = 4000;

function render({ model, el }) {
  const view = new MapView(el);
  view.tell("waiting for the data of the map");
  const impatient = setTimeout(
    () => view.tell("The kernel has not answered: it is busy or gone. Running the cell again draws the map."),
    PATIENCE_MS,
  );
  const ends = [
    () => clearTimeout(impatient),
    listen(model, {
      progress(message) {
        clearTimeout(impatient);
        view.progress(message);
      },
      snapshot(message, buffers) {
        clearTimeout(impatient);
        view.show(unpack(message, buffers));
      },
    }),
    follow(model, "error", (text) => {
      if (text) clearTimeout(impatient);
      view.fail(text);
    }),
    () => view.free(),
  ];
  model.send({ type: "ready" });
  return () => ends.forEach((end) => end());
}

const bytes = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)).buffer;

/** Draw a map on a page without a kernel; `packed` is a snapshot message whose buffers are base64. */
export function mount(el, packed) {
  const view = new MapView(el);
  view.show(unpack(packed, packed.buffers.map(bytes)));
  return () => view.free();
}

export default { render };
