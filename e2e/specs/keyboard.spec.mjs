// The keyboard alone: the grid has it on arrival, each key that htop taught people, the time line's own keys, and that
// single letters do nothing where they would be in the way.
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
  for (let i = 0; i < 20; i++) await server.upload(key, snapshot('box', new Date(Date.now() - (20 - i) * 15_000), smallTree(i)));
  browser = await startBrowser();
  ({ page, trouble } = await signedIn(browser, server, { permissions: ['clipboard-read', 'clipboard-write'] }));
});

after(async () => {
  await browser?.close();
  await server.close();
});

beforeEach(async () => {
  await page.evaluate(() => localStorage.clear());
  await page.goto(hostUrl(server, 'box'));
  await page.locator('.plot canvas').first().waitFor();
  await gridHasKeyboard();
});

const row = (/** @type {string} */ name) => rowNamed(page, name);
const gridHasKeyboard = () => page.waitForFunction(() => document.activeElement?.getAttribute('role') === 'row');
/** @param {string} name @param {string | null} value */
const parameter = (name, value) => page.waitForFunction(([n, v]) => new URLSearchParams(location.search).get(n ?? '') === v, [name, value]);
/** Goes to a process by its pid. @param {string} pid @param {string} name */
async function jump(pid, name) {
  await page.keyboard.type(pid);
  await page.locator('.row.selected:not([hidden]) .label', { hasText: name }).waitFor();
}

test('from the list of hosts to a process without a pointer', async () => {
  await page.goto(`${server.url}/`);
  await gridHasKeyboard();
  await page.keyboard.press('/');
  await page.waitForFunction(() => document.activeElement?.id === 'search');
  await page.keyboard.type('box');
  await parameter('q', 'box');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await gridHasKeyboard();
  await page.keyboard.press('Enter');
  await row('init').waitFor();
  await gridHasKeyboard();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.locator('.pane h2').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('.pane').waitFor({ state: 'detached' });
});

test('F3, F4, / and \\ search; Escape clears the search and then goes back to the rows', async () => {
  for (const key of ['F3', 'F4', '/', '\\']) {
    await page.keyboard.press(key);
    await page.waitForFunction(() => document.activeElement?.id === 'search');
    await page.keyboard.type('sh');
    await parameter('q', 'sh');
    await page.keyboard.press('Escape');
    await parameter('q', null);
    await page.keyboard.press('Escape');
    await gridHasKeyboard();
  }
});

test('F5 and t change between tree and list, F6 chooses columns, F1 and ? show the keys', async () => {
  await page.keyboard.press('F5');
  await parameter('list', '1');
  await page.keyboard.press('t');
  await parameter('list', null);
  for (const [key, title] of [['F6', 'Columns'], ['C', 'Columns'], ['F1', 'Keys'], ['?', 'Keys']]) {
    await page.keyboard.press(key ?? '');
    await page.locator('dialog h2', { hasText: title ?? '' }).waitFor();
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    await gridHasKeyboard();
  }
});

test('N P M T sort, I turns the order round', async () => {
  for (const [key, sort] of /** @type {[string, string | null][]} */ ([['N', 'pid'], ['M', '-memory'], ['T', 'age'], ['I', '-age'], ['P', null]])) {
    await page.keyboard.press(key);
    await parameter('sort', sort);
  }
});

test('- + and * fold and open', async () => {
  await jump('50', 'webserver');
  await page.keyboard.press('-');
  await row('worker-one').waitFor({ state: 'hidden' });
  await page.keyboard.press('+');
  await row('worker-one').waitFor();
  await page.keyboard.press('*');
  await row('webserver').waitFor({ state: 'hidden' });
  await page.keyboard.press('*');
  await row('worker-one').waitFor();
});

