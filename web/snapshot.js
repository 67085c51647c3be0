// All processes of one host at one time, by column, and how live changes are applied to them.
// A row is our own number, not the server's slot: a slot is given away the moment its process ends, but an ended process
// lingers here for a while so that people see what went. Numbers are in typed arrays with NaN for "not known".

/** The server's bound on slots, with room to spare; anything above it is not a message from our server. */
const SLOTS_MAX = 1 << 22;
/** A key that comes so long after what is shown goes on from it: some samples in between were missed. */
const RESUMED_MS = 120_000;

export const METRICS = /** @type {const} */ (['cpu', 'memory', 'virtual_memory', 'threads', 'read_bytes', 'write_bytes', 'memory_percent']);
const NUMBERS = /** @type {const} */ (['pid', 'parentPid', 'start', 'bornMs', 'endedMs']);
const TEXTS = /** @type {const} */ (['name', 'command_line', 'user', 'executable', 'cgroup', 'state']);

/** @typedef {(typeof METRICS)[number]} Metric */
/** @typedef {(typeof TEXTS)[number]} Text */
/** @typedef {{ pid: number, start_time: number | null, name: string, command_line: string | null, user: string | null, parent_pid: number | null, ended_at_ms: number | null,
 *   exit_code: number | null, signal: number | null, cpu_time_us: number | null, peak_memory_bytes: number | null, slot?: number, count?: number }} Ended */
/** @typedef {import('./losses.js').Loss} Loss */

/** @param {number} pid @param {number | null} start */
export const identity = (pid, start) => `${pid}@${start == null || Number.isNaN(start) ? '' : start}`;

export class Snapshot {
  constructor() {
    this.hostname = '';
    this.snapshotId = 0;
    this.timeMs = 0;
    /** When it reached this page, by this machine's clock. */
    this.receivedMs = 0;
    /** @type {Record<string, any>} */
    this.facts = {};
    /** @type {Record<string, any>} */
    this.host = {};
    /** @type {number | null} */
    this.previousId = null;
    /** @type {number | null} */
    this.nextId = null;
    /** Processes that began and ended since the snapshot before. @type {Ended[]} */
    this.brief = [];
    /** @type {Loss[]} */
    this.losses = [];
    /** @type {{ field: string, reason: string, processes: number }[]} */
    this.fieldErrors = [];
    this.beganCount = 0;
    this.endedCount = 0;
    /** Rises when rows come, go or change their description. */
    this.structure = 0;
    this.capacity = 0;
    /** Rows in use are those with 1 (lives), 2 (ended, lingering) or 3 (stands for a group of processes). */
    this.alive = new Uint8Array(0);
    this.pid = new Float64Array(0);
    this.parentPid = new Float64Array(0);
    this.start = new Float64Array(0);
    this.bornMs = new Float64Array(0);
    this.endedMs = new Float64Array(0);
    this.metric = /** @type {Record<Metric, Float64Array>} */ ({});
    this.text = /** @type {Record<Text, string[]>} */ ({});
    /** @type {string[]} */
    this.id = [];
    /** @type {(Ended | undefined)[]} */
    this.end = [];
    /** The last CPU values of each row, once what draws them is there. @type {import('./sparks.js').Sparks | null} */
    this.sparks = null;
    this.used = 0;
    /** @type {number[]} */
    this.free = [];
    /** How many live. */
    this.live = 0;
    /** @type {(number | undefined)[]} */
    this.rowOfSlot = [];
    /** @type {Map<string, number>} */
    this.rowOfId = new Map();
    /** @type {Map<number, number>} */
    this.rowOfPid = new Map();
    /** @type {number[]} */
    this.lingering = [];
    /** Rows that stand for groups, by what their processes have in common. @type {Map<string, number>} */
    this.groups = new Map();
    this.allocate(256);
  }

  /** Forgets everything. @param {number} capacity */
  allocate(capacity) {
    this.capacity = capacity;
    this.alive = new Uint8Array(capacity);
    for (const name of NUMBERS) this[name] = new Float64Array(capacity);
    for (const name of METRICS) this.metric[name] = new Float64Array(capacity);
    for (const name of TEXTS) this.text[name] = [];
    this.id = [];
    this.end = [];
    this.used = 0;
    this.free = [];
    this.live = 0;
    this.rowOfSlot = [];
    this.rowOfId = new Map();
    this.rowOfPid.clear();
    this.lingering = [];
    this.groups.clear();
  }

  /** The row that stands for a group. @param {string} kind @param {string} label @returns {number} */
  groupRow(kind, label) {
    const id = `${kind}:${label}`;
    const known = this.groups.get(id);
    if (known !== undefined) return known;
    const row = this.take();
    this.alive[row] = 3;
    this.pid[row] = this.parentPid[row] = this.start[row] = NaN;
    for (const name of TEXTS) this.text[name][row] = '';
    this.text.name[row] = label;
    this.id[row] = id;
    this.rowOfId.set(id, row);
    this.groups.set(id, row);
    return row;
  }

