// A screen on the wall that goes from host to host. How long each is shown stands in the address (rotate=30s), and whether it
// is held (hold=1); Space holds it and goes on.
import { html, Icon, now, signal, tell, useEffect } from './page.js';
import { address, go, link, setParameters } from './router.js';
import { getJson } from './api.js';
import { duration, parseSpan, visible } from './format.js';

const USUAL = '30s';
const LEAST_MS = 5_000;
const MOST_MS = 3_600_000;
/** What belongs to one host and moment, and not to the next one. */
const OF_ONE_HOST = ['sel', 'pane', 'at', 'end', 'nearest', 'shut', 'open'];

/** When the next host comes. */
const due = signal(0);

/** How long each host is shown. */
function intervalMs() {
  const asked = parseSpan(address.peek().params.get('rotate') ?? '');
  return Math.min(MOST_MS, Math.max(LEAST_MS, Number.isNaN(asked) ? parseSpan(USUAL) : asked));
}

const isHeld = () => address.value.params.get('hold') === '1';

/** Begins with the host that is shown, or the first one. */
export function rotateKiosk() {
  setParameters({ kiosk: '1', rotate: USUAL, hold: null });
  if (address.peek().path !== '/host') void showNext(1);
  tell('Kiosk through all hosts: Space holds it, Escape leaves it.');
}

function hold() {
  due.value = Date.now() + intervalMs();
  setParameters({ hold: isHeld() ? null : '1' });
}

/** The next or previous host that is not offline, by name. @param {1 | -1} direction */
async function showNext(direction) {
  due.value = Date.now() + intervalMs();
  /** @type {{ hostname: string, status: string }[]} */
  const hosts = await getJson('hosts/').catch(() => []);
  const { params } = address.peek();
  if (!params.get('rotate')) return;
  const names = hosts.filter((host) => host.status !== 'offline').map((host) => host.hostname).sort();
  const at = names.indexOf(params.get('name') ?? '');
  const next = names[(at < 0 ? 0 : at + direction + names.length) % names.length];
  if (next === undefined || next === params.get('name')) return;
  const kept = [...params].filter(([name]) => !OF_ONE_HOST.includes(name) && name !== 'name');
  go(link('/host', [['name', next], ...kept]));
}

/** @param {KeyboardEvent} event */
function keys(event) {
  if (event.key !== ' ' || event.target instanceof HTMLInputElement || event.target instanceof HTMLButtonElement || document.querySelector('dialog')) return;
  event.preventDefault();
  hold();
}

/** Which host comes when, and what holds it. */
export default function Rotation() {
  const name = address.value.params.get('name') ?? '';
  const interval = address.value.params.get('rotate') ?? '';
  const held = isHeld();
  useEffect(() => {
    due.value = Date.now() + intervalMs();
  }, [name, interval, held]);
  useEffect(() => {
    addEventListener('keydown', keys);
    const stop = now.subscribe((ms) => {
      if (!isHeld() && due.peek() && ms >= due.peek()) void showNext(1);
    });
    return () => {
      removeEventListener('keydown', keys);
      stop();
      due.value = 0;
    };
  }, []);
  const left = Math.max(0, Math.ceil((due.value - now.value) / 1000) * 1000);
  return html`<aside class="rotation" aria-label="From host to host"><b>${visible(name, 60)}</b>
    <button type="button" class="icon-button" aria-label="The host before" onClick=${() => showNext(-1)}><${Icon} name="skip-back" /></button>
    <button type="button" class="icon-button" aria-label=${held ? 'Go on' : 'Hold this host'} aria-pressed=${held} onClick=${hold}><${Icon} name=${held ? 'play' : 'pause'} /></button>
    <button type="button" class="icon-button" aria-label="The next host" onClick=${() => showNext(1)}><${Icon} name="skip-forward" /></button>
    <span>${held ? 'held (Space)' : `next in ${duration(left)} (Space holds)`}</span></aside>`;
}
