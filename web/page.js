// What every view shares: the template function, icons, theme, clock, the header and the foot line.
import { h, render, Fragment, htm, useEffect, useLayoutEffect, useRef, useState, useMemo, signal, computed, effect, batch } from './vendor/preact.js';
import { address, parameter, setParameters } from './router.js';
import { unreachableSince } from './api.js';
import { duration } from './format.js';

export { h, render, Fragment, useEffect, useLayoutEffect, useRef, useState, useMemo, signal, computed, effect, batch };

/** @type {(strings: TemplateStringsArray, ...values: any[]) => any} */
export const html = htm.bind(/** @type {any} */ (h));

/** This machine's time, once a second: what says how old data is depends on it. */
export const now = signal(Date.now());
setInterval(() => (now.value = Date.now()), 1000);

/**
 * A text that keeps itself up to date: as a child or an attribute it changes the page without drawing its component anew,
 * which is what makes an update each second cheap.
 * @template T
 * @param {() => T} work reads the signals it depends on
 * @param {unknown[]} on what the work closes over
 * @returns {import('./vendor/preact.js').ReadonlySignal<T>}
 */
export function useText(work, on) {
  return useMemo(() => computed(work), on);
}

/** Reads a remembered choice; a browser may forbid it. @param {string} name */
export function remembered(name) {
  try {
    return localStorage.getItem(`procession.${name}`) ?? '';
  } catch {
    return '';
  }
}

/** @param {string} name @param {string} value */
export function remember(name, value) {
  try {
    localStorage.setItem(`procession.${name}`, value);
  } catch {
    // A choice that cannot be kept still holds until the page closes.
  }
}

export const theme = signal(remembered('theme'));
export const zone = signal(remembered('zone') || 'utc');
const DENSITIES = ['usual', 'dense', 'roomy'];
/** How tall rows are. */
export const density = signal(DENSITIES.includes(remembered('density')) ? remembered('density') : 'usual');
effect(() => {
  document.documentElement.dataset['density'] = density.value;
});

export function switchDensity() {
  density.value = DENSITIES[(DENSITIES.indexOf(density.peek()) + 1) % DENSITIES.length] ?? 'usual';
  remember('density', density.peek());
  tell(`Rows are ${density.peek()}.`);
}

export const narrow = signal(matchMedia('(max-width: 640px)').matches);
matchMedia('(max-width: 640px)').addEventListener('change', (event) => (narrow.value = event.matches));
const darkSystem = matchMedia('(prefers-color-scheme: dark)');
const systemDark = signal(darkSystem.matches);
darkSystem.addEventListener('change', (event) => (systemDark.value = event.matches));

/** "light" or "dark", as it is shown now. */
export const shownTheme = computed(() => {
  const asked = address.value.params.get('theme') || theme.value;
  return asked === 'light' || asked === 'dark' ? asked : systemDark.value ? 'dark' : 'light';
});
effect(() => {
  document.documentElement.dataset['theme'] = shownTheme.value;
});

export function switchTheme() {
  const next = shownTheme.peek() === 'dark' ? 'light' : 'dark';
  theme.value = next;
  remember('theme', next);
}

export function switchZone() {
  zone.value = zone.peek() === 'utc' ? 'local' : 'utc';
  remember('zone', zone.peek());
}

/** @param {{ name: string }} props */
export function Icon({ name }) {
  return html`<svg class="icon" aria-hidden="true" width="16" height="16"><use href=${`#icon-${name}`} /></svg>`;
}

/**
 * The icons become part of the page once there is time for them: for a file that `use` points into, a browser makes a page of
 * its own. A request that answers with a document, because to parse text into one is not allowed here.
 */
whenIdle(() => {
  const request = new XMLHttpRequest();
  request.responseType = 'document';
  request.onload = () => document.body.append(...(request.responseXML?.children ?? []));
  request.open('GET', new URL('./vendor/icons.svg', import.meta.url));
  request.send();
});

/** A short message that goes away by itself, spoken politely. */
export const notice = signal('');
let noticeTimer = 0;
/** @param {string} text */
export function tell(text) {
  notice.value = text;
  clearTimeout(noticeTimer);
  noticeTimer = window.setTimeout(() => (notice.value = ''), 3500);
}

/** Does something with a part of the page that is loaded for it. @template T @param {() => Promise<T>} load @param {(part: T) => void} then */
export function later(load, then) {
  load().then(then, () => tell('A part of the page could not be loaded.'));
}

/** Does something once there is time for it; not every browser tells when. @param {() => void} work */
export function whenIdle(work) {
  if ('requestIdleCallback' in globalThis) requestIdleCallback(work, { timeout: 2000 });
  else setTimeout(work, 500);
}

