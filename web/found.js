// What a search finds among the live processes of all hosts, answered while one types.
import { html, useEffect, useState } from './page.js';
import { getJson } from './api.js';
import { link } from './router.js';
import { bytes, percent, plural, visible } from './format.js';
import { identity } from './snapshot.js';

const TYPING_PAUSE_MS = 150;
const REFRESH_MS = 5000;
const FOUND_MAX = 200;

/** @param {{ q: string }} props */
export default function Found({ q }) {
  const [answer, setAnswer] = useState(/** @type {any} */ (null));
  const [problem, setProblem] = useState('');
  useEffect(() => {
    const abort = new AbortController();
    const ask = () => getJson('search/', { q, limit: FOUND_MAX }, abort.signal).then(
      (data) => { setAnswer(data); setProblem(''); },
      (error) => { if (!abort.signal.aborted) setProblem(error.status === 404 ? 'none' : error.message); });
    const first = setTimeout(ask, TYPING_PAUSE_MS);
    const again = setInterval(ask, REFRESH_MS);
    return () => {
      abort.abort();
      clearTimeout(first);
      clearInterval(again);
    };
  }, [q]);
  if (problem === 'none') return null;
  const found = answer?.found ?? [];
  return html`<section class="found" aria-label="Processes found on all hosts"><h2>${problem || (answer ? answer.count === 0 ? 'No process on any host matches' : `${plural(answer.count ?? found.length, 'process', 'processes')} on ${plural(answer.hosts ?? 0, 'host')}` : 'Searching…')}</h2>
    ${found.length ? html`<table class="table"><thead><tr><th>Host</th><th>Process</th><th class="end">PID</th><th>User</th><th class="end">CPU %</th><th class="end">Memory</th><th class="wide">Command</th></tr></thead>
      <tbody>${found.map((/** @type {any} */ one) => html`<tr key=${`${one.hostname} ${one.pid} ${one.start_time}`}><td>${visible(one.hostname, 80)}</td>
        <td><a href=${link('/host', [['name', one.hostname], ['sel', identity(one.pid, one.start_time)]])}>${visible(one.name, 60)}</a></td><td class="end">${one.pid}</td><td>${visible(one.user, 40)}</td><td class="end">${percent(one.cpu)}</td><td class="end">${bytes(one.memory)}</td><td class="wide quiet">${visible(one.command_line, 160)}</td></tr>`)}</tbody></table>` : null}</section>`;
}
