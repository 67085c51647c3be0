// What happened between the last two samples: began, ended, lived in between; gaps; fields that could not be read.
import { html } from './page.js';
import { clock, duration, moment, visible } from './format.js';
import { LossTable } from './losses.js';

const LIST_MAX = 500;

/** @param {{ current: { model: import('./host-model.js').HostModel } | null }} props */
export default function Brief({ current }) {
  if (!current) return html`<p>Open a host first.</p>`;
  void current.model.tick.value;
  const s = current.model.snapshot;
  /** @type {any[]} */
  const began = [];
  for (let row = 0; row < s.used && began.length < LIST_MAX; row++) if (s.isNew(row)) began.push({ pid: s.pid[row], name: s.text.name[row], user: s.text.user[row], command_line: s.text.command_line[row] });
  const ended = s.lingering.slice(0, LIST_MAX).map((row) => ({ pid: s.pid[row], name: s.text.name[row], user: s.text.user[row], command_line: s.text.command_line[row], ...s.end[row], ended_at_ms: s.endedMs[row] }));
  return html`<p class="quiet">Up to ${moment(s.timeMs)}.</p>
    ${list(`Lived between two samples (${s.brief.length})`, s.brief.slice(0, LIST_MAX), true)}${list(`Ended lately (${ended.length})`, ended, true)}${list(`Began (${began.length})`, began, false)}
    ${s.losses.length ? html`<h3>Lost before this sample</h3><${LossTable} losses=${s.losses} />` : null}
    ${s.fieldErrors.length ? html`<h3>Not readable by the agent</h3><ul>${s.fieldErrors.map((error) => html`<li>${visible(error.field, 60)}: ${visible(error.reason, 200)} (${error.processes} processes)</li>`)}</ul>` : null}`;
}

/** @param {string} title @param {any[]} rows @param {boolean} gone */
function list(title, rows, gone) {
  return html`<h3>${title}</h3>${rows.length ? html`<table><thead><tr><th>PID</th><th>Name</th><th>User</th>${gone ? html`<th>Ended</th><th>Exit</th><th>CPU</th>` : null}<th>Command</th></tr></thead>
    <tbody>${rows.map((one) => html`<tr><td>${one.pid}</td><td>${visible(one.name, 60)}${one.count > 1 ? ` × ${one.count}` : ''}</td><td>${visible(one.user, 40)}</td>
      ${gone ? html`<td>${clock(one.ended_at_ms)}</td><td>${one.signal ? `signal ${one.signal}` : (one.exit_code ?? '–')}</td><td>${one.cpu_time_us == null ? '–' : duration(one.cpu_time_us / 1000)}</td>` : null}<td>${visible(one.command_line, 160)}</td></tr>`)}</tbody></table>` : html`<p class="quiet">none</p>`}`;
}
