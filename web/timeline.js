// The time line of a host: three charts with one crosshair, a strip to scrub along, and the ranges.
// Click on a chart goes to that moment; drag on a chart zooms; drag along the strip shows each moment as one passes it.
import { html, Icon, useEffect, useMemo, useRef, useText, dialog, now, shownTheme, zone, switchZone, signal, tableShown } from './page.js';
import { address, link, setParameters } from './router.js';
import { GROUPS, arrange, arrangement } from './arrange.js';
import { getJson } from './api.js';
import { bytes, moment, parseMoment, parseSpan, percent, spanText, clock } from './format.js';
import { Chart, withGaps } from './chart.js';
import { drawStrip } from './strip.js';
import { lossAt, lossesText, together } from './losses.js';

export const RANGES = [['15 min', '15m'], ['1 h', '1h'], ['6 h', '6h'], ['24 h', '24h'], ['7 d', '7d'], ['30 d', '30d']];
const DEFAULT_RANGE = '1h';
/** A host that is watched for less than this is shown on a shorter range, not beside an hour of nothing. */
const YOUNG_MS = 15 * 60_000;
const SPAN_LEAST_MS = 10_000;
const SPAN_MOST_MS = 3 * 365 * 86_400_000;
/** The strip shows this many times the charts' span. */
const STRIP_SPANS = 4;
const CHART_POINTS = 400;
/** A chart that is live is asked for anew this often at least; between, samples are added as they come. */
const REFRESH_MS = 60_000;

/** @typedef {import('./host-model.js').HostModel} HostModel */
/** @typedef {{ step_ms: number, time_ms: number[], cpu: (number | null)[], cpu_max?: (number | null)[], memory_bytes: (number | null)[], process_count: (number | null)[],
 *   host_cpu: (number | null)[], memory_used_bytes: (number | null)[], losses?: import('./losses.js').Loss[] }} Series */

/** The range where the address has none. */
const usualRange = signal(DEFAULT_RANGE);

/** A time as the address may say it, or 0. @param {string} text */
const momentIn = (text) => (text === '' ? 0 : Number(text) || parseMoment(text, now.peek(), zone.peek()) || 0);

/** The charts' span and end as the address has them. */
export function chartWindow() {
  const params = address.value.params;
  const asked = parseSpan(params.get('range') ?? '');
  const span = Math.min(SPAN_MOST_MS, Math.max(SPAN_LEAST_MS, Number.isNaN(asked) ? parseSpan(usualRange.value) : asked));
  const end = momentIn(params.get('end') ?? '');
  return { span, end, until: end || now.peek(), from: (end || now.peek()) - span };
}

/** @type {Series} */
const EMPTY = { step_ms: 5000, time_ms: [], cpu: [], memory_bytes: [], process_count: [], host_cpu: [], memory_used_bytes: [] };

class HostCharts {
  /** @param {HostModel} model */
  constructor(model) {
    this.model = model;
    /** @type {Series} */
    this.series = { ...EMPTY };
    /** @type {Series} */
    this.strip = { ...EMPTY };
    this.stripRange = { from: 0, until: 1 };
    /** @type {Chart[]} */
    this.charts = [];
    this.hover = signal(/** @type {number | null} */ (null));
    /** What was lost under the crosshair. */
    this.hoverLost = signal('');
    this.loaded = signal(0);
    this.stripLoaded = signal(0);
    this.loadedAt = 0;
    /** Charts that are still to be drawn with the newest step. @type {number[]} */
    this.waiting = [];
    /** @type {AbortController | null} */
    this.abort = null;
    /** Ranges to go back to. @type {{ range: string, end: string }[]} */
    this.undo = [];
    model.unzoom = () => this.unzoom();
    model.showTable = () => this.showTable();
    model.lossesOfRange = () => this.losses();
    model.zoom = (from, until, asks) => this.zoom(from, until, asks);
  }

  range() {
    const { span, end } = chartWindow();
    const until = end || Math.max(this.model.snapshot.timeMs, now.peek() - 3000);
    return /** @type {[number, number]} */ ([until - span, until]);
  }

  /** The moment of the past that is shown, or NaN. */
  at() {
    return address.peek().params.get('at') ? this.model.snapshot.timeMs : NaN;
  }