  /** @param {Set<number>} [kept] rows of groups that are still wanted */
  dropGroups(kept) {
    for (const [id, row] of this.groups) {
      if (kept?.has(row)) continue;
      this.groups.delete(id);
      this.rowOfId.delete(id);
      this.alive[row] = 0;
      this.free.push(row);
    }
  }

  grow() {
    const capacity = this.capacity * 2;
    const wider = (/** @type {Float64Array} */ old) => {
      const next = new Float64Array(capacity);
      next.set(old);
      return next;
    };
    for (const name of NUMBERS) this[name] = wider(this[name]);
    for (const name of METRICS) this.metric[name] = wider(this.metric[name]);
    const { alive } = this;
    this.alive = new Uint8Array(capacity);
    this.alive.set(alive);
    this.sparks?.grow(capacity);
    this.capacity = capacity;
  }

  /** @returns {number} a row whose metrics are all unknown */
  take() {
    const row = this.free.pop() ?? this.used++;
    if (row >= this.capacity) this.grow();
    for (const name of METRICS) this.metric[name][row] = NaN;
    this.text.state[row] = '';
    this.sparks?.forget(row);
    this.bornMs[row] = NaN;
    this.endedMs[row] = NaN;
    this.end[row] = undefined;
    return row;
  }

  /** @param {Record<string, any[]>} columns @param {number} index @param {number} row */
  describe(columns, index, row) {
    /** @param {string} name */
    const at = (name) => columns[name]?.[index] ?? null;
    const old = this.alive[row] ? this.id[row] : undefined;
    this.alive[row] = 1;
    this.pid[row] = at('pid');
    this.start[row] = at('start_time') ?? NaN;
    this.parentPid[row] = at('parent_pid') ?? -1;
    for (const name of TEXTS) if (name !== 'state') this.text[name][row] = at(name) ?? '';
    const id = identity(this.pid[row] ?? 0, this.start[row] ?? null);
    if (old !== undefined && old !== id) this.rowOfId.delete(old);
    this.id[row] = id;
    this.rowOfId.set(id, row);
    this.rowOfPid.set(this.pid[row] ?? 0, row);
  }

  /** Everything anew. @param {any} message a "key" message */
  applyKey(message) {
    const follows = message.previous_id == null ? message.time_ms >= this.timeMs && message.time_ms - this.timeMs < RESUMED_MS : message.previous_id === this.snapshotId;
    const rowsBefore = message.hostname === this.hostname && follows ? this.rowOfId : null;
    // Rows get other processes; what is known of them is moved once all have theirs.
    const { sparks } = this;
    this.sparks = null;
    const columns = message.columns;
    const pids = columns.pid ?? [];
    this.allocate(Math.max(256, pids.length + (pids.length >> 2)));
    this.hostname = message.hostname;
    this.facts = message.facts ?? {};
    this.previousId = message.previous_id ?? null;
    this.nextId = message.next_id ?? null;
    this.takeHead(message);
    const since = message.time_ms - (this.host['interval_ms'] ?? 0);
    for (let i = 0; i < pids.length; i++) {
      const row = this.take();
      const slot = columns.slot?.[i] ?? i;
      if (slot < SLOTS_MAX) this.rowOfSlot[slot] = row;
      this.describe(columns, i, row);
      for (const name of METRICS) this.metric[name][row] = columns[name]?.[i] ?? NaN;
      this.text.state[row] = columns.state?.[i] ?? '';
      if ((this.start[row] ?? 0) > since) this.bornMs[row] = this.start[row] ?? NaN;
    }
    this.live = pids.length;
    this.beganCount = 0;
    for (let row = 0; row < this.used; row++) if (!Number.isNaN(this.bornMs[row])) this.beganCount += 1;
    for (const ended of message.ended ?? []) this.showEnded(ended, message.time_ms);
    this.endedCount = (message.ended ?? []).length;
    this.sparks = sparks;
    sparks?.restart(rowsBefore);
    this.structure += 1;
  }

  /** @param {any} message */
  takeHead(message) {
    this.snapshotId = message.snapshot_id;
    this.timeMs = message.time_ms;
    this.receivedMs = Date.now();
    this.host = message.host ?? {};
    if (message.facts) this.facts = message.facts;
    this.brief = message.brief ?? [];
    this.losses = message.losses ?? [];
    if (message.field_errors) this.fieldErrors = message.field_errors;
  }

