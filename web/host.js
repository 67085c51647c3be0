// The host view: one host at one moment. Header, time line, tree grid, detail pane, foot line.
import { html, Header, Search, Icon, useEffect, useLayoutEffect, useMemo, useRef, useState, useText, now, narrow, density, dialog, focusSearch, later, whenIdle, tell, remembered, current } from './page.js';
import { address, setParameters } from './router.js';
import { ageShort, bytes, plural, visible } from './format.js';
import { HostModel } from './host-model.js';
import { Grid } from './grid.js';
import { DEFAULT_COLUMNS, NARROW_COLUMNS, NARROW_SHOWN, processColumns } from './columns.js';

const WIDE_FOR_PANE_PX = 900;
const STALE_LEAST_MS = 15_000;
/** What the address may say about the arrangement of the rows; none of it is the plain tree. */
const ARRANGEMENT = ['list', 'group', 'fold', 'shut', 'open', 'widths'];
const TEXT_COLUMNS = new Set(['name', 'user', 'command_line', 'state', 'cgroup', 'executable', 'pid']);

const loadKeys = () => import('./host-keys.js');
const loadArrange = () => import('./arrange.js');

/** @param {string} name */
const parameterNow = (name) => address.value.params.get(name) ?? '';

/** A part of the view that is loaded after the tree is there. @param {() => Promise<{ default: any }>} load @param {boolean} [wanted] */
function useLater(load, wanted = true) {
  const [part, setPart] = useState(/** @type {any} */ (null));
  useEffect(() => {
    if (wanted && !part) later(load, (module) => setPart(() => module.default));
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
  const ready = model.ready.value;
  // People wait for the rows; what is around them waits for these.
  const [whole, setWhole] = useState(false);
  const Timeline = useLater(() => import('./timeline.js'), whole);
  const Foot = useLater(() => import('./foot.js'), whole);
  // Once there is time: keys have to work when the server is gone, too.
  useEffect(() => {
    if (ready) whenIdle(() => void loadKeys().catch(() => {}));
  }, [ready]);
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
      <${ProcessGrid} model=${model} grid=${grid} onWhole=${() => setWhole(true)} />
      ${pane && Detail ? html`<${Detail} model=${model} id=${selected} onClose=${() => closePane(grid.current)} onSelect=${(/** @type {string} */ id) => showRow(model, grid.current, id)} />` : null}
    </main>
    ${Foot ? html`<${Foot} model=${model} />` : html`<footer class="foot"></footer>`}
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

/** Which state the pill tells, and how old what is shown is. @param {HostModel} model @returns {[string, string]} */
function pillState(model) {
  void model.tick.value;
  const { timeMs, host } = model.snapshot;
  const age = now.value - timeMs;
  if (parameterNow('at') !== '') return ['past', `${model.paused.value ? 'Paused' : 'Past'}${timeMs ? ` · ${ageShort(age)} ago` : ''}`];
  if (!timeMs && model.problem.value) return ['stale', 'No data'];
  if (model.lostSince.value) return ['lost', 'Lost'];
  if (timeMs && age > Math.max(3 * (host['interval_ms'] || 5000), STALE_LEAST_MS)) return ['stale', `Stale · ${ageShort(age)}`];
  return ['live', 'Live'];
}

/** @param {{ model: HostModel }} props */
function Pill({ model }) {
  const kind = useText(() => pillState(model)[0], [model]).value;
  const text = useText(() => pillState(model)[1], [model]);
  if (kind === 'past') return html`<button type="button" class="pill past" onClick=${() => model.goLive()} title="Return to live (L)">${text}<span class="pill-key">· L</span></button>`;
  if (kind === 'lost') return html`<button type="button" class="pill lost-pill" disabled>${text}</button>`;
  return html`<button type="button" class="pill ${kind}" onClick=${() => model.pause()} title=${kind === 'stale' ? 'No newer sample has come' : 'Pause (Z)'}>${text}</button>`;
}

/** What the machine is, in a few words. @param {HostModel} model */
function tagText(model) {
  void model.tick.value;
  const { facts } = model.snapshot;
  return [facts['os'], facts['cpu_count'] ? plural(facts['cpu_count'], 'core') : '', facts['memory_total'] ? bytes(facts['memory_total']) : ''].filter(Boolean).map((text) => visible(String(text), 40)).join(' · ');
}

/** @param {{ model: HostModel, grid: { current: Grid | null } }} props */
function HostHeader({ model, grid }) {
  const [problem, setProblem] = useState('');
  const q = parameterNow('q');
  useEffect(() => {
    let current = true;
    void applyFilter(model, q, () => current).then((text) => current && setProblem(text));
    return () => { current = false; };
  }, [q, model]);
  const [typing, setTyping] = useState(false);
  const Completions = useLater(() => import('./completions.js'), typing);
  const crumbs = html`<a href="/">Fleet</a><span aria-hidden="true">/</span><b title=${visible(model.hostname, 300)}>${visible(model.hostname, 300)}</b>`;
  const search = html`<${Search} value=${q} label="Search: words, user:www cpu>5 mem>1GB age<1h" problem=${problem} onInput=${(/** @type {string} */ text) => setParameters({ q: text || null })}
    onDown=${() => grid.current?.focus()} onFocus=${() => setTyping(true)} list="filter-fields" />${Completions ? html`<${Completions} model=${model} q=${q} />` : null}`;
  return html`<${Header} crumbs=${crumbs} tag=${useText(() => tagText(model), [model])} search=${search} pill=${html`<${Pill} model=${model} />`} />`;
}

const look = { highlights: /** @type {string[]} */ ([]), folded: /** @type {import('./grid.js').Column[]} */ ([]) };

/** @param {HostModel} model @param {string} q @param {() => boolean} stillWanted */
async function applyFilter(model, q, stillWanted) {
  const filter = q.trim() ? (await import('./filter.js')).compile(q) : null;
  if (!stillWanted()) return '';
  model.tree.filter = filter;
  look.highlights = filter?.highlights ?? [];
  if (model.snapshot.hostname) {
    model.changed('wish');
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
  const nothing = useText(() => model.tick.value > 0 && model.tree.filter !== null && !model.tree.rows.length, [model]).value;
  if (model.problem.value) return html`<div class="problem" role="alert"><${Icon} name="triangle-alert" /> ${model.problem.value} ${parameterNow('at') ? html`<button type="button" class="plain" onClick=${() => model.goLive()}>Return to live</button>` : html`<a href="/">All hosts</a>`}</div>`;
  if (model.loading.value) return html`<div class="problem quiet">Loading…</div>`;
  if (nothing) return html`<div class="problem quiet">No process matches. <button type="button" class="plain" onClick=${() => setParameters({ q: null })}>Clear the search</button></div>`;
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
  const text = narrow.value ? parameterNow('card') || remembered('card') : parameterNow('cols') || remembered('columns');
  return text ? text.split(',') : narrow.value ? NARROW_COLUMNS : DEFAULT_COLUMNS;
}

/** The columns of the grid that these ids name; on a phone those that find no room fold into the line below the name. @param {HostModel} model @param {string[]} ids */
function gridColumns(model, ids) {
  const all = processColumns(model.tree, look, narrow.peek());
  const columns = ids.map((id) => all[id]).filter((column) => column !== undefined);
  look.folded = narrow.peek() ? columns.splice(NARROW_SHOWN) : [];
  return columns;
}

/** @param {{ model: HostModel, grid: { current: Grid | null }, onWhole: () => void }} props */
function ProcessGrid({ model, grid, onWhole }) {
  const host = useRef(/** @type {HTMLElement | null} */ (null));
  const columns = chosenColumns().join(',');
  const [sort, descending] = sortNow();
  const arrangement = ARRANGEMENT.map(parameterNow).join('&');
  useLayoutEffect(() => {
    if (!host.current) return undefined;
    const made = makeGrid(model, host.current, onWhole);
    grid.current = made;
    model.grid = made;
    if (document.activeElement === document.body && !narrow.peek()) requestAnimationFrame(() => made.focus());
    return () => {
      made.destroy();
      grid.current = null;
    };
  }, [model]);
  useLayoutEffect(() => {
    grid.current?.setColumns(gridColumns(model, columns.split(',')));
  }, [columns, narrow.value, model]);
  useLayoutEffect(() => {
    Object.assign(model.tree, { sort, descending });
    grid.current?.setSort(sort, descending);
    if (model.snapshot.hostname) model.changed('wish');
  }, [sort, descending, model]);
  const arranged = useRef(false);
  useEffect(() => {
    if (!arranged.current && !/[^&]/.test(arrangement) && !remembered('widths')) return;
    arranged.current = true;
    later(loadArrange, (module) => {
      grid.current?.setWidths(narrow.peek() ? {} : module.chosenWidths());
      if (!module.applyArrangement(model)) return;
      if (model.snapshot.hostname) model.changed('wish');
      // Rows stand elsewhere now; what is selected comes into sight again.
      const at = model.tree.indexOf(grid.current?.selected ?? '');
      if (at >= 0) {
        grid.current?.render();
        grid.current?.scrollTo(at);
      }
    });
  }, [arrangement, narrow.value, model]);
  useEffect(() => grid.current?.measureAgain(), [density.value]);
  useLayoutEffect(() => model.tick.subscribe(() => follow(model, grid.current)), [model]);
  return html`<div class="grid-place" ref=${host}></div>`;
}

/** @param {HostModel} model @param {Grid | null} grid */
function follow(model, grid) {
  // Before there are rows there is none to select, and it would count as selected when they come.
  if (!grid || !model.tick.peek()) return;
  const selected = address.peek().params.get('sel') ?? '';
  if (selected !== grid.selected) grid.select(selected, true);
  else if (model.following && selected) grid.select(selected, true);
  grid.update();
}

/** @param {HostModel} model @param {HTMLElement} host @param {() => void} onWhole */
function makeGrid(model, host, onWhole) {
  const { tree, snapshot } = model;
  /** @type {Grid} */
  const grid = new Grid({
    host,
    label: `Processes of ${visible(model.hostname, 200)}`,
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
    onFold: (index, open) => foldRow(model, index, open),
    onWidths: (widths) => later(loadArrange, (module) => module.keepWidths(widths)),
    onOrder: (columns) => later(() => import('./dialog-columns.js'), (module) => module.choose(columns)),
    onSelect: (key, how) => select(key, how),
    onOpen: (key) => setParameters({ sel: key, pane: null }),
    onKey: (event) => keyPressed(event, model, grid),
    onWhole,
  });
  return grid;
}

/** @param {HostModel} model @param {number} index @param {boolean} open */
export function foldRow(model, index, open) {
  model.tree.setOpen(index, open);
  model.tree.flatten();
  model.grid?.render();
  later(loadArrange, (module) => module.keepFolds(model));
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
  if (snapshot.alive[row] === 3) return 'group';
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
    case 't': case 'F5': setParameters({ list: parameterNow('list') === '1' ? null : '1', group: null, fold: null, shut: null, open: null }); return true;
    case 'Escape':
      if (parameterNow('q')) setParameters({ q: null });
      else setParameters({ pane: '0' });
      return true;
    default:
  }
  if (!/^(F6|[-+*NPMTIuFcCgGeyDKR0-9]|Backspace)$/.test(event.key)) return false;
  const { key } = event;
  later(loadKeys, (module) => module.default(key, model, grid));
  return true;
}
