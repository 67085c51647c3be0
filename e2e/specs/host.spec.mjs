// The host view as people use it: open, search, expand, sort, select, go back in time, come back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { TestServer, hostUrl, rowNamed, signedIn, startBrowser } from '../harness.mjs';
import { bigTree, smallTree, snapshot } from '../samples.mjs';

const server = new TestServer();
/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;
/** @type {string[]} */
let trouble;
let key = '';
const start = new Date(Math.floor(Date.now() / 1000) * 1000 - 600_000);

before(async () => {
  await server.start();
  key = await server.uploadKey();
  for (let i = 0; i < 20; i++) await server.upload(key, snapshot('box-1', new Date(start.getTime() + i * 30_000), smallTree(i)));
  browser = await startBrowser();
  ({ page, trouble } = await signedIn(browser, server));
});

after(async () => {
  await browser?.close();
  await server.close();
});

const row = (/** @type {string} */ name) => rowNamed(page, name);
const shown = async () => page.locator('.row:not([hidden]) .label').allTextContents();

/** Rows are drawn with the next frame: asks until the answer is the expected one, at most ten seconds. @param {() => Promise<unknown>} ask @param {unknown} expected */
async function settles(ask, expected) {
  const until = Date.now() + 10_000;
  while (Date.now() < until && !isDeepStrictEqual(await ask(), expected)) await page.waitForTimeout(20);
  assert.deepEqual(await ask(), expected);
}

test('the fleet lists this machine, live, and the uploaded host', async () => {
  await page.getByRole('gridcell', { name: 'box-1', exact: true }).waitFor();
  await page.locator('.cell.status[data-status=live]').first().waitFor();
  assert.ok((await page.getByRole('row').count()) >= 3);
});

test('this machine shows its own processes and they move', async () => {
  const hosts = await (await page.request.get(`${server.url}/api/hosts/`)).json();
  const own = hosts.find((/** @type {any} */ host) => host.hostname !== 'box-1').hostname;
  await page.goto(hostUrl(server, own));
  await page.locator('.row:not([hidden])').first().waitFor();
  const first = await page.locator('.range time').textContent();
  await page.waitForFunction((before) => document.querySelector('.range time')?.textContent !== before, first);
  assert.equal(await page.locator('.pill').textContent(), 'Live');
  assert.ok((await page.locator('.crumb b').textContent())?.length);
});

test('a host opens from the fleet by its row', async () => {
  await page.goto(`${server.url}/`);
  await page.getByRole('gridcell', { name: 'box-1', exact: true }).click();
  await row('init').waitFor();
  assert.match(page.url(), /\/host\?name=box-1/);
  assert.deepEqual((await shown()).sort(), ['init', 'sh', 'webserver', 'worker-one', 'worker-two']);
  assert.equal(await row('worker-one').getAttribute('aria-level'), '3');
});

test('a branch folds and opens, by pointer and by keys', async () => {
  await row('webserver').locator('.twist').click();
  assert.deepEqual((await shown()).sort(), ['init', 'sh', 'webserver']);
  assert.equal(await row('webserver').getAttribute('aria-expanded'), 'false');
  await row('webserver').focus();
  await page.keyboard.press('ArrowRight');
  await row('worker-one').waitFor();
  await page.keyboard.press('ArrowLeft');
  await row('worker-one').waitFor({ state: 'hidden' });
  await page.keyboard.press('+');
  await row('worker-one').waitFor();
});

test('search keeps the ancestors of what it finds', async () => {
  await row('init').focus();
  await page.keyboard.press('/');
  await page.keyboard.type('worker-t');
  await row('worker-one').waitFor({ state: 'hidden' });
  assert.deepEqual(await shown(), ['init', 'webserver', 'worker-two']);
  for (const [query, found] of /** @type {[string, string][]} */ ([['51', 'worker-one'], ['user:ann', 'sh'], ['cmd:"worker one"', 'worker-one'], ['mem>180MB', 'worker-one'], ['name:worker* cpu<4 cpu>2', 'worker-two']])) {
    await page.locator('#search').fill(query);
    await row(found).waitFor();
    await page.waitForFunction((name) => [...document.querySelectorAll('.row:not([hidden]):not(.dim) .label')].every((label) => label.textContent === name), found);
  }
  await page.locator('#search').fill('nosuch:1');
  await page.locator('.search.wrong').waitFor();
  await page.locator('#search').fill('');
  await row('sh').waitFor();
});

