// Talking to the server: JSON over HTTP, and a live connection that comes back by itself.
import { signal } from './vendor/preact.js';

const RETRY_FIRST_MS = 500;
const RETRY_LONGEST_MS = 15_000;

/** "unknown" until the first answer, then whether the reader is signed in. */
export const session = signal(/** @type {'unknown' | 'in' | 'out'} */ ('unknown'));

/** Since when the server cannot be reached (ms), or 0 while it can. */
export const unreachableSince = signal(0);

/** An answer other than 2xx, or none at all (status 0). */
export class ApiError extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** @param {unknown} body */
function messageIn(body) {
  if (!body || typeof body !== 'object') return '';
  const { detail, message } = /** @type {Record<string, unknown>} */ (body);
  if (typeof detail === 'string') return detail;
  if (typeof message === 'string') return message;
  return Object.entries(body).map(([field, problem]) => `${field}: ${String(problem)}`).join('; ').slice(0, 300);
}

/** @param {string} path @param {Record<string, string | number | null | undefined>} [query] */
export function apiUrl(path, query = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== null && value !== undefined && value !== '') search.set(name, String(value));
  const text = search.toString();
  return `/api/${path}${text ? `?${text}` : ''}`;
}

/** What is needed of an answer. @typedef {Pick<Response, 'ok' | 'status' | 'json'>} Answer */

/** What the document asked for before any module was there (index.html): it is on its way while they are. @type {{ url: string, response: Promise<Answer> } | undefined} */
let early = /** @type {any} */ (globalThis).early;

/** @param {string} url @param {RequestInit} init */
async function answer(url, init) {
  /** @type {Answer} */
  let response;
  try {
    const asked = early?.url === url ? early.response : fetch(url, { credentials: 'same-origin', ...init });
    if (early?.url === url) early = undefined;
    response = await asked;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    unreachableSince.value ||= Date.now();
    throw new ApiError(0, 'The server does not answer.');
  }
  unreachableSince.value = 0;
  if (response.status === 401) session.value = 'out';
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  throw new ApiError(response.status, messageIn(body) || `The server answered ${response.status}.`);
}

/**
 * @param {string} path below /api/
 * @param {Record<string, string | number | null | undefined>} [query]
 * @param {AbortSignal} [abort]
 * @returns {Promise<any>}
 */
export async function getJson(path, query = {}, abort) {
  const response = await answer(apiUrl(path, query), { signal: abort ?? null, headers: { Accept: 'application/json' } });
  return response.json();
}

/**
 * A call that changes something. The header shows the server that no other site's form made it.
 * @param {'POST' | 'DELETE'} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
export async function change(method, path, body) {
  const response = await answer(apiUrl(path), {
    method,
    headers: { 'Content-Type': 'application/json', 'X-Procession': '1' },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return response.status === 204 ? null : response.json().catch(() => null);
}

export async function checkSession() {
  try {
    await getJson('session/');
    session.value = 'in';
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) session.value = 'out';
    else if (session.peek() === 'unknown') setTimeout(checkSession, 1000);
  }
}

/**
 * One WebSocket that reconnects with growing, scattered pauses until it is closed.
 * `address` is asked before each try, so that it can resume where the last message left off.
 */
export class Live {
  /**
   * @param {() => string} addressOf path and query
   * @param {(message: any) => void} onMessage
   */
  constructor(addressOf, onMessage) {
    this.addressOf = addressOf;
    this.onMessage = onMessage;
    /** When the connection was lost (ms), or 0. */
    this.lostSince = signal(0);
    this.retryMs = RETRY_FIRST_MS;
    this.timer = 0;
    this.closed = false;
    /** @type {WebSocket | null} */
    this.socket = null;
    this.wake = () => {
      if (this.timer && document.visibilityState === 'visible') this.connect();
    };
    addEventListener('online', this.wake);
    document.addEventListener('visibilitychange', this.wake);
    this.connect();
  }

  connect() {
    clearTimeout(this.timer);
    this.timer = 0;
    if (this.closed) return;
    const socket = new WebSocket(location.origin.replace(/^http/, 'ws') + this.addressOf());
    this.socket = socket;
    socket.onmessage = (event) => {
      this.retryMs = RETRY_FIRST_MS;
      this.lostSince.value = 0;
      unreachableSince.value = 0;
      if (typeof event.data === 'string') this.onMessage(JSON.parse(event.data));
    };
    socket.onclose = () => {
      if (this.socket === socket) this.lost();
    };
  }

  lost() {
    this.socket = null;
    if (this.closed) return;
    this.lostSince.value ||= Date.now();
    this.timer = window.setTimeout(() => this.connect(), this.retryMs * (0.7 + Math.random() * 0.6));
    this.retryMs = Math.min(this.retryMs * 2, RETRY_LONGEST_MS);
    void checkSession();
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    removeEventListener('online', this.wake);
    document.removeEventListener('visibilitychange', this.wake);
    this.socket?.close();
    this.socket = null;
    this.lostSince.value = 0;
  }
}