/** @param {string} text @param {string} what */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    tell(`Copied ${what}.`);
  } catch {
    tell('The browser does not allow copying here.');
  }
}

/** What a view other than a host's can export: its rows, and the address that answers the same. @typedef {{ name: string, url: string, rows: () => Record<string, unknown>[] }} Exportable */
export const exportable = signal(/** @type {Exportable | null} */ (null));

/** Offers a view's rows to the export dialog for as long as the view is there. @param {Exportable | null} offer @param {unknown[]} on */
export function useExport(offer, on) {
  useEffect(() => {
    exportable.value = offer;
    return () => (exportable.value = null);
  }, on);
}

/** Which dialog is open: "", "keys", "palette", "columns", … A view may add its own. */
export const dialog = signal('');

/** Only what is read from afar, and larger; Escape leaves it. */
export const kiosk = parameter('kiosk');
effect(() => {
  document.documentElement.dataset['kiosk'] = kiosk.value ? '1' : '';
});
addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && kiosk.peek()) switchKiosk();
});

export function switchKiosk() {
  setParameters({ kiosk: kiosk.peek() ? null : '1', rotate: null, hold: null });
  if (kiosk.peek()) tell('Kiosk: Escape leaves it.');
}

/** What the table dialog shows: the values behind the chart that was asked for. @typedef {{ title: string, time: number[], columns: [string, (number | null)[], (value: any) => string][] }} ShownTable */
export const tableShown = signal(/** @type {ShownTable | null} */ (null));

/** What the view at hand offers to the dialogs: the host's model, when a host is shown. */
export const current = signal(/** @type {{ model: import('./host-model.js').HostModel } | null} */ (null));

function Lost() {
  const since = unreachableSince.value;
  if (!since) return null;
  return html`<div class="lost"><${Icon} name="unplug" /><span role="status">Connection lost; trying again by itself.</span><span>Lost ${duration(now.value - since)} ago: what you see is at least that old.</span></div>`;
}

/**
 * The header: brand, where one is, search, live or past, theme and keys.
 * @param {{ crumbs: any, tag?: any, search?: any, pill?: any }} props
 */
export function Header({ crumbs, tag, search, pill }) {
  const link = address.value.params.get('theme') ? `/?theme=${address.value.params.get('theme')}` : '/';
  return html`<header class="bar">
    <a class="brand" href=${link} aria-label="Procession: all hosts"><i aria-hidden="true"></i><span>Procession</span></a>
    <nav class="crumb" aria-label="Where you are">${crumbs}</nav>
    ${tag === undefined ? null : html`<span class="tag">${tag}</span>`}
    <div class="bar-fill">${search}</div>
    ${pill}
    <button type="button" class="icon-button" onClick=${switchTheme} title="Light or dark" aria-label="Light or dark"><${Icon} name="contrast" /></button>
    <button type="button" class="icon-button" onClick=${() => (dialog.value = 'keys')} title="Keys and commands (?)" aria-label="Keys and commands"><${Icon} name="circle-question-mark" /></button>
  </header><${Lost} />`;
}

/** The search field of the header. @param {{ value: string, onInput: (value: string) => void, label: string, onDown?: () => void, problem?: string, list?: string, onFocus?: () => void }} props */
export function Search({ value, onInput, label, onDown, problem, list, onFocus }) {
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === 'Escape' && field.current?.value) onInput('');
    else if (event.key === 'ArrowDown' || event.key === 'Enter' || event.key === 'Escape') onDown?.();
    else return;
    event.preventDefault();
  };
  return html`<div class="search ${problem ? 'wrong' : ''}" role="search">
    <${Icon} name="search" />
    <input ref=${field} id="search" type="text" autocomplete="off" spellcheck=${false} aria-label=${label} placeholder=${label} value=${value} list=${list}
      title=${problem || ''} aria-invalid=${problem ? 'true' : 'false'} onInput=${(/** @type {any} */ event) => onInput(event.target.value)} onKeyDown=${keys} onFocus=${onFocus} />
    ${value ? html`<button type="button" class="clear" aria-label="Clear the search" onClick=${() => onInput('')}><${Icon} name="x" /></button>` : html`<kbd aria-hidden="true">/</kbd>`}
  </div>`;
}

/** As a `ref`: the element takes the keyboard when it appears. @param {HTMLElement | null} element */
export function focusOnce(element) {
  element?.focus();
}

export function focusSearch() {
  const field = document.getElementById('search');
  if (field instanceof HTMLInputElement) {
    field.focus();
    field.select();
  }
}
