// What an expert does with the host view all day: keys, list and tree, columns, zoom, palette, export, links, themes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
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

before(async () => {
  await server.start(['--no-local-agent']);
  key = await server.uploadKey();
  const tree = [...smallTree(9), { pid: 60, name: '=1+1', cpu: 0, memory: '1MB', parent_pid: 1, user: 'ann', command_line: '=cmd("x"), "quoted"', start_time: '2026-01-01T00:02:00Z' }];
  for (let i = 0; i < 30; i++) await server.upload(key, snapshot('box', new Date(Date.now() - (30 - i) * 20_000), tree));
  browser = await startBrowser();
  const made = await signedIn(browser, server, { permissions: ['clipboard-read', 'clipboard-write'], acceptDownloads: true });
  ({ page, trouble } = made);
});

beforeEach(async () => {
  await visit(page, `${server.url}/keys`);
  await visit(page, hostUrl(server, 'box'));
  await row('init').waitFor();
  await page.locator('.plot canvas').first().waitFor();
  await row('init').focus();
});

after(async () => {
  await browser?.close();
  await server.close();
});

const row = (/** @type {string} */ name) => rowNamed(page, name);
const shown = async () => page.locator('.row:not([hidden])').evaluateAll((rows) => rows.sort((a, b) => Number(a.getAttribute('aria-rowindex')) - Number(b.getAttribute('aria-rowindex'))).map((one) => one.querySelector('.label')?.textContent));
const parameter = async (/** @type {string} */ name, /** @type {string | null} */ value) => page.waitForFunction(([n, v]) => new URLSearchParams(location.search).get(n ?? '') === v, [name, value]);
const clipboard = () => page.evaluate(() => navigator.clipboard.readText());

test('t shows a list, N P M T sort it and I inverts', async () => {
  await page.keyboard.press('t');
  await parameter('list', '1');
  await page.keyboard.press('N');
  await parameter('sort', 'pid');
  assert.deepEqual(await shown(), ['init', 'sh', 'webserver', 'worker-one', 'worker-two', '=1+1']);
  await page.keyboard.press('I');
  await parameter('sort', '-pid');
  assert.deepEqual(await shown(), ['=1+1', 'worker-two', 'worker-one', 'webserver', 'sh', 'init']);
  await page.keyboard.press('M');
  await parameter('sort', '-memory');
  assert.deepEqual((await shown()).slice(0, 3), ['worker-one', 'worker-two', 'webserver']);
});

test('* folds all, digits jump to a pid and open what hides it, u shows one user', async () => {
  await page.keyboard.press('*');
  await row('sh').waitFor({ state: 'hidden' });
  assert.deepEqual(await shown(), ['init']);
  await page.keyboard.type('52');
  await row('worker-two').waitFor();
  assert.match((await row('worker-two').getAttribute('class')) ?? '', /selected/);
  await page.keyboard.press('u');
  await parameter('q', 'user:www');
  await row('sh').waitFor({ state: 'hidden' });
  await page.keyboard.press('u');
  await row('sh').waitFor();
});

test('columns are chosen and ordered in their dialog, and the address has them', async () => {
  await page.keyboard.press('C');
  await page.locator('dialog').getByRole('button', { name: 'Units' }).click();
  await page.keyboard.press('Escape');
  await page.getByRole('columnheader', { name: 'Executable' }).waitFor();
  await parameter('cols', 'name,pid,user,cpu,sum_cpu,memory,cgroup,executable');
  await page.reload();
  await page.getByRole('columnheader', { name: 'Executable' }).waitFor();
  await page.evaluate(() => localStorage.clear());
});

test('a drag on a chart zooms, Backspace undoes, a click goes to that moment', async () => {
  const box = await page.locator('.plot .u-over').first().boundingBox();
  assert.ok(box);
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * 0.7, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.9, y, { steps: 6 });
  await page.mouse.up();
  await page.waitForFunction(() => new URLSearchParams(location.search).has('end'));
  await row('init').focus();
  await page.keyboard.press('Backspace');
  await parameter('end', null);
  await page.mouse.click(box.x + box.width * 0.8, y);
  await page.locator('.host[data-mode=past]').waitFor();
  await page.waitForFunction(() => new URLSearchParams(location.search).has('at'));
});

