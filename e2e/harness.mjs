// The real server for the specs: a binary, a temporary data folder, port 0, and a browser signed in through the printed link.
import { spawn, execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startBrowser } from './browser.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const START_MS = 30_000;

export function binary() {
  const path = process.env['PROCESSION_BINARY'] || ['debug', 'release'].map((kind) => join(process.env['CARGO_TARGET_DIR'] ?? join(here, '..', 'target'), kind, 'procession')).find((one) => existsSync(one));
  if (!path || !existsSync(path)) throw new Error('Set PROCESSION_BINARY to the built server (cargo build).');
  return path;
}

/** Runs one command of the binary and gives what it printed. @param {string[]} args @returns {Promise<string>} */
export async function command(args) {
  const { stdout } = await promisify(execFile)(binary(), args, { env: environment() });
  return stdout.trim();
}

function environment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PROCESSION_')));
}

/** PROCESSION_PAGE=../web serves the page from disk, for work on it; the tests proper use what is inside the binary. */
const pageFromDisk = () => (process.env['PROCESSION_PAGE'] ? ['--page', process.env['PROCESSION_PAGE']] : []);

export class TestServer {
  constructor() {
    this.data = mkdtempSync(join(tmpdir(), 'procession-e2e-'));
    this.url = '';
    this.link = '';
    /** @type {import('node:child_process').ChildProcess | null} */
    this.child = null;
    this.said = '';
  }

  /** @param {string[]} [more] options of `serve` @param {number} [port] */
  async start(more = ['--interval', '1s'], port = 0) {
    const child = spawn(binary(), ['serve', '--listen', `127.0.0.1:${port}`, '--data', this.data, ...pageFromDisk(), ...more], { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    child.stderr.on('data', (text) => (this.said = (this.said + text).slice(-4000)));
    const timer = setTimeout(() => child.kill('SIGKILL'), START_MS);
    for await (const line of createInterface({ input: child.stdout })) {
      const found = /(http:\/\/127\.0\.0\.1:\d+)(\/sign-in\?\S+)?/.exec(line);
      if (!found) continue;
      this.url = found[1] ?? '';
      this.link = found[2] ? found[0] : '';
      break;
    }
    clearTimeout(timer);
    if (!this.url) throw new Error(`The server did not start: ${this.said}`);
    child.stdout.resume();
    return this;
  }

  get port() {
    return Number(new URL(this.url).port);
  }

  /** @param {NodeJS.Signals} [signal] */
  async end(signal = 'SIGTERM') {
    const { child } = this;
    this.child = null;
    if (!child || child.exitCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  async close() {
    await this.end('SIGKILL');
    rmSync(this.data, { recursive: true, force: true });
  }

  async uploadKey() {
    return command(['key', 'create', '--data', this.data, '--purpose', 'upload']);
  }

  /** @param {string} key @param {object} body */
  async upload(key, body) {
    const response = await fetch(`${this.url}/api/process-snapshots/`, { method: 'POST', headers: { Authorization: `Api-Key ${key}`, 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    if (response.status !== 201) throw new Error(`Upload: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /** A new link by the command, as people get one. */
  async signInLink() {
    const printed = await command(['sign-in', '--data', this.data, '--url', this.url]);
    return /http\S+/.exec(printed)?.[0] ?? printed;
  }
}

/**
 * A browser page that is signed in, and everything that went wrong in it.
 * @param {import('playwright-core').Browser} browser
 * @param {TestServer} server
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function signedIn(browser, server, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  const trouble = watchTrouble(page);
  await page.goto(await server.signInLink());
  await page.waitForSelector('[role=grid], [role=treegrid], .empty');
  return { context, page, trouble };
}

/** Collects errors, violations of the content policy and dialogs; expected network errors are left out. @param {import('playwright-core').Page} page */
export function watchTrouble(page) {
  /** @type {string[]} */
  const trouble = [];
  page.on('pageerror', (error) => trouble.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => {
    trouble.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource|WebSocket connection/.test(message.text())) trouble.push(`console: ${message.text()}`);
  });
  return trouble;
}

/** Goes to an address without loading the page anew, as its own links do. @param {import('playwright-core').Page} page @param {string} url */
export async function visit(page, url) {
  await page.evaluate((address) => {
    history.pushState(null, '', address);
    dispatchEvent(new PopStateEvent('popstate'));
  }, url);
}

/** A host's address on the page. @param {TestServer} server @param {string} hostname @param {Record<string, string>} [more] */
export const hostUrl = (server, hostname, more = {}) => `${server.url}/host?${new URLSearchParams({ name: hostname, ...more })}`;

/**
 * The first row shown whose process has this name.
 * @param {import('playwright-core').Page} page @param {string} name
 */
export const rowNamed = (page, name) => page.locator('.row:not([hidden])', { has: page.locator('.label', { hasText: name }) }).first();

export { startBrowser };
