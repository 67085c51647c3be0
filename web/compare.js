// Two moments of a host, or two hosts at a moment: what began, ended, grew, shrank, moved.
import { html, Header, Icon, dialog, useEffect, useExport, useState, zone } from './page.js';
import { address, link, setParameters } from './router.js';
import { apiUrl, getJson } from './api.js';
import { bytes, moment, parseMoment, percent, visible } from './format.js';
import { identity } from './snapshot.js';

const LIMIT = 500;

/** @param {string} name */
const value = (name) => address.value.params.get(name) ?? '';

export default function CompareView() {
  const hostname = value('name');
  const other = value('other');
  const from = value('from');
  const to = value('to');
  const [hosts, setHosts] = useState(/** @type {string[]} */ ([]));
  const [answer, setAnswer] = useState(/** @type {any} */ (null));
  const [problem, setProblem] = useState('');
  useEffect(() => {
    document.title = 'Compare · Procession';
    getJson('hosts/').then((list) => {
      const names = list.map((/** @type {any} */ host) => host.hostname);
      setHosts(names);
      if (!address.peek().params.get('name') && names[0]) setParameters({ name: names[0] });
    }, (error) => setProblem(error.message));
  }, []);
  useEffect(() => {
    if (!hostname) return undefined;
    const current = Date.now();
    const start = parseMoment(from || (other ? 'now' : 'now-1h'), current, zone.peek());
    const end = parseMoment(to || 'now', current, zone.peek());
    if (!Number.isFinite(start) || !Number.isFinite(end)) {
      setProblem('A time is written as now-6h, 03:12 or 2026-11-21 03:12:35.');
      return undefined;
    }
    const abort = new AbortController();
    setProblem('');
    getJson('history/changes/', { hostname, other_hostname: other, from: Math.round(start), to: Math.round(end), limit: LIMIT }, abort.signal)
      .then(setAnswer, (error) => abort.signal.aborted || (setAnswer(null), setProblem(error.status === 404 ? 'One of the two moments has no snapshot.' : error.message)));
    return () => abort.abort();
  }, [hostname, other, from, to, zone.value]);
  useExport(answer ? { name: `compare-${hostname}`, url: apiUrl('history/changes/', { hostname, other_hostname: other, from: answer.from.time_ms, to: answer.to.time_ms, limit: LIMIT }), rows: () => exportRows(answer) } : null, [answer]);
  return html`<div class="view"><${Header} crumbs=${html`<a href="/">Fleet</a><span aria-hidden="true">/</span><b>Compare</b>`} />
    <main class="page-main"><h1>Compare two moments or two hosts</h1>
      <form class="compare-form" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
        ${chooser('This host', hosts, hostname, (text) => setParameters({ name: text }), false)}${when('at', from, other ? 'now' : 'now-1h', (text) => setParameters({ from: text }))}
        <span>with</span>${chooser('That host', hosts, other, (text) => setParameters({ other: text || null }), true)}${when('at (that)', to, 'now', (text) => setParameters({ to: text }))}
        <button type="button" class="plain" onClick=${() => (dialog.value = 'export')}><${Icon} name="download" /> Export</button></form>
      ${problem ? html`<p role="alert">${problem}</p>` : null}
      ${answer ? html`<${Changes} answer=${answer} hostname=${hostname} other=${other} />` : problem ? null : html`<p class="quiet">Loading…</p>`}</main></div>`;
}

/** @param {any} answer @returns {Record<string, unknown>[]} */
const exportRows = (answer) => [
  ...['began', 'ended'].flatMap((what) => answer[what].map((/** @type {any} */ one) => ({ what, pid: one.pid, name: one.name, user: one.user, cpu_before: null, cpu: one.cpu, memory_before: null, memory: one.memory, command_line: one.command_line }))),
  ...answer.changed.map((/** @type {any} */ one) => ({ what: one.moved ? 'moved' : 'changed', pid: one.pid, name: one.name, user: one.user, cpu_before: one.cpu?.[0], cpu: one.cpu?.[1], memory_before: one.memory?.[0], memory: one.memory?.[1], command_line: one.command_line })),
];

