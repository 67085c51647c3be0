// Arranging the grid: groups, folds that a link carries, columns sized and moved by pointer and kept by name, row height,
// an order that holds while people point, completion, times in the address, the kiosk.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { TestServer, hostUrl, rowNamed, signedIn, startBrowser, visit } from '../harness.mjs';
import { smallTree, snapshot } from '../samples.mjs';

const server = new TestServer();
/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;
/** @type {string[]} */
let trouble;
let key = '';
const begun = Date.now();
/** When the host was looked at. */
const times = Array.from({ length: 20 }, (_, i) => begun - (20 - i) * 15_000);
const ID = 'f'.repeat(64);
/** @param {number} busy */
const tree = (busy) => smallTree(busy).map((one, i) => ({ ...one, cgroup: i < 2 ? '/system.slice/ssh.service' : `/system.slice/docker-${ID}.scope` }));

before(async () => {
  await server.start(['--no-local-agent']);
  key = await server.uploadKey();
  for (const [i, ms] of times.entries()) await server.upload(key, snapshot('box', new Date(ms), tree(i)));
  browser = await startBrowser();
  ({ page, trouble } = await signedIn(browser, server));
});

after(async () => {
  await browser?.close();
  await server.close();
});

beforeEach(async () => {
  await page.mouse.move(5, 5);
  await page.evaluate(() => localStorage.clear());
  await page.goto(hostUrl(server, 'box'));
  await row('init').waitFor();
  await page.locator('.plot canvas').first().waitFor();
  await row('init').focus();
});

const row = (/** @type {string} */ name) => rowNamed(page, name);
const shown = async () => page.locator('.row:not([hidden])').evaluateAll((rows) => rows.sort((a, b) => Number(a.getAttribute('aria-rowindex')) - Number(b.getAttribute('aria-rowindex'))).map((one) => one.querySelector('.label')?.textContent ?? ''));
const parameter = async (/** @type {string} */ name, /** @type {string | null} */ value) => page.waitForFunction(([n, v]) => new URLSearchParams(location.search).get(n ?? '') === v, [name, value]);
const headers = () => page.locator('[role=columnheader]').evaluateAll((cells) => cells.map((cell) => cell instanceof HTMLElement ? cell.dataset['column'] ?? '' : ''));
/** @param {string} column */
const headBox = async (column) => {
  const box = await page.locator(`[data-column=${column}]`).boundingBox();
  assert.ok(box);
  return box;
};

test('rows are put together by program, user, unit and container, with sums, and opened', async () => {
  await page.locator('.arrange select').selectOption({ label: 'By user' });
  await row('www').waitFor();
  assert.deepEqual((await shown()).sort(), ['ann', 'root', 'www']);
  assert.equal(await row('www').locator('.count').textContent(), '×3');
  assert.equal(await row('www').locator('.cell.heat').textContent(), '23.5');
  await row('www').locator('.twist').click();
  await row('worker-two').waitFor();
  assert.equal(await row('worker-two').getAttribute('aria-level'), '2');
  await row('www').click();
  await page.locator('.pane h2', { hasText: 'www' }).waitFor();
  await page.locator('.arrange select').selectOption({ label: 'By container' });
  await row(`container ${ID.slice(0, 12)}`).waitFor();
  assert.equal((await shown()).length, 2);
  await page.locator('.arrange select').selectOption({ label: 'By unit' });
  await row('ssh.service').waitFor();
  await parameter('group', 'unit');
  await page.reload();
  await row('ssh.service').waitFor();
  await page.locator('#search').fill('name:worker');
  await page.waitForFunction(() => document.querySelectorAll('.row:not([hidden])').length === 3);
  await page.locator('#search').fill('');
  await row('ssh.service').focus();
  for (const next of ['container', null]) {
    await page.keyboard.press('G');
    await parameter('group', next);
  }
  await row('worker-two').waitFor();
});