  /** @param {HTMLElement[]} hosts */
  mount(hosts) {
    const cores = () => this.model.snapshot.facts['cpu_count'] || 0;
    const tops = [() => (cores() ? cores() * 1000 : 1000), () => (this.model.snapshot.facts['memory_total'] || 0) * 0.5, () => 10];
    this.charts = hosts.map((host, i) => new Chart({
      host, colour: ['cpu', 'memory', 'count'][i] ?? 'cpu', range: () => this.range(), at: () => this.at(), sync: 'host', top: tops[i] ?? (() => 0),
      utc: () => zone.peek() === 'utc', onPick: (ms) => this.goTo(ms), onZoom: (from, until, shifted) => this.zoom(from, until, shifted), losses: () => this.losses().map((loss) => [loss.from_ms, loss.until_ms]), onHover: i === 0 ? (index, ms) => this.hovered(index, ms) : () => {},
    }));
  }

  /** What is known to be lost in the range shown: from history, and from samples that came since. */
  losses() {
    const [from, until] = this.range();
    return together([...(this.series.losses ?? []), ...this.model.losses]).filter((loss) => loss.until_ms >= from && loss.from_ms < until);
  }

  /** @param {number | null} index @param {number} ms */
  hovered(index, ms) {
    this.hover.value = index;
    this.hoverLost.value = index === null ? '' : lossAt(this.losses(), ms);
  }

  destroy() {
    this.abort?.abort();
    for (const chart of this.charts) chart.destroy();
    this.charts = [];
  }

  async load() {
    this.abort?.abort();
    const abort = new AbortController();
    this.abort = abort;
    this.loadedAt = performance.now();
    const [from, until] = this.range();
    const span = until - from;
    const stripUntil = Math.min(now.peek(), Math.max(until + span * (chartWindow().end ? 1 : 0), until));
    this.stripRange = { from: stripUntil - span * STRIP_SPANS, until: stripUntil };
    const ask = (/** @type {number} */ start, /** @type {number} */ end) => getJson('charts/host/', { hostname: this.model.hostname, start: Math.floor(start), end: Math.ceil(end), points: CHART_POINTS }, abort.signal);
    try {
      this.series = await ask(from, until);
      this.paint();
      this.strip = await ask(this.stripRange.from, this.stripRange.until);
      const first = this.strip.time_ms[0];
      if (first !== undefined && usualRange.peek() === DEFAULT_RANGE && until - first < YOUNG_MS) usualRange.value = '15m';
      this.stripLoaded.value += 1;
    } catch (error) {
      if (!(error instanceof DOMException)) this.loaded.value += 1;
    }
  }

  paint() {
    this.waiting = [];
    this.charts.forEach((chart, i) => chart.show(this.dataOf(i)));
    this.loaded.value += 1;
  }

  /** What the chart at this place draws. @param {number} place */
  dataOf(place) {
    const { time_ms: time, step_ms: stepMs, host_cpu: own, cpu, cpu_max: most, memory_used_bytes: used, memory_bytes: memory, process_count: count } = this.series;
    const isKnown = (/** @type {number | null} */ value) => value != null;
    if (place === 0) return withGaps(own.some(isKnown) ? { time, values: own } : { time, values: cpu, ...(most ? { more: most } : {}) }, stepMs || 5000);
    return withGaps({ time, values: place === 2 ? count : used.some(isKnown) ? used : memory }, stepMs || 5000);
  }

  /** A live sample: added when it begins a new step of the chart, else shown at the next one. */
  append() {
    const { snapshot: shot } = this.model;
    const s = this.series;
    const last = s.time_ms[s.time_ms.length - 1] ?? 0;
    if (shot.timeMs <= last) return;
    const step = Math.max(s.step_ms || 0, 1000);
    if (shot.timeMs - last < step * 0.9) return this.paintNext(step);
    this.add();
    if (performance.now() - this.loadedAt > REFRESH_MS) return void this.load();
    this.waiting = [...this.charts.keys()];
    return this.paintNext(step);
  }

  /** The sample that is shown begins a step. */
  add() {
    const { snapshot: shot, tree } = this.model;
    const s = this.series;
    let cpu = 0;
    let memory = 0;
    for (const row of tree.roots) {
      cpu += tree.sumCpu[row] ?? 0;
      memory += tree.sumMemory[row] ?? 0;
    }
    s.time_ms.push(shot.timeMs);
    s.cpu.push(cpu);
    s.cpu_max?.push(cpu);
    s.memory_bytes.push(memory);
    s.process_count.push(shot.live);
    s.host_cpu.push(shot.host['cpu'] ?? null);
    s.memory_used_bytes.push(shot.host['memory_used_bytes'] ?? null);
  }

