// Rows that pass faster than the browser draws them: most cells, which nobody can read then, are left out until the scrolling
// slows down, so that the frames stay even. The first column stays, and the one that rows are sorted by, which says how far one
// has come. Only where frames come late: a browser with time to spare leaves nothing out. Loaded once a grid is there.

/** Nobody reads rows that pass so fast. */
const ROWS_A_FRAME = 5;
/** A frame that comes so long after the one before was late: one or more were left out. */
const LATE_MS = 25;
/** After so many frames without a scroll event the scrolling has ended. */
const REST_FRAMES = 4;

/** @typedef {import('./grid.js').Grid} Grid */

export class Haste {
  /** @param {Grid} grid */
  constructor(grid) {
    this.grid = grid;
    /** A frame of this scrolling was late. */
    this.late = false;
    /** The frame that is asked for, or 0 at rest. */
    this.frame = 0;
    this.lastMs = NaN;
    this.framesSince = 0;
  }

  /** Decides what the rows of this frame say. @param {number} rows that passed since the frame before */
  passed(rows) {
    this.framesSince = 0;
    if (rows < ROWS_A_FRAME) return this.leave();
    if (!this.frame) this.frame = requestAnimationFrame((timeMs) => this.look(timeMs));
    if (this.late) this.enter();
  }

  /** Frames tell whether the browser keeps up: events may be as far apart as keys are pressed. @param {number} timeMs */
  look(timeMs) {
    if (timeMs - this.lastMs > LATE_MS) this.late = true;
    this.lastMs = timeMs;
    this.framesSince += 1;
    if (this.framesSince <= REST_FRAMES) this.frame = requestAnimationFrame((next) => this.look(next));
    else this.stop();
  }

  /** The scrolling has ended. */
  stop() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.lastMs = NaN;
    this.late = false;
    this.leave();
  }

  enter() {
    const { grid } = this;
    if (grid.hasty) return;
    grid.hasty = true;
    grid.layOut();
  }

  /** Each row says all again. */
  leave() {
    const { grid } = this;
    if (!grid.hasty) return;
    grid.hasty = false;
    grid.layOut();
    grid.render();
  }
}
