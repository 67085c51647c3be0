// The fleet: every host with what it does now, and how old that is. Up to a thousand rows in the same grid as processes.
import { html, Header, Search, Icon, useEffect, useMemo, useRef, useState, signal, now, narrow, dialog, focusSearch, density, switchDensity, switchKiosk, useExport } from './page.js';
import { address, go, link, setParameters } from './router.js';
import { Live, apiUrl } from './api.js';
import { ageShort, bytesShort, percent, plural, visible, whole } from './format.js';
import { Grid } from './grid.js';

/** @typedef {Record<string, any> & { hostname: string, status: string }} Host */
/** @typedef {import('./grid.js').Column} Column */

const STATUS_WORDS = { live: 'live', stale: 'stale', offline: 'offline' };
const STATUS_ORDER = ['live', 'stale', 'offline'];

class Fleet {
  constructor() {
    /** @type {Map<string, Host>} */
    this.hosts = new Map();
    /** @type {Host[]} */
    this.rows = [];
    this.tick = signal(0);
    this.loaded = false;
    /** What came is still to be put in order. */
    this.isWaiting = false;
    this.sort = 'hostname';
    this.descending = false;
    this.words = '';
    this.live = new Live(() => '/ws/live/', (message) => this.receive(message));
  }

  /** @param {any} message */
  receive(message) {
    if (message.type === 'hosts') this.hosts.clear();
    if (message.type !== 'hosts' && message.type !== 'hosts_changed') return;
    for (const host of message.hosts) this.hosts.set(host.hostname, host);
    this.loaded = true;
    // To read a thousand hosts and to order them are a task each, so that keys and the pointer get a turn between.
    if (!this.isWaiting) setTimeout(() => {
      this.isWaiting = false;
      this.update();
    });
    this.isWaiting = true;
  }

  update() {
    if (!this.loaded) return;
    const words = this.words.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = [...this.hosts.values()].filter((host) => words.every((word) => `${host.hostname} ${host['os'] ?? ''} ${host.status} ${host['agent_version'] ?? ''}`.toLowerCase().includes(word)));
    const sign = this.descending ? -1 : 1;
    const value = sortValue(this.sort);
    rows.sort((a, b) => {
      const x = value(a);
      const y = value(b);
      if (x === y) return a.hostname < b.hostname ? -1 : 1;
      if (x == null || (typeof x === 'number' && Number.isNaN(x))) return 1;
      if (y == null || (typeof y === 'number' && Number.isNaN(y))) return -1;
      return x < y ? -sign : sign;
    });
    this.rows = rows;
    this.tick.value += 1;
  }

  close() {
    this.live.close();
  }
}

/** Ms of a time that is a number or RFC 3339. @param {any} time */
const ms = (time) => (typeof time === 'number' ? time : time ? Date.parse(time) : NaN);
/** CPU in percent of the whole host, or of one core where the cores are not known. @param {Host} host */
const cpuShare = (host) => {
  const cpu = host['host_cpu'] ?? host['cpu'];
  return cpu == null ? NaN : cpu / (host['cpu_count'] || 1);
};
/** @param {Host} host */
const memoryUsed = (host) => host['memory_used_bytes'] ?? host['memory_bytes'];
/** @param {Host} host */
const memoryShare = (host) => (host['memory_total'] && memoryUsed(host) != null ? memoryUsed(host) / host['memory_total'] : NaN);

/** @param {string} sort @returns {(host: Host) => any} */
function sortValue(sort) {
  switch (sort) {
    case 'status': return (host) => STATUS_ORDER.indexOf(host.status);
    case 'cpu': return cpuShare;
    case 'memory': return memoryShare;
    case 'last_seen': case 'timestamp': return (host) => ms(host[sort]);
    case 'agent_cost': return (host) => host['agent_cpu_us'];
    default: return (host) => host[sort];
  }
}

/** @param {import('./grid.js').CellState} state */
function buildHeat(state) {
  state.cell.append(state.text);
}