/** @param {string} label @param {string[]} hosts @param {string} chosen @param {(text: string) => void} choose @param {boolean} optional */
function chooser(label, hosts, chosen, choose, optional) {
  return html`<label>${label} <select class="field" value=${chosen} onChange=${(/** @type {any} */ event) => choose(event.target.value)}>${optional ? html`<option value="">the same host</option>` : null}
    ${hosts.includes(chosen) || !chosen ? null : html`<option value=${chosen}>${visible(chosen, 100)}</option>`}${hosts.map((name) => html`<option key=${name} value=${name} selected=${name === chosen}>${visible(name, 100)}</option>`)}</select></label>`;
}

/** @param {string} label @param {string} text @param {string} usual @param {(text: string) => void} set */
function when(label, text, usual, set) {
  const shown = /^\d{11,}$/.test(text) ? moment(Number(text), zone.value) : text;
  return html`<label>${label} <input class="field" value=${shown} placeholder=${usual} onChange=${(/** @type {any} */ event) => set(event.target.value)} /></label>`;
}

/** @param {{ answer: any, hostname: string, other: string }} props */
function Changes({ answer, hostname, other }) {
  const grown = answer.changed.filter((/** @type {any} */ one) => change(one.memory) > 0).length;
  const rows = [...answer.changed].sort((a, b) => Math.abs(change(b.memory)) - Math.abs(change(a.memory)));
  const second = other || hostname;
  return html`<p>${moment(answer.from.time_ms, zone.value)} with ${moment(answer.to.time_ms, zone.value)}: <b>${answer.began_count ?? answer.began.length}</b> ${other ? 'only there' : 'began'}, <b>${answer.ended_count ?? answer.ended.length}</b> ${other ? 'only here' : 'ended'}, <b>${answer.changed_count ?? answer.changed.length}</b> changed (${grown} grew).</p>
    ${list(other ? `Only on ${visible(second, 80)}` : 'Began', answer.began, second, answer.to.time_ms, '+')}
    ${list(other ? `Only on ${visible(hostname, 80)}` : 'Ended', answer.ended, hostname, answer.from.time_ms, '−')}
    <h2>Changed (${rows.length})</h2>${rows.length ? html`<table class="table compared"><thead><tr><th>Process</th><th class="end">PID</th><th class="wide">User</th><th class="end wide">Memory</th><th class="end">Change</th><th class="end">CPU %</th><th class="wide">Moved</th></tr></thead>
      <tbody>${rows.slice(0, LIMIT).map((/** @type {any} */ one) => html`<tr><td>${to(second, one, answer.to.time_ms)}</td><td class="end">${one.pid}</td><td class="wide">${visible(one.user, 40)}</td><td class="end wide">${bytes(one.memory?.[0])} → ${bytes(one.memory?.[1])}</td>
        <td class="end">${change(one.memory) > 0 ? '+' : ''}${bytes(change(one.memory))}</td><td class="end">${percent(one.cpu?.[0])} → ${percent(one.cpu?.[1])}</td><td class="wide">${one.moved ? `to parent ${one.parent_pid?.[1] ?? '–'}` : ''}</td></tr>`)}</tbody></table>` : html`<p class="quiet">nothing</p>`}`;
}

/** @param {[number | null, number | null] | undefined} pair */
const change = (pair) => (pair?.[1] ?? 0) - (pair?.[0] ?? 0);

/** @param {string} host @param {any} one @param {number} at */
const to = (host, one, at) => html`<a href=${link('/host', [['name', host], ['at', String(at)], ['sel', identity(one.pid, one.start_time)]])}>${visible(one.name, 80) || '(no name)'}</a>`;

/** @param {string} title @param {any[]} rows @param {string} host @param {number} at @param {string} sign */
function list(title, rows, host, at, sign) {
  return html`<h2>${title} (${rows.length})</h2>${rows.length ? html`<table class="table listed"><thead><tr><td></td><th>Process</th><th class="end">PID</th><th class="wide">User</th><th class="end">CPU %</th><th class="end">Memory</th><th class="wide">Command</th></tr></thead>
    <tbody>${rows.slice(0, LIMIT).map((one) => html`<tr><td class="sign">${sign}</td><td>${to(host, one, at)}</td><td class="end">${one.pid}</td><td class="wide">${visible(one.user, 40)}</td><td class="end">${percent(one.cpu)}</td><td class="end">${bytes(one.memory)}</td><td class="quiet wide">${visible(one.command_line, 140)}</td></tr>`)}</tbody></table>` : html`<p class="quiet">nothing</p>`}`;
}
