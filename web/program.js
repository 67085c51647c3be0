// One program, on one host or all: when it ran, how often it was started again, how it ended, and what it used.
import { html, Header, Icon, useEffect, useRef, useState, zone, now, dialog, shownTheme, tableShown, copy, useExport } from './page.js';
import { address, go, link, setParameters, currentLink } from './router.js';
import { apiUrl, getJson } from './api.js';
import { bytes, clock, duration, moment, parseSpan, percent, plural, spanText, visible } from './format.js';
import { Chart, withGaps } from './chart.js';
import { identity } from './snapshot.js';

const RANGES = [['1 h', '1h'], ['6 h', '6h'], ['24 h', '24h'], ['7 d', '7d'], ['30 d', '30d']];
const RUNS_MAX = 1000;
const LANES_MAX = 60;
const POINTS = 400;

/** @typedef {{ hostname: string, pid: number, start_time: number | null, user: string | null, command_line: string | null, started_at_ms: number, ended_at_ms: number | null, exit_code: number | null, signal: number | null, cpu_time_us: number | null, peak_memory_bytes: number | null, memory_bytes_max: number | null }} Run */

/** Ranges to go back to. @type {{ range: string, end: string }[]} */
const undo = [];

/** @param {number} from @param {number} until */
function zoom(from, until) {
  const { params } = address.peek();
  undo.push({ range: params.get('range') ?? '', end: params.get('end') ?? '' });
  setParameters({ range: spanText(Math.max(10_000, Math.round((until - from) / 1000) * 1000)), end: String(Math.round(until)) });
}

/** @param {KeyboardEvent} event */
function keys(event) {
  if (event.key !== 'Backspace' || event.target instanceof HTMLInputElement || document.querySelector('dialog')) return;
  const last = undo.pop();
  if (last) setParameters({ range: last.range || null, end: last.end || null });
}

export default function ProgramView() {
  const name = address.value.params.get('name') ?? '';
  const host = address.value.params.get('host') ?? '';
  const span = parseSpan(address.value.params.get('range') || '24h') || 86_400_000;
  const end = Number(address.value.params.get('end')) || 0;
  const [data, setData] = useState(/** @type {any} */ (null));
  const [series, setSeries] = useState(/** @type {any} */ (null));
  const [problem, setProblem] = useState('');
  const [window, setWindow] = useState(/** @type {[number, number]} */ ([now.peek() - span, now.peek()]));
  useEffect(() => {
    document.title = `${visible(name, 60)} · Procession`;
    const until = end || Date.now();
    const query = { name, hostname: host, start: until - span, end: until };
    const abort = new AbortController();
    setWindow([until - span, until]);
    setProblem('');
    getJson('history/runs/', { ...query, limit: RUNS_MAX }, abort.signal).then(setData, (error) => abort.signal.aborted || setProblem(error.message));
    getJson('history/program-series/', { ...query, points: POINTS }, abort.signal).then(setSeries, () => setSeries(null));
    return () => abort.abort();
  }, [name, host, span, end]);
  useEffect(() => {
    undo.length = 0;
    addEventListener('keydown', keys);
    return () => removeEventListener('keydown', keys);
  }, [name, host]);
  /** Where it ran at a moment. @param {number} ms */
  const hostAt = (ms) => host || data?.runs.find((/** @type {Run} */ run) => run.started_at_ms <= ms && ms <= (run.ended_at_ms ?? Infinity))?.hostname || '';
  useExport(data ? { name: `runs-${name}`, url: apiUrl('history/runs/', { name, hostname: host, start: Math.round(window[0]), end: Math.round(window[1]), limit: RUNS_MAX }), rows: () => data.runs } : null, [data]);
  const crumbs = html`<a href="/">Fleet</a><span aria-hidden="true">/</span>${host ? html`<a href=${link('/host', [['name', host]])}>${visible(host, 80)}</a><span aria-hidden="true">/</span>` : null}<b>${visible(name, 120)}</b>`;
  return html`<div class="view"><${Header} crumbs=${crumbs} />
    <main class="page-main program"><h1>${visible(name, 200)} <small class="quiet">${host ? `on ${visible(host, 100)}` : 'on all hosts'}</small></h1>
      <${Tools} host=${host} name=${name} span=${span} />
      ${problem ? html`<p role="alert">${problem}</p>` : null}
      ${data ? html`<${Summary} data=${data} window=${window} />` : problem ? null : html`<p class="quiet">Loading…</p>`}
      ${series?.time_ms?.length ? html`<div class="charts two"><${SeriesChart} key=${`cpu ${host}`} title="CPU" hostAt=${hostAt} series=${series} values=${series.cpu} colour="cpu" window=${window} /><${SeriesChart} key=${`memory ${host}`} title="Memory" hostAt=${hostAt} series=${series} values=${series.memory ?? series.memory_bytes} colour="memory" window=${window} /></div>` : null}
      ${data ? html`<${Gantt} runs=${data.runs} hosts=${data.hosts ?? []} window=${window} /><${RunTable} runs=${data.runs} count=${data.count} />` : null}
    </main></div>`;
}

