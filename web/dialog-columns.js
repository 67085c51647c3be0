// Which columns are shown, in which order, and what the rows are sorted by.
import { html, remember } from './page.js';
import { setParameters } from './router.js';
import { DEFAULT_COLUMNS, processColumns } from './columns.js';
import { chosenColumns, sortBy } from './host.js';

/** Named sets. @type {[string, string[]][]} */
const SETS = [
  ['Usual', DEFAULT_COLUMNS],
  ['Memory', ['name', 'pid', 'user', 'memory', 'sum_memory', 'memory_percent', 'virtual_memory', 'threads', 'age', 'command_line']],
  ['IO', ['name', 'pid', 'user', 'cpu', 'io', 'read_bytes', 'write_bytes', 'state', 'age', 'command_line']],
  ['Units', ['name', 'pid', 'user', 'cpu', 'sum_cpu', 'memory', 'cgroup', 'executable']],
];

/** @param {string[]} columns */
function choose(columns) {
  const text = columns.join(',');
  const usual = text === DEFAULT_COLUMNS.join(',');
  remember('columns', usual ? '' : text);
  setParameters({ cols: usual ? null : text });
}

/** @param {{ current: { model: import('./host-model.js').HostModel } | null }} props */
export default function Columns({ current }) {
  if (!current) return html`<p>Open a host first.</p>`;
  const all = Object.values(processColumns(current.model.tree, { highlights: [] }, false));
  const chosen = chosenColumns();
  const rest = all.filter((column) => !chosen.includes(column.id));
  const ordered = [...chosen.map((id) => all.find((column) => column.id === id)).filter((column) => column !== undefined), ...rest];
  const move = (/** @type {string} */ id, /** @type {number} */ by) => {
    const at = chosen.indexOf(id);
    const next = [...chosen];
    next.splice(at, 1);
    next.splice(Math.max(0, at + by), 0, id);
    choose(next);
  };
  return html`<div class="actions">${SETS.map(([name, columns]) => html`<button type="button" class="button" onClick=${() => choose(columns)}>${name}</button> `)}</div>
    <table><thead><tr><th>Shown</th><th>Order</th><th>Sort</th></tr></thead><tbody>${ordered.map((column) => {
      const on = chosen.includes(column.id);
      return html`<tr key=${column.id}><td><label><input type="checkbox" checked=${on} disabled=${column.id === 'name'} onChange=${() => choose(on ? chosen.filter((id) => id !== column.id) : [...chosen, column.id])} /> ${column.label}</label> <span class="quiet">${column.title ?? ''}</span></td>
        <td>${on && column.id !== 'name' ? html`<button type="button" class="plain" aria-label=${`${column.label} further left`} onClick=${() => move(column.id, -1)}>←</button> <button type="button" class="plain" aria-label=${`${column.label} further right`} onClick=${() => move(column.id, 1)}>→</button>` : null}</td>
        <td>${column.unsortable ? null : html`<button type="button" class="plain" onClick=${() => sortBy(column.id)}>sort</button>`}</td></tr>`;
    })}</tbody></table>`;
}
