// The last CPU values of every process, for the small lines in the grid: asked of history when a host is opened or a moment
// of the past is shown, then sample by sample. Loaded after the first tree.
import { identity } from './snapshot.js';

export const SPARK_POINTS = 20;
const WIDTH = 58;
const BASE = 15;
const HEIGHT = 13;
/** The least top of a line in hundredths of a percent: below it, all is calm. */
const TOP_LEAST = 1000;
/** Coordinates as texts, made once: lines are drawn anew for every row in sight each second. */
const X = Array.from({ length: SPARK_POINTS }, (_, i) => ((i * WIDTH) / (SPARK_POINTS - 1)).toFixed(1));
const TENTHS = Array.from({ length: BASE * 10 + 1 }, (_, i) => (i / 10).toFixed(1));

/** @typedef {import('./snapshot.js').Snapshot} Snapshot */
/** @typedef {{ timeMs: number, values: Float32Array }} SparkColumn CPU of all rows at one snapshot, NaN where it is not known */
/** @typedef {{ time_ms: number[], pid: number[], start_time: (number | null)[], cpu: number[][] }} Recent */

export class Sparks {
  /** @param {Snapshot} snapshot */
  constructor(snapshot) {
    this.snapshot = snapshot;
    /** Oldest first. @type {SparkColumn[]} */
    this.columns = [];
    /** Rises with every change, so that lines are drawn when they change and not otherwise. */
    this.stamp = 0;
    this.values = new Float64Array(SPARK_POINTS);
    this.advance();
  }

  get isFull() {
    return this.columns.length >= SPARK_POINTS;
  }

  /** The time of the oldest value, in ms. */
  get oldestMs() {
    return this.columns[0]?.timeMs ?? this.snapshot.timeMs;
  }

  /** Takes up the values of the snapshot. */
  advance() {
    const { capacity, timeMs, metric } = this.snapshot;
    const oldest = this.isFull ? this.columns.shift() : undefined;
    const values = oldest?.values.length === capacity ? oldest.values : new Float32Array(capacity);
    values.set(metric.cpu);
    this.columns.push({ timeMs, values });
    this.stamp += 1;
  }

  /** There is room for more rows. @param {number} capacity */
  grow(capacity) {
    for (const column of this.columns) {
      const wider = new Float32Array(capacity);
      wider.set(column.values);
      column.values = wider;
    }
  }

  /** The row stands for another process from now on. @param {number} row */
  forget(row) {
    for (const { values } of this.columns) values[row] = NaN;
  }

  /**
   * Rows were put together anew. What is known of processes that are still there is kept.
   * @param {Map<string, number> | null} rowsBefore where processes were, or null when it is another time
   */
  restart(rowsBefore) {
    const { capacity, rowOfId } = this.snapshot;
    this.columns = rowsBefore ? this.columns.map(({ timeMs, values }) => {
      const moved = new Float32Array(capacity).fill(NaN);
      for (const [id, row] of rowOfId) moved[row] = values[rowsBefore.get(id) ?? -1] ?? NaN;
      return { timeMs, values: moved };
    }) : [];
    this.advance();
  }

  /** Puts what history knows before what is known. @param {Recent} recent */
  fill(recent) {
    const oldest = this.oldestMs;
    const earlier = recent.time_ms.map((_, i) => i).filter((i) => (recent.time_ms[i] ?? 0) < oldest);
    const rows = recent.pid.map((pid, i) => this.snapshot.rowOfId.get(identity(pid, recent.start_time[i] ?? null)) ?? -1);
    const room = SPARK_POINTS - this.columns.length;
    const filled = room > 0 ? earlier.slice(-room).map((i) => this.column(recent.time_ms[i] ?? 0, rows, recent.cpu[i] ?? [])) : [];
    this.columns = [...filled, ...this.columns];
    this.stamp += 1;
  }

  /** History says nothing of what was not there or used nothing: what had begun used nothing. @param {number} timeMs @param {number[]} rows @param {number[]} cpu @returns {SparkColumn} */
  column(timeMs, rows, cpu) {
    const { capacity, used, start, metric, alive } = this.snapshot;
    const values = new Float32Array(capacity).fill(NaN);
    for (let row = 0; row < used; row++) {
      const known = metric.cpu[row] ?? NaN;
      if (alive[row] === 1 && !((start[row] ?? NaN) > timeMs) && known === known) values[row] = 0;
    }
    rows.forEach((row, i) => {
      if (row >= 0 && (cpu[i] ?? 0) > 0) values[row] = cpu[i] ?? NaN;
    });
    return { timeMs, values };
  }

  /** The line of a row. @param {number} row @param {number[] | undefined} members of a group, the rows that it is the sum of */
  path(row, members) {
    const { columns, values } = this;
    const first = SPARK_POINTS - columns.length;
    let most = TOP_LEAST;
    let isCalm = true;
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i]?.values ?? this.values;
      const value = members ? sumOf(column, members) : (column[row] ?? NaN);
      values[i] = value;
      if (value > most) most = value;
      if (value !== 0) isCalm = false;
    }
    if (isCalm) return columns.length > 1 ? `M${X[first]} ${TENTHS[BASE * 10]}L${X[SPARK_POINTS - 1]} ${TENTHS[BASE * 10]}` : '';
    let path = '';
    let count = 0;
    for (let i = 0; i < columns.length; i++) {
      const value = values[i] ?? NaN;
      if (value !== value) continue;
      path += `${count ? 'L' : 'M'}${X[first + i]} ${TENTHS[Math.round((BASE - (value / most) * HEIGHT) * 10)]}`;
      count += 1;
    }
    return count > 1 ? path : '';
  }
}

/** @param {Float32Array | Float64Array} values @param {number[]} rows */
function sumOf(values, rows) {
  let sum = NaN;
  for (const row of rows) {
    const value = values[row] ?? NaN;
    if (value === value) sum = (sum === sum ? sum : 0) + value;
  }
  return sum;
}
