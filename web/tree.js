// The order in which a snapshot's rows are shown: parents and children (or a flat list), sorted, filtered, folded,
// with the totals of each subtree. Children keep their array between updates, so sorting almost-sorted rows is cheap.
import { METRICS } from './snapshot.js';

/** @typedef {import('./snapshot.js').Snapshot} Snapshot */
/** @typedef {{ test: (snapshot: Snapshot, row: number, tree: Tree) => boolean }} Filter */

const ROOT = -1;

/** So many places a row are moved at most before rows are sorted the other way. */
const MOVES_A_ROW = 4;

/**
 * Sorts rows that are nearly in order, as siblings are from one sample to the next, where they stand: without a copy of
 * them, and in one pass. Those that are not are left to the browser.
 * @param {number[]} rows
 * @param {(a: number, b: number) => number} compare
 */
export function sortRows(rows, compare) {
  let moves = rows.length * MOVES_A_ROW;
  for (let i = 1; i < rows.length; i++) {
    const row = /** @type {number} */ (rows[i]);
    let at = i;
    while (at > 0 && compare(/** @type {number} */ (rows[at - 1]), row) > 0) {
      rows[at] = /** @type {number} */ (rows[at - 1]);
      at -= 1;
    }
    rows[at] = row;
    moves -= i - at;
    if (moves < 0) {
      rows.sort(compare);
      return;
    }
  }
}

export class Tree {
  /** @param {Snapshot} snapshot */
  constructor(snapshot) {
    this.snapshot = snapshot;
    this.flat = false;
    /** What rows are put together by, instead of by their parents: "", "name", "user", "unit" or "container". */
    this.group = '';
    /** Of a row, what it has in common with its group; set with `group`. @type {(snapshot: Snapshot, row: number) => string} */
    this.groupOf = () => '';
    this.sort = 'cpu';
    this.descending = true;
    /** Siblings keep their order while people point at them. */
    this.hold = false;
    /** @type {Filter | null} */
    this.filter = null;
    /** Folded by hand, by identity. @type {Set<string>} */
    this.folded = new Set();
    /** So many levels are shown; what is deeper is folded, unless opened by hand. */
    this.foldDepth = Infinity;
    /** @type {Set<string>} */
    this.opened = new Set();
    this.structure = -1;
    /** @type {Int32Array} */
    this.parent = new Int32Array(0);
    /** @type {(number[] | undefined)[]} */
    this.children = [];
    /** @type {number[]} */
    this.roots = [];
    this.rootCount = 0;
    this.childCount = new Int32Array(0);
    /** Parents before children. @type {number[]} */
    this.order = [];
    this.seen = new Uint8Array(0);
    this.sumCpu = new Float64Array(0);
    this.sumMemory = new Float64Array(0);
    this.sumCount = new Int32Array(0);
    this.sumIo = new Float64Array(0);
    /** What is shown, from top to bottom. @type {number[]} */
    this.rows = [];
    /** @type {number[]} */
    this.depths = [];
    this.position = new Int32Array(0);
    this.setSize = new Int32Array(0);
    this.place = new Int32Array(0);
    this.keep = new Uint8Array(0);
    /** Rows that are still to be shown, and how deep: kept from one update to the next. */
    this.stack = new Int32Array(0);
    this.stackDepth = new Int32Array(0);
    this.matchCount = 0;
  }

  update() {
    if (this.structure !== this.snapshot.structure) this.rebuild();
    this.addUp();
    if (this.filter) this.mark();
    this.flatten();
  }

  /** Arrays are written over and then cut: emptied ones give their memory away, and new memory each second is work for the garbage collector. */
  rebuild() {
    const s = this.snapshot;
    this.structure = s.structure;
    this.childCount.fill(0);
    this.rootCount = 0;
    if (this.group) this.byGroup();
    else {
      s.dropGroups();
      this.byParent();
    }
    this.roots.length = this.rootCount;
    for (let row = 0; row < this.children.length; row++) {
      const siblings = this.children[row];
      const count = this.childCount[row] ?? 0;
      if (siblings && siblings.length !== count) siblings.length = count;
    }
    this.orderRows(s.used);
    this.countUp();
  }

