// The host view: one host at one moment. Header, time line, tree grid, detail pane, foot line.
import { html, Header, Search, Icon, useEffect, useMemo, useRef, useState, now, narrow, zone, dialog, focusSearch, tell, remembered, current } from './page.js';
import { address, setParameters } from './router.js';
import { ageShort, bytes, duration, moment, percent, plural, visible } from './format.js';
import { HostModel } from './host-model.js';
import { Grid } from './grid.js';
import { DEFAULT_COLUMNS, NARROW_COLUMNS, processColumns } from './columns.js';

const WIDE_FOR_PANE_PX = 900;
const TEXT_COLUMNS = new Set(['name', 'user', 'command_line', 'state', 'cgroup', 'executable', 'pid']);

/** @param {string} name */
const parameterNow = (name) => address.value.params.get(name) ?? '';

/** A part of the view that is loaded after the tree is there. @param {() => Promise<{ default: any }>} load @param {boolean} [wanted] */
function useLater(load, wanted = true) {
  const [part, setPart] = useState(/** @type {any} */ (null));
  useEffect(() => {
    if (wanted && !part) void load().then((module) => setPart(() => module.default), () => tell('A part of the page could not be loaded.'));
  }, [wanted]);
  return part;
}

export default function HostView() {
  const hostname = parameterNow('name');
  return html`<${HostAt} key=${hostname} hostname=${hostname} />`;
}

/** @param {{ hostname: string }} props */
function HostAt({ hostname }) {
  const model = useMemo(() => new HostModel(hostname), [hostname]);
  useEffect(() => {
    current.value = { model };
    return () => {
      current.value = null;
      model.close();
    };
  }, [model]);
  const past = parameterNow('at') !== '';
  useEffect(() => {
    document.title = `${visible(hostname, 80)}${past ? ' (past)' : ''} · Procession`;
  }, [hostname, past]);
  const ready = model.tick.value > 0;
  const Timeline = useLater(() => import('./timeline.js'), ready);
  const selected = parameterNow('sel');
  const pane = selected !== '' && parameterNow('pane') !== '0';
  const Detail = useLater(() => import('./detail.js'), pane);
  const grid = useRef(/** @type {Grid | null} */ (null));
  return html`<div class="host ${past ? 'past' : 'live'}" data-mode=${past ? 'past' : 'live'}>
    <${HostHeader} model=${model} grid=${grid} />
    <section class="time" aria-label="Time line">${Timeline ? html`<${Timeline} model=${model} />` : html`<div class="time-room"></div>`}</section>
    <main class="host-main ${pane ? 'with-pane' : ''}">
      <h1 class="unseen">Processes of ${visible(hostname, 200)}</h1>
      <${Problem} model=${model} />
      <${ProcessGrid} model=${model} grid=${grid} />
      ${pane && Detail ? html`<${Detail} model=${model} id=${selected} onClose=${() => closePane(grid.current)} onSelect=${(/** @type {string} */ id) => showRow(model, grid.current, id)} />` : null}
    </main>
    <${Foot} model=${model} />
  </div>`;
}

/** @param {Grid | null} grid */
function closePane(grid) {
  setParameters({ pane: '0' });
  grid?.focus();
}

/** @param {HostModel} model @param {Grid | null} grid @param {string} id */
function showRow(model, grid, id) {
  const row = model.snapshot.rowOfId.get(id);
  if (row === undefined) return tell('That process is not in this snapshot.');
  model.tree.reveal(row);
  model.tree.update();
  if (model.tree.indexOf(id) < 0) setParameters({ q: null });
  setParameters({ sel: id, pane: null });
  requestAnimationFrame(() => grid?.select(id, true));
  return undefined;
}

/** @param {{ model: HostModel }} props */
function Pill({ model }) {
  const past = parameterNow('at') !== '';
  void model.tick.value;
  if (past) {
    const ago = ageShort(now.value - model.snapshot.timeMs);
    const word = model.paused.value ? 'Paused' : 'Past';
    return html`<button type="button" class="pill past" onClick=${() => model.goLive()} title="Return to live (L)">${word} · ${ago} ago<span class="pill-key">· L</span></button>`;
  }
  const age = now.value - model.snapshot.timeMs;
  const interval = model.snapshot.host['interval_ms'] || 5000;
  if (model.lostSince.value) return html`<button type="button" class="pill lost-pill" disabled>Lost</button>`;
  if (model.snapshot.timeMs && age > Math.max(3 * interval, 15_000)) return html`<button type="button" class="pill stale" onClick=${() => model.pause()} title="No newer sample has come">Stale · ${ageShort(age)}</button>`;
  return html`<button type="button" class="pill" onClick=${() => model.pause()} title="Pause (Z)">Live</button>`;
}

