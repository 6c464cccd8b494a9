// Pointer and keys on a canvas of trials: hover tells, a click selects, arrows walk.
import { nearest } from "./glyphs.js";
import { story } from "./words.js";

/**
 * @param {HTMLElement} box focusable, with the canvas inside
 * @param {object} board
 * @param {object} tooltip
 * @param {() => {x: number, y: number, key: string}[]} points where trials lie, in CSS pixels of the box
 */
export function followTrials(box, board, tooltip, points) {
  const rowOf = (key) => board.rows.find((row) => row.key === key) ?? [...board.confirmations.values()].flat().find((run) => run.key === key);

  function find(event) {
    const { left, top } = box.getBoundingClientRect();
    const all = points();
    return all[nearest(all, event.clientX - left, event.clientY - top)]?.key ?? null;
  }

  box.addEventListener("pointermove", (event) => {
    const key = find(event);
    board.point(key);
    box.classList.toggle("etn-over", key !== null);
    const row = key && rowOf(key);
    if (row) tooltip.show(story(row, board.summary), event.clientX, event.clientY);
    else tooltip.hide();
  });
  box.addEventListener("pointerleave", () => {
    board.point(null);
    tooltip.hide();
  });
  box.addEventListener("click", (event) => {
    const key = find(event);
    if (key !== null) board.select(key, event.ctrlKey || event.metaKey || event.shiftKey);
  });
  box.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    const all = points();
    if (step !== undefined && all.length) {
      const at = all.findIndex(({ key }) => key === board.pointed);
      const start = at < 0 ? (step < 0 ? all.length : -1) : at;
      const { key, x, y } = all[Math.max(0, Math.min(all.length - 1, start + step))];
      board.point(key);
      const { left, top } = box.getBoundingClientRect();
      const lines = story(rowOf(key), board.summary);
      tooltip.show(lines, left + x, top + y);
      box.setAttribute("aria-label", `${box.dataset.label}: ${lines.join(", ")}`);
    } else if ((event.key === "Enter" || event.key === " ") && board.pointed !== null) {
      board.select(board.pointed, event.key === " ");
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  box.addEventListener("blur", () => tooltip.hide());
}