  /** What changed since the snapshot before; false when it does not fit and a key is needed. @param {any} message */
  applyDelta(message) {
    this.previousId = this.snapshotId;
    this.nextId = null;
    this.takeHead(message);
    let changed = this.forgetLingering();
    const ended = message.ended ?? [];
    for (const end of ended) this.endSlot(end);
    const began = message.began?.slot ?? [];
    this.beganCount = 0;
    for (let i = 0; i < began.length; i++) this.beginSlot(message.began, i);
    this.endedCount = ended.length;
    if (ended.length || began.length) changed = true;
    const fits = this.applyChanges(message.changes ?? {});
    this.sparks?.advance();
    if (changed) this.structure += 1;
    return fits;
  }

  /** @param {Ended} end */
  endSlot(end) {
    const row = this.rowOfSlot[end.slot ?? -1];
    if (row === undefined || this.alive[row] !== 1) return;
    this.rowOfSlot[end.slot ?? -1] = undefined;
    this.live -= 1;
    this.alive[row] = 2;
    this.endedMs[row] = end.ended_at_ms ?? this.timeMs;
    this.end[row] = end;
    if (this.rowOfPid.get(this.pid[row] ?? 0) === row) this.rowOfPid.delete(this.pid[row] ?? 0);
    for (const name of METRICS) this.metric[name][row] = NaN;
    this.lingering.push(row);
  }

  /** @param {Record<string, any[]>} began @param {number} index */
  beginSlot(began, index) {
    const slot = began['slot']?.[index];
    if (!(slot >= 0 && slot < SLOTS_MAX)) return;
    const known = this.rowOfSlot[slot];
    if (known !== undefined && this.alive[known] === 1) {
      this.describe(began, index, known);
      return;
    }
    const row = this.take();
    this.alive[row] = 0;
    this.rowOfSlot[slot] = row;
    this.describe(began, index, row);
    this.bornMs[row] = this.timeMs;
    this.live += 1;
    this.beganCount += 1;
  }

  /** @param {Record<string, { slots: number[], values: any[] }>} changes */
  applyChanges(changes) {
    let fits = true;
    for (const [name, { slots, values }] of Object.entries(changes)) {
      const target = name === 'state' ? this.text.state : this.metric[/** @type {Metric} */ (name)];
      if (!target) continue;
      for (let i = 0; i < slots.length; i++) {
        const row = this.rowOfSlot[slots[i] ?? -1];
        if (row === undefined) fits = false;
        else target[row] = values[i] ?? (name === 'state' ? '' : NaN);
      }
    }
    return fits;
  }

  /** An ended process of a key message, as a lingering row. @param {Ended} ended @param {number} timeMs */
  showEnded(ended, timeMs) {
    const row = this.take();
    this.alive[row] = 2;
    this.pid[row] = ended.pid;
    this.start[row] = ended.start_time ?? NaN;
    this.parentPid[row] = ended.parent_pid ?? -1;
    for (const name of TEXTS) this.text[name][row] = '';
    this.text.name[row] = ended.name ?? '';
    this.text.command_line[row] = ended.command_line ?? '';
    this.text.user[row] = ended.user ?? '';
    this.id[row] = `${identity(ended.pid, ended.start_time)}x`;
    this.rowOfId.set(this.id[row] ?? '', row);
    this.endedMs[row] = ended.ended_at_ms ?? timeMs;
    this.end[row] = ended;
    this.lingering.push(row);
  }

  /** Lets go of ended rows that were shown long enough. @returns {boolean} */
  forgetLingering() {
    const until = this.timeMs - Math.max(6000, (this.host['interval_ms'] ?? 0) * 2);
    const stay = this.lingering.filter((row) => (this.endedMs[row] ?? 0) > until);
    if (stay.length === this.lingering.length) return false;
    const staying = new Set(stay);
    for (const row of this.lingering) {
      if (staying.has(row)) continue;
      this.alive[row] = 0;
      const id = this.id[row] ?? '';
      if (this.rowOfId.get(id) === row) this.rowOfId.delete(id);
      this.free.push(row);
    }
    this.lingering = stay;
    return true;
  }

  /** Bytes read and written a second. @param {number} row */
  io(row) {
    const read = this.metric.read_bytes[row] ?? NaN;
    const written = this.metric.write_bytes[row] ?? NaN;
    if (Number.isNaN(read) && Number.isNaN(written)) return NaN;
    return ((read || 0) + (written || 0)) / ((this.host['interval_ms'] || 1000) / 1000);
  }

  /** How long it has run at the snapshot's time, or ran. @param {number} row */
  ageMs(row) {
    const until = this.alive[row] === 2 ? this.endedMs[row] : this.timeMs;
    return (until ?? NaN) - (this.start[row] ?? NaN);
  }

  /** True when it began in the interval that the snapshot ends. @param {number} row */
  isNew(row) {
    return this.alive[row] === 1 && (this.bornMs[row] ?? NaN) > this.timeMs - Math.max(this.host['interval_ms'] ?? 0, 2500) && (this.bornMs[row] ?? NaN) <= this.timeMs + 1000;
  }
}
