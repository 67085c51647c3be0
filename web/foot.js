// The foot line of a host: how old what one sees is, how many came and went, what nobody accounts for, what is missing,
// and what watching costs. Its texts are signals: a sample changes them without drawing the line anew.
import { html, now, zone, dialog, useText } from './page.js';
import { address } from './router.js';
import { bytes, duration, moment, percent, plural, visible } from './format.js';
import { lossesText } from './losses.js';

/** @typedef {import('./host-model.js').HostModel} HostModel */

const STALE_LEAST_MS = 15_000;

/** @param {{ model: HostModel }} props */
export default function Foot({ model }) {
  const s = model.snapshot;
  /** @param {() => string} work */
  const text = (work) => useText(() => (model.tick.value ? work() : ''), [model]);
  const past = () => (address.value.params.get('at') ?? '') !== '';
  const interval = () => s.host['interval_ms'] || 0;
  const age = () => Math.max(0, now.value - s.timeMs);
  const mood = text(() => (past() ? 'then' : age() > Math.max(3 * interval(), STALE_LEAST_MS) ? 'bad' : 'ok'));
  const first = text(() => (past() ? `● ${moment(s.timeMs, zone.value)}` : `● sample ${duration(age())} old${interval() ? `, every ${every(interval())}` : ''}`));
  const began = text(() => String(s.beganCount));
  const ended = text(() => String(s.endedCount));
  const brief = text(() => String(s.brief.reduce((sum, one) => sum + (one.count ?? 1), 0)));
  const fields = text(() => (s.fieldErrors.length ? `${plural(s.fieldErrors.length, 'field')} not readable` : ''));
  const lost = text(() => lossText(model));
  const open = () => (dialog.value = 'brief');
  return html`<footer class="foot"><span class=${mood}>${first}</span><span><b>${text(() => shownCount(model))}</b> ${text(() => (model.tree.filter ? 'match' : s.live === 1 ? 'process' : 'processes'))}</span>
    <button type="button" class="plain" onClick=${open}><b>${began}</b> began, <b>${ended}</b> ended, <b>${brief}</b> lived between two samples</button>
    <span hidden=${useText(() => model.tick.value > 0 && s.host['cpu'] == null, [model])} title="CPU the host used and no process seen accounts for">nobody's: <b>${text(() => nobody(model))}</b> CPU</span>
    <button type="button" class="plain bad" onClick=${open}>${lost}</button>
    <span class="cost" title="The agent, how it sees short-lived processes, and what watching costs this host">${text(() => agentName(s))}<b>${text(() => agentCost(s))}</b></span>
    <span class="held">${text(() => (model.held.value ? 'order held while you point' : ''))}</span>
    <span class="foot-end"><button type="button" class="plain" onClick=${open}>${fields}</button> Procession</span></footer>`;
}

/** The usual distance of two samples, to a tenth of a second: it is measured, and never quite the one that was asked for. @param {number} ms */
const every = (ms) => (ms < 60_000 ? `${(Math.round(ms / 100) / 10).toString()}\u00a0s` : duration(ms));

/** @param {HostModel} model */
function shownCount({ snapshot, tree }) {
  return tree.filter ? `${tree.matchCount} of ${snapshot.live}` : String(snapshot.live);
}

/** CPU that no process accounts for, of the whole host. @param {HostModel} model */
function nobody({ snapshot: { host, facts }, tree }) {
  if (host['cpu'] == null) return '';
  let sum = 0;
  for (const row of tree.roots) sum += tree.sumCpu[row] ?? 0;
  return `${percent(Math.max(0, host['cpu'] - sum) / (facts['cpu_count'] || 1))} %`;
}

/** @param {import('./snapshot.js').Snapshot} s */
function agentName({ facts, host }) {
  const name = [facts['agent_version'] && `agent ${facts['agent_version']}`, facts['collector']].filter(Boolean).map((text) => visible(String(text), 40)).join(' · ');
  return name ? `${name}${host['agent_cpu_us'] == null ? '' : ': '}` : 'sent by upload';
}

/** @param {import('./snapshot.js').Snapshot} s */
function agentCost({ host }) {
  if (host['agent_cpu_us'] == null || !host['interval_ms']) return '';
  return `${(host['agent_cpu_us'] / (host['interval_ms'] * 10)).toFixed(2)} % of a core${host['agent_memory_bytes'] ? `, ${bytes(host['agent_memory_bytes'])}` : ''}`;
}

/** @param {HostModel} model */
function lossText({ snapshot: s }) {
  return s.losses.length ? `gap: ${lossesText(s.losses)}` : '';
}
