// Sizing a column by its edge and moving it by its head, by pointer. Loaded when the pointer first comes near the heads.
// The same can be done by keys in the columns dialog.
import { WIDTH_LEAST_PX } from './grid.js';

const WIDTH_MOST_PX = 2000;
/** A press that moves less than this is a click, which sorts. */
const DRAG_LEAST_PX = 6;

/** @typedef {import('./grid.js').Grid} Grid */

/** @param {Grid} grid */
export default function draggable(grid) {
  grid.head.addEventListener('pointerdown', (event) => press(grid, event));
  grid.head.addEventListener('dblclick', (event) => {
    const column = event.target instanceof Element && event.target.closest('.grip')?.parentElement?.dataset['column'];
    if (!column) return;
    const { [column]: _, ...rest } = grid.widths;
    grid.setWidths(rest);
    grid.options.onWidths?.(rest);
  });
}

/** @param {Grid} grid @param {PointerEvent} event */
function press(grid, event) {
  const cell = event.target instanceof Element ? event.target.closest('[role=columnheader]') : null;
  if (!(cell instanceof HTMLElement) || event.button !== 0) return;
  if (event.target instanceof Element && event.target.closest('.grip')) size(grid, cell, event);
  else if (grid.options.onOrder && event.pointerType !== 'touch') carry(grid, cell, event);
}

/** Follows one press to its end. @param {(event: PointerEvent) => void} moved @param {() => void} ended */
function followPointer(moved, ended) {
  const end = () => {
    removeEventListener('pointermove', moved);
    removeEventListener('pointerup', end);
    removeEventListener('pointercancel', end);
    ended();
  };
  addEventListener('pointermove', moved);
  addEventListener('pointerup', end);
  addEventListener('pointercancel', end);
}

/** @param {Grid} grid @param {HTMLElement} cell @param {PointerEvent} event */
function size(grid, cell, event) {
  const column = cell.dataset['column'] ?? '';
  const before = cell.getBoundingClientRect().width;
  event.preventDefault();
  followPointer((move) => {
    const width = Math.round(Math.max(WIDTH_LEAST_PX, Math.min(WIDTH_MOST_PX, before + move.clientX - event.clientX)));
    grid.setWidths({ ...grid.widths, [column]: width });
  }, () => grid.options.onWidths?.(grid.widths));
}

/** @param {Grid} grid @param {HTMLElement} cell @param {PointerEvent} event */
function carry(grid, cell, event) {
  const cells = [...grid.head.children].filter((one) => one instanceof HTMLElement);
  const from = cells.indexOf(cell);
  // The column that has the tree stays the first.
  const least = grid.tree ? 1 : 0;
  if (from < least) return;
  let to = from;
  let carried = false;
  followPointer((move) => {
    carried ||= Math.abs(move.clientX - event.clientX) > DRAG_LEAST_PX;
    if (!carried) return;
    to = cells.filter((one) => {
      const box = one.getBoundingClientRect();
      return move.clientX > box.left + box.width / 2;
    }).length;
    to = Math.max(least, to > from ? to - 1 : to);
    cell.classList.add('carried');
    cells.forEach((one, index) => one.classList.toggle('drop', index === to && to !== from));
  }, () => {
    for (const one of cells) one.classList.remove('carried', 'drop');
    if (!carried) return;
    // The click that ends a drag does not sort.
    const swallow = (/** @type {Event} */ click) => click.stopPropagation();
    addEventListener('click', swallow, true);
    setTimeout(() => removeEventListener('click', swallow, true), 50);
    if (to === from) return;
    const ids = grid.columns.map((column) => column.id);
    const [moved = ''] = ids.splice(from, 1);
    ids.splice(to, 0, moved);
    grid.options.onOrder?.(ids);
  });
}