/** @param {{ model: HostModel, grid: { current: Grid | null } }} props */
function HostHeader({ model, grid }) {
  const [problem, setProblem] = useState('');
  const q = parameterNow('q');
  void model.tick.value;
  useEffect(() => {
    let current = true;
    void applyFilter(model, q, () => current).then((text) => current && setProblem(text));
    return () => { current = false; };
  }, [q, model]);
  const { facts } = model.snapshot;
  const tag = [facts['os'], facts['cpu_count'] ? plural(facts['cpu_count'], 'core') : '', facts['memory_total'] ? bytes(facts['memory_total']) : ''].filter(Boolean).map((text) => visible(String(text), 40)).join(' · ');
  const crumbs = html`<a href="/">Fleet</a><span aria-hidden="true">/</span><b title=${visible(model.hostname, 300)}>${visible(model.hostname, 300)}</b>`;
  const search = html`<${Search} value=${q} label="Search: words, user:www cpu>5 mem>1GB age<1h" problem=${problem} onInput=${(/** @type {string} */ text) => setParameters({ q: text || null })}
    onDown=${() => grid.current?.focus()} list="filter-fields" /><datalist id="filter-fields">${completions(q).map((text) => html`<option value=${text} />`)}</datalist>`;
  return html`<${Header} crumbs=${crumbs} tag=${tag} search=${search} pill=${html`<${Pill} model=${model} />`} />`;
}

/** @param {string} q */
function completions(q) {
  const at = q.lastIndexOf(' ') + 1;
  const word = q.slice(at).toLowerCase();
  if (/[:<>=]/.test(word)) return [];
  return ['name:', 'user:', 'cmd:', 'cpu>', 'mem>', 'age<', 'io>', 'thr>', 'pid:', 'state:', 'unit:', 'exe:'].filter((field) => field.startsWith(word)).map((field) => q.slice(0, at) + field);
}

const look = { highlights: /** @type {string[]} */ ([]) };

/** @param {HostModel} model @param {string} q @param {() => boolean} stillWanted */
async function applyFilter(model, q, stillWanted) {
  const filter = q.trim() ? (await import('./filter.js')).compile(q) : null;
  if (!stillWanted()) return '';
  model.tree.filter = filter;
  look.highlights = filter?.highlights ?? [];
  if (model.snapshot.hostname) {
    model.changed();
    if (filter) showFirstMatch(model);
  }
  return filter?.problem ?? '';
}

/** Ancestors of what was found may fill the whole grid; the first thing found is in sight all the same. @param {HostModel} model */
function showFirstMatch({ grid, tree }) {
  const first = tree.rows.findIndex((row) => tree.keep[row] === 2);
  if (!grid || first < 0) return;
  grid.render();
  grid.scrollTo(first);
  grid.render();
}

/** @param {{ model: HostModel }} props */
function Problem({ model }) {
  const drawn = model.tick.value;
  if (model.problem.value) return html`<div class="problem" role="alert"><${Icon} name="triangle-alert" /> ${model.problem.value} ${parameterNow('at') ? html`<button type="button" class="plain" onClick=${() => model.goLive()}>Return to live</button>` : html`<a href="/">All hosts</a>`}</div>`;
  if (model.loading.value) return html`<div class="problem quiet">Loading…</div>`;
  if (model.tree.filter && drawn && !model.tree.rows.length) return html`<div class="problem quiet">No process matches. <button type="button" class="plain" onClick=${() => setParameters({ q: null })}>Clear the search</button></div>`;
  return null;
}

/** The sort column and direction that the address asks for. @returns {[string, boolean]} */
function sortNow() {
  const text = parameterNow('sort') || '-cpu';
  return text.startsWith('-') ? [text.slice(1), true] : [text, false];
}

