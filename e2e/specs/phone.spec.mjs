// A phone of 360 px: everything that has no room is in the menu, and columns fold into the card.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
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
  for (let i = 0; i < 20; i++) await server.upload(key, snapshot('box', new Date(Date.now() - (20 - i) * 15_000), smallTree(i).map((one) => ({ ...one, threads: 3 }))));
  browser = await startBrowser();
  ({ page, trouble } = await signedIn(browser, server, { viewport: { width: 360, height: 740 }, hasTouch: true }));
});

after(async () => {
  await browser?.close();
  await server.close();
});

beforeEach(async () => {
  await page.evaluate(() => localStorage.clear());
  await page.goto(hostUrl(server, 'box'));
  await rowNamed(page, 'init').waitFor();
});

const parameter = async (/** @type {string} */ name, /** @type {string | null} */ value) => page.waitForFunction(([n, v]) => new URLSearchParams(location.search).get(n ?? '') === v, [name, value]);
const narrow = async () => assert.ok(await page.evaluate(() => [document.documentElement, ...document.querySelectorAll('dialog, .grid')].every((box) => box.scrollWidth <= Math.max(box.clientWidth, 1))), 'nothing scrolls sideways');

/** @param {string} name */
async function fromMenu(name) {
  await page.getByRole('button', { name: 'More…' }).tap();
  await page.locator('dialog h2', { hasText: 'More' }).waitFor();
  await narrow();
  await page.locator('dialog').getByRole('button', { name, exact: true }).tap();
}

test('rows are grouped and folded from the menu', async () => {
  await fromMenu('By user');
  await parameter('group', 'user');
  await page.locator('.row.group:not([hidden])', { hasText: 'www' }).waitFor();
  await fromMenu('Tree');
  await parameter('group', null);
  await fromMenu('Fold all');
  await rowNamed(page, 'worker-one').waitFor({ state: 'detached' }).catch(() => {});
  await page.waitForFunction(() => document.querySelectorAll('.row:not([hidden])').length === 1);
});

test('columns are chosen for the card: those without room stand below the name', async () => {
  const below = () => rowNamed(page, 'worker-one').locator('.sub').textContent();
  assert.equal(await below(), '51 · www');
  await fromMenu('Columns of the card, and sorting');
  await page.locator('dialog tr', { hasText: 'Threads' }).getByRole('checkbox').tap();
  await narrow();
  await page.getByRole('button', { name: 'Close' }).tap();
  assert.equal(await below(), '51 · www · Thr 3');
  await page.goto(hostUrl(server, 'box'));
  await rowNamed(page, 'worker-one').waitFor();
  assert.equal(await below(), '51 · www · Thr 3', 'it is kept');
  await page.goto(hostUrl(server, 'box', { card: 'name,memory,threads,pid' }));
  await rowNamed(page, 'worker-one').waitFor();
  assert.deepEqual(await page.locator('[role=columnheader]').allTextContents(), ['Process', 'Memory', 'Thr']);
  assert.equal(await below(), '51');
  await narrow();
});

test('ranges, moments, questions and export are in the menu', async () => {
  await fromMenu('24 h');
  await parameter('range', '24h');
  await fromMenu('One sample back');
  await page.locator('.host[data-mode=past]').waitFor();
  await fromMenu('Return to live');
  await page.locator('.host[data-mode=live]').waitFor();
  for (const [name, ready] of /** @type {[string, string][]} */ ([['Who did this?', 'dialog .who-table'], ['Export', 'dialog pre'], ['Go to a moment', 'dialog .field'], ['What is lost', 'dialog >> text=Nothing is known to be lost'], ['Values as a table', 'dialog .table']])) {
    await fromMenu(name);
    await page.locator(ready).first().waitFor();
    await narrow();
    await page.getByRole('button', { name: 'Close' }).tap();
    await page.locator('dialog').waitFor({ state: 'detached' });
  }
  await fromMenu('Compare');
  await page.locator('.compare-form').waitFor();
});

test('nothing went wrong in the browser', () => {
  assert.deepEqual(trouble, []);
});
