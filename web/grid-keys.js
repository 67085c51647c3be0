// Moving about in a grid by keys, after the ARIA treegrid pattern: rows first, and into the cells by the right arrow.
import { HEADER_PX } from './grid.js';

/** @typedef {import('./grid.js').Grid} Grid */

/** @param {Grid} grid @param {string} key @param {boolean} ctrl */
export function move(grid, key, ctrl) {
  const index = grid.source.indexOf(grid.active.key);
  if (index < 0) return;
  const page = Math.max(1, Math.floor((grid.height - HEADER_PX) / grid.rowHeight) - 1);
  const rows = grid.active.column < 0 || ctrl;
  switch (key) {
    case 'ArrowDown': toRow(grid, index + 1); break;
    case 'ArrowUp': toRow(grid, index - 1); break;
    case 'PageDown': toRow(grid, index + page); break;
    case 'PageUp': toRow(grid, index - page); break;
    case 'Home': if (rows) toRow(grid, 0); else toColumn(grid, 0); break;
    case 'End': if (rows) toRow(grid, Infinity); else toColumn(grid, grid.columns.length - 1); break;
    case 'ArrowRight': right(grid, index); break;
    case 'ArrowLeft': left(grid, index); break;
    case 'Enter': grid.options.onOpen?.(grid.active.key); break;
    default:
  }
}

/** @param {Grid} grid @param {number} index */
function right(grid, index) {
  if (grid.active.column < 0 && grid.source.fold?.(index) === 'folded') grid.options.onFold?.(index, true);
  else toColumn(grid, Math.min(grid.active.column + 1, grid.columns.length - 1));
}

/** @param {Grid} grid @param {number} index */
function left(grid, index) {
  const { source } = grid;
  if (grid.active.column >= 0) return toColumn(grid, grid.active.column - 1);
  if (source.fold?.(index) === 'open') return grid.options.onFold?.(index, false);
  const depth = source.depth?.(index) ?? 0;
  for (let up = index - 1; up >= 0 && depth > 0; up--) if ((source.depth?.(up) ?? 0) < depth) return toRow(grid, up);
  return undefined;
}

/** @param {Grid} grid @param {number} column */
function toColumn(grid, column) {
  Object.assign(grid.active, { column });
  grid.focusActive();
}

/** @param {Grid} grid @param {number} index */
function toRow(grid, index) {
  const to = Math.max(0, Math.min(index, grid.source.count() - 1));
  grid.active.key = grid.source.key(to);
  grid.selected = grid.active.key;
  grid.focusActive();
  grid.options.onSelect?.(grid.active.key, 'keys');
}
