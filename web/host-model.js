// One host at one moment, live or past: where its data comes from and what people chose to see of it.
// The keyframe comes over compressed HTTP, changes over the WebSocket; a moment of the past is one HTTP answer.
import { ApiError, Live, getJson } from './api.js';
import { setParameters, address } from './router.js';
import { signal, computed, effect, batch, tell, zone } from './page.js';
import { Snapshot } from './snapshot.js';
import { Tree } from './tree.js';
import { clock, parseMoment, visible } from './format.js';

const LOSSES_MAX = 200;
/** So long people rest at a moment before its small lines are asked for. */
const REST_MS = 150;
/** After this time without the page being drawn, changes are caught up by a fresh keyframe. */
const HIDDEN_TOO_LONG_MS = 60_000;

export class HostModel {
  /** @param {string} hostname */
  constructor(hostname) {
    this.hostname = hostname;
    this.snapshot = new Snapshot();
    this.tree = new Tree(this.snapshot);
    /** Rises with every change of what is shown. */
    this.tick = signal(0);
    this.problem = signal('');
    this.paused = signal(false);
    this.loading = signal(true);
    /** @type {Live | null} */
    this.live = null;
    this.lostSince = signal(0);
    /** Something is shown. */
    this.ready = computed(() => this.tick.value > 0);
    /** Rows keep their order because the pointer is over them. */
    this.held = signal(false);
    /** What is known to be lost, as far as this page saw it. @type {import('./snapshot.js').Loss[]} */
    this.losses = [];
    /** @type {AbortController | null} */
    this.abort = null;
    /** The query that is wanted next while one is on its way. @type {Record<string, string | number> | null} */
    this.wanted = null;
    this.busy = false;
    this.shownAt = '';
    this.closed = false;
    this.stepping = false;
    /** The view stays on the selected process (F). */
    this.following = false;
    /** @type {import('./grid.js').Grid | null} */
    this.grid = null;
    /** Goes back to the range before the last zoom; the time line sets it. @type {() => void} */
    this.unzoom = () => {};
    /** Shows this range on the charts, and asks who did this when `asks`; the time line sets it. @type {(from: number, until: number, asks: boolean) => void} */
    this.zoom = () => {};
    /** What is known to be lost in the charts' range; the time line sets it. @type {() => import('./losses.js').Loss[]} */
    this.lossesOfRange = () => this.losses;
    /** Opens the table behind the charts; the time line sets it. @type {() => void} */
    this.showTable = () => {};
    /** @type {(() => void) | undefined} */
    this.stopLive = undefined;
    this.sparkTimer = 0;
    this.lastDraw = performance.now();
    this.stop = effect(() => this.follow(address.value.params.get('at') ?? '', address.value.params.get('nearest') ?? ''));
  }

  close() {
    this.closed = true;
    this.stop();
    this.stopLive?.();
    this.live?.close();
    this.abort?.abort();
    clearTimeout(this.sparkTimer);
  }

  /** Live without `at`, else that moment. @param {string} at @param {string} nearest */
  follow(at, nearest) {
    if (at === '' ) {
      if (!this.live) void this.startLive();
      return undefined;
    }
    this.endLive();
    const ms = /^\d+$/.test(at) ? Number(at) : parseMoment(at, Date.now(), zone.peek());
    if (!Number.isFinite(ms)) return this.failed(new Error(`"${visible(at, 60)}" is no time. Write now-6h, 03:12 or 2026-11-21T03:12:35Z.`));
    if (ms === this.snapshot.timeMs && this.snapshot.hostname) return undefined;
    return this.fetch({ at: Math.round(ms), nearest: nearest || 'before' });
  }

  endLive() {
    this.stopLive?.();
    this.stopLive = undefined;
    this.live?.close();
    this.live = null;
    this.lostSince.value = 0;
  }

  async startLive() {
    batch(() => {
      this.paused.value = false;
      this.problem.value = '';
    });
    this.wanted = null;
    this.abort?.abort();
    const abort = new AbortController();
    this.abort = abort;
    this.snapshot.timeMs = Math.min(this.snapshot.timeMs, Date.now());
    try {
      const key = await getJson('process-snapshots/columns/', { hostname: this.hostname }, abort.signal);
      if (abort.signal.aborted || this.closed) return;
      this.show(key);
    } catch (error) {
      if (abort.signal.aborted || this.closed) return;
      this.failed(error);
    }
    this.listen();
  }

  listen() {
    if (this.live) return;
    const live = new Live(
      () => `/ws/live/?${new URLSearchParams({ hostname: this.hostname, ...(this.snapshot.snapshotId ? { after: String(this.snapshot.snapshotId) } : {}) })}`,
      (message) => this.receive(message),
    );
    this.live = live;
    this.stopLive = effect(() => {
      this.lostSince.value = live.lostSince.value;
    });
  }

  /** @param {any} message */
  receive(message) {
    if (message.type === 'key') this.show(message);
    else if (message.type === 'delta') {
      if (message.snapshot_id <= this.snapshot.snapshotId) return;
      if (!this.snapshot.applyDelta(message)) this.resync();
      this.changed();
    }
  }