test('digits jump to a pid, u keeps its user, F follows it', async () => {
  await jump('51', 'worker-one');
  await page.keyboard.press('u');
  await parameter('q', 'user:www');
  await page.keyboard.press('u');
  await parameter('q', null);
  await page.keyboard.press('F');
  await page.locator('.notice', { hasText: 'Following' }).waitFor();
  await page.keyboard.press('F');
  await page.locator('.notice', { hasText: 'Not following' }).waitFor();
});

test('Z pauses and goes on; , and . step; L returns to live', async () => {
  await page.keyboard.press('Z');
  await page.locator('.pill', { hasText: 'Paused' }).waitFor();
  await page.keyboard.press('Z');
  await page.locator('.host[data-mode=live]').waitFor();
  await page.keyboard.press(',');
  await page.locator('.host[data-mode=past]').waitFor();
  await row('worker-one').locator('.cell.heat', { hasText: '18.0' }).waitFor();
  await page.keyboard.press(',');
  await row('worker-one').locator('.cell.heat', { hasText: '17.0' }).waitFor();
  await page.keyboard.press('.');
  await row('worker-one').locator('.cell.heat', { hasText: '18.0' }).waitFor();
  await page.keyboard.press('L');
  await page.locator('.host[data-mode=live]').waitFor();
});

test('on the time line Space pauses, arrows step, Home goes to its beginning and End to live', async () => {
  await page.locator('[role=slider]').focus();
  await page.keyboard.press(' ');
  await page.locator('.pill', { hasText: 'Paused' }).waitFor();
  await page.keyboard.press(' ');
  await page.locator('.host[data-mode=live]').waitFor();
  await page.keyboard.press('ArrowLeft');
  await row('worker-one').locator('.cell.heat', { hasText: '18.0' }).waitFor();
  await page.keyboard.press('ArrowLeft');
  await row('worker-one').locator('.cell.heat', { hasText: '17.0' }).waitFor();
  await page.keyboard.press('ArrowRight');
  await row('worker-one').locator('.cell.heat', { hasText: '18.0' }).waitFor();
  assert.match((await page.locator('[role=slider]').getAttribute('aria-valuetext')) ?? '', /UTC, past$/);
  // The range begins before the host was first heard of: what is shown is its first sample, and that it is.
  await page.keyboard.press('Home');
  await row('worker-one').locator('.cell.heat', { hasText: '0.0' }).waitFor();
  await page.locator('.notice', { hasText: 'this is the first sample' }).waitFor();
  await page.keyboard.press('End');
  await page.locator('.host[data-mode=live]').waitFor();
  assert.match((await page.locator('[role=slider]').getAttribute('aria-valuetext')) ?? '', /UTC, live$/);
});

test('c copies the focused cell, or the command line of a focused row', async () => {
  const clipboard = (/** @type {string} */ text) => page.waitForFunction(async (wanted) => (await navigator.clipboard.readText()) === wanted, text);
  await jump('51', 'worker-one');
  await page.keyboard.press('c');
  await clipboard('webserver: worker one');
  for (const key of ['ArrowRight', 'ArrowRight', 'ArrowRight']) await page.keyboard.press(key);
  await page.waitForFunction(() => document.activeElement?.getAttribute('role') === 'gridcell' && document.activeElement.textContent === 'www');
  await page.keyboard.press('c');
  await clipboard('www');
});

test('single letters do nothing outside of rows and time line', async () => {
  const before = page.url();
  await page.getByRole('button', { name: 'Light or dark' }).focus();
  for (const key of ['N', 'Z', 't', '*', 'e', 'K', '?', '7']) await page.keyboard.press(key);
  await page.locator('#search').focus();
  await page.keyboard.type('Zt?e');
  await parameter('q', 'Zt?e');
  await page.keyboard.press('Escape');
  await parameter('q', null);
  assert.equal(page.url(), before);
  assert.equal(await page.locator('dialog').count(), 0);
});

test('nothing went wrong in the browser', () => {
  assert.deepEqual(trouble, []);
});
