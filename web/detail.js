// The detail pane: one process, at the moment shown. What it is, who started it, what it did over its whole life.
import { html, Icon, useEffect, useRef, useState, useText, dialog, shownTheme, tableShown, zone, copy } from './page.js';
import { ApiError, getJson } from './api.js';
import { address, link, currentLink } from './router.js';
import { bytes, clock, duration, moment, percent, plural, visible } from './format.js';
import { Chart, withGaps } from './chart.js';

const COMMAND_SHOWN_MAX = 8192;
const CHILDREN_SHOWN_MAX = 8;
const PARENTS_SHOWN_MAX = 6;
const LIFE_POINTS = 240;
const DAY_MS = 86_400_000;
/** What the agent writes in place of a secret. */
const MASK = /(\*{3,}|<masked>|\[masked\])/;

/** @typedef {import('./host-model.js').HostModel} HostModel */

/** @param {{ model: HostModel, id: string, onClose: () => void, onSelect: (id: string) => void }} props */
export default function Detail({ model, id, onClose, onSelect }) {
  const s = model.snapshot;
  // The pane is drawn anew when its process comes, goes or changes its description; what moves each second is in Facts.
  void useText(() => {
    void model.tick.value;
    const at = s.rowOfId.get(id) ?? -1;
    return [at, s.alive[at], s.text.name[at], s.text.user[at], s.text.command_line[at]].join('\u0000');
  }, [model, id]).value;
  const row = s.rowOfId.get(id);
  const close = html`<button type="button" class="icon-button close" aria-label="Close the details" onClick=${onClose}><${Icon} name="x" /></button>`;
  if (row === undefined) {
    return html`<aside class="pane" aria-label="Details">${close}<h2>Process ${visible(id.split('@')[0], 20)}</h2><p>It is not in this snapshot: it had not begun, or had ended.</p><${Life} model=${model} id=${id} /></aside>`;
  }
  if (s.alive[row] === 3) return html`<${Group} model=${model} row=${row} close=${close} onSelect=${onSelect} />`;
  const user = visible(s.text.user[row], 60);
  const ended = s.alive[row] === 2;
  return html`<aside class="pane" aria-label="Details">${close}
    <h2>${visible(s.text.name[row], 200) || '(no name)'}</h2>
    <p>${s.pid[row]}${user ? ` · ${user}` : ''}${Number.isNaN(s.start[row]) ? '' : html` · ${ended ? 'ran' : 'running'} for <${Age} model=${model} row=${row} />`}</p>
    <${Command} text=${s.text.command_line[row] ?? ''} />
    <${Facts} model=${model} row=${row} onSelect=${onSelect} />
    <div class="actions">
      <button type="button" class="button" onClick=${() => copy(s.text.command_line[row] ?? '', 'the command line')}><${Icon} name="clipboard-copy" />Command</button>
      <button type="button" class="button" onClick=${() => copy(currentLink(), 'a link to this view')}><${Icon} name="link" />Link</button>
      <a class="button" href=${link('/program', [['name', s.text.name[row] ?? ''], ['host', model.hostname]])}><${Icon} name="chart-gantt" />Program</a>
    </div>
    <${Life} model=${model} id=${id} />
    <${Runs} model=${model} name=${s.text.name[row] ?? ''} />
  </aside>`;
}

/** @param {{ model: HostModel, row: number }} props */
function Age({ model, row }) {
  return html`${useText(() => {
    void model.tick.value;
    return duration(model.snapshot.ageMs(row));
  }, [model, row])}`;
}

/** Which part of time is shown, counted in steps of this length: what it loads is loaded anew once a step. @param {HostModel} model @param {number} stepMs */
function useStep(model, stepMs) {
  return useText(() => {
    void model.tick.value;
    return Math.floor(model.snapshot.timeMs / stepMs);
  }, [model, stepMs]).value;
}

/** A group of processes. @param {{ model: HostModel, row: number, close: any, onSelect: (id: string) => void }} props */
function Group({ model, row, close, onSelect }) {
  void model.tick.value;
  const { snapshot: s, tree } = model;
  const members = [...(tree.children[row] ?? [])].sort((a, b) => (s.metric.cpu[b] || 0) - (s.metric.cpu[a] || 0));
  const name = s.text.name[row] ?? '';
  return html`<aside class="pane" aria-label="Details">${close}<h2>${visible(name, 200)}</h2><p>${plural(members.length, 'process', 'processes')} together</p>
    <dl><dt>CPU</dt><dd>${percent(s.metric.cpu[row])} %</dd><dt>Memory</dt><dd>${bytes(s.metric.memory[row])} resident</dd><dt>Threads</dt><dd>${Number.isNaN(s.metric.threads[row]) ? '–' : s.metric.threads[row]}</dd>
      <dt>Busiest</dt><dd>${members.slice(0, CHILDREN_SHOWN_MAX).map((one, i) => html`${i ? ', ' : ''}<button type="button" class="plain" onClick=${() => onSelect(s.id[one] ?? '')}>${visible(s.text.name[one], 40)} ${s.pid[one]}</button>`)}${members.length > CHILDREN_SHOWN_MAX ? ` and ${members.length - CHILDREN_SHOWN_MAX} more` : ''}</dd></dl>
    ${tree.group === 'name' ? html`<div class="actions"><a class="button" href=${link('/program', [['name', name], ['host', model.hostname]])}><${Icon} name="chart-gantt" />Program</a></div><${Runs} model=${model} name=${name} />` : null}</aside>`;
}

