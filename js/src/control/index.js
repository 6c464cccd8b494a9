// The Stop button. It is a widget apart from the monitor that shows it: nothing but clicks ever goes
// over its comm, which is what lets them through while a cell is running.
import { h, setText } from "../shared/dom.js";

const ANSWER_MS = 15000;

function render({ model, el }) {
  const note = model.get("note");
  const button = h("button", { class: "etn-button etn-stop", type: "button", "data-testid": "stop" }, "Stop");
  button.title = note ? `Stop the job; ${note}` : "Stop the job; it can be resumed";
  const late = note ? h("span", { class: "etn-small" }, note) : null;
  let timer;
  button.addEventListener("click", () => {
    button.disabled = true;
    try {
      model.send({ command: "stop" });
    } catch {
      button.title = "The kernel that showed this was restarted. The job goes on: Job.open(...) in a new cell shows it, and can stop it.";
      setText(button, "No kernel");
      return;
    }
    setText(button, "Stopping …");
    timer = setTimeout(() => {
      button.disabled = false;
      setText(button, "Stop again");
    }, ANSWER_MS);
  });
  el.classList.add("etn-root", "etn-control");
  el.setAttribute("data-lm-suppress-shortcuts", "true");
  el.replaceChildren(button, ...(late ? [late] : []));
  return () => clearTimeout(timer);
}

export default { render };
