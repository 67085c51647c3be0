// A server that goes away and comes back; people who are not signed in; a second host; nobody there yet.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
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
