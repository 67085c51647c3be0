// A server that goes away and comes back; people who are not signed in; a second host; nobody there yet.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { WebSocket as NodeSocket } from 'ws';
import { TestServer, hostUrl, signedIn, startBrowser, watchTrouble } from '../harness.mjs';
import { smallTree, snapshot } from '../samples.mjs';

const server = new TestServer();
/** @type {import('playwright-core').Browser} */
let browser;

before(async () => {
  await server.start(['--no-local-agent']);
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await server.close();
});

test('who is not signed in is told how to, and the link works once', async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const trouble = watchTrouble(page);
  await page.goto(`${server.url}/host?name=x`);
  await page.getByText('procession sign-in').waitFor();
  const link = await server.signInLink();
  await page.goto(link);
  await page.getByText('No host yet').waitFor();
  const other = await (await browser.newContext()).newPage();
  await other.goto(link);
  assert.equal(await other.getByText('No host yet').count(), 0);
  await other.context().close();
  assert.deepEqual(trouble, []);
  await context.close();
});

test('with no host the page gives the command, with a fresh key that works, and the host appears by itself', async () => {
  const { context, page, trouble } = await signedIn(browser, server);
  await page.getByText('No host yet').waitFor();
  await page.setViewportSize({ width: 360, height: 740 });
  const sides = () => page.locator('.empty').evaluate((box) => [Math.round(box.getBoundingClientRect().left), Math.round(box.getBoundingClientRect().right), box.scrollWidth > box.clientWidth]);
  await page.getByRole('button', { name: 'Make a key' }).waitFor();
  assert.deepEqual(await sides(), [0, 360, false]);
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.getByRole('button', { name: 'Make a key' }).click();
  await page.locator('pre code', { hasNotText: '--key KEY' }).waitFor();
  const key = /--key (\S+)/.exec((await page.locator('pre code').first().textContent()) ?? '')?.[1] ?? '';
  await server.upload(key, snapshot('first-host', new Date(), smallTree(10)));
  await page.getByRole('gridcell', { name: 'first-host', exact: true }).waitFor();
  await server.upload(key, snapshot('second-host', new Date(), smallTree(20)));
  await page.getByRole('gridcell', { name: 'second-host', exact: true }).waitFor();
  await page.getByRole('button', { name: 'Side by side' }).click();
  await page.locator('.side-card').nth(1).locator('.plot canvas').first().waitFor();
  assert.deepEqual(trouble, []);
  await context.close();
});

test('a lost connection is said, with its age, and caught up without a reload', async () => {
  const key = await server.uploadKey();
  await server.upload(key, snapshot('box', new Date(), smallTree(11)));
  const { context, page, trouble } = await signedIn(browser, server);
  await page.goto(hostUrl(server, 'box'));
  const heat = (/** @type {string} */ text) => page.locator('.row:not([hidden]) .cell.heat', { hasText: text });
  await heat('11.0').waitFor();
  await page.evaluate(() => Object.assign(window, { stillThere: true }));
  const { port } = server;
  await server.end('SIGKILL');
  await page.locator('.lost').waitFor();
  await page.locator('.pill', { hasText: 'Lost' }).waitFor();
  assert.match((await page.locator('.lost').textContent()) ?? '', /ago/);
  await heat('11.0').waitFor();
  await server.start(['--no-local-agent'], port);
  await server.upload(key, snapshot('box', new Date(), smallTree(22)));
  await heat('22.0').waitFor();
  await page.locator('.lost').waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => 'stillThere' in window), true);
  assert.deepEqual(trouble, []);
  await context.close();
});

/** A viewer's socket in the page, which keeps what it got. @param {import('playwright-core').Page} page @param {string} path */
const listen = (page, path) => page.evaluate((address) => {
  /** @type {any[]} */
  const got = [];
  const socket = new WebSocket(location.origin.replace('http', 'ws') + address);
  socket.onmessage = (event) => got.push(JSON.parse(event.data));
  Object.assign(window, { got, socket });
}, path);

test('a viewer that comes back gets only what changed since', async () => {
  const key = await server.uploadKey();
  await server.upload(key, snapshot('again', new Date(), smallTree(5)));
  const { context, page } = await signedIn(browser, server);
  await listen(page, '/ws/live/?hostname=again');
  await page.waitForFunction(() => /** @type {any} */ (window).got[0]?.type === 'key');
  const seen = await page.evaluate(() => {
    const { got, socket } = /** @type {any} */ (window);
    socket.close();
    return got[0].snapshot_id;
  });
  await server.upload(key, snapshot('again', new Date(), smallTree(6)));
  await server.upload(key, snapshot('again', new Date(), smallTree(7)));
  await listen(page, `/ws/live/?hostname=again&after=${seen}`);
  await page.waitForFunction(() => /** @type {any} */ (window).got.length >= 2);
  const got = await page.evaluate(() => /** @type {any} */ (window).got);
  assert.deepEqual(got.map((/** @type {any} */ message) => message.type), ['delta', 'delta']);
  assert.deepEqual(got.map((/** @type {any} */ message) => message.changes.cpu.values), [[600], [700]]);
  await context.close();
});