test('groups go on with the host', async () => {
  await server.upload(key, snapshot('groups', new Date(Date.now() - 60_000), tree(30)));
  await visit(page, hostUrl(server, 'groups', { group: 'user' }));
  await row('www').waitFor();
  await server.upload(key, snapshot('groups', new Date(Date.now() - 55_000), [...tree(40), { pid: 90, name: 'more', cpu: 2, memory: '5MB', parent_pid: 1, user: 'www', command_line: 'more' }]));
  await row('www').locator('.cell.heat', { hasText: '46.5' }).waitFor();
  assert.equal(await row('www').locator('.count').textContent(), '×4');
  // What ended lingers in its group for a while; a sample later than that, it is gone.
  await server.upload(key, snapshot('groups', new Date(Date.now() - 30_000), tree(19)));
  await server.upload(key, snapshot('groups', new Date(), tree(19)));
  await row('www').locator('.cell.heat', { hasText: '23.5' }).waitFor();
  await row('www').locator('.count', { hasText: '×3' }).waitFor();
});

test('a link carries which branches are folded', async () => {
  await row('webserver').locator('.twist').click();
  await row('worker-one').waitFor({ state: 'hidden' });
  await page.waitForFunction(() => new URLSearchParams(location.search).get('shut')?.startsWith('50@'));
  await page.reload();
  await row('webserver').waitFor();
  await row('worker-one').waitFor({ state: 'hidden' });
  assert.deepEqual((await shown()).sort(), ['init', 'sh', 'webserver']);
  await row('init').focus();
  await page.keyboard.press('*');
  await page.keyboard.press('*');
  await row('sh').waitFor({ state: 'hidden' });
  await row('webserver').waitFor({ state: 'hidden' });
  assert.deepEqual(await shown(), ['init']);
});

test('a column is sized by its edge, and back by a double click', async () => {
  await page.locator('[data-column=user]').hover();
  const before = await headBox('user');
  const edge = { x: before.x + before.width - 1, y: before.y + 10 };
  await page.waitForFunction(() => performance.getEntriesByType('resource').some((entry) => entry.name.includes('grid-drag')));
  await page.mouse.move(edge.x, edge.y);
  await page.mouse.down();
  await page.mouse.move(edge.x + 60, edge.y, { steps: 4 });
  await page.mouse.up();
  assert.ok(Math.abs((await headBox('user')).width - before.width - 60) < 3);
  await page.waitForFunction(() => new URLSearchParams(location.search).get('widths')?.startsWith('user:'));
  assert.equal(await page.locator('[role=columnheader][aria-sort=descending]').getAttribute('data-column'), 'cpu');
  await page.reload();
  await row('init').waitFor();
  await page.waitForFunction((least) => (document.querySelector('[data-column=user]')?.getBoundingClientRect().width ?? 0) > least, before.width + 50);
  await page.locator('[data-column=user]').hover();
  await page.waitForFunction(() => performance.getEntriesByType('resource').some((entry) => entry.name.includes('grid-drag')));
  const wide = await headBox('user');
  await page.mouse.dblclick(wide.x + wide.width - 1, wide.y + 10);
  await parameter('widths', null);
});

test('a column is moved by its head, and a set of columns is kept by name', async () => {
  await page.locator('[data-column=age]').hover();
  await page.waitForFunction(() => performance.getEntriesByType('resource').some((entry) => entry.name.includes('grid-drag')));
  const from = await headBox('age');
  const to = await headBox('pid');
  await page.mouse.move(from.x + from.width / 2, from.y + 12);
  await page.mouse.down();
  await page.mouse.move(to.x + 4, to.y + 12, { steps: 6 });
  await page.mouse.up();
  await page.waitForFunction(() => new URLSearchParams(location.search).get('cols')?.startsWith('name,age,pid'));
  assert.deepEqual((await headers()).slice(0, 3), ['name', 'age', 'pid']);
  assert.equal(await page.locator('[role=columnheader][aria-sort=descending]').getAttribute('data-column'), 'cpu');
  await row('init').focus();
  await page.keyboard.press('C');
  await page.getByLabel('Keep these columns as').fill('age first');
  await page.keyboard.press('Enter');
  await page.locator('dialog').getByRole('button', { name: 'Usual', exact: true }).click();
  await parameter('cols', null);
  await page.locator('dialog').getByRole('button', { name: 'age first', exact: true }).click();
  await parameter('cols', 'name,age,pid,user,cpu,sum_cpu,memory,sum_memory,threads,io,command_line');
  await page.keyboard.press('Escape');
});

/** One more look at the host. @param {object[]} processes */
async function look(processes) {
  const ms = Date.now();
  await server.upload(key, snapshot('box', new Date(ms), processes));
  times.push(ms);
}