  /** What came does not fit what is here: start again from a keyframe. */
  resync() {
    this.snapshot.snapshotId = 0;
    this.endLive();
    void this.startLive();
  }

  /** @param {any} key */
  show(key) {
    this.snapshot.applyKey(key);
    batch(() => {
      this.problem.value = '';
      this.loading.value = false;
      this.changed();
    });
    clearTimeout(this.sparkTimer);
    this.sparkTimer = window.setTimeout(() => void this.loadSparks().catch(() => {}), REST_MS);
  }

  /** What the small lines of the rows need from before what is shown. */
  async loadSparks() {
    const { snapshot, hostname } = this;
    const { Sparks, SPARK_POINTS } = await import('./sparks.js');
    const sparks = (snapshot.sparks ??= new Sparks(snapshot));
    const at = sparks.oldestMs - 1;
    const recent = sparks.isFull ? null : await getJson('charts/processes/', { hostname, at, snapshots: SPARK_POINTS - sparks.columns.length });
    // Another moment may be shown by now.
    if (this.closed || !recent || sparks.oldestMs - 1 !== at) return;
    sparks.fill(recent);
    this.tick.value += 1;
  }

  /** What is shown has changed. Rows keep their order while people point at them, unless they asked for another. @param {'samples' | 'wish'} [by] */
  changed(by = 'samples') {
    if (!this.tick.peek()) performance.mark('first-tree');
    if (document.visibilityState === 'hidden' && performance.now() - this.lastDraw < HIDDEN_TOO_LONG_MS) return;
    this.lastDraw = performance.now();
    this.noteLosses();
    this.tree.hold = by === 'samples' && this.live !== null && this.grid?.pointed === true;
    this.held.value = this.tree.hold;
    this.tree.update();
    this.tick.value += 1;
  }

  noteLosses() {
    const { losses } = this.snapshot;
    if (!losses.length) return;
    const known = new Set(this.losses.map((one) => `${one.kind} ${one.from_ms}`));
    this.losses = [...this.losses, ...losses.filter((one) => !known.has(`${one.kind} ${one.from_ms}`))].slice(-LOSSES_MAX);
  }

  /** @param {unknown} error */
  failed(error) {
    this.loading.value = false;
    this.problem.value = error instanceof ApiError && error.status === 404
      ? `There is no snapshot of this host ${address.peek().params.get('at') ? 'at that time' : 'yet'}.`
      : error instanceof Error ? error.message : String(error);
  }

  /** One question at a time; while one is on its way only the newest wish is kept. @param {Record<string, string | number>} query */
  fetch(query) {
    this.wanted = query;
    if (!this.busy) void this.fetchNext();
  }

  async fetchNext() {
    this.busy = true;
    while (this.wanted && !this.closed) {
      const query = this.wanted;
      this.wanted = null;
      this.abort = new AbortController();
      try {
        const key = await getJson('process-snapshots/columns/', { hostname: this.hostname, ...query }, this.abort.signal);
        if (address.peek().params.get('at') && !this.closed) this.show(key);
        if (query['nearest'] === 'after' && address.peek().params.get('nearest') !== 'after') tell(`Nothing is kept from before ${clock(key.time_ms, zone.peek())}: this is the first sample.`);
      } catch (error) {
        // Before all that is kept: the first sample says more than none, or than rows of another moment.
        const isBefore = error instanceof ApiError && error.status === 404 && query['nearest'] === 'before';
        if (isBefore) this.wanted ??= { ...query, nearest: 'after' };
        else if (!(error instanceof DOMException) && address.peek().params.get('at')) this.failed(error);
      }
    }
    this.busy = false;
  }

  /** @param {number} ms */
  goTo(ms) {
    this.paused.value = false;
    setParameters({ at: String(Math.round(ms)), nearest: null });
  }

  goLive() {
    setParameters({ at: null, nearest: null, end: null });
  }

  /** Freezes what is shown, or goes on. */
  pause() {
    if (address.peek().params.get('at')) this.goLive();
    else if (this.snapshot.hostname) {
      setParameters({ at: String(this.snapshot.timeMs) });
      this.paused.value = true;
    }
  }

  /** One snapshot back or on. @param {-1 | 1} direction */
  async step(direction) {
    const { timeMs, previousId, nextId } = this.snapshot;
    if (!this.snapshot.hostname || this.stepping) return;
    this.stepping = true;
    const id = direction < 0 ? previousId : nextId;
    const query = id ? { snapshot_id: id } : { at: timeMs + direction, nearest: direction < 0 ? 'before' : 'after' };
    try {
      const key = await getJson('process-snapshots/columns/', { hostname: this.hostname, ...query });
      if (this.closed) return;
      this.endLive();
      this.show(key);
      this.paused.value = false;
      setParameters({ at: String(key.time_ms), nearest: null });
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) this.failed(error);
    } finally {
      this.stepping = false;
    }
  }
}
