// The Python that does what the screen shows, with a button that copies it.
import { follow } from "../shared/channel.js";
import { copyText, h, replace, setText } from "../shared/dom.js";

const SAID_MS = 2000;

function render({ model, el }) {
  const code = h("code", { "data-testid": "code-text" });
  const button = h("button", { type: "button", class: "etn-button", title: "Copy the code to the clipboard", "data-testid": "code-copy" }, "Copy");
  const said = h("span", { class: "etn-hidden", role: "status" });
  let timer;
  button.addEventListener("click", async () => {
    await copyText(model.get("code"));
    setText(button, "Copied");
    setText(said, "The code is on the clipboard");
    clearTimeout(timer);
    timer = setTimeout(() => {
      setText(button, "Copy");
      setText(said, "");
    }, SAID_MS);
  });
  replace(
    el,
    h(
      "section",
      { class: "etn-root etn-code-line", "aria-label": "Code that does this", "data-lm-suppress-shortcuts": "true", "data-testid": "code-line" },
      h("header", {}, h("strong", {}, "Code that does this"), button, said),
      h("pre", { tabindex: 0 }, code),
    ),
  );
  const end = follow(model, "code", (text) => setText(code, text));
  return () => {
    clearTimeout(timer);
    end();
  };
}

export default { render };