/** @param {Fleet} fleet @returns {Column[]} */
function fleetColumns(fleet) {
  const host = (/** @type {number} */ index) => /** @type {Host} */ (fleet.rows[index]);
  const heat = (/** @type {(host: Host) => number} */ share) => (/** @type {any} */ state, /** @type {number} */ index) => {
    const step = Math.min(9, Math.max(0, Math.round((share(host(index)) || 0) * 9)));
    if (state.heat !== step) {
      state.heat = step;
      state.cell.dataset['heat'] = String(step);
    }
  };
  const name = {
    id: 'hostname', label: 'Host', width: narrow.value ? 140 : 190, grow: 2, className: 'host-name',
    text: (/** @type {number} */ index) => `${visible(host(index).hostname, 200)}${host(index)['clone_of'] ? ` (clone of ${visible(host(index)['clone_of'], 100)})` : ''}`,
  };
  const status = {
    id: 'status', label: 'Status', width: 84, className: 'status', text: (/** @type {number} */ index) => STATUS_WORDS[/** @type {'live'} */ (host(index).status)] ?? visible(host(index).status, 20),
    paint: (/** @type {any} */ state, /** @type {number} */ index) => {
      if (state.cell.dataset['status'] !== host(index).status) state.cell.dataset['status'] = host(index).status;
    },
  };
  const cpu = { id: 'cpu', label: 'CPU %', title: 'Of the whole host', width: 76, end: true, build: buildHeat, text: (/** @type {number} */ index) => percent(cpuShare(host(index)) * 100), paint: heat((one) => cpuShare(one) / 100) };
  const memory = { id: 'memory', label: 'Memory', width: 84, end: true, build: buildHeat, text: (/** @type {number} */ index) => bytesShort(memoryUsed(host(index))), paint: heat(memoryShare) };
  const seen = { id: 'last_seen', label: 'Last seen', width: 84, end: true, text: (/** @type {number} */ index) => { const at = ms(host(index)['last_seen']); return Number.isNaN(at) ? 'never' : ageShort(now.peek() - at); } };
  if (narrow.value) return [name, { ...status, width: 78 }, { ...cpu, width: 58 }, { ...memory, width: 74 }];
  return [
    name, status, cpu, memory,
    { id: 'memory_total', label: 'of', width: 76, end: true, className: 'sum', text: (index) => bytesShort(host(index)['memory_total']) },
    { id: 'process_count', label: 'Processes', width: 88, end: true, text: (index) => String(host(index)['process_count'] ?? '–') },
    seen,
    { id: 'timestamp', label: 'Its data', title: 'How old the newest sample is by the host\'s own clock', width: 80, end: true, text: (index) => ageShort(now.peek() - ms(host(index)['timestamp'])) },
    { id: 'interval_ms', label: 'Every', width: 64, end: true, text: (index) => ageShort(host(index)['interval_ms']).replace('.0', '') },
    { id: 'cpu_count', label: 'Cores', width: 60, end: true, text: (index) => String(host(index)['cpu_count'] ?? '–') },
    { id: 'os', label: 'System', width: 130, grow: 1, text: (index) => visible([host(index)['os'], host(index)['architecture']].filter(Boolean).join(' · '), 80) },
    { id: 'agent_version', label: 'Agent', width: 110, grow: 0.5, text: (index) => visible([host(index)['agent_version'], host(index)['collector'], host(index)['collector'] && host(index)['connected'] === false ? 'away' : ''].filter(Boolean).join(' · '), 60) || 'upload' },
    { id: 'agent_cost', label: 'Its cost', title: 'CPU of the agent, percent of one core', width: 76, end: true, text: (index) => (host(index)['agent_cpu_us'] != null && host(index)['interval_ms'] ? `${(host(index)['agent_cpu_us'] / host(index)['interval_ms'] / 10).toFixed(2)}\u00a0%` : '–') },
  ];
}

export default function FleetView() {
  const fleet = useMemo(() => new Fleet(), []);
  const grid = useRef(/** @type {Grid | null} */ (null));
  const q = address.value.params.get('q') ?? '';
  const charts = address.value.params.get('view') === 'charts';
  useEffect(() => {
    document.title = 'Fleet · Procession';
    return () => fleet.close();
  }, [fleet]);
  useEffect(() => {
    fleet.words = q;
    fleet.update();
  }, [q, fleet]);
  useExport({ name: 'fleet', url: apiUrl('hosts/'), rows: () => fleet.rows }, [fleet]);
  void fleet.tick.value;
  const counts = STATUS_ORDER.map((status) => [...fleet.hosts.values()].filter((host) => host.status === status).length);
  const search = html`<${Search} value=${q} label="Search hosts, or all hosts' processes" onInput=${(/** @type {string} */ text) => setParameters({ q: text || null })} onDown=${() => grid.current?.focus()} />`;
  return html`<div class="view fleet"><${Header} crumbs=${html`<b>Fleet</b>`} tag=${fleet.loaded ? plural(fleet.hosts.size, 'host') : ''} search=${search}
      pill=${fleet.live.lostSince.value ? html`<span class="pill lost-pill">Lost</span>` : html`<span class="pill">Live</span>`} />
    <main class="fleet-main ${isNone(fleet, q) ? 'none' : ''}"><h1 class="unseen">All hosts</h1>
      ${fleet.loaded && fleet.hosts.size === 0 ? html`<${NoHost} />` : html`<${FleetBody} fleet=${fleet} grid=${grid} q=${q} charts=${charts} />`}
    </main>
    <footer class="foot"><span class="ok">● ${counts[0]} live</span>${counts[1] ? html`<span class="then">${counts[1]} stale</span>` : null}${counts[2] ? html`<span class="bad">${counts[2]} offline</span>` : null}
      <span><b>${whole([...fleet.hosts.values()].reduce((sum, host) => sum + (host['process_count'] || 0), 0))}</b> processes</span><span class="foot-end">Procession</span></footer></div>`;
}

