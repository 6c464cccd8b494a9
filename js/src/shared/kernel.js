// What a live widget asks of the kernel.
import { resolveModel } from "./channel.js";

const GAP_PATIENCE_MS = 1000;

/** The way to the kernel: over the control's comm, as the widget's own is deaf while a cell is running. */
export class Kernel {
  #control = null;
  #asked = 0;

  /** Returns whether it was sent: a kernel that was restarted hears nothing more of earlier widgets. */
  send(command, values) {
    try {
      this.#control?.send(values ? { command, values } : { command });
      return true;
    } catch {
      return false;
    }
  }

  /** Ask for everything anew, as something was missed; at most once a second. */
  askAnew() {
    const now = performance.now();
    if (now - this.#asked <= GAP_PATIENCE_MS) return;
    this.#asked = now;
    this.send("snapshot");
  }

  /** Find the control of *model* and ask for everything; returns the control. */
  async connect(model) {
    this.#control ??= await resolveModel(model, model.get("control"));
    this.send("snapshot");
    return this.#control;
  }
}