/** @param {string} column */
export function sortBy(column) {
  const [current, descending] = sortNow();
  const down = column === current ? !descending : !TEXT_COLUMNS.has(column) && column !== 'age';
  setParameters({ sort: `${down ? '-' : ''}${column}` === '-cpu' ? null : `${down ? '-' : ''}${column}` });
}

/** @returns {string[]} */
export function chosenColumns() {
  if (narrow.value) return NARROW_COLUMNS;
  const text = parameterNow('cols') || remembered('columns');
  return text ? text.split(',') : DEFAULT_COLUMNS;
}

/** @param {{ model: HostModel, grid: { current: Grid | null } }} props */
function ProcessGrid({ model, grid }) {
  const host = useRef(/** @type {HTMLElement | null} */ (null));
  const columns = chosenColumns().join(',');
  const [sort, descending] = sortNow();
  const flat = parameterNow('list') === '1';
  const fold = parameterNow('fold');
  useEffect(() => {
    if (!host.current) return undefined;
    const made = makeGrid(model, host.current);
    grid.current = made;
    model.grid = made;
    if (document.activeElement === document.body && !narrow.peek()) requestAnimationFrame(() => made.focus());
    return () => {
      made.destroy();
      grid.current = null;
    };
  }, [model]);
  useEffect(() => {
    const all = processColumns(model.tree, look, narrow.peek());
    grid.current?.setColumns(columns.split(',').map((id) => all[id]).filter((column) => column !== undefined));
  }, [columns, narrow.value, model]);
  useEffect(() => {
    Object.assign(model.tree, { sort, descending, flat, hold: false });
    model.tree.foldTo(fold ? Number(fold) : Infinity);
    grid.current?.setSort(sort, descending);
    if (model.snapshot.hostname) model.changed();
  }, [sort, descending, flat, fold, model]);
  useEffect(() => model.tick.subscribe(() => follow(model, grid.current)), [model]);
  return html`<div class="grid-place" ref=${host}></div>`;
}

/** @param {HostModel} model @param {Grid | null} grid */
function follow(model, grid) {
  if (!grid) return;
  model.tree.hold = grid.pointed && address.peek().params.get('at') === undefined;
  const selected = address.peek().params.get('sel') ?? '';
  if (selected !== grid.selected) grid.select(selected, true);
  else if (model.following && selected) grid.select(selected, true);
  grid.update();
}

/** @param {HostModel} model @param {HTMLElement} host */
function makeGrid(model, host) {
  const { tree, snapshot } = model;
  const all = processColumns(tree, look, narrow.peek());
  /** @type {Grid} */
  const grid = new Grid({
    host,
    label: `Processes of ${visible(model.hostname, 200)}`,
    columns: chosenColumns().map((id) => all[id]).filter((column) => column !== undefined),
    source: {
      count: () => tree.rows.length,
      key: (index) => snapshot.id[tree.rows[index] ?? -1] ?? '',
      indexOf: (key) => tree.indexOf(key),
      rowClass: (index) => rowClass(model, index),
      depth: (index) => tree.depths[index] ?? 0,
      fold: (index) => tree.fold(index),
      place: (index) => (tree.flat ? [index + 1, tree.rows.length] : [tree.position[tree.rows[index] ?? 0] ?? 1, tree.setSize[tree.rows[index] ?? 0] ?? 1]),
    },
    onSort: sortBy,
    onFold: (index, open) => {
      tree.setOpen(index, open);
      tree.flatten();
      grid.render();
    },
    onSelect: (key, how) => select(key, how),
    onOpen: (key) => setParameters({ sel: key, pane: null }),
    onKey: (event) => keyPressed(event, model, grid),
  });
  return grid;
}

/** @param {string} key @param {'pointer' | 'keys'} how */
function select(key, how) {
  const wide = innerWidth >= WIDE_FOR_PANE_PX;
  setParameters({ sel: key, ...(how === 'pointer' ? { pane: null } : wide ? {} : { pane: '0' }) });
}

/** @param {HostModel} model @param {number} index */
function rowClass({ tree, snapshot }, index) {
  const row = tree.rows[index] ?? -1;
  if (snapshot.alive[row] === 2) return 'dead';
  if (snapshot.isNew(row)) return 'born';
  return tree.filter && tree.keep[row] === 1 ? 'dim' : '';
}