/** @param {{ host: string, name: string, span: number }} props */
function Tools({ host, name, span }) {
  const text = spanText(span);
  return html`<div class="range" role="group" aria-label="Range">${RANGES.map(([label, value]) => html`<button type="button" class=${value === text ? 'on' : ''} aria-pressed=${value === text} onClick=${() => setParameters({ range: value ?? null, end: null })}>${label}</button>`)}
    ${host ? html`<a class="plain gap" href=${link('/program', [['name', name]])}>On all hosts</a>` : null}
    <button type="button" class="plain gap" onClick=${() => copy(currentLink(), 'a link to this view')}><${Icon} name="link" /> Copy a link</button><button type="button" class="plain gap" onClick=${() => (dialog.value = 'export')}><${Icon} name="download" /> Export</button></div>`;
}

/** @param {{ data: any, window: [number, number] }} props */
function Summary({ data, window }) {
  const restarts = (data.hosts ?? []).reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + (one.restarts ?? 0), 0);
  const bad = data.runs.filter((/** @type {Run} */ run) => run.exit_code || run.signal).length;
  return html`<p>${plural(data.count ?? data.runs.length, 'run')}${data.covered_ms != null ? html`, running for <b>${duration(data.covered_ms)}</b> ${(data.hosts ?? []).length > 1 ? `on ${data.hosts.length} hosts together, in a range of ${duration(window[1] - window[0])}` : data.covered_ms > window[1] - window[0] ? '(what ran before this range began counts whole)' : `of ${duration(window[1] - window[0])}`}` : ''}${restarts ? `, ${plural(restarts, 'restart')}` : ''}${bad ? html`, <b class="bad">${bad} ended badly</b>` : ''}.</p>`;
}

/** Runs that do not overlap share a lane. @param {Run[]} runs @returns {Run[][]} */
function lanesOf(runs) {
  /** @type {Run[][]} */
  const lanes = [];
  for (const run of [...runs].sort((a, b) => a.started_at_ms - b.started_at_ms)) {
    const lane = lanes.find((one) => {
      const last = one[one.length - 1];
      return last && last.hostname === run.hostname && last.ended_at_ms !== null && last.ended_at_ms <= run.started_at_ms;
    });
    if (lane) lane.push(run);
    else lanes.push([run]);
  }
  return lanes.sort((a, b) => (a[0]?.hostname ?? '').localeCompare(b[0]?.hostname ?? ''));
}

/** How a run ended, in a few words. @param {Run} run */
const ending = (run) => (run.ended_at_ms === null ? 'still running' : run.signal ? `signal ${run.signal}` : run.exit_code == null ? 'exit not known' : `exit ${run.exit_code}`);

/** The host at the run's last moment. @param {Run} run */
function runLink(run) {
  const at = run.ended_at_ms;
  return link('/host', [['name', run.hostname], ['sel', identity(run.pid, run.start_time)], ['at', at === null ? '' : String(Math.round(at - 1))], ['end', at === null ? '' : String(Math.min(Date.now(), Math.round(at + 1_800_000)))]]);
}