  /** Charts take as much of an update as all the rest, so they are drawn with one sample after the other as far as a step has so many. @param {number} stepMs */
  paintNext(stepMs) {
    if (!this.waiting.length) return;
    const samples = Math.max(1, Math.floor(stepMs / (this.model.snapshot.host['interval_ms'] || stepMs)));
    const places = this.waiting.splice(0, Math.ceil(this.charts.length / samples));
    requestAnimationFrame(() => {
      for (const place of places) this.charts[place]?.show(this.dataOf(place));
      this.loaded.value += 1;
    });
  }

  redraw() {
    for (const chart of this.charts) chart.redraw();
  }

  /** @param {number} ms */
  goTo(ms) {
    const { span, end } = chartWindow();
    const [from, until] = this.range();
    if (ms < from || ms > until) setParameters({ end: String(Math.round(Math.min(now.peek(), ms + span / 2))) });
    else if (!end) setParameters({ end: String(Math.round(until)) });
    this.model.goTo(ms);
  }

  /** With the shift key the question follows at once: who did this? @param {number} from @param {number} until @param {boolean} asks */
  zoom(from, until, asks) {
    const params = address.peek().params;
    this.undo.push({ range: params.get('range') ?? '', end: params.get('end') ?? '' });
    const span = Math.max(SPAN_LEAST_MS, Math.round((until - from) / 1000) * 1000);
    setParameters({ range: spanText(span), end: String(Math.round(from + span)) });
    if (asks) dialog.value = 'who';
  }

  /** The values behind the charts. */
  showTable() {
    tableShown.value = {
      title: `${moment(this.range()[0], zone.peek())} to ${moment(this.range()[1], zone.peek())}`, time: this.series.time_ms,
      columns: [['CPU of the host, % of a core', this.series.host_cpu, percent], ['CPU of all processes', this.series.cpu, percent], ['Memory', this.series.memory_bytes.map((own, i) => this.series.memory_used_bytes[i] ?? own), bytes], ['Processes', this.series.process_count, String]],
    };
    dialog.value = 'table';
  }

  unzoom() {
    const last = this.undo.pop();
    if (last) setParameters({ range: last.range || null, end: last.end || null });
  }

  /** What the charts' headings say: the value under the crosshair, else that of the moment shown. */
  headings() {
    void this.model.tick.value;
    void this.loaded.value;
    const s = this.series;
    const { facts, host, live, timeMs } = this.model.snapshot;
    const index = this.hover.value;
    const cores = facts['cpu_count'] || 0;
    /** @type {number | null | undefined} */
    let cpu = host['cpu'];
    let memory = host['memory_used_bytes'];
    let count = /** @type {number | null | undefined} */ (live);
    let time = timeMs;
    if (index !== null) {
      const ms = Number(this.charts[0]?.data[0][index]);
      const i = s.time_ms.indexOf(ms);
      if (i >= 0) {
        cpu = s.host_cpu[i] ?? s.cpu[i];
        memory = s.memory_used_bytes[i] ?? s.memory_bytes[i];
        count = s.process_count[i];
        time = ms;
      }
    } else {
      if (cpu == null) cpu = this.model.tree.roots.reduce((sum, row) => sum + (this.model.tree.sumCpu[row] ?? 0), 0);
      if (memory == null) memory = this.model.tree.roots.reduce((sum, row) => sum + (this.model.tree.sumMemory[row] ?? 0), 0);
    }
    const share = cpu == null ? null : cores ? cpu / cores : cpu;
    return { cpu: share == null ? '–' : `${percent(share)} %`, memory: memory == null ? '–' : bytes(memory), count: count == null ? '–' : String(Math.round(count)), time };
  }
}

