// Adding a host: the exact command, with a fresh key; and the keys there are.
import { html, Header, Icon, useEffect, useState, copy } from './page.js';
import { ApiError, change, getJson } from './api.js';
import { moment, visible } from './format.js';

/** The command to start an agent, with a key made on request. */
export function AgentCommand() {
  const [key, setKey] = useState('');
  const [problem, setProblem] = useState('');
  const command = `procession agent --server ${location.origin} --key ${key || 'KEY'}`;
  const make = async () => {
    try {
      setKey((await change('POST', 'keys/', { purpose: 'upload', label: 'made on the page' })).key);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return html`<p>Start an agent on a machine that you want to watch. It connects by itself and appears here:</p>
    <pre tabindex="0"><code>${command}</code></pre>
    <p>${key ? html`<button type="button" class="button" onClick=${() => copy(command, 'the command')}><${Icon} name="clipboard-copy" />Copy</button> This key is shown this once. It may upload and nothing else.`
      : html`<button type="button" class="button primary" onClick=${make}><${Icon} name="key-round" />Make a key for it</button>`} <span role="alert">${problem}</span></p>
    <p class="quiet">Or on the server's machine: <code class="inline">procession key create --data DIR --purpose upload</code></p>`;
}

export default function KeysView() {
  const [keys, setKeys] = useState(/** @type {any[]} */ ([]));
  const [problem, setProblem] = useState('');
  const load = () => getJson('keys/').then(setKeys, (error) => setProblem(error instanceof ApiError ? error.message : String(error)));
  useEffect(() => {
    document.title = 'Add a host · Procession';
    void load();
  }, []);
  const revoke = async (/** @type {string} */ prefix) => {
    try {
      await change('DELETE', `keys/${encodeURIComponent(prefix)}/`);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
    void load();
  };
  const when = (/** @type {any} */ time) => (time ? moment(typeof time === 'number' ? time : Date.parse(time)) : '–');
  return html`<div class="view"><${Header} crumbs=${html`<a href="/">Fleet</a><span aria-hidden="true">/</span><b>Add a host</b>`} />
    <main class="page-main"><h1>Add a host</h1><${AgentCommand} />
      <h2>Keys</h2>${problem ? html`<p role="alert">${problem}</p>` : null}
      ${keys.length ? html`<table class="table"><thead><tr><th>Key</th><th>For</th><th class="wide">Host</th><th class="wide">Label</th><th class="wide">Made</th><th>Last used</th><th class="wide">Expires</th><td></td></tr></thead>
        <tbody>${keys.map((key) => html`<tr key=${key.prefix}><td><code class="inline">${visible(key.prefix, 40)}…</code></td><td>${visible(key.purpose, 20)}</td><td class="wide">${visible(key.host_pattern ?? key.host ?? '', 80) || 'any'}</td><td class="wide">${visible(key.label, 80)}</td>
          <td class="wide">${when(key.created)}</td><td>${when(key.last_used)}</td><td class="wide">${when(key.expires)}</td><td>${key.revoked ? 'revoked' : html`<button type="button" class="plain" onClick=${() => revoke(key.prefix)}>Revoke</button>`}</td></tr>`)}</tbody></table>` : html`<p class="quiet">No keys yet.</p>`}
      <p><${SignOut} /></p></main></div>`;
}

function SignOut() {
  return html`<button type="button" class="button" onClick=${async () => {
    await change('DELETE', 'session/').catch(() => null);
    location.assign('/');
  }}><${Icon} name="log-out" />Sign out of this browser</button>`;
}