/** The keys that htop taught people; the less common ones are loaded when first pressed. @param {KeyboardEvent} event @param {HostModel} model @param {Grid} grid */
function keyPressed(event, model, grid) {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  switch (event.key) {
    case '/': case '\\': case 'F3': case 'F4': focusSearch(); return true;
    case 'z': case 'Z': model.pause(); return true;
    case 'l': case 'L': model.goLive(); return true;
    case ',': void model.step(-1); return true;
    case '.': void model.step(1); return true;
    case '?': case 'F1': dialog.value = 'keys'; return true;
    case 't': case 'F5': setParameters({ list: parameterNow('list') === '1' ? null : '1' }); return true;
    case 'Escape':
      if (parameterNow('q')) setParameters({ q: null });
      else setParameters({ pane: '0' });
      return true;
    default:
  }
  if (!/^(F6|[-+*NPMTIuFcCgey0-9]|Backspace)$/.test(event.key)) return false;
  const { key } = event;
  void import('./host-keys.js').then((module) => module.default(key, model, grid));
  return true;
}

/** @param {{ model: HostModel }} props */
function Foot({ model }) {
  void model.tick.value;
  const s = model.snapshot;
  if (!s.hostname) return html`<footer class="foot"></footer>`;
  const past = parameterNow('at') !== '';
  const interval = s.host['interval_ms'] || 0;
  const age = Math.max(0, now.value - s.timeMs);
  const stale = !past && age > Math.max(3 * interval, 15_000);
  const first = past ? html`<span class="then">● ${moment(s.timeMs, zone.value)}</span>`
    : html`<span class=${stale ? 'bad' : 'ok'}>● sample ${duration(age)} old${interval ? `, every ${duration(interval).replace('.0', '')}` : ''}</span>`;
  const shown = model.tree.filter ? html`<span><b>${model.tree.matchCount}</b> of <b>${s.live}</b> match</span>` : html`<span><b>${s.live}</b> ${s.live === 1 ? 'process' : 'processes'}</span>`;
  return html`<footer class="foot">${first}${shown}
    <button type="button" class="plain" onClick=${() => (dialog.value = 'brief')}><b>${s.beganCount}</b> began, <b>${s.endedCount}</b> ended, <b>${s.brief.reduce((sum, one) => sum + (one.count ?? 1), 0)}</b> lived between two samples</button>
    <${Nobody} model=${model} />${lossText(s)}<${AgentCost} model=${model} />
    <span class="foot-end">${s.fieldErrors.length ? html`<button type="button" class="plain" onClick=${() => (dialog.value = 'brief')}>${plural(s.fieldErrors.length, 'field')} not readable</button>` : 'Procession'}</span></footer>`;
}

/** CPU that no process accounts for. @param {{ model: HostModel }} props */
function Nobody({ model }) {
  const { host, facts } = model.snapshot;
  if (host['cpu'] == null) return null;
  let sum = 0;
  for (const row of model.tree.roots) sum += model.tree.sumCpu[row] ?? 0;
  const share = Math.max(0, host['cpu'] - sum) / (facts['cpu_count'] || 1);
  return html`<span title="CPU the host used and no process seen accounts for">nobody's: <b>${percent(share)} %</b> CPU</span>`;
}

/** @param {{ model: HostModel }} props */
function AgentCost({ model }) {
  const { host } = model.snapshot;
  if (host['agent_cpu_us'] == null || !host['interval_ms']) return null;
  const share = host['agent_cpu_us'] / (host['interval_ms'] * 10);
  return html`<span title="What watching costs this host">agent: <b>${share.toFixed(2)} %</b> of a core${host['agent_memory_bytes'] ? `, ${bytes(host['agent_memory_bytes'])}` : ''}</span>`;
}

/** @param {import('./snapshot.js').Snapshot} s */
function lossText(s) {
  if (!s.losses.length) return null;
  const count = s.losses.reduce((sum, loss) => sum + (loss.count || 1), 0);
  return html`<span class="bad" title=${s.losses.map((loss) => `${loss.kind}: ${loss.count} (${moment(loss.from_ms)} to ${moment(loss.until_ms)})`).join('\n')}>gap: <b>${count}</b> ${visible(s.losses[0]?.kind, 30)} lost</span>`;
}
