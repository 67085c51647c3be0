// A screen on the wall that goes from host to host, by the page's own clock, which the spec moves on.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestServer, hostUrl, rowNamed, signedIn, startBrowser } from '../harness.mjs';
import { smallTree, snapshot } from '../samples.mjs';

const server = new TestServer();
/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;
/** @type {string[]} */
let trouble;

before(async () => {
  await server.start(['--no-local-agent']);
  const key = await server.uploadKey();
  for (const name of ['cedar', 'ash', 'birch']) await server.upload(key, snapshot(name, new Date(), smallTree(5)));
  browser = await startBrowser();
  ({ page, trouble } = await signedIn(browser, server));
  await page.clock.install();
});

after(async () => {
  await browser?.close();
  await server.close();
});

/** @param {string} name */
const shows = async (name) => {
  await page.locator('.crumb b', { hasText: name }).waitFor();
  await rowNamed(page, 'worker-one').waitFor();
};
const parameters = async () => Object.fromEntries(new URL(await page.evaluate(() => location.href)).searchParams);

test('hosts follow one another, as long as the address says, and Space holds one', async () => {
  await page.goto(hostUrl(server, 'ash', { kiosk: '1', rotate: '10s', sort: '-memory', at: String(Date.now()) }));
  await shows('ash');
  await page.locator('.rotation', { hasText: 'next in' }).waitFor();
  await page.clock.runFor(4_000);
  assert.equal((await parameters())['name'], 'ash');
  await page.clock.runFor(7_000);
  await shows('birch');
  assert.deepEqual(await parameters(), { name: 'birch', kiosk: '1', rotate: '10s', sort: '-memory' }, 'what belongs to one host is not taken along');
  await page.keyboard.press(' ');
  await page.locator('.rotation', { hasText: 'held' }).waitFor();
  await page.clock.runFor(30_000);
  await shows('birch');
  assert.equal((await parameters())['hold'], '1', 'a link to a held screen is held');
  await page.keyboard.press(' ');
  await page.locator('.rotation', { hasText: 'next in' }).waitFor();
  await page.clock.runFor(11_000);
  await shows('cedar');
  await page.clock.runFor(11_000);
  await shows('ash');
  await page.getByRole('button', { name: 'The host before' }).click();
  await shows('cedar');
});

test('Escape leaves it, and R begins it from the list of hosts', async () => {
  await page.keyboard.press('Escape');
  await page.locator('.search').waitFor();
  await page.locator('.rotation').waitFor({ state: 'detached' });
  await page.clock.runFor(60_000);
  assert.deepEqual([(await parameters())['name'], (await parameters())['rotate']], ['cedar', undefined]);
  await page.goto(`${server.url}/`);
  await page.locator('.row:not([hidden])').first().focus();
  await page.keyboard.press('R');
  await shows('ash');
  await page.clock.runFor(31_000);
  await shows('birch');
});

test('nothing went wrong in the browser', () => {
  assert.deepEqual(trouble, []);
});