test('the order holds while the pointer is over the rows, and goes on after', async () => {
  await page.mouse.move(5, 5);
  await look(tree(19));
  await row('worker-one').locator('.cell.heat', { hasText: '19.0' }).waitFor();
  assert.deepEqual((await shown()).slice(2, 4), ['worker-one', 'worker-two']);
  await row('sh').hover();
  const swapped = tree(1).map((one) => (one.pid === 52 ? { ...one, cpu: 60 } : one));
  await look(swapped);
  await row('worker-two').locator('.cell.heat', { hasText: '60.0' }).waitFor();
  assert.deepEqual((await shown()).slice(2, 4), ['worker-one', 'worker-two']);
  await page.locator('.foot', { hasText: 'order held' }).waitFor();
  await page.mouse.move(5, 5);
  await look(swapped.map((one) => (one.pid === 52 ? { ...one, cpu: 61 } : one)));
  await row('worker-two').locator('.cell.heat', { hasText: '61.0' }).waitFor();
  await page.waitForFunction(() => document.querySelector('.row[aria-rowindex="4"] .label')?.textContent === 'worker-two');
});

test('rows are made denser and roomier, and stay so', async () => {
  const height = () => row('init').evaluate((element) => element.getBoundingClientRect().height);
  assert.equal(await height(), 24);
  await page.keyboard.press('D');
  await page.waitForFunction(() => document.querySelector('.row')?.getBoundingClientRect().height === 20);
  await page.reload();
  await row('init').waitFor();
  assert.equal(await height(), 20);
  await row('init').focus();
  await page.keyboard.press('D');
  await page.waitForFunction(() => document.querySelector('.row')?.getBoundingClientRect().height === 32);
});

test('the search offers fields, and then the values there are', async () => {
  const offered = () => page.locator('#filter-fields option').evaluateAll((options) => options.map((option) => option.getAttribute('value')));
  await page.locator('#search').fill('us');
  await page.waitForFunction(() => document.querySelector('#filter-fields option')?.getAttribute('value') === 'user:');
  await page.locator('#search').fill('cpu>0 user:w');
  await page.waitForFunction(() => document.querySelector('#filter-fields option')?.getAttribute('value') === 'cpu>0 user:www');
  assert.deepEqual(await offered(), ['cpu>0 user:www']);
  await page.locator('#search').fill('');
});

test('the address takes now-2m and written times, and says when one is none', async () => {
  const newest = () => Math.floor(Math.max(...times.filter((ms) => ms <= Date.now() - 120_000)) / 1000) * 1000;
  const earliest = newest();
  await page.goto(hostUrl(server, 'box', { at: 'now-2m' }));
  await page.locator('.host[data-mode=past]').waitFor();
  await row('init').waitFor();
  const time = Date.parse(((await page.locator('.range time').textContent()) ?? '').replace(' UTC', 'Z').replace(' ', 'T'));
  assert.ok(earliest <= time && time <= newest(), `${earliest} ${time} ${newest()}`);
  await page.goto(hostUrl(server, 'box', { at: new Date(Date.now() - 60_000).toISOString() }));
  await row('init').waitFor();
  await page.goto(hostUrl(server, 'box', { at: 'yesterdayish' }));
  await page.locator('.problem[role=alert]', { hasText: 'is no time' }).waitFor();
});

test('the kiosk leaves only what is read from afar, and Escape leaves it', async () => {
  await page.keyboard.press('K');
  await parameter('kiosk', '1');
  await page.locator('.search').waitFor({ state: 'hidden' });
  await page.locator('.range').first().waitFor({ state: 'hidden' });
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth || document.documentElement.scrollHeight > innerHeight), false);
  await page.keyboard.press('Escape');
  await page.locator('.search').waitFor();
});

test('shift and a drag on a chart ask who did this', async () => {
  const box = await page.locator('.plot .u-over').first().boundingBox();
  assert.ok(box);
  await page.keyboard.down('Shift');
  await page.mouse.move(box.x + box.width * 0.8, box.y + 30);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.98, box.y + 30, { steps: 5 });
  await page.mouse.up();
  await page.keyboard.up('Shift');
  await page.locator('dialog h2', { hasText: 'Who did this?' }).waitFor();
  await page.locator('dialog .who-table tbody tr').first().waitFor();
  await page.keyboard.press('Escape');
});

test('nothing went wrong in the browser', () => {
  assert.deepEqual(trouble, []);
});
