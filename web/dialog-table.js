// The values behind a chart as a table, for those who do not see it and for copying.
import { html, tableShown, zone } from './page.js';
import { moment } from './format.js';

const ROWS_MAX = 500;

export default function Table() {
  const table = tableShown.value;
  if (!table) return html`<p>Open a chart first.</p>`;
  const rows = table.time.map((_, i) => i).reverse().slice(0, ROWS_MAX);
  return html`<p class="quiet">${table.title}${rows.length < table.time.length ? `, the newest ${rows.length} of ${table.time.length}` : ''}</p>
    <table class="table"><thead><tr><th>Time</th>${table.columns.map(([name]) => html`<th class="end">${name}</th>`)}</tr></thead>
    <tbody>${rows.map((i) => html`<tr><td>${moment(table.time[i], zone.value)}</td>${table.columns.map(([, values, text]) => html`<td class="end">${values[i] == null ? '–' : text(values[i])}</td>`)}</tr>`)}</tbody></table>`;
}