test('one crosshair over all charts', async () => {
  const box = await page.locator('.plot .u-over').first().boundingBox();
  assert.ok(box);
  await page.mouse.move(box.x + box.width * 0.5, box.y + 20);
  await page.waitForFunction(() => {
    const places = [...document.querySelectorAll('.time .u-cursor-x')].map((line) => line instanceof HTMLElement && line.style.transform);
    return places.length === 3 && places.every((place) => place && !place.includes('-10') && place === places[0]);
  });
  await row('worker-one').click();
  const life = await page.locator('.pane .life .u-over').first().boundingBox();
  assert.ok(life);
  await page.mouse.move(life.x + life.width * 0.4, life.y + 20);
  await page.waitForFunction(() => {
    const places = [...document.querySelectorAll('.time .u-cursor-x')].map((line) => line instanceof HTMLElement && line.style.transform);
    return places.length === 3 && places.every((place) => place && !place.includes('-10') && place === places[0]);
  });
  assert.match((await page.locator('.chart h2 small').first().textContent()) ?? '', /^at \d\d:/);
});

test('the command palette runs commands and opens hosts', async () => {
  await page.keyboard.press('Control+k');
  await page.locator('.palette li').first().waitFor();
  await page.keyboard.type('light or dark');
  const before = await page.evaluate(() => document.documentElement.dataset['theme']);
  await page.keyboard.press('Enter');
  await page.waitForFunction((theme) => document.documentElement.dataset['theme'] !== theme, before);
  await page.locator('.palette li').first().waitFor({ state: 'detached' });
  await page.keyboard.press('Control+k');
  await page.locator('.palette li').first().waitFor();
  await page.keyboard.type('all hosts');
  await page.keyboard.press('Enter');
  await page.locator('.fleet').waitFor();
});

test('links and command lines are copied', async () => {
  await row('worker-one').click();
  await page.keyboard.press('c');
  await page.locator('.notice', { hasText: 'Copied' }).waitFor();
  assert.equal(await clipboard(), 'webserver: worker one');
  await page.keyboard.press('y');
  await page.waitForFunction(async () => (await navigator.clipboard.readText()).startsWith('http'));
  const other = await page.context().newPage();
  await other.goto(await clipboard());
  await other.locator('.pane h2', { hasText: 'worker-one' }).waitFor();
  await other.close();
});

test('what is shown is exported as CSV and JSON, and no cell is a formula', async () => {
  await page.keyboard.press('e');
  const [download] = await Promise.all([page.waitForEvent('download'), page.locator('dialog').getByRole('button', { name: 'CSV' }).click()]);
  const text = readFileSync(await download.path(), 'utf8');
  const lines = text.split('\r\n');
  assert.equal(lines.length, 7);
  assert.match(lines[0] ?? '', /^pid,parent_pid,depth,name,user/);
  assert.ok(text.includes('"\'=1+1"') && text.includes('"\'=cmd(""x""), ""quoted"""'));
  await page.keyboard.press('e');
  await page.locator('dialog code', { hasText: 'curl -H' }).waitFor();
  const [second] = await Promise.all([page.waitForEvent('download'), page.locator('dialog').getByRole('button', { name: 'JSON' }).click()]);
  assert.equal(JSON.parse(readFileSync(await second.path(), 'utf8')).processes.length, 6);
});

test('the table behind the charts has their values, and a moment can be written', async () => {
  await page.getByRole('button', { name: 'The values of CPU as a table' }).click();
  await page.locator('dialog tbody tr').nth(5).waitFor();
  await page.keyboard.press('Escape');
  await page.locator('.range .zone').click();
  await page.locator('dialog input').fill('now-5m');
  await page.keyboard.press('Enter');
  await page.locator('.host[data-mode=past]').waitFor();
  await page.locator('.pill').click();
  await page.locator('.host[data-mode=live]').waitFor();
});

test('? shows the keys and Escape closes them; focus comes back', async () => {
  await page.keyboard.press('?');
  await page.locator('dialog kbd').first().waitFor();
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
  await page.waitForFunction(() => document.activeElement?.getAttribute('role') === 'row');
});

test('a process that ended lingers and one that began is new', async () => {
  const tree = smallTree(9).filter((one) => one.pid !== 52);
  await server.upload(key, snapshot('box', new Date(), [...tree, { pid: 99, name: 'fresh', cpu: 1, memory: '5MB', parent_pid: 50, user: 'www', command_line: 'fresh', start_time: new Date().toISOString() }]));
  await page.locator('.row.born:not([hidden])', { hasText: 'fresh' }).waitFor();
  await page.locator('.row.dead:not([hidden])', { hasText: 'worker-two' }).waitFor();
});

test('nothing went wrong in the browser', () => {
  assert.deepEqual(trouble, []);
});