/** @param {{ model: HostModel }} props */
export default function Timeline({ model }) {
  const charts = useMemo(() => new HostCharts(model), [model]);
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const { span, end } = chartWindow();
  useEffect(() => {
    usualRange.value = DEFAULT_RANGE;
    charts.mount([...(place.current?.querySelectorAll('.plot') ?? [])].filter((element) => element instanceof HTMLElement));
    return () => charts.destroy();
  }, [charts]);
  useEffect(() => void charts.load(), [span, end, charts]);
  useEffect(() => {
    for (const chart of charts.charts) chart.restyle();
  }, [shownTheme.value, zone.value]);
  useEffect(() => model.tick.subscribe(() => (address.peek().params.get('at') ? charts.redraw() : charts.append())), [charts]);
  const { facts } = model.snapshot;
  const frame = (/** @type {string} */ name, /** @type {string} */ of, /** @type {'cpu' | 'memory' | 'count'} */ value) => html`<${ChartFrame} charts=${charts} name=${name} of=${of} value=${value} />`;
  return html`<div onKeyDown=${(/** @type {KeyboardEvent} */ event) => timeKeys(event, model, charts)}>
    <div class="charts" ref=${place}>
      ${frame('CPU', facts['cpu_count'] ? `of ${facts['cpu_count']} cores` : 'of one core', 'cpu')}${frame('Memory', facts['memory_total'] ? `of ${bytes(facts['memory_total'])}` : '', 'memory')}${frame('Processes', '', 'count')}
    </div>
    <${Strip} model=${model} charts=${charts} />
    <${Ranges} model=${model} charts=${charts} />
  </div>`;
}

/** @param {{ charts: HostCharts, name: string, of: string, value: 'cpu' | 'memory' | 'count' }} props */
function ChartFrame({ charts, name, of, value }) {
  const text = useText(() => charts.headings()[value], [charts]);
  const small = useText(() => (charts.hover.value === null ? of : hoverText(charts.headings().time, charts.hoverLost.value)), [charts, of]);
  return html`<div class="chart"><h2>${name} <small>${small}</small>
    <button type="button" class="chart-table" aria-label=${`The values of ${name} as a table`} title="The values as a table" onClick=${() => charts.showTable()}><${Icon} name="list" /></button><em>${text}</em></h2>
    <div class="plot" role="img" aria-label=${`${name} over time; the table beside its name has the values.`}></div></div>`;
}

/** @param {number} time @param {string} lost */
const hoverText = (time, lost) => `at ${clock(time, zone.value)}${lost ? `: ${lost}` : ''}`;

/** @param {KeyboardEvent} event @param {HostModel} model @param {HostCharts} charts */
function timeKeys(event, model, charts) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLInputElement) return;
  const isSlider = event.target instanceof Element && event.target.getAttribute('role') === 'slider';
  /** @type {Record<string, () => void>} */
  const keys = {
    ',': () => void model.step(-1), '.': () => void model.step(1), l: () => model.goLive(), L: () => model.goLive(), z: () => model.pause(), Z: () => model.pause(), Backspace: () => charts.unzoom(),
    ...(isSlider ? { ' ': () => model.pause(), ArrowLeft: () => void model.step(-1), ArrowRight: () => void model.step(1), End: () => model.goLive(), Home: () => charts.goTo(charts.range()[0]),
      PageUp: () => charts.goTo(model.snapshot.timeMs - chartWindow().span / 10), PageDown: () => charts.goTo(model.snapshot.timeMs + chartWindow().span / 10) } : {}),
  };
  const action = keys[event.key];
  if (!action) return;
  event.preventDefault();
  event.stopPropagation();
  action();
}