  byParent() {
    const s = this.snapshot;
    if (this.parent.length < s.used) this.enlarge(s.capacity);
    for (let row = 0; row < s.used; row++) {
      if (!s.alive[row]) continue;
      const above = s.rowOfPid.get(s.parentPid[row] ?? -1);
      this.put(row, above === undefined || above === row ? ROOT : above);
    }
  }

  /** Groups are rows of their own, above the processes that have something in common. */
  byGroup() {
    const s = this.snapshot;
    const used = s.used;
    const kept = new Set();
    for (let row = 0; row < used; row++) {
      if (s.alive[row] !== 1 && s.alive[row] !== 2) continue;
      const group = s.groupRow(this.group, this.groupOf(s, row));
      if (this.parent.length < s.used) this.enlarge(s.capacity);
      if (!kept.has(group)) this.put(group, ROOT);
      kept.add(group);
      this.put(row, group);
    }
    s.dropGroups(kept);
  }

  /** @param {number} row @param {number} up */
  put(row, up) {
    this.parent[row] = up;
    if (up === ROOT) this.roots[this.rootCount++] = row;
    else (this.children[up] ??= [])[this.childCount[up]++] = row;
  }

  /** @param {number} capacity */
  enlarge(capacity) {
    const parent = new Int32Array(capacity);
    parent.set(this.parent);
    this.parent = parent;
    const childCount = new Int32Array(capacity);
    childCount.set(this.childCount);
    this.childCount = childCount;
    this.sumCpu = new Float64Array(capacity);
    this.sumMemory = new Float64Array(capacity);
    this.sumIo = new Float64Array(capacity);
    this.sumCount = new Int32Array(capacity);
    this.position = new Int32Array(capacity);
    this.setSize = new Int32Array(capacity);
    this.place = new Int32Array(capacity).fill(0x7fffffff);
    this.keep = new Uint8Array(capacity);
    this.stack = new Int32Array(capacity);
    this.stackDepth = new Int32Array(capacity);
  }

  /** Parents before children; a circle of parents is cut at its first row. @param {number} n */
  orderRows(n) {
    const { order, roots } = this;
    let count = 0;
    for (const row of roots) order[count++] = row;
    if (this.seen.length < n) this.seen = new Uint8Array(this.snapshot.capacity);
    const seen = this.seen.fill(0);
    for (const row of roots) seen[row] = 1;
    const walk = (/** @type {number} */ from) => {
      for (let i = from; i < count; i++) {
        const below = this.children[order[i] ?? 0];
        if (!below) continue;
        for (let j = 0; j < below.length; j++) {
          const child = /** @type {number} */ (below[j]);
          if (seen[child]) continue;
          seen[child] = 1;
          order[count++] = child;
        }
      }
    };
    walk(0);
    for (let row = 0; row < n; row++) {
      if (seen[row] || !this.snapshot.alive[row]) continue;
      const up = this.parent[row] ?? ROOT;
      this.children[up] = (this.children[up] ?? []).filter((child) => child !== row);
      this.parent[row] = ROOT;
      this.roots.push(row);
      seen[row] = 1;
      order[count++] = row;
      walk(count - 1);
    }
    order.length = count;
  }

  addUp() {
    const { metric } = this.snapshot;
    const { order, parent, sumCpu, sumMemory } = this;
    const { cpu, memory } = metric;
    for (let i = 0; i < order.length; i++) {
      const row = /** @type {number} */ (order[i]);
      sumCpu[row] = cpu[row] || 0;
      sumMemory[row] = memory[row] || 0;
    }
    for (let i = order.length - 1; i >= 0; i--) {
      const row = /** @type {number} */ (order[i]);
      const up = /** @type {number} */ (parent[row]);
      if (up < 0) continue;
      sumCpu[up] = /** @type {number} */ (sumCpu[up]) + /** @type {number} */ (sumCpu[row]);
      sumMemory[up] = /** @type {number} */ (sumMemory[up]) + /** @type {number} */ (sumMemory[row]);
    }
    if (this.sort === 'io') this.addUpIo();
    if (this.group) this.fillGroups();
  }