/** @param {{ text: string }} props */
function Command({ text }) {
  if (!text) return null;
  const pieces = visible(text, COMMAND_SHOWN_MAX).split(MASK);
  return html`<code tabindex="0" aria-label="Command line">${pieces.map((piece, i) => (i % 2 ? html`<i>masked</i>` : piece))}</code>`;
}

/** @param {{ model: HostModel, row: number, onSelect: (id: string) => void }} props */
function Facts({ model, row, onSelect }) {
  void model.tick.value;
  const s = model.snapshot;
  const to = (/** @type {number} */ other) => html`<button type="button" class="plain" onClick=${() => onSelect(s.id[other] ?? '')}>${visible(s.text.name[other], 40)} ${s.pid[other]}</button>`;
  const io = s.io(row);
  const unit = s.text.cgroup[row];
  const below = childrenOf(model, row);
  const children = below.filter((child) => s.alive[child] === 1);
  const gone = below.length - children.length;
  const end = s.end[row];
  const memory = s.metric.memory[row] ?? NaN;
  const virtual = s.metric.virtual_memory[row] ?? NaN;
  const seconds = (s.host['interval_ms'] || 1000) / 1000;
  /** @type {[string, any][]} */
  const facts = [
    ['Parent', parents(model, row).map((up, i) => html`${i ? ' › ' : ''}${to(up)}`)],
    ['Started', Number.isNaN(s.start[row]) ? 'not known' : html`${clock(s.start[row], zone.value, s.timeMs)} ${zone.value === 'utc' ? 'UTC' : ''}`],
    ['Unit', unit ? visible(unit, 200) : null],
    ['Executable', s.text.executable[row] ? visible(s.text.executable[row], 300) : null],
    ['State', s.alive[row] === 2 ? null : visible(s.text.state[row], 30)],
    ['CPU', s.alive[row] === 2 ? null : `${percent(s.metric.cpu[row])} %, subtree ${percent(model.tree.sumCpu[row])} %`],
    ['Memory', Number.isNaN(memory) ? null : `${bytes(memory)} resident${Number.isNaN(virtual) ? '' : `, ${bytes(virtual)} virtual`}`],
    ['IO', Number.isNaN(io) ? null : `${bytes((s.metric.read_bytes[row] || 0) / seconds)}/s read, ${bytes((s.metric.write_bytes[row] || 0) / seconds)}/s written`],
    ['Threads', Number.isNaN(s.metric.threads[row]) ? null : String(s.metric.threads[row])],
    ['Children', children.length || gone ? html`${children.slice(0, CHILDREN_SHOWN_MAX).map((child, i) => html`${i ? ', ' : ''}${to(child)}`)}${children.length > CHILDREN_SHOWN_MAX ? ` and ${children.length - CHILDREN_SHOWN_MAX} more` : ''}${gone ? `${children.length ? '; ' : ''}${gone} ended` : ''}` : 'none'],
    ['Ended', end ? endText(end, s.endedMs[row] ?? NaN) : null],
  ];
  return html`<dl>${facts.filter(([, value]) => value !== null && value !== '' && !(Array.isArray(value) && !value.length)).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

/** The processes above, by who started whom, however the grid puts its rows together. @param {HostModel} model @param {number} row */
function parents({ snapshot: s }, row) {
  /** @type {number[]} */
  const chain = [];
  for (let up = s.rowOfPid.get(s.parentPid[row] ?? -1); up !== undefined && up !== row && chain.length < PARENTS_SHOWN_MAX && !chain.includes(up); up = s.rowOfPid.get(s.parentPid[up] ?? -1)) chain.push(up);
  return chain;
}

/** @param {HostModel} model @param {number} row @returns {number[]} */
function childrenOf({ snapshot: s, tree }, row) {
  if (!tree.group) return tree.children[row] ?? [];
  const found = [];
  for (let one = 0; one < s.used; one++) if ((s.alive[one] === 1 || s.alive[one] === 2) && s.parentPid[one] === s.pid[row]) found.push(one);
  return found;
}

/** @param {import('./snapshot.js').Ended} end @param {number} at */
function endText(end, at) {
  const parts = [clock(at, zone.value)];
  if (end.signal) parts.push(`signal ${end.signal}`);
  else if (end.exit_code != null) parts.push(`exit code ${end.exit_code}`);
  else parts.push('exit code not known');
  if (end.cpu_time_us != null) parts.push(`${duration(end.cpu_time_us / 1000)} CPU`);
  if (end.peak_memory_bytes != null) parts.push(`peak ${bytes(end.peak_memory_bytes)}`);
  return parts.join(', ');
}

/** Loads something whenever `keys` change; a late answer to an old question is dropped. @param {() => Promise<any>} load @param {any[]} keys */
function useLoaded(load, keys) {
  const [state, setState] = useState(/** @type {{ data: any, problem: string }} */ ({ data: null, problem: '' }));
  useEffect(() => {
    let current = true;
    load().then(
      (data) => current && setState({ data, problem: '' }),
      (error) => current && setState({ data: null, problem: error instanceof ApiError && (error.status === 404 || error.status === 400) ? 'none' : error.message }),
    );
    return () => { current = false; };
  }, keys);
  return state;
}

/** CPU and memory over the whole life. @param {{ model: HostModel, id: string }} props */
function Life({ model, id }) {
  const [pid = '', start = ''] = id.replace(/x$/, '').split('@');
  const { timeMs } = model.snapshot;
  const step = useStep(model, 30_000);
  const from = start ? Number(start) : timeMs - DAY_MS;
  const { data, problem } = useLoaded(() => getJson('history/process-series/', { hostname: model.hostname, pid, start_time: start, start: from, end: timeMs, points: LIFE_POINTS }), [model.hostname, id, step]);
  if (problem && problem !== 'none') return html`<p class="quiet">${problem}</p>`;
  if (!data || !data.time_ms?.length) return null;
  const last = data.time_ms.length - 1;
  const table = () => {
    tableShown.value = { title: `Process ${pid}, ${moment(data.time_ms[0], zone.peek())} to ${moment(data.time_ms[last], zone.peek())}`, time: data.time_ms, columns: [['CPU, % of a core', data.cpu, percent], ['Memory', data.memory ?? data.memory_bytes, bytes]] };
    dialog.value = 'table';
  };
  return html`<h3>CPU, whole life <button type="button" class="chart-table" aria-label="The values of its life as a table" title="The values as a table" onClick=${table}><${Icon} name="list" /></button><em>${percent(data.cpu[last])} %</em></h3><${LifeChart} data=${data} name="cpu" model=${model} />
    <h3>Memory <em>${bytes((data.memory ?? data.memory_bytes)[last])}</em></h3><${LifeChart} data=${data} name="memory" model=${model} />`;
}

/** @param {{ data: any, name: 'cpu' | 'memory', model: HostModel }} props */
function LifeChart({ data, name, model }) {
  const host = useRef(/** @type {HTMLElement | null} */ (null));
  const chart = useRef(/** @type {Chart | null} */ (null));
  const times = data.time_ms;
  const range = useRef(/** @type {[number, number]} */ ([0, 1]));
  range.current = [times[0], Math.max(times[times.length - 1], times[0] + 1000)];
  useEffect(() => {
    if (!host.current) return undefined;
    const made = new Chart({
      host: host.current, colour: name, range: () => range.current, axis: false, sync: 'host', top: () => (name === 'cpu' ? 1000 : 0),
      onPick: (ms) => model.goTo(ms), onZoom: (from, until, asks) => model.zoom(from, until, asks), at: () => (address.peek().params.get('at') ? model.snapshot.timeMs : NaN),
    });
    chart.current = made;
    return () => made.destroy();
  }, []);
  useEffect(() => {
    const values = name === 'cpu' ? data.cpu : (data.memory ?? data.memory_bytes);
    chart.current?.restyle();
    chart.current?.show(withGaps({ time: times, values }, data.step_ms || 5000));
  }, [data, shownTheme.value]);
  return html`<div class="life plot" ref=${host} role="img" aria-label=${`${name === 'cpu' ? 'CPU' : 'Memory'} of the process from ${moment(times[0])} to ${moment(times[times.length - 1])}`}></div>`;
}

/** The runs of this program on the day shown. @param {{ model: HostModel, name: string }} props */
function Runs({ model, name }) {
  const until = model.snapshot.timeMs;
  const from = Math.floor(until / DAY_MS) * DAY_MS;
  const { data } = useLoaded(() => getJson('history/runs/', { name, hostname: model.hostname, start: from, end: until }), [model.hostname, name, useStep(model, 60_000)]);
  const runs = data?.runs;
  if (!Array.isArray(runs) || !runs.length) return null;
  const ms = (/** @type {any} */ time) => (typeof time === 'number' ? time : Date.parse(time));
  const total = runs.reduce((sum, run) => sum + ((ms(run.ended_at_ms ?? run.ended_at) || until) - Math.max(from, ms(run.started_at_ms ?? run.started_at))), 0);
  const place = (/** @type {number} */ time) => Math.max(0, Math.min(100, ((time - from) / (until - from)) * 100));
  return html`<h3>Runs of this program today <em>${plural(runs.length, 'run')} · ${duration(total)}</em></h3>
    <div class="runs" role="img" aria-label=${`${plural(runs.length, 'run')} today`}>${runs.slice(0, 300).map((/** @type {any} */ run) => {
      const left = place(ms(run.started_at_ms ?? run.started_at));
      const right = place(ms(run.ended_at_ms ?? run.ended_at) || until);
      return html`<b class=${run.exit_code || run.signal ? 'bad' : ''} style=${{ left: `${left}%`, width: `${right - left}%` }}></b>`;
    })}</div>`;
}
