// On a phone: what has no room in the line below the charts.
import { html, density, dialog, narrow, switchDensity, switchKiosk, switchTheme, switchZone, zone, copy } from './page.js';
import { address, currentLink, go, link, setParameters } from './router.js';
import { ALL_LEVELS, GROUPS, arrange, arrangement, foldTo } from './arrange.js';
import { RANGES } from './timeline.js';
import { rotateKiosk } from './kiosk.js';

/** @typedef {import('./host-model.js').HostModel} HostModel */

/** @param {{ current: { model: HostModel } | null, close: () => void }} props */
export default function Menu({ current, close }) {
  if (!current) return html`<p>Open a host first.</p>`;
  const { model } = current;
  const { params } = address.value;
  const past = params.get('at') ?? '';
  const chosen = arrangement();
  /** @param {string} label @param {() => unknown} work @param {boolean} [on] */
  const button = (label, work, on) => html`<button type="button" class="button ${on ? 'primary' : ''}" aria-pressed=${on ?? null} onClick=${() => { close(); work(); }}>${label}</button>`;
  /** @param {string} label @param {string} name */
  const opens = (label, name) => html`<button type="button" class="button" onClick=${() => (dialog.value = name)}>${label}</button>`;
  const part = (/** @type {string} */ title, /** @type {any} */ buttons) => html`<h3>${title}</h3><div class="actions" role="group" aria-label=${title}>${buttons}</div>`;
  const range = params.get('range') ?? '';
  return html`
    ${part('Rows', GROUPS.map(([value, label]) => button(label, () => arrange(value), value === chosen)))}
    ${part('Branches', [button('Fold all', () => foldTo('1')), button('Two levels', () => foldTo('2')), button('Open all', () => foldTo(ALL_LEVELS))])}
    ${part('Columns', [opens(narrow.value ? 'Columns of the card, and sorting' : 'Columns and sorting', 'columns'), button(`Row height: ${density.value}`, switchDensity)])}
    ${part('Range', RANGES.map(([label = '', value = '']) => button(label, () => setParameters({ range: value, end: past ? (params.get('end') ?? null) : null }), value === range)))}
    ${part('Time', [button('One sample back', () => model.step(-1)), button('One sample on', () => model.step(1)), opens('Go to a moment', 'moment'), past ? button('Return to live', () => model.goLive()) : button('Pause', () => model.pause()), button(zone.value === 'utc' ? 'Local time' : 'UTC', switchZone)])}
    ${part('Questions', [opens('Who did this?', 'who'), opens('Began, ended, lived between', 'brief'), opens('What is lost', 'losses'), button('Values as a table', () => model.showTable()),
      button('Compare', () => go(link('/compare', [['name', model.hostname], ['from', past || 'now-1h'], ['to', 'now']])))])}
    ${part('This view', [opens('Export', 'export'), button('Copy a link', () => void copy(currentLink(), 'a link to this view')), button('Light or dark', switchTheme), button('Kiosk', switchKiosk), button('Kiosk through all hosts', rotateKiosk)])}`;
}
