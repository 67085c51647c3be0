// Two machines of one name: a real agent, and a second one that reaches the server through a proxy which lets it say another
// boot, as a machine that was copied would.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { TestServer, binary, signedIn, startBrowser } from '../harness.mjs';

const server = new TestServer();
/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;
/** @type {string[]} */
let trouble;
/** @type {import('node:child_process').ChildProcess[]} */
const children = [];
const proxy = new WebSocketServer({ port: 0, host: '127.0.0.1' });

/** What an agent says first, as a machine with another boot would say it. @param {Buffer} data @param {boolean} isBinary */
function withOtherBoot(data, isBinary) {
  if (isBinary) return data;
  const said = JSON.parse(data.toString());
  return JSON.stringify(said.type === 'hello' ? { ...said, boot_id: '00000000-0000-4000-8000-000000000002' } : said);
}

proxy.on('connection', (agent, request) => {
  const upstream = new WebSocket(server.url.replace('http', 'ws') + request.url, { headers: { Authorization: request.headers.authorization ?? '' } });
  /** @type {[Buffer, boolean][]} */
  const early = [];
  const pass = (/** @type {Buffer} */ data, /** @type {boolean} */ isBinary) => upstream.send(withOtherBoot(data, isBinary), { binary: isBinary });
  agent.on('message', (data, isBinary) => {
    if (upstream.readyState === WebSocket.OPEN) pass(/** @type {Buffer} */ (data), isBinary);
    else early.push([/** @type {Buffer} */ (data), isBinary]);
  });
  upstream.on('open', () => early.splice(0).forEach(([data, isBinary]) => pass(data, isBinary)));
  upstream.on('message', (data, isBinary) => agent.send(/** @type {Buffer} */ (data), { binary: isBinary }));
  for (const [one, other] of [[agent, upstream], [upstream, agent]]) {
    one?.on('close', () => other?.terminate());
    one?.on('error', () => other?.terminate());
  }
});

/** @param {string} address @param {string} key @param {string} folder where the agent keeps the id that it draws */
function agent(address, key, folder) {
  children.push(spawn(binary(), ['agent', '--server', address, '--key', key, '--interval', '1s', '--hostname', 'twin', '--spool', join(server.data, folder)], { stdio: 'ignore' }));
}

before(async () => {
  await server.start(['--no-local-agent']);
  if (!proxy.address()) await once(proxy, 'listening');
  const key = await server.uploadKey();
  browser = await startBrowser();
  ({ page, trouble } = await signedIn(browser, server));
  agent(server.url, key, 'one');
  await page.locator('.row:not([hidden]) .cell.status[data-status=live]').waitFor();
  const bound = proxy.address();
  agent(`http://127.0.0.1:${typeof bound === 'object' && bound ? bound.port : 0}`, key, 'two');
});

after(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const client of proxy.clients) client.terminate();
  proxy.close();
  await browser?.close();
  await server.close();
});

test('a copied machine is a host of its own, and the list says of which it is a clone', async () => {
  await page.locator('[role=grid][aria-rowcount="3"]').waitFor({ timeout: 90_000 });
  const clone = page.getByRole('gridcell', { name: /^twin~[0-9a-f]{6} \(clone of twin\)$/ });
  await clone.waitFor();
  await page.getByRole('gridcell', { name: 'twin', exact: true }).waitFor();
  await page.waitForFunction(() => document.querySelectorAll('.row:not([hidden]) .cell.status[data-status=live]').length === 2);
});

test('the clone is found by its mark and opens as a host with processes of its own', async () => {
  await page.locator('#search').fill('twin~');
  await page.locator('[role=grid][aria-rowcount="2"]').waitFor();
  await page.getByRole('gridcell', { name: /clone of twin/ }).click();
  await page.locator('.crumb b', { hasText: /^twin~[0-9a-f]{6}$/ }).waitFor();
  await page.locator('[role=treegrid] .row:not([hidden])').first().waitFor();
});

test('nothing went wrong in the browser', () => {
  assert.deepEqual(trouble, []);
});