test('the page itself resumes: after a cut it asks for what came since, and gets no key', async () => {
  const key = await server.uploadKey();
  await server.upload(key, snapshot('cut', new Date(), smallTree(5)));
  const { context, page, trouble } = await signedIn(browser, server);
  await page.addInitScript(() => {
    const sockets = /** @type {WebSocket[]} */ ([]);
    const Real = WebSocket;
    window.WebSocket = class extends Real {
      /** @param {string | URL} url */
      constructor(url) {
        super(url);
        sockets.push(this);
      }
    };
    Object.assign(window, { sockets });
  });
  /** @type {{ url: string, types: string[] }[]} */
  const opened = [];
  page.on('websocket', (socket) => {
    const entry = { url: socket.url(), types: /** @type {string[]} */ ([]) };
    opened.push(entry);
    socket.on('framereceived', ({ payload }) => entry.types.push(JSON.parse(String(payload)).type));
  });
  await page.goto(hostUrl(server, 'cut'));
  const heat = (/** @type {string} */ text) => page.locator('.row:not([hidden]) .cell.heat', { hasText: text });
  await heat('5.0').waitFor();
  await page.waitForFunction(() => /** @type {any} */ (window).sockets[0]?.readyState === 1);
  await page.evaluate(() => /** @type {any} */ (window).sockets[0].close());
  await server.upload(key, snapshot('cut', new Date(), smallTree(8)));
  await heat('8.0').waitFor();
  const last = opened.at(-1);
  assert.match(last?.url ?? '', /after=\d+/);
  assert.deepEqual(opened.flatMap((entry) => entry.types).filter((type) => type !== 'delta'), []);
  assert.deepEqual(trouble, []);
  await context.close();
});

test('a viewer that does not read gets a fresh key instead of a queue', async () => {
  const key = await server.uploadKey();
  // All processes begin anew each round, with long command lines: a round is two megabytes, more than buffers on the way take.
  /** @param {number} round */
  const many = (round) => Array.from({ length: 40 }, (_, i) => ({ pid: i + 1, name: `p${i}`, cpu: 1, memory: '1MB', user: 'u', command_line: `${round} ${'c'.repeat(50_000)}`, start_time: new Date(1.7e12 + round * 1000).toISOString() }));
  await server.upload(key, snapshot('slow', new Date(), many(0)));
  const { context } = await signedIn(browser, server);
  const [cookie] = await context.cookies();
  /** @returns {{ socket: NodeSocket, got: { type: string, id: number }[] }} */
  const viewer = () => {
    const socket = new NodeSocket(`${server.url.replace('http', 'ws')}/ws/live/?hostname=slow`, { headers: { Cookie: `${cookie?.name}=${cookie?.value}` }, origin: server.url });
    const got = /** @type {{ type: string, id: number }[]} */ ([]);
    socket.on('message', (data) => {
      const message = JSON.parse(String(data));
      got.push({ type: message.type, id: message.snapshot_id });
    });
    return { socket, got };
  };
  const { socket, got } = viewer();
  await new Promise((resolve) => socket.once('message', resolve));
  socket.pause();
  const ROUNDS = 60;
  const reader = viewer();
  let last = 0;
  for (let round = 1; round <= ROUNDS; round++) last = (await server.upload(key, snapshot('slow', new Date(), many(round)))).snapshot_id;
  /** @param {{ id: number }[]} messages */
  const caughtUp = async (messages) => {
    const isUp = () => (messages.at(-1)?.id ?? 0) >= last;
    for (let i = 0; i < 2_400 && !isUp(); i++) await new Promise((resolve) => setTimeout(resolve, 25));
    assert.ok(isUp(), JSON.stringify(messages.at(-1)));
  };
  // The live view may be told of the last rounds only after they were stored: one who reads sees when it was.
  await caughtUp(reader.got);
  socket.resume();
  await caughtUp(got);
  assert.ok(got.filter((message) => message.type === 'key').length >= 2, 'a second key');
  assert.ok(got.length < ROUNDS, `${got.length} messages`);
  socket.close();
  reader.socket.close();
  await context.close();
});
