// The charts' values as a table, for those who do not see the charts and for copying.
import { html, zone } from './page.js';
import { bytes, moment, percent } from './format.js';
import { shownSeries } from './timeline.js';

const ROWS_MAX = 500;

export default function Table() {
  const s = shownSeries.value;
  const rows = s.time_ms.map((_, i) => i).reverse().slice(0, ROWS_MAX);
  return html`<table class="table"><thead><tr><th>Time</th><th class="end">CPU (host), % of a core</th><th class="end">CPU (processes)</th><th class="end">Memory</th><th class="end">Processes</th></tr></thead>
    <tbody>${rows.map((i) => html`<tr><td>${moment(s.time_ms[i], zone.value)}</td><td class="end">${percent(s.host_cpu[i])}</td><td class="end">${percent(s.cpu[i])}</td><td class="end">${bytes(s.memory_used_bytes[i] ?? s.memory_bytes[i])}</td><td class="end">${s.process_count[i] ?? '–'}</td></tr>`)}</tbody></table>`;
}
