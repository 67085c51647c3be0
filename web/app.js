// The entry: decides which view the address asks for and loads it.
import { html, render, signal, effect, dialog, kiosk, notice, Header } from './page.js';
import { address, startRouter } from './router.js';
import { checkSession, session } from './api.js';

/** @type {Record<string, () => Promise<{ default: any }>>} */
const VIEWS = {
  '/': () => import('./fleet.js'),
  '/host': () => import('./host.js'),
  '/program': () => import('./program.js'),
  '/compare': () => import('./compare.js'),
  '/keys': () => import('./keys.js'),
};

/** @type {import('./vendor/preact.js').Signal<{ path: string, View: any }>} */
const shown = signal({ path: '', View: null });

/** The view that was asked for last: one that arrives late does not take its place. */
let wanted = '';

/** @param {() => Promise<{ default: any }>} load @param {string} path */
async function show(load, path) {
  wanted = path;
  const View = await load().then((module) => module.default, () => Unloaded);
  if (wanted === path) shown.value = { path, View };
}

function Unloaded() {
  return html`<${Header} crumbs=${null} /><main class="empty"><h1>This part of the page could not be loaded</h1><p>The server does not answer, or it was replaced by another version.
    <button type="button" class="plain" onClick=${() => location.reload()}>Load the page again</button></p></main>`;
}

function Unknown() {
  return html`<${Header} crumbs=${null} /><main class="empty"><h1>There is nothing at this address</h1><p><a href="/">All hosts</a></p></main>`;
}

// Nobody waits for the session's answer: what the view asks for is refused with 401 all the same when there is none.
effect(() => {
  const state = session.value;
  const path = address.value.path;
  if (state === 'out') void show(() => import('./sign-in.js'), 'sign-in');
  else if (wanted !== path) {
    const load = VIEWS[path];
    if (load) void show(load, path);
    else {
      wanted = path;
      shown.value = { path, View: Unknown };
    }
  }
});

/** @type {import('./vendor/preact.js').Signal<any>} */
const Dialogs = signal(null);
effect(() => {
  if (dialog.value && !Dialogs.peek()) void import('./dialogs.js').then((module) => (Dialogs.value = module.default));
});

/** A kiosk that goes from host to host. @type {import('./vendor/preact.js').Signal<any>} */
const Rotation = signal(null);
effect(() => {
  if (address.value.params.get('rotate') && kiosk.value && !Rotation.peek()) void import('./kiosk.js').then((module) => (Rotation.value = module.default));
});

function App() {
  const { View } = shown.value;
  const rotates = Rotation.value && kiosk.value && address.value.params.has('rotate');
  return html`<div class="app">${View ? html`<${View} />` : null}
    ${rotates ? html`<${Rotation.value} />` : null}
    ${Dialogs.value && dialog.value ? html`<${Dialogs.value} />` : null}
    <div class="notice" role="status" aria-live="polite">${notice.value}</div></div>`;
}

/** @param {KeyboardEvent} event */
function globalKeys(event) {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
    event.preventDefault();
    dialog.value = dialog.peek() === 'palette' ? '' : 'palette';
  }
}

startRouter();
document.addEventListener('keydown', globalKeys);
const root = document.getElementById('app');
// In place of the header that the document came with.
root?.replaceChildren();
if (root) render(html`<${App} />`, root);
// A task of its own: the first is long enough.
setTimeout(checkSession);