test('age finds the young ones with <, the old ones with >, at the moment shown', async () => {
  const [hour, day] = [3_600_000, 86_400_000];
  const time = new Date(Math.floor(Date.now() / 1000) * 1000 - 60_000);
  const begun = (/** @type {number} */ agoMs) => new Date(time.getTime() - agoMs).toISOString();
  await server.upload(key, snapshot('ages', time, [
    { pid: 1, name: 'ancient', cpu: 0, memory: 1000, parent_pid: null, start_time: begun(40 * day) },
    { pid: 10, name: 'older', cpu: 0, memory: 1000, parent_pid: 1, start_time: begun(hour + 1000) },
    { pid: 11, name: 'younger', cpu: 0, memory: 1000, parent_pid: 10, start_time: begun(hour - 1000) },
    { pid: 12, name: 'newborn', cpu: 0, memory: 1000, parent_pid: 1, start_time: begun(5000) },
    { pid: 13, name: 'unknown', cpu: 0, memory: 1000, parent_pid: 1 },
  ]));
  await page.goto(hostUrl(server, 'ages'));
  await row('unknown').waitFor();
  // Ancestors of what was found are dim.
  const found = async () => (await page.locator('.row:not([hidden]):not(.dim) .label').allTextContents()).sort();
  for (const [query, names] of /** @type {[string, string[]][]} */ ([
    ['age<1h', ['newborn', 'younger']], ['age>1h', ['ancient', 'older']], ['age>=40d', ['ancient']], ['age<1.5m', ['newborn']],
    ['age>59min age<61min', ['older', 'younger']], ['-age<1h', ['ancient', 'older', 'unknown']], ['age>30s name:*er', ['older', 'younger']],
  ])) {
    await row('ancient').focus();
    await page.keyboard.press('/');
    await page.keyboard.type(query);
    await settles(found, names);
    assert.equal(await page.locator('.search.wrong').count(), 0, query);
    await page.locator('#search').fill('');
    await row('unknown').waitFor();
  }
  // A child that is found keeps its ancestors in sight.
  await page.locator('#search').fill('age<1h');
  await settles(async () => (await shown()).sort(), ['ancient', 'newborn', 'older', 'younger']);
  await page.locator('#search').fill('age<soon');
  await page.locator('.search.wrong').waitFor();
  await page.goto(hostUrl(server, 'box-1'));
  await row('sh').waitFor();
});

test('a click on a header sorts, and again inverts', async () => {
  await page.getByRole('columnheader', { name: 'PID' }).getByRole('button').click();
  await page.locator('[role=columnheader][aria-sort=ascending]').waitFor();
  const pids = async () => page.locator('.row:not([hidden])').evaluateAll((rows) => rows.sort((a, b) => Number(a.getAttribute('aria-rowindex')) - Number(b.getAttribute('aria-rowindex'))).map((one) => one.querySelectorAll('.cell')[1]?.textContent));
  await settles(pids, ['1', '40', '50', '51', '52']);
  await page.getByRole('columnheader', { name: 'PID' }).getByRole('button').click();
  await page.locator('[role=columnheader][aria-sort=descending]').waitFor();
  await settles(pids, ['1', '50', '52', '51', '40']);
});