/** @param {{ runs: Run[], hosts: any[], window: [number, number] }} props */
function Gantt({ runs, hosts, window: [from, until] }) {
  const all = lanesOf(runs);
  const names = [...new Set(all.map((lane) => lane[0]?.hostname ?? ''))];
  const each = Math.max(3, Math.floor(LANES_MAX / Math.max(1, names.length)));
  const lanes = names.flatMap((name) => all.filter((lane) => lane[0]?.hostname === name).slice(0, each)).slice(0, LANES_MAX);
  if (!lanes.length) return html`<p>It did not run in this range.</p>`;
  const place = (/** @type {number} */ ms) => Math.max(0, Math.min(100, ((ms - from) / (until - from)) * 100));
  const marks = [0, 0.25, 0.5, 0.75, 1].map((share) => from + (until - from) * share);
  const gaps = (/** @type {string} */ hostname) => (hosts.find((host) => host.hostname === hostname)?.gaps ?? []).slice(0, 200);
  return html`<div class="gantt" aria-label="Runs over time"><div class="gantt-axis" aria-hidden="true">${marks.map((ms) => html`<span style=${{ left: `${place(ms)}%` }}>${clock(ms, zone.value, until).slice(0, 16)}</span>`)}</div>
    ${lanes.map((lane, i) => html`<div class="gantt-lane"><span class="gantt-host">${i === 0 || lanes[i - 1]?.[0]?.hostname !== lane[0]?.hostname ? visible(lane[0]?.hostname, 60) : ''}</span><div class="gantt-line">
      ${i === 0 || lanes[i - 1]?.[0]?.hostname !== lane[0]?.hostname ? gaps(lane[0]?.hostname ?? '').map((/** @type {any} */ gap) => html`<i title=${`not running for ${duration(gap.until_ms - gap.from_ms)}`} style=${{ left: `${place(gap.from_ms)}%`, width: `${place(gap.until_ms) - place(gap.from_ms)}%` }}></i>`) : null}
      ${lane.slice(0, 300).map((run) => html`<a class="run ${run.signal || run.exit_code ? 'bad' : ''} ${run.ended_at_ms === null ? 'on' : ''}" href=${runLink(run)} style=${{ left: `${place(run.started_at_ms)}%`, width: `${place(run.ended_at_ms ?? until) - place(run.started_at_ms)}%` }}
        title=${`${run.pid}: ${moment(run.started_at_ms, zone.value)}, ${duration((run.ended_at_ms ?? until) - run.started_at_ms)}, ${ending(run)}`}><span class="unseen">pid ${run.pid}, ${ending(run)}</span></a>`)}</div></div>`)}</div>
    ${all.length > lanes.length ? html`<p class="quiet">${lanes.length} of ${all.length} lanes are drawn; the table has the newest runs.</p>` : null}`;
}

/** @param {{ title: string, hostAt: (ms: number) => string, series: any, values: (number | null)[], colour: string, window: [number, number] }} props */
function SeriesChart({ title, hostAt, series, values, colour, window }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const shown = useRef(window);
  const whose = useRef(hostAt);
  whose.current = hostAt;
  const chart = useRef(/** @type {Chart | null} */ (null));
  shown.current = window;
  useEffect(() => {
    if (!place.current) return undefined;
    const made = new Chart({ host: place.current, colour, range: () => shown.current, sync: 'program', utc: () => zone.peek() === 'utc',
      onPick: (ms) => whose.current(ms) && go(link('/host', [['name', whose.current(ms)], ['at', String(Math.round(ms))], ['end', String(Math.round(Math.min(Date.now(), ms + 1_800_000)))]])), onZoom: zoom });
    chart.current = made;
    return () => made.destroy();
  }, []);
  useEffect(() => {
    chart.current?.restyle();
    chart.current?.show(withGaps({ time: series.time_ms, values }, series.step_ms || 5000));
  }, [series, shownTheme.value]);
  const last = values[values.length - 1];
  const table = () => {
    tableShown.value = { title, time: series.time_ms, columns: [['CPU, % of a core', series.cpu, percent], ['Memory', series.memory ?? series.memory_bytes, bytes]] };
    dialog.value = 'table';
  };
  return html`<div class="chart"><h2>${title} <small>all its processes</small><button type="button" class="chart-table" aria-label=${`The values of ${title} as a table`} title="The values as a table" onClick=${table}><${Icon} name="list" /></button><em>${last == null ? '–' : colour === 'cpu' ? `${percent(last)} %` : bytes(last)}</em></h2><div class="plot" role="img" aria-label=${`${title} of the program over time`} ref=${place}></div></div>`;
}

/** @param {{ runs: Run[], count: number }} props */
function RunTable({ runs, count }) {
  const list = [...runs].sort((a, b) => b.started_at_ms - a.started_at_ms).slice(0, 200);
  if (!list.length) return null;
  return html`<h2>Runs${count > list.length ? `, the newest ${list.length} of ${count}` : ''}</h2><table class="table"><thead><tr><th>Host</th><th class="end">PID</th><th class="wide">User</th><th>Started</th><th class="wide">Ended</th><th class="end">Ran for</th><th>How</th><th class="end wide">CPU</th><th class="end wide">Peak</th></tr></thead>
    <tbody>${list.map((run) => html`<tr key=${`${run.hostname} ${run.pid} ${run.start_time}`}><td>${visible(run.hostname, 60)}</td><td class="end"><a href=${runLink(run)}>${run.pid}</a></td><td class="wide">${visible(run.user, 40)}</td><td>${moment(run.started_at_ms, zone.value)}</td><td class="wide">${run.ended_at_ms === null ? 'running' : moment(run.ended_at_ms, zone.value)}</td>
      <td class="end">${duration((run.ended_at_ms ?? now.peek()) - run.started_at_ms)}</td><td class=${run.exit_code || run.signal ? 'bad' : ''}>${ending(run)}</td><td class="end wide">${run.cpu_time_us == null ? '–' : duration(run.cpu_time_us / 1000)}</td><td class="end wide">${bytes(run.peak_memory_bytes ?? run.memory_bytes_max)}</td></tr>`)}</tbody></table>`;
}