  /** Only an order by it needs the sums of IO. */
  addUpIo() {
    const { order, parent, sumIo } = this;
    const { read_bytes: read, write_bytes: written } = this.snapshot.metric;
    for (const row of order) sumIo[row] = (read[row] || 0) + (written[row] || 0);
    for (let i = order.length - 1; i >= 0; i--) {
      const up = parent[order[i] ?? 0] ?? ROOT;
      if (up >= 0) sumIo[up] = (sumIo[up] ?? 0) + (sumIo[order[i] ?? 0] ?? 0);
    }
  }

  /** How many processes each branch has; a group is none itself. */
  countUp() {
    const { order, parent, sumCount } = this;
    for (let i = 0; i < order.length; i++) sumCount[order[i] ?? 0] = this.snapshot.alive[order[i] ?? 0] === 3 ? 0 : 1;
    for (let i = order.length - 1; i >= 0; i--) {
      const up = parent[order[i] ?? 0] ?? ROOT;
      if (up >= 0) sumCount[up] = (sumCount[up] ?? 0) + (sumCount[order[i] ?? 0] ?? 0);
    }
  }

  /** A group's own figures are those of its processes together. */
  fillGroups() {
    const { metric, alive } = this.snapshot;
    for (const row of this.roots) {
      if (alive[row] !== 3) continue;
      const members = this.children[row] ?? [];
      for (const name of METRICS) {
        let sum = NaN;
        for (const one of members) {
          const value = metric[name][one] ?? NaN;
          if (value === value) sum = (sum === sum ? sum : 0) + value;
        }
        metric[name][row] = sum;
      }
      this.sumCpu[row] = metric.cpu[row] || 0;
      this.sumMemory[row] = metric.memory[row] || 0;
      this.sumIo[row] = (metric.read_bytes[row] || 0) + (metric.write_bytes[row] || 0);
    }
  }

  /** Which rows match (2) or lead to one that does (1). */
  mark() {
    const { order, parent, keep, filter, snapshot } = this;
    let matches = 0;
    for (const row of order) {
      const hit = snapshot.alive[row] !== 3 && (filter?.test(snapshot, row, this) ?? true);
      keep[row] = hit ? 2 : 0;
      if (hit) matches += 1;
    }
    for (let i = order.length - 1; i >= 0; i--) {
      const row = order[i] ?? 0;
      const up = parent[row] ?? ROOT;
      if (keep[row] && up >= 0 && !keep[up]) keep[up] = 1;
    }
    this.matchCount = matches;
  }

  /** @returns {(a: number, b: number) => number} */
  comparison() {
    const place = this.place;
    if (this.hold) return (a, b) => (place[a] ?? 0) - (place[b] ?? 0);
    const { snapshot: s, sort } = this;
    const sign = this.descending ? -1 : 1;
    if (sort === 'name' || sort === 'user' || sort === 'command_line' || sort === 'state' || sort === 'cgroup' || sort === 'executable') {
      const texts = s.text[sort];
      return (a, b) => {
        const x = texts[a] ?? '';
        const y = texts[b] ?? '';
        return x === y ? (s.pid[a] ?? 0) - (s.pid[b] ?? 0) : x < y ? -sign : sign;
      };
    }
    const values = this.numbers(sort);
    return (a, b) => {
      const x = values[a] ?? NaN;
      const y = values[b] ?? NaN;
      if (x === y || (x !== x && y !== y)) return (s.pid[a] ?? 0) - (s.pid[b] ?? 0);
      if (x !== x) return 1;
      if (y !== y) return -1;
      return x < y ? -sign : sign;
    };
  }

