// Hosts side by side: a small CPU and memory chart for each, all on the same hour, drawn only while in sight.
import { html, Icon, useEffect, useRef, useState, dialog, now, shownTheme, tableShown } from './page.js';
import { address, go, link, setParameters } from './router.js';
import { getJson } from './api.js';
import { bytes, parseSpan, percent, spanText, visible } from './format.js';
import { Chart, withGaps } from './chart.js';

const POINTS = 160;
const REFRESH_MS = 30_000;
/** Charts asked for at once; the rest wait their turn. */
const ASKED_AT_ONCE = 4;
const RANGES = [['15 min', '15m'], ['1 h', '1h'], ['6 h', '6h'], ['24 h', '24h'], ['7 d', '7d']];

let asked = 0;
/** @type {(() => void)[]} */
const waiting = [];

/** @template T @param {() => Promise<T>} work @returns {Promise<T>} */
async function inTurn(work) {
  if (asked >= ASKED_AT_ONCE) await new Promise((resolve) => waiting.push(() => resolve(null)));
  asked += 1;
  try {
    return await work();
  } finally {
    asked -= 1;
    waiting.shift()?.();
  }
}

/** @param {{ hosts: any[] }} props */
export default function FleetCharts({ hosts }) {
  const range = address.value.params.get('range') || '1h';
  return html`<div class="side">
    <div class="range" role="group" aria-label="Range">${RANGES.map(([label, value]) => html`<button type="button" class=${value === range ? 'on' : ''} aria-pressed=${value === range} onClick=${() => setParameters({ range: value ?? null })}>${label}</button>`)}</div>
    <div class="side-grid">${hosts.map((host) => html`<${HostCard} key=${host.hostname} host=${host} range=${range} />`)}</div></div>`;
}

/** @param {{ host: any, range: string }} props */
function HostCard({ host, range }) {
  const card = useRef(/** @type {HTMLElement | null} */ (null));
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const watcher = new IntersectionObserver((entries) => setSeen(entries.some((entry) => entry.isIntersecting)), { rootMargin: '200px' });
    if (card.current) watcher.observe(card.current);
    return () => watcher.disconnect();
  }, []);
  const cores = host.cpu_count || 1;
  const cpu = host.host_cpu ?? host.cpu;
  const used = host.memory_used_bytes ?? host.memory_bytes;
  const span = parseSpan(range) || 3_600_000;
  const table = async () => {
    const series = await getJson('charts/host/', { hostname: host.hostname, start: Date.now() - span, end: Date.now(), points: POINTS });
    tableShown.value = { title: visible(host.hostname, 120), time: series.time_ms, columns: [['CPU of the host, % of a core', series.host_cpu, percent], ['CPU of all processes', series.cpu, percent], ['Memory', series.memory_bytes, bytes], ['Processes', series.process_count, String]] };
    dialog.value = 'table';
  };
  return html`<article class="side-card" ref=${card} data-status=${host.status}>
    <h2><a href=${link('/host', [['name', host.hostname]])}>${visible(host.hostname, 120)}</a><span class="cell-status" data-status=${host.status}>${host.status}</span>
      <button type="button" class="chart-table" aria-label=${`The values of ${visible(host.hostname, 120)} as a table`} title="The values as a table" onClick=${table}><${Icon} name="list" /></button>
      <em>${cpu == null ? '–' : `${percent((cpu / cores) * 100)} %`}</em><em class="of-memory">${used == null ? '–' : bytes(used)}</em></h2>
    ${seen ? html`<${CardCharts} host=${host} range=${range} />` : html`<div class="side-plots"></div>`}</article>`;
}

/** @param {{ host: any, range: string }} props */
function CardCharts({ host, range }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const charts = useRef(/** @type {Chart[]} */ ([]));
  const window = useRef(/** @type {[number, number]} */ ([0, 1]));
  const span = parseSpan(range) || 3_600_000;
  useEffect(() => {
    const plots = [...(place.current?.querySelectorAll('.plot') ?? [])].filter((element) => element instanceof HTMLElement);
    charts.current = plots.map((element, i) => new Chart({
      host: element, colour: i ? 'memory' : 'cpu', range: () => window.current, sync: 'fleet', axis: false,
      top: () => (i ? (host.memory_total || 0) * 0.5 : (host.cpu_count || 1) * 1000),
      onZoom: (from, until) => go(link('/host', [['name', host.hostname], ['range', spanText(Math.max(10_000, Math.round((until - from) / 1000) * 1000))], ['end', String(Math.round(until))]])),
      onPick: (ms) => go(link('/host', [['name', host.hostname], ['at', String(Math.round(ms))], ['end', String(Math.round(Math.min(Date.now(), ms + span / 2)))], ['range', range === '1h' ? '' : range]])),
    }));
    return () => charts.current.forEach((chart) => chart.destroy());
  }, []);
  const slow = Math.floor(now.value / REFRESH_MS);
  useEffect(() => {
    const abort = new AbortController();
    const until = Date.now();
    void inTurn(() => getJson('charts/host/', { hostname: host.hostname, start: until - span, end: until, points: POINTS }, abort.signal)).then((series) => {
      if (abort.signal.aborted) return;
      window.current = [until - span, until];
      const own = series.host_cpu.some((/** @type {number | null} */ value) => value != null);
      const used = series.memory_used_bytes.some((/** @type {number | null} */ value) => value != null);
      const [cpu, memory] = charts.current;
      for (const chart of charts.current) chart.restyle();
      cpu?.show(withGaps({ time: series.time_ms, values: own ? series.host_cpu : series.cpu }, series.step_ms || 5000));
      memory?.show(withGaps({ time: series.time_ms, values: used ? series.memory_used_bytes : series.memory_bytes }, series.step_ms || 5000));
    }, () => {});
    return () => abort.abort();
  }, [slow, span, shownTheme.value, host.hostname]);
  return html`<div class="side-plots" ref=${place}><div class="plot" role="img" aria-label=${`CPU of ${visible(host.hostname, 120)}`}></div><div class="plot" role="img" aria-label=${`Memory of ${visible(host.hostname, 120)}`}></div></div>`;
}
