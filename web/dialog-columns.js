// Which columns are shown, in which order and how wide, what the rows are sorted by, and named sets of columns.
import { html, Icon, density, narrow, remember, remembered, switchDensity, useState } from './page.js';
import { setParameters } from './router.js';
import { DEFAULT_COLUMNS, NARROW_COLUMNS, NARROW_SHOWN, processColumns } from './columns.js';
import { chosenColumns, sortBy } from './host.js';
import { chosenWidths, keepWidths } from './arrange.js';
import { WIDTH_LEAST_PX } from './grid.js';
import { visible } from './format.js';

/** Named sets. @type {[string, string[]][]} */
const SETS = [
  ['Usual', DEFAULT_COLUMNS],
  ['Memory', ['name', 'pid', 'user', 'memory', 'sum_memory', 'memory_percent', 'virtual_memory', 'threads', 'age', 'command_line']],
  ['IO', ['name', 'pid', 'user', 'cpu', 'io', 'read_bytes', 'write_bytes', 'state', 'age', 'command_line']],
  ['Units', ['name', 'pid', 'user', 'cpu', 'sum_cpu', 'memory', 'cgroup', 'executable']],
];

const SETS_MAX = 12;
const NAME_MAX = 30;

/** Sets that people named, kept in this browser. @returns {[string, string[]][]} */
function ownSets() {
  try {
    const sets = JSON.parse(remembered('sets') || '[]');
    return Array.isArray(sets) ? sets.filter((set) => Array.isArray(set) && typeof set[0] === 'string' && Array.isArray(set[1])).slice(0, SETS_MAX) : [];
  } catch {
    return [];
  }
}

/** @param {string[]} columns */
export function choose(columns) {
  const text = columns.join(',');
  const small = narrow.peek();
  const usual = text === (small ? NARROW_COLUMNS : DEFAULT_COLUMNS).join(',');
  remember(small ? 'card' : 'columns', usual ? '' : text);
  setParameters({ [small ? 'card' : 'cols']: usual ? null : text });
}

/** @param {{ chosen: string[] }} props */
function Sets({ chosen }) {
  const [sets, setSets] = useState(ownSets);
  const [name, setName] = useState('');
  const keep = (/** @type {[string, string[]][]} */ next) => {
    setSets(next);
    remember('sets', JSON.stringify(next));
  };
  const add = (/** @type {Event} */ event) => {
    event.preventDefault();
    const wanted = name.trim().slice(0, NAME_MAX);
    if (!wanted) return;
    keep([...sets.filter(([one]) => one !== wanted), /** @type {[string, string[]]} */ ([wanted, chosen])].slice(-SETS_MAX));
    setName('');
  };
  return html`<div class="actions" role="group" aria-label="Sets of columns">${SETS.map(([label, columns]) => html`<button type="button" class="button" onClick=${() => choose(columns)}>${label}</button>`)}
      ${sets.map(([label, columns]) => html`<span class="own-set" key=${label}><button type="button" class="button" onClick=${() => choose(columns.filter((id) => typeof id === 'string'))}>${visible(label, NAME_MAX)}</button><button type="button" class="icon-button" aria-label=${`Forget the set ${visible(label, NAME_MAX)}`} onClick=${() => keep(sets.filter(([one]) => one !== label))}><${Icon} name="x" /></button></span>`)}</div>
    <form class="actions" onSubmit=${add}><label>Keep these columns as <input class="field set-name" maxlength=${NAME_MAX} value=${name} onInput=${(/** @type {any} */ event) => setName(event.target.value)} /></label><button type="submit" class="button" disabled=${!name.trim()}>Keep</button>
      <button type="button" class="button" onClick=${() => keepWidths({})}>Usual widths</button><button type="button" class="button" onClick=${switchDensity}>Row height: ${density.value}</button></form>`;
}

/** @param {{ current: { model: import('./host-model.js').HostModel } | null }} props */
export default function Columns({ current }) {
  if (!current) return html`<p>Open a host first.</p>`;
  const all = Object.values(processColumns(current.model.tree, { highlights: [], folded: [] }, false));
  const chosen = chosenColumns();
  const widths = chosenWidths();
  const rest = all.filter((column) => !chosen.includes(column.id));
  const ordered = [...chosen.map((id) => all.find((column) => column.id === id)).filter((column) => column !== undefined), ...rest];
  const move = (/** @type {string} */ id, /** @type {number} */ by) => {
    const at = chosen.indexOf(id);
    const next = [...chosen];
    next.splice(at, 1);
    next.splice(Math.max(1, at + by), 0, id);
    choose(next);
  };
  const width = (/** @type {import('./grid.js').Column} */ column, /** @type {string} */ text) => {
    const { [column.id]: _, ...others } = widths;
    keepWidths(Number(text) >= WIDTH_LEAST_PX ? { ...others, [column.id]: Number(text) } : others);
  };
  return html`${narrow.value ? html`<p class="quiet">The first ${NARROW_SHOWN} stand beside each other, the others below the name. <button type="button" class="plain" onClick=${() => choose(NARROW_COLUMNS)}>Usual</button></p>` : html`<${Sets} chosen=${chosen} />`}
    <table><thead><tr><th>Shown</th><th>Order</th><th class="wide">Width</th><th>Sort</th></tr></thead><tbody>${ordered.map((column) => {
      const on = chosen.includes(column.id);
      return html`<tr key=${column.id}><td><label><input type="checkbox" checked=${on} disabled=${column.id === 'name'} onChange=${() => choose(on ? chosen.filter((id) => id !== column.id) : [...chosen, column.id])} /> ${column.label}</label> <span class="quiet">${column.title ?? ''}</span></td>
        <td>${on && column.id !== 'name' ? html`<button type="button" class="plain" aria-label=${`${column.label} earlier`} onClick=${() => move(column.id, -1)}>←</button> <button type="button" class="plain" aria-label=${`${column.label} later`} onClick=${() => move(column.id, 1)}>→</button>` : null}</td>
        <td class="wide">${on ? html`<input class="field width" type="number" min=${WIDTH_LEAST_PX} max="2000" step="10" aria-label=${`Width of ${column.label} in pixels`} placeholder=${column.width} value=${widths[column.id] ?? ''} onChange=${(/** @type {any} */ event) => width(column, event.target.value)} />` : null}</td>
        <td>${column.unsortable ? null : html`<button type="button" class="plain" onClick=${() => sortBy(column.id)}>sort</button>`}</td></tr>`;
    })}</tbody></table>`;
}