/** No host has what is searched for in its name, so that what processes were found has the room. @param {Fleet} fleet @param {string} q */
const isNone = (fleet, q) => fleet.loaded && q.trim() !== '' && fleet.rows.length === 0;

/** @param {{ fleet: Fleet, grid: { current: Grid | null }, q: string, charts: boolean }} props */
function FleetBody({ fleet, grid, q, charts }) {
  const Charts = useView(() => import('./fleet-charts.js'), charts);
  const Found = useView(() => import('./found.js'), q.trim().length > 1);
  return html`<div class="fleet-tools" role="group" aria-label="How hosts are shown">
      <button type="button" class=${charts ? '' : 'on'} aria-pressed=${!charts} onClick=${() => setParameters({ view: null })}>Table</button>
      <button type="button" class=${charts ? 'on' : ''} aria-pressed=${charts} onClick=${() => setParameters({ view: 'charts' })}>Side by side</button>
      <a class="plain" href="/compare">Compare</a><button type="button" class="plain" onClick=${() => (dialog.value = 'export')}>Export</button><a class="plain" href="/keys">Add a host</a></div>
    ${isNone(fleet, q) ? html`<p class="problem quiet">No host is called so. <button type="button" class="plain" onClick=${() => setParameters({ q: null })}>Clear the search</button></p>` : null}
    ${charts ? (Charts ? html`<${Charts} hosts=${fleet.rows} />` : null) : html`<${HostGrid} fleet=${fleet} grid=${grid} />`}
    ${Found && q.trim().length > 1 ? html`<${Found} q=${q.trim()} />` : null}`;
}

/** @param {() => Promise<{ default: any }>} load @param {boolean} wanted */
function useView(load, wanted) {
  const [view, setView] = useState(/** @type {any} */ (null));
  useEffect(() => {
    if (wanted && !view) void load().then((module) => setView(() => module.default));
  }, [wanted]);
  return view;
}

/** @param {Host} host */
const hostLink = (host) => link('/host', [['name', host.hostname]]);

/** @param {{ fleet: Fleet, grid: { current: Grid | null } }} props */
function HostGrid({ fleet, grid }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const sort = address.value.params.get('sort') ?? 'hostname';
  useEffect(() => {
    if (!place.current) return undefined;
    const made = new Grid({
      host: place.current, label: 'Hosts',
      source: {
        count: () => fleet.rows.length,
        key: (index) => fleet.rows[index]?.hostname ?? '',
        indexOf: (key) => fleet.rows.findIndex((host) => host.hostname === key),
        rowClass: (index) => (fleet.rows[index]?.status === 'offline' ? 'dim' : ''),
      },
      onSort: (column) => {
        const current = address.peek().params.get('sort') ?? 'hostname';
        const text = ['hostname', 'os', 'status', 'agent_version'].includes(column);
        setParameters({ sort: current === column ? `-${column}` : current === `-${column}` ? column : text ? column : `-${column}` });
      },
      onSelect: (key, how) => { if (how === 'pointer') open(fleet, key); },
      onOpen: (key) => open(fleet, key),
      onKey: (event) => {
        if (event.key === '/') focusSearch();
        else if (event.key === '?') dialog.value = 'keys';
        else if (event.key === 'e') dialog.value = 'export';
        else if (event.key === 'D') switchDensity();
        else if (event.key === 'K') switchKiosk();
        else if (event.key === 'R') void import('./kiosk.js').then((module) => module.rotateKiosk());
        else return false;
        return true;
      },
    });
    grid.current = made;
    const stop = fleet.tick.subscribe(() => made.update());
    const stopNow = now.subscribe(() => made.update());
    if (document.activeElement === document.body && !narrow.peek()) requestAnimationFrame(() => made.focus());
    return () => {
      stop();
      stopNow();
      made.destroy();
    };
  }, [fleet]);
  useEffect(() => grid.current?.setColumns(fleetColumns(fleet)), [narrow.value]);
  useEffect(() => grid.current?.measureAgain(), [density.value]);
  useEffect(() => {
    fleet.sort = sort.replace(/^-/, '');
    fleet.descending = sort.startsWith('-');
    grid.current?.setSort(fleet.sort, fleet.descending);
    fleet.update();
  }, [sort, fleet]);
  return html`<div class="grid-place" ref=${place}></div>`;
}

/** @param {Fleet} fleet @param {string} key */
function open(fleet, key) {
  const host = fleet.hosts.get(key);
  if (host) go(hostLink(host));
}

function NoHost() {
  const AgentCommand = useView(() => import('./keys.js').then((module) => ({ default: module.AgentCommand })), true);
  return html`<div class="empty"><h1><${Icon} name="server" /> No host yet</h1>${AgentCommand ? html`<${AgentCommand} />` : null}</div>`;
}