test('selection, focus and the details stay while the host goes on', async () => {
  await row('worker-two').click();
  await page.locator('.pane h2', { hasText: 'worker-two' }).waitFor();
  await server.upload(key, snapshot('box-1', new Date(start.getTime() + 20 * 30_000), smallTree(77.5)));
  await row('worker-one').locator('.cell.heat', { hasText: '77.5' }).waitFor();
  assert.match((await row('worker-two').getAttribute('class')) ?? '', /selected/);
  assert.ok(await row('worker-two').evaluate((element) => element.contains(document.activeElement)));
  assert.equal(await page.locator('.pane h2').textContent(), 'worker-two');
  await page.locator('.pane').getByRole('button', { name: 'webserver 50' }).click();
  await page.locator('.pane h2', { hasText: 'webserver' }).waitFor();
});

test('back in time by key and by link, and live again by one key', async () => {
  await row('init').focus();
  await page.keyboard.press(',');
  await page.locator('.host[data-mode=past]').waitFor();
  await row('worker-one').locator('.cell.heat', { hasText: '19.0' }).waitFor();
  assert.match((await page.locator('.pill').textContent()) ?? '', /^Past/);
  await page.keyboard.press(',');
  await row('worker-one').locator('.cell.heat', { hasText: '18.0' }).waitFor();
  await page.keyboard.press('.');
  await row('worker-one').locator('.cell.heat', { hasText: '19.0' }).waitFor();
  await page.goto(hostUrl(server, 'box-1', { at: String(start.getTime() + 5 * 30_000 + 10_000) }));
  await row('worker-one').locator('.cell.heat', { hasText: '5.0' }).waitFor();
  const expected = new Date(start.getTime() + 150_000).toISOString().slice(0, 19).replace('T', ' ');
  assert.equal(await page.locator('.range time').textContent(), `${expected} UTC`);
  await row('init').focus();
  await page.keyboard.press('l');
  await page.locator('.host[data-mode=live]').waitFor();
  await row('worker-one').locator('.cell.heat', { hasText: '77.5' }).waitFor();
});

test('dragging along the strip shows the moments it passes', async () => {
  await page.goto(hostUrl(server, 'box-1', { range: '15m' }));
  await row('init').waitFor();
  const strip = await page.locator('.scrub').boundingBox();
  assert.ok(strip);
  await page.waitForFunction(() => Number(document.querySelector('.scrub')?.getAttribute('aria-valuemin')) > 1e9);
  await page.mouse.move(strip.x + strip.width * 0.99, strip.y + 10);
  await page.mouse.down();
  await page.mouse.move(strip.x + strip.width * 0.92, strip.y + 10, { steps: 5 });
  await page.locator('.host[data-mode=past]').waitFor();
  await page.mouse.up();
  await page.waitForFunction(() => new URLSearchParams(location.search).has('at'));
  await page.locator('.pill').click();
  await page.locator('.host[data-mode=live]').waitFor();
});

test('pause freezes what is shown, visibly', async () => {
  await row('init').focus();
  await page.keyboard.press('z');
  await page.locator('.pill', { hasText: 'Paused' }).waitFor();
  await page.keyboard.press('z');
  await page.locator('.pill', { hasText: 'Live' }).or(page.locator('.pill', { hasText: 'Stale' })).waitFor();
});

test('a tree of 5,000 processes, 60 levels deep, is shown whole', async () => {
  const big = snapshot('big-1', new Date(), bigTree(5000, 60));
  await server.upload(key, big);
  await page.goto(hostUrl(server, 'big-1'));
  await row('task-0').waitFor();
  assert.equal(await page.locator('[role=treegrid]').getAttribute('aria-rowcount'), '5001');
  await row('task-0').focus();
  await page.keyboard.press('End');
  await page.waitForFunction(() => document.activeElement?.getAttribute('aria-rowindex') === '5001');
  await page.keyboard.press('/');
  await page.keyboard.type('name=task-59');
  await page.locator('.row[aria-level="60"] .label', { hasText: 'task-59' }).waitFor();
  assert.equal(await page.locator('.row:not([hidden])').first().evaluate((element) => element.scrollWidth <= (element.parentElement?.clientWidth ?? 0) + 1), true);
});

test('nothing went wrong in the browser', () => {
  assert.deepEqual(trouble, []);
});
