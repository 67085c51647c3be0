// A grid of many rows: plain DOM, recycled rows of fixed height, placed by a transform. It renders what a source says
// and knows the keys and roles of the ARIA treegrid pattern; it does not know processes or hosts.
// A row element belongs to one key for as long as that key is in sight, so focus, selection and hover survive any
// re-ordering; the focused row's element is kept even when it is scrolled out of sight.
import { whenIdle } from './page.js';

/** Rows that are ready on the side that people scroll to, and on the other. */
const ROWS_AHEAD = 10;
const ROWS_BEHIND = 2;
/** New cells cost the browser most the first time they are laid out and drawn, so that a full grid at once would be a long task. */
const NEW_CELLS_A_FRAME = 90;
/** The frame of the first rows has more to do than rows. */
const FIRST_CELLS = 30;
export const HEADER_PX = 30;
/** A column is never narrower than this, whatever people drag. */
export const WIDTH_LEAST_PX = 36;
const MOVES = new Set(['ArrowDown', 'ArrowUp', 'ArrowRight', 'ArrowLeft', 'PageDown', 'PageUp', 'Home', 'End', 'Enter']);

/** @typedef {import('./grid-types.js').CellState} CellState */
/** @typedef {import('./grid-types.js').Column} Column */
/** @typedef {import('./grid-types.js').Source} Source */
/** @typedef {import('./grid-types.js').GridOptions} GridOptions */
/** @typedef {import('./grid-types.js').Row} Row */

let grids = 0;

/** Sets what has changed, for each attribute set costs as much as a text. @param {Row} row @param {string} name @param {string | number} value "" for none */
function say(row, name, value) {
  if (row.said[name] === value) return;
  row.said[name] = value;
  if (value === '') row.element.removeAttribute(name);
  else row.element.setAttribute(name, String(value));
}

export class Grid {
  /** @param {GridOptions} options */
  constructor(options) {
    this.options = options;
    this.source = options.source;
    this.onWhole = options.onWhole;
    /** @type {Column[]} */
    this.columns = [];
    this.tree = options.source.fold !== undefined;
    this.name = `grid-${(grids += 1)}`;
    this.rowHeight = 24;
    /** Widths that people chose, in px by column. @type {Record<string, number>} */
    this.widths = {};
    this.sorted = { column: '', descending: true };
    this.selected = '';
    this.active = { key: '', column: -1 };
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    /** @type {Row[]} */
    this.pool = [];
    /** @type {Row | null} */
    this.tabStop = null;
    this.tabCell = -2;
    this.width = this.height = this.frame = this.top = 0;
    this.rowCount = -1;
    /** People scrolled up last. */
    this.upward = false;
    /** Cells that may still be made in this frame. */
    this.room = FIRST_CELLS;
    /** The source has something to show. */
    this.asked = false;
    /** Loaded when the grid first has the keyboard. @type {typeof import('./grid-keys.js').move | undefined} */
    this.move = undefined;
    /** Loaded soon. @type {import('./grid-haste.js').Haste | undefined} */
    this.haste = undefined;
    /** Rows pass too fast: most cells are left out. */
    this.hasty = false;
    /** The pointer is over the rows, so they should not run away. */
    this.pointed = false;
    /** The keyboard comes in with the first rows, unless people put it elsewhere meanwhile. */
    this.awaited = false;
    this.sheet = new CSSStyleSheet();
    this.rules = '';
    this.scroller = document.createElement('div');
    this.head = document.createElement('div');
    this.canvas = document.createElement('div');
    this.resize = new ResizeObserver(() => this.measure());
    this.build();
  }

