// The address is the state: path and parameters as one signal, written back through the History API.
// Writing is immediate in the signal and delayed in the browser's bar, because browsers limit how often it may change
// and scrubbing changes it many times a second.
import { signal, computed } from './vendor/preact.js';

const WRITE_DELAY_MS = 250;

/** @typedef {{ path: string, params: Map<string, string> }} Address */

/** @returns {Address} */
function fromLocation() {
  return { path: location.pathname, params: new Map(new URLSearchParams(location.search)) };
}

/** @type {import('./vendor/preact.js').Signal<Address>} */
export const address = signal(fromLocation());

/** @param {string} path @param {Iterable<[string, string]>} params */
export function link(path, params) {
  const search = new URLSearchParams();
  for (const [name, value] of params) if (value !== '') search.set(name, value);
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

/** One parameter as a signal that only changes when it does. @param {string} name */
export function parameter(name) {
  return computed(() => address.value.params.get(name) ?? '');
}

let timer = 0;

function write() {
  clearTimeout(timer);
  timer = 0;
  const { path, params } = address.peek();
  const wanted = link(path, params);
  if (wanted !== location.pathname + location.search) history.replaceState(null, '', wanted);
}

/**
 * Changes parameters in place; null removes one. `push` makes a step that Back undoes.
 * @param {Record<string, string | null>} changes
 * @param {{ push?: boolean }} [options]
 */
export function setParameters(changes, options = {}) {
  const { path, params } = address.peek();
  const next = new Map(params);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') next.delete(name);
    else next.set(name, value);
  }
  if (link(path, next) === link(path, params)) return;
  if (options.push) {
    write();
    history.pushState(null, '', link(path, next));
  } else if (!timer) timer = window.setTimeout(write, WRITE_DELAY_MS);
  address.value = { path, params: next };
}

/** @param {string} url a path with parameters, on this server */
export function go(url) {
  write();
  history.pushState(null, '', url);
  address.value = fromLocation();
}

/** The address as it should be shared now. */
export function currentLink() {
  write();
  return location.href;
}

/** @param {MouseEvent} event */
function followInside(event) {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const anchor = event.target instanceof Element ? event.target.closest('a[href]') : null;
  if (!(anchor instanceof HTMLAnchorElement) || anchor.origin !== location.origin || anchor.target || anchor.hasAttribute('download')) return;
  if (anchor.pathname.startsWith('/api/')) return;
  event.preventDefault();
  go(anchor.pathname + anchor.search);
}

export function startRouter() {
  addEventListener('popstate', () => {
    clearTimeout(timer);
    timer = 0;
    address.value = fromLocation();
  });
  addEventListener('pagehide', write);
  document.addEventListener('click', followInside);
}