/** @param {{ model: HostModel, charts: HostCharts }} props */
function Strip({ model, charts }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  useEffect(() => {
    const { from, until } = charts.stripRange;
    if (canvas.current) drawStrip(canvas.current, charts.strip, from, until);
  }, [charts.stripLoaded.value, shownTheme.value]);
  const drag = (/** @type {PointerEvent} */ event) => {
    const { from, until } = charts.stripRange;
    const box = canvas.current?.getBoundingClientRect();
    if (!box || !(event.buttons & 1)) return;
    const ms = from + ((event.clientX - box.left) / box.width) * (until - from);
    if (ms >= until - (until - from) / 400 && !chartWindow().end) model.goLive();
    else charts.goTo(Math.max(from, Math.min(until, ms)));
  };
  /** @template T @param {() => T} work */
  const text = (work) => useText(() => {
    void charts.stripLoaded.value;
    void model.tick.value;
    void address.value;
    return work();
  }, [charts]);
  const place = (/** @type {number} */ ms) => {
    const { from, until } = charts.stripRange;
    return Math.max(0, Math.min(100, ((ms - from) / (until - from)) * 100)).toFixed(1);
  };
  const least = text(() => Math.round(charts.stripRange.from / 1000));
  const most = text(() => Math.round(charts.stripRange.until / 1000));
  const current = text(() => Math.round(model.snapshot.timeMs / 1000));
  const said = text(() => `${moment(model.snapshot.timeMs, zone.value)}${Number.isNaN(charts.at()) ? ', live' : ', past'}`);
  const brush = text(() => `left:${place(charts.range()[0])}%;right:${(100 - Number(place(charts.range()[1]))).toFixed(1)}%`);
  const cursor = text(() => (Number.isNaN(charts.at()) ? 'display:none' : `left:${place(charts.at())}%`));
  return html`<div class="scrub" role="slider" tabindex="0" aria-label="Moment shown" aria-valuemin=${least} aria-valuemax=${most} aria-valuenow=${current} aria-valuetext=${said}
    onPointerDown=${(/** @type {PointerEvent} */ event) => { if (event.currentTarget instanceof Element) event.currentTarget.setPointerCapture(event.pointerId); drag(event); }} onPointerMove=${drag}>
    <canvas ref=${canvas} aria-hidden="true"></canvas><div class="brush" style=${brush}></div><div class="cursor" style=${cursor}></div></div>`;
}

/** @param {{ model: HostModel, charts: HostCharts }} props */
function Ranges({ model, charts }) {
  const time = useText(() => {
    void model.tick.value;
    return moment(model.snapshot.timeMs, zone.value);
  }, [model]);
  const { end } = chartWindow();
  const range = address.value.params.get('range') || usualRange.value;
  const past = address.value.params.get('at') ?? '';
  const arranged = arrangement();
  const lost = useText(() => {
    void model.tick.value;
    void charts.loaded.value;
    return lossesText(charts.losses());
  }, [charts]);
  return html`<div class="range" role="group" aria-label="Range">
    ${RANGES.map(([label, value], i) => html`<button type="button" class="${value === range ? 'on' : ''} ${i > 2 ? 'long' : ''}" aria-pressed=${value === range} onClick=${() => setParameters({ range: value ?? null, end: past ? String(end) : null })}>${label}</button>`)}
    ${RANGES.some(([, value]) => value === range) ? null : html`<button type="button" class="on" onClick=${() => charts.unzoom()} title="Undo the zoom (Backspace)">${range} ×</button>`}
    <button type="button" class="who long" title="Who used CPU, memory or IO in this range" onClick=${() => (dialog.value = 'who')}>Who did this?</button>
    <a class="long" href=${link('/compare', [['name', model.hostname], ['from', past || 'now-1h'], ['to', 'now']])} title=${past ? 'What changed since this moment' : 'What changed since an hour ago'}>Compare</a>
    <button type="button" class="long" onClick=${() => (dialog.value = 'export')}>Export</button>
    <label class="arrange long"><span class="unseen">Rows</span><select value=${arranged} title="How rows are put together (t, G)" onChange=${(/** @type {any} */ event) => arrange(event.target.value)}>${GROUPS.map(([value, label]) => html`<option value=${value} selected=${value === arranged}>${label}</option>`)}</select></label>
    <button type="button" class="more" onClick=${() => (dialog.value = 'menu')}>More…</button>
    <button type="button" class="lost-note" title="What is known to be lost in this range" onClick=${() => (dialog.value = 'losses')}>${lost}</button>
    <span class="hint">drag a chart to zoom, with Shift to ask who · , . one sample · Backspace undo</span>
    <span class="moment"><button type="button" class="icon-button" aria-label="One sample back" title="One sample back (,)" onClick=${() => model.step(-1)}><${Icon} name="skip-back" /></button>
      <button type="button" class="icon-button" aria-label="One sample on" title="One sample on (.)" onClick=${() => model.step(1)}><${Icon} name="skip-forward" /></button>
      <button type="button" class="zone" title="Go to a moment" onClick=${() => (dialog.value = 'moment')}><time>${time}</time></button>
      <button type="button" class="zone-switch" onClick=${switchZone} title="UTC or local time">${zone.value === 'utc' ? 'local' : 'UTC'}</button></span></div>`;
}
