// Going to a moment by writing it.
import { html, focusOnce, useState, zone } from './page.js';
import { setParameters } from './router.js';
import { moment, parseMoment } from './format.js';

/** @param {{ current: { model: import('./host-model.js').HostModel } | null, close: () => void }} props */
export default function Moment({ current, close }) {
  const [text, setText] = useState(current ? moment(current.model.snapshot.timeMs, zone.value).replace(/ (UTC|local)$/, '') : 'now-1h');
  const ms = parseMoment(text, Date.now(), zone.value);
  const go = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!Number.isFinite(ms)) return;
    setParameters({ end: String(Math.round(Math.min(Date.now(), ms + 1_800_000))) });
    current?.model.goTo(ms);
    close();
  };
  return html`<form onSubmit=${go}><p><label>A time in ${zone.value === 'utc' ? 'UTC' : 'local time'}: <input class="field" ref=${focusOnce} value=${text} onInput=${(/** @type {any} */ event) => setText(event.target.value)} /></label></p>
    <p class="quiet">now-6h · 03:12 · 2026-11-21 03:12:35 · ${Number.isFinite(ms) ? `that is ${moment(ms, zone.value)}` : 'this is no time'}</p>
    <button type="submit" class="button primary" disabled=${!Number.isFinite(ms)}>Go there</button></form>`;
}
