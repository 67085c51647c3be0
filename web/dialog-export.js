// Export of what is shown: rows as CSV or JSON made here, a link, and the same view for curl.
import { html, Icon, copy, exportable } from './page.js';
import { address, currentLink } from './router.js';
import { apiUrl } from './api.js';
import { chosenColumns } from './host.js';

/** @typedef {import('./host-model.js').HostModel} HostModel */

/** A spreadsheet runs a cell that begins so; a quote before it makes it text. */
const FORMULA = /^[=+\-@\t\r]/;

/** @param {unknown} value */
function csvCell(value) {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : '';
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) || safe !== text ? `"${safe.replace(/"/g, '""')}"` : safe;
}

/** The shown rows in their order, with plain values: percent of one core, bytes, ms. @param {HostModel} model */
export function shownRows({ snapshot: s, tree }) {
  return tree.rows.map((row, index) => ({
    pid: s.pid[row], parent_pid: (s.parentPid[row] ?? -1) < 0 ? null : s.parentPid[row], depth: tree.depths[index], name: s.text.name[row], user: s.text.user[row], state: s.alive[row] === 2 ? 'ended' : s.text.state[row],
    cpu: number(s.metric.cpu[row], 100), subtree_cpu: number(tree.sumCpu[row], 100), memory_bytes: number(s.metric.memory[row]), subtree_memory_bytes: number(tree.sumMemory[row]), virtual_memory_bytes: number(s.metric.virtual_memory[row]),
    threads: number(s.metric.threads[row]), read_bytes: number(s.metric.read_bytes[row]), write_bytes: number(s.metric.write_bytes[row]), start_time: Number.isNaN(s.start[row]) ? null : new Date(s.start[row] ?? 0).toISOString(), unit: s.text.cgroup[row], command_line: s.text.command_line[row],
  }));
}

/** @param {number | undefined} value @param {number} [per] */
const number = (value, per = 1) => (value === undefined || Number.isNaN(value) ? null : value / per);

/** @param {Record<string, unknown>[]} rows */
export function csv(rows) {
  const names = Object.keys(rows[0] ?? {});
  return [names.join(','), ...rows.map((row) => names.map((name) => csvCell(row[name])).join(','))].join('\r\n');
}

/** @param {string} text @param {string} type @param {string} name */
function save(text, type, name) {
  const anchor = document.createElement('a');
  anchor.href = URL.createObjectURL(new Blob([text], { type }));
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000);
}

/** @param {string} text */
const shellWord = (text) => `'${text.replace(/'/g, `'\\''`)}'`;

/** @param {string} path and query */
const curl = (path) => `curl -H ${shellWord('Authorization: Api-Key KEY')} --compressed ${shellWord(location.origin + path)}`;

/** What a host's view exports. @param {HostModel} model @returns {import('./page.js').Exportable & { head: Record<string, unknown>, note: string }} */
function ofHost(model) {
  const time = new Date(model.snapshot.timeMs).toISOString();
  return {
    name: `${model.hostname}-${time}`, url: apiUrl('process-snapshots/columns/', { hostname: model.hostname, at: address.peek().params.get('at') ? model.snapshot.timeMs : null }), rows: () => shownRows(model),
    head: { hostname: model.hostname, timestamp: time }, note: `${model.tree.rows.length} rows, in the order shown, with all fields (${chosenColumns().length} columns are on screen).`,
  };
}

/** @param {{ current: { model: HostModel } | null, close: () => void }} props */
export default function Export({ current, close }) {
  const host = current ? ofHost(current.model) : null;
  const offer = host ?? exportable.value;
  if (!offer) return html`<p><button type="button" class="button" onClick=${() => copy(currentLink(), 'a link to this view')}><${Icon} name="link" />Copy a link to this view</button></p>`;
  const file = offer.name.replace(/[^\w.-]+/g, '_').slice(0, 90);
  const list = host ? 'processes' : 'rows';
  const done = (/** @type {() => void} */ work) => () => {
    work();
    close();
  };
  return html`<p>${host?.note ?? `${offer.rows().length} rows, with all fields.`}</p>
    <p class="actions"><button type="button" class="button primary" onClick=${done(() => save(csv(offer.rows()), 'text/csv', `${file}.csv`))}><${Icon} name="download" />CSV</button>
      <button type="button" class="button" onClick=${done(() => save(JSON.stringify({ ...(host?.head ?? { address: offer.url }), [list]: offer.rows() }, null, 1), 'application/json', `${file}.json`))}><${Icon} name="download" />JSON</button>
      <button type="button" class="button" onClick=${done(() => void copy(currentLink(), 'a link to this view'))}><${Icon} name="link" />Copy a link</button>
      <button type="button" class="button" onClick=${done(() => void copy(curl(offer.url), 'the curl command'))}><${Icon} name="terminal" />Copy for curl</button></p>
    <pre tabindex="0"><code>${curl(offer.url)}</code></pre><p class="quiet">KEY is a key for reading: <code class="inline">procession key create --data DIR --purpose read</code></p>`;
}