  build() {
    const { host, label } = this.options;
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, this.sheet];
    this.scroller.className = `grid ${this.name}`;
    this.scroller.setAttribute('role', this.tree ? 'treegrid' : 'grid');
    this.scroller.setAttribute('aria-label', label);
    this.head.className = 'grid-head';
    this.head.setAttribute('role', 'row');
    this.head.setAttribute('aria-rowindex', '1');
    this.canvas.className = 'grid-canvas';
    this.canvas.setAttribute('role', 'rowgroup');
    const headGroup = document.createElement('div');
    headGroup.setAttribute('role', 'rowgroup');
    headGroup.className = 'grid-head-group';
    headGroup.append(this.head);
    this.scroller.append(headGroup, this.canvas);
    host.append(this.scroller);
    this.listen();
    // Once there is time: keys have to work when the server is gone, too.
    whenIdle(() => void this.loadKeys().then(() => import('./grid-haste.js')).then(({ Haste }) => (this.haste = new Haste(this)), () => {}));
  }

  listen() {
    // Asking for scrollTop makes the browser lay out; the event comes when that is done anyway.
    this.scroller.addEventListener('scroll', () => {
      const top = this.scroller.scrollTop;
      this.haste?.passed(Math.abs(top - this.top) / this.rowHeight);
      this.upward = top < this.top;
      this.top = top;
      this.render(true);
    }, { passive: true });
    this.scroller.addEventListener('click', (event) => this.click(event));
    this.scroller.addEventListener('dblclick', (event) => this.doubleClick(event));
    this.scroller.addEventListener('keydown', (event) => this.keyDown(event));
    this.scroller.addEventListener('focusin', (event) => this.focusIn(event));
    this.canvas.addEventListener('pointermove', (event) => (this.pointed = event.pointerType === 'mouse'), { passive: true });
    this.canvas.addEventListener('pointerleave', () => (this.pointed = false));
    if (this.options.onWidths) this.head.addEventListener('pointerover', () => void import('./grid-drag.js').then((module) => module.default(this), () => {}), { once: true });
    this.resize.observe(this.scroller);
  }

  destroy() {
    cancelAnimationFrame(this.frame);
    this.haste?.stop();
    this.resize.disconnect();
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => sheet !== this.sheet);
    this.scroller.remove();
  }

  /** @param {Column[]} columns */
  setColumns(columns) {
    this.columns = columns;
    for (const row of [...this.rows.values(), ...this.pool]) row.element.remove();
    this.rows.clear();
    this.pool = [];
    this.tabStop = null;
    this.head.replaceChildren(...columns.map((column, index) => this.headCell(column, index)));
    this.scroller.setAttribute('aria-colcount', String(columns.length));
    this.showSort();
    this.layOut();
    this.render();
  }

  /** @param {Column} column @param {number} index */
  headCell(column, index) {
    const cell = document.createElement('div');
    cell.setAttribute('role', 'columnheader');
    cell.setAttribute('aria-colindex', String(index + 1));
    cell.className = `cell c${index}${column.end ? ' end' : ''}`;
    cell.dataset['column'] = column.id;
    if (column.title) cell.title = column.title;
    if (column.unsortable) cell.textContent = column.label;
    else cell.append(Object.assign(document.createElement('button'), { type: 'button', tabIndex: -1, textContent: column.label }));
    if (this.options.onWidths) cell.append(Object.assign(document.createElement('span'), { className: 'grip', ariaHidden: 'true' }));
    return cell;
  }

  /** @param {string} column @param {boolean} descending */
  setSort(column, descending) {
    if (this.sorted.column === column && this.sorted.descending === descending) return;
    this.sorted = { column, descending };
    this.showSort();
  }

  showSort() {
    this.columns.forEach((column, index) => {
      const cell = this.head.children[index];
      if (!(cell instanceof HTMLElement)) return;
      const on = column.id === this.sorted.column;
      cell.classList.toggle('sorted', on);
      cell.classList.toggle('up', on && !this.sorted.descending);
      if (!column.unsortable) cell.setAttribute('aria-sort', on ? (this.sorted.descending ? 'descending' : 'ascending') : 'none');
    });
  }

  measure() {
    const { scroller } = this;
    this.width = scroller.clientWidth;
    this.height = scroller.clientHeight;
    const rowHeight = parseFloat(getComputedStyle(scroller).getPropertyValue('--row-px')) || 24;
    if (rowHeight !== this.rowHeight) {
      this.rowHeight = rowHeight;
      for (const row of this.rows.values()) row.top = -1;
    }
    this.layOut();
    this.render();
  }

  /** Rows have another height. Before the first measure there is none to look at, and asking would make the browser lay out. */
  measureAgain() {
    if (this.height) this.measure();
  }

  /** @param {Record<string, number>} widths */
  setWidths(widths) {
    this.widths = widths;
    this.layOut();
  }

  /** A column that people sized keeps that size; the others share what is left. */
  layOut() {
    const least = this.columns.reduce((sum, column) => sum + (this.widths[column.id] ?? column.width), 0);
    const grow = (/** @type {Column} */ column) => (this.widths[column.id] === undefined ? (column.grow ?? 0) : 0);
    const shares = this.columns.reduce((sum, column) => sum + grow(column), 0) || 1;
    const spare = Math.max(0, this.width - least);
    let left = 0;
    const rules = this.columns.map((column, index) => {
      const width = (this.widths[column.id] ?? column.width) + (spare * grow(column)) / shares;
      // A number has room in its column, unless people made that narrower.
      const clip = column.end && width < column.width ? `.${this.name} .row .c${index}{overflow:clip}` : '';
      const rule = `.${this.name} .c${index}{left:${left.toFixed(1)}px;width:${width.toFixed(1)}px}${clip}`;
      left += width;
      return rule;
    });
    rules.push(`.${this.name} .grid-canvas,.${this.name} .grid-head{width:${Math.max(this.width, left).toFixed(1)}px}`);
    // What is hidden loses the keyboard, so the cell that has it is not.
    if (this.hasty) rules.push(`.${this.name} .row .cell:not(.c0, .c${this.columns.findIndex((column) => column.id === this.sorted.column)}, [tabindex="0"]),.${this.name} .spark{visibility:hidden}`);
    const text = rules.join('\n');
    // New rules make the browser look at every cell again, even if they say the same.
    if (text !== this.rules) this.sheet.replaceSync(text);
    this.rules = text;
  }

  /** Renders what is in sight, once a frame at most. */
  update() {
    this.asked = true;
    // Each scrolled frame renders, and the end of the haste renders all.
    if (!this.frame && !this.hasty) this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.room = this.rows.size ? NEW_CELLS_A_FRAME : FIRST_CELLS;
      this.render();
    });
  }

  /** Once scrolled, a row that stays is what it was. @param {boolean} [scrolled] */
  render(scrolled = false) {
    const { scroller, source, rowHeight } = this;
    const count = source.count();
    this.fitCanvas(count);
    if (this.rowCount !== count) {
      this.rowCount = count;
      scroller.setAttribute('aria-rowcount', String(count + 1));
    }
    this.moveActive(count);
    const room = this.height - HEADER_PX;
    const top = Math.max(0, Math.min(this.top, count * rowHeight - room));
    const begin = Math.floor(top / rowHeight);
    // Always as many, so that a row that leaves on one side is there for the other.
    const first = Math.max(0, begin - (this.upward ? ROWS_AHEAD : ROWS_BEHIND));
    const last = Math.min(count, begin + Math.ceil(room / rowHeight) + 1 + (this.upward ? ROWS_BEHIND : ROWS_AHEAD));
    const wanted = new Map();
    for (let index = first; index < last; index++) wanted.set(source.key(index), index);
    const activeIndex = this.active.key ? source.indexOf(this.active.key) : -1;
    if (activeIndex >= 0) wanted.set(this.active.key, activeIndex);
    this.release(wanted);
    let missing = 0;
    for (const [key, index] of wanted) {
      const kept = this.rows.get(key);
      if (kept && scrolled && kept.index === index) continue;
      const row = kept ?? this.claim(key);
      if (row) this.fill(row, index);
      else missing += 1;
    }
    if (missing) this.update();
    for (const row of this.pool) if (!row.element.hidden) row.element.hidden = true;
    this.showTabStop();
    if (this.awaited && count && document.activeElement === document.body) this.focus();
    if (!missing && this.asked && this.height) this.onWhole = void this.onWhole?.();
  }

  /** @param {number} count */
  fitCanvas(count) {
    const total = `${count * this.rowHeight}px`;
    if (this.canvas.style.height !== total) this.canvas.style.height = total;
  }

  /** Rows that are out of sight go to the pool. They are hidden only if nothing claims them: what is hidden has to be laid out anew. @param {Map<string, number>} wanted */
  release(wanted) {
    const focused = document.activeElement;
    for (const [key, row] of this.rows) {
      if (wanted.has(key)) continue;
      this.rows.delete(key);
      if (row.element.contains(focused)) row.element.hidden = true;
      if (this.tabStop === row) this.clearTabStop();
      this.pool.push(row);
    }
  }

  /** A row for the key, or null when no more can be made before the next frame; the active one always is. @param {string} key */
  claim(key) {
    if (!this.pool.length && this.room <= 0 && key !== this.active.key) return null;
    const row = this.pool.pop() ?? this.makeRow();
    row.key = key;
    if (row.element.hidden) row.element.hidden = false;
    this.rows.set(key, row);
    return row;
  }

  /** @returns {Row} */
  makeRow() {
    this.room -= this.columns.length;
    const element = document.createElement('div');
    element.setAttribute('role', 'row');
    element.tabIndex = -1;
    const cells = this.columns.map((column, index) => {
      const cell = document.createElement('div');
      cell.setAttribute('role', 'gridcell');
      cell.setAttribute('aria-colindex', String(index + 1));
      cell.className = `cell c${index}${column.end ? ' end' : ''}${column.className ? ` ${column.className}` : ''}`;
      /** @type {CellState} */
      const state = { cell, last: '', text: document.createTextNode('') };
      if (column.build) column.build(state);
      if (!state.text.parentNode) cell.append(state.text);
      element.append(cell);
      return state;
    });
    this.canvas.append(element);
    return { element, key: '', index: -1, cells, className: '', top: -1, said: {} };
  }

  /** @param {Row} row @param {number} index */
  fill(row, index) {
    const { source, columns } = this;
    const top = index * this.rowHeight;
    if (row.top !== top) {
      row.top = top;
      row.element.style.transform = `translateY(${top}px)`;
    }
    row.index = index;
    const className = `row ${source.rowClass(index)}${index % 2 ? ' odd' : ''}${row.key === this.selected ? ' selected' : ''}`;
    if (row.className !== className) {
      row.className = className;
      row.element.className = className;
    }
    this.fillAria(row, index);
    for (let i = 0; i < columns.length; i++) {
      const column = /** @type {Column} */ (columns[i]);
      if (this.hasty && i && column.id !== this.sorted.column) continue;
      const state = /** @type {CellState} */ (row.cells[i]);
      const text = column.text(index);
      if (state.last !== text) {
        state.last = text;
        state.text.data = text;
      }
      column.paint?.(state, index, this.hasty);
    }
  }

  /** @param {Row} row @param {number} index */
  fillAria(row, index) {
    const { source } = this;
    say(row, 'aria-rowindex', index + 2);
    say(row, 'aria-selected', row.key === this.selected ? 'true' : 'false');
    if (!this.tree) return;
    const fold = source.fold?.(index) ?? '';
    const [position, size] = source.place?.(index) ?? [0, 0];
    say(row, 'aria-level', (source.depth?.(index) ?? 0) + 1);
    say(row, 'aria-posinset', position);
    say(row, 'aria-setsize', size);
    say(row, 'aria-expanded', fold && String(fold === 'open'));
  }

  /** When the active row is gone, its neighbour takes over, so that the keys go on working. @param {number} count */
  moveActive(count) {
    if (!this.active.key || this.source.indexOf(this.active.key) >= 0) return;
    const row = this.rows.get(this.active.key);
    const focused = row?.element.contains(document.activeElement) ?? false;
    const index = Math.min(row?.index ?? 0, count - 1);
    this.active.key = index >= 0 ? this.source.key(index) : '';
    if (focused && this.active.key) queueMicrotask(() => this.focusActive(false));
  }

  clearTabStop() {
    if (!this.tabStop) return;
    this.tabStop.element.tabIndex = -1;
    for (const { cell } of this.tabStop.cells) cell.removeAttribute('tabindex');
    this.tabStop = null;
    this.tabCell = -2;
  }

  /** Exactly one row or cell is a tab stop. */
  showTabStop() {
    const first = this.rows.values().next().value;
    const row = this.rows.get(this.active.key) ?? first;
    const cell = row && this.active.key === row.key ? this.active.column : -1;
    if (this.tabStop === row && this.tabCell === cell) return;
    if (this.tabStop && this.tabStop !== row) this.clearTabStop();
    if (!row) return;
    this.tabStop = row;
    this.tabCell = cell;
    row.element.tabIndex = cell < 0 ? 0 : -1;
    row.cells.forEach((state, index) => {
      if (index === cell) state.cell.tabIndex = 0;
      else if (state.cell.hasAttribute('tabindex')) state.cell.removeAttribute('tabindex');
    });
  }

  /** @param {boolean} [scroll] */
  focusActive(scroll = true) {
    const index = this.source.indexOf(this.active.key);
    if (index < 0) return;
    if (scroll) this.scrollTo(index);
    this.render();
    const row = this.rows.get(this.active.key);
    const target = this.active.column >= 0 ? row?.cells[this.active.column]?.cell : row?.element;
    target?.focus({ preventScroll: true });
  }

  /** Puts the keyboard into the grid, as soon as there are rows. */
  focus() {
    this.awaited = !this.source.count();
    if (!this.active.key && this.source.count()) this.active.key = this.selected && this.source.indexOf(this.selected) >= 0 ? this.selected : this.source.key(0);
    this.focusActive(false);
  }

  /** @param {number} index */
  scrollTo(index) {
    const { scroller, rowHeight } = this;
    // Nobody scrolls further than there is room for rows.
    this.fitCanvas(this.source.count());
    const top = index * rowHeight;
    const room = this.height - HEADER_PX;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + rowHeight > scroller.scrollTop + room) scroller.scrollTop = top + rowHeight - room;
    this.top = scroller.scrollTop;
  }

  /** @param {string} key @param {boolean} [reveal] */
  select(key, reveal = false) {
    this.selected = key;
    if (key) this.active.key = key;
    const index = this.source.indexOf(key);
    if (reveal && index >= 0) this.scrollTo(index);
    this.render();
  }

  /** @param {Event} event */
  rowOf(event) {
    const element = event.target instanceof Element ? event.target.closest('[role=row]') : null;
    for (const row of this.rows.values()) if (row.element === element) return row;
    return null;
  }

  /** @param {MouseEvent} event */
  click(event) {
    const target = event.target instanceof Element ? event.target : null;
    const header = target?.closest('[role=columnheader]');
    if (header instanceof HTMLElement) {
      if (target?.closest('button')) this.options.onSort?.(header.dataset['column'] ?? '');
      return;
    }
    const row = this.rowOf(event);
    if (!row) return;
    if (target?.closest('.twist')) {
      const fold = this.source.fold?.(row.index);
      if (fold) this.options.onFold?.(row.index, fold === 'folded');
      return;
    }
    this.active = { key: row.key, column: -1 };
    this.select(row.key);
    this.focusActive(false);
    this.options.onSelect?.(row.key, 'pointer');
  }

  /** @param {MouseEvent} event */
  doubleClick(event) {
    const row = this.rowOf(event);
    if (row && !(event.target instanceof Element && event.target.closest('.twist'))) this.options.onOpen?.(row.key);
  }

  async loadKeys() {
    return (this.move = (await import('./grid-keys.js')).move);
  }

  /** @param {FocusEvent} event */
  focusIn(event) {
    const row = this.rowOf(event);
    if (!row) return;
    const cell = event.target instanceof Element ? event.target.closest('[role=gridcell]') : null;
    this.active = { key: row.key, column: cell ? row.cells.findIndex((state) => state.cell === cell) : -1 };
    this.showTabStop();
  }

  /** @param {KeyboardEvent} event */
  keyDown(event) {
    if (event.target instanceof Element && event.target.closest('[role=columnheader]')) return undefined;
    if (this.options.onKey?.(event)) return event.preventDefault();
    if (event.altKey || event.metaKey || !MOVES.has(event.key) || this.source.indexOf(this.active.key) < 0) return undefined;
    event.preventDefault();
    const { key, ctrlKey } = event;
    if (this.move) return this.move(this, key, ctrlKey);
    return void this.loadKeys().then((move) => move(this, key, ctrlKey), () => {});
  }
}
