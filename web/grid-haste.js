// Rows that pass faster than the browser draws them: most cells, which nobody can read then, are left out until the scrolling
// slows down, so that the frames stay even. The first column stays, and the one that rows are sorted by, which says how far one
// has come. Only where frames come late: a browser with time to spare leaves nothing out. Loaded once a grid is there.

/** Nobody reads rows that pass so fast. */
const ROWS_A_FRAME = 5;
/** A frame that comes so long after the one before was late: one or more were left out. */
const LATE_MS = 25;
/** After so long without an event the scrolling has ended, or begins anew. */
const REST_MS = 80;

/** @typedef {import('./grid.js').Grid} Grid */

export class Haste {
  /** @param {Grid} grid */
  constructor(grid) {
    this.grid = grid;
    this.lastMs = 0;
    /** A frame of this scrolling was late. */
    this.late = false;
    this.timer = 0;
  }

  /** Decides what the rows of this frame say. @param {number} timeMs of the scroll event @param {number} rows that passed since the one before */
  passed(timeMs, rows) {
    const gap = timeMs - this.lastMs;
    this.lastMs = timeMs;
    const isFast = rows >= ROWS_A_FRAME;
    this.late = gap < REST_MS && isFast && (this.late || gap > LATE_MS);
    this.stop();
    if (this.late) this.timer = window.setTimeout(() => this.leave(), REST_MS);
    if (this.late && !this.grid.hasty) this.enter();
    else if (!this.late && this.grid.hasty) this.leave();
  }

  stop() {
    clearTimeout(this.timer);
  }

  enter() {
    const { grid } = this;
    const sorted = grid.columns.findIndex((column) => column.id === grid.sorted.column);
    grid.hasty = true;
    // What is hidden loses the keyboard, so the cell that has it is not.
    grid.sheet.insertRule(`.${grid.name} .row .cell:not(.c0, .c${sorted}, [tabindex="0"]),.${grid.name} .spark{visibility:hidden}`, grid.sheet.cssRules.length);
  }

  /** Each row says all again. */
  leave() {
    const { grid } = this;
    this.late = grid.hasty = false;
    grid.rules = '';
    grid.layOut();
    grid.render();
  }
}
