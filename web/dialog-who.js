// Who did this? The ranking of a range: subtrees, programs, users or processes by CPU time, memory or IO, with the share
// that nobody can be blamed for, and an icicle of the tree whose width is that share.
import { html, useEffect, useState, zone } from './page.js';
import { getJson } from './api.js';
import { setParameters, link } from './router.js';
import { bytes, duration, moment, plural, visible } from './format.js';
import { chartWindow } from './timeline.js';
import { identity } from './snapshot.js';
import { Icicle } from './icicle.js';

const MEASURES = [['cpu', 'CPU time'], ['memory', 'Memory'], ['memory_growth', 'Memory growth'], ['io', 'IO']];
const GROUPS = [['subtree', 'Subtrees'], ['process', 'Processes'], ['program', 'Programs'], ['user', 'Users']];
const ROWS = 20;
const ICICLE_ROWS = 600;

/** @typedef {{ label: string | null, pid: number | null, start_time: number | null, name: string | null, user: string | null, command_line: string | null, value: number, own?: number, share?: number, processes?: number, parent?: number | null }} TopRow */

/** @param {string} by @param {number} value */
export const measured = (by, value) => (by === 'cpu' ? duration(value / 1000) : bytes(value));

/** @param {{ current: { model: import('./host-model.js').HostModel } | null, close: () => void }} props */
export default function Who({ current, close }) {
  const [by, setBy] = useState('cpu');
  const [group, setGroup] = useState('subtree');
  const [answer, setAnswer] = useState(/** @type {any} */ (null));
  const [problem, setProblem] = useState('');
  const [range] = useState(() => {
    const { from, until } = chartWindow();
    return { start: Math.floor(from), end: Math.ceil(until) };
  });
  const hostname = current?.model.hostname ?? '';
  useEffect(() => {
    let wanted = true;
    setProblem('');
    getJson('history/top/', { hostname, ...range, by, group, limit: group === 'subtree' ? ICICLE_ROWS : ROWS }).then((data) => wanted && setAnswer(data), (error) => wanted && setProblem(error.message));
    return () => { wanted = false; };
  }, [hostname, by, group]);
  const tabs = (/** @type {string[][]} */ list, /** @type {string} */ now, /** @type {(value: any) => void} */ set, /** @type {string} */ label) => html`<div class="range" role="group" aria-label=${label}>${list.map(([value, text]) => html`<button type="button" class=${value === now ? 'on' : ''} aria-pressed=${value === now} onClick=${() => set(value)}>${text}</button>`)}</div>`;
  const open = (/** @type {TopRow} */ row) => {
    if (row.pid != null) {
      setParameters({ sel: identity(row.pid, row.start_time), pane: null });
      close();
    }
  };
  return html`<p class="quiet">${visible(hostname, 200)}, ${moment(range.start, zone.value)} to ${moment(range.end, zone.value)} (${duration(range.end - range.start)}). Drag on a chart to choose another range.</p>
    ${tabs(MEASURES, by, setBy, 'By')}${tabs(GROUPS, group, setGroup, 'Of')}
    ${problem ? html`<p role="alert">${problem}</p>` : null}
    ${answer && !problem && answer.group !== undefined && answer.group !== group ? html`<p class="quiet">Loading…</p>` : answer && !problem ? html`<${Ranking} answer=${answer} by=${by} group=${group} onOpen=${open} hostname=${hostname} />` : null}`;
}

/** @param {{ answer: any, by: string, group: string, onOpen: (row: TopRow) => void, hostname: string }} props */
function Ranking({ answer, by, group, onOpen, hostname }) {
  /** @type {TopRow[]} */
  const rows = answer.rows;
  const total = answer.total || 1;
  const list = [...rows].sort((a, b) => b.value - a.value).slice(0, ROWS);
  const share = (/** @type {number} */ value) => `${((value / total) * 100).toFixed(1)} %`;
  return html`<p><b>${measured(by, answer.total)}</b> in all; ${answer.unattributed == null ? 'what is nobody\'s is not known: the host\'s own figure is missing' : html`<b>${measured(by, answer.unattributed)}</b> (${share(answer.unattributed)}) is nobody's: used, but by no process that was seen`}.</p>
    ${group === 'subtree' && rows.length ? html`<${Icicle} rows=${rows} total=${total} by=${by} onOpen=${onOpen} />` : null}
    ${list.length ? html`<table class="who-table"><thead><tr><th class="end">Share</th><th class="end">${by === 'cpu' ? 'CPU time' : 'Bytes'}</th><th>Who</th><th class="wide">User</th><th class="end wide">Processes</th></tr></thead>
      <tbody>${list.map((row) => html`<tr><td class="end share"><i style=${{ width: `${Math.min(100, (row.value / total) * 100)}%` }}></i><span>${share(row.value)}</span></td><td class="end">${measured(by, row.value)}</td>
        <td>${row.pid != null ? html`<button type="button" class="plain" onClick=${() => onOpen(row)}>${visible(row.label, 80) || '(no name)'} ${row.pid}</button>` : group === 'program' ? html`<a href=${link('/program', [['name', row.label ?? ''], ['host', hostname]])}>${visible(row.label, 80)}</a>` : visible(row.label, 80) || 'not known'}
          <div class="quiet" title=${visible(row.command_line, 400)}>${visible(row.command_line, 160)}</div></td><td class="wide">${visible(row.user, 40)}</td><td class="end wide">${row.processes ?? 1}</td></tr>`)}</tbody></table>
      <p class="quiet">${plural(answer.count ?? rows.length, 'row')}, from ${plural(answer.snapshots ?? 0, 'snapshot')}.</p>` : html`<p>Nothing was used in this range.</p>`}`;
}