  /**
   * The numbers that a column sorts by. In the tree a branch stands where its whole subtree belongs, so that a busy
   * grandchild lifts its ancestors and is found at the top; in the list each process stands for itself.
   * @param {string} sort
   * @returns {Float64Array | Int32Array}
   */
  numbers(sort) {
    const s = this.snapshot;
    if (sort === 'pid') return s.pid;
    if (sort === 'age') return s.start.map((start) => -start);
    if (sort === 'sum_cpu' || (sort === 'cpu' && !this.flat)) return this.sumCpu;
    if (sort === 'sum_memory' || (sort === 'memory' && !this.flat)) return this.sumMemory;
    if (sort === 'sum_count') return this.sumCount;
    if (sort === 'io') return this.flat ? s.pid.map((_, row) => s.io(row)) : this.sumIo;
    const metric = METRICS.find((name) => name === sort);
    return metric ? s.metric[metric] : s.pid;
  }

  /** @param {number} row @param {number} depth */
  isOpen(row, depth) {
    const id = this.snapshot.id[row] ?? '';
    if (this.folded.has(id)) return false;
    return this.filter !== null || depth + 1 < this.foldDepth || this.opened.has(id);
  }

  flatten() {
    const compare = this.comparison();
    if (this.flat) this.flattenList(compare);
    else this.flattenTree(compare);
    const { rows, place } = this;
    for (let i = 0; i < rows.length; i++) place[/** @type {number} */ (rows[i])] = i;
  }

  /** @param {(a: number, b: number) => number} compare */
  flattenList(compare) {
    const { filter, keep } = this;
    const rows = this.order.filter((row) => (filter ? keep[row] === 2 : this.snapshot.alive[row] !== 3));
    if (!this.hold) rows.sort((a, b) => (this.place[a] ?? 0) - (this.place[b] ?? 0));
    rows.sort(compare);
    this.rows = rows;
    this.depths = new Array(rows.length).fill(0);
  }

  /** @param {(a: number, b: number) => number} compare */
  flattenTree(compare) {
    const { filter, keep, rows, depths, stack, stackDepth } = this;
    let waiting = 0;
    const push = (/** @type {number[]} */ siblings, /** @type {number} */ depth) => {
      sortRows(siblings, compare);
      const shown = filter ? siblings.filter((row) => keep[row]) : siblings;
      for (let i = shown.length - 1; i >= 0; i--) {
        const row = /** @type {number} */ (shown[i]);
        this.position[row] = i + 1;
        this.setSize[row] = shown.length;
        stack[waiting] = row;
        stackDepth[waiting++] = depth;
      }
    };
    let count = 0;
    push(this.roots, 0);
    while (waiting) {
      const row = /** @type {number} */ (stack[--waiting]);
      const depth = /** @type {number} */ (stackDepth[waiting]);
      rows[count] = row;
      depths[count++] = depth;
      const below = this.children[row];
      if (below?.length && this.isOpen(row, depth)) push(below, depth + 1);
    }
    rows.length = count;
    depths.length = count;
  }

  /** "open", "folded", or "" for a row without children. @param {number} index */
  fold(index) {
    const row = this.rows[index] ?? -1;
    const below = this.children[row];
    if (this.flat || !below?.length) return '';
    if (this.filter && !below.some((child) => this.keep[child])) return '';
    return this.isOpen(row, this.depths[index] ?? 0) ? 'open' : 'folded';
  }

  /** @param {number} index @param {boolean} open */
  setOpen(index, open) {
    const id = this.snapshot.id[this.rows[index] ?? -1] ?? '';
    if (open) {
      this.folded.delete(id);
      this.opened.add(id);
    } else {
      this.folded.add(id);
      this.opened.delete(id);
    }
  }

  /** Shows this many levels. @param {number} depth */
  foldTo(depth) {
    this.foldDepth = depth;
    this.folded.clear();
    this.opened.clear();
  }

  /** Opens what hides a row. @param {number} row */
  reveal(row) {
    for (let up = this.parent[row] ?? ROOT; up >= 0; up = this.parent[up] ?? ROOT) {
      const id = this.snapshot.id[up] ?? '';
      this.folded.delete(id);
      this.opened.add(id);
    }
  }

  /** @param {string} id */
  indexOf(id) {
    const row = this.snapshot.rowOfId.get(id);
    if (row === undefined) return -1;
    const guess = this.place[row] ?? -1;
    return this.rows[guess] === row ? guess : -1;
  }
}
