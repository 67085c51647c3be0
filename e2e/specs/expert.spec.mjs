// What people who look at processes all day rely on: nothing moves under their hands, a pause is a pause, sums are true,
// a pid that is used again is another process.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { TestServer, hostUrl, rowNamed, signedIn, startBrowser, visit } from '../harness.mjs';
import { bigTree, smallTree, snapshot } from '../samples.mjs';

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
  for (let i = 0; i < 12; i++) await server.upload(key, snapshot('box', new Date(Date.now() - (12 - i) * 15_000), smallTree(i)));
  browser = await startBrowser();
  ({ page, trouble } = await signedIn(browser, server));
});

after(async () => {
  await browser?.close();
  await server.close();
});

beforeEach(async () => {
  await page.mouse.move(5, 5);
  await page.goto(hostUrl(server, 'box'));
  await row('init').waitFor();
  await row('init').focus();
});

const row = (/** @type {string} */ name) => rowNamed(page, name);
/** @param {string} name @param {string} column */
const cell = async (name, column) => {
  const index = await page.locator(`[data-column=${column}]`).getAttribute('aria-colindex');
  return row(name).locator(`[aria-colindex="${index}"]`);
};
/** @param {number} busy @param {object[]} [more] */
const upload = (busy, more = []) => server.upload(key, snapshot('box', new Date(), [...smallTree(busy), ...more]));

test('scroll place, focus and selection stay while thousands of rows change', async () => {
  const many = bigTree(2000, 20).map((one) => ({ ...one, start_time: '2026-01-01T00:00:00Z' }));
  await server.upload(key, snapshot('many', new Date(), many));
  await visit(page, hostUrl(server, 'many', { sort: 'pid', list: '1', sel: `1500@${Date.parse('2026-01-01T00:00:00Z')}` }));
  await row('task-1499').waitFor();
  await row('task-1499').focus();
  await page.waitForFunction(() => document.querySelector('.row.selected:not([hidden]) .label')?.textContent === 'task-1499');
  const before = await page.locator('.grid').evaluate((grid) => grid.scrollTop);
  assert.ok(before > 10_000);
  await server.upload(key, snapshot('many', new Date(), many.map((one, i) => ({ ...one, cpu: (i * 13) % 90 })).filter((_, i) => i < 1000 || i % 7)));
  await page.locator('.row.dead:not([hidden])').first().waitFor();
  const now = await page.evaluate(() => ({ top: document.querySelector('.grid')?.scrollTop, selected: document.querySelector('.row.selected:not([hidden]) .label')?.textContent, focused: document.activeElement?.classList.contains('selected') }));
  assert.deepEqual(now, { top: before, selected: 'task-1499', focused: true });
});

test('a link to a process brings it into sight, however late the processes come', async () => {
  const sel = `1400@${Date.parse('2026-01-01T00:00:00Z')}`;
  await page.route('**/process-snapshots/columns/**', async (route) => {
    await page.locator('.grid').waitFor();
    await page.waitForFunction(() => performance.getEntriesByType('resource').some((entry) => entry.name.endsWith('/arrange.js')));
    await page.waitForTimeout(300);
    await route.continue();
  });
  await page.goto(hostUrl(server, 'many', { sort: 'pid', list: '1', sel }));
  await page.locator('.row.selected:not([hidden])', { hasText: 'task-1399' }).waitFor();
  assert.ok((await page.locator('.grid').evaluate((grid) => grid.scrollTop)) > 10_000);
  await page.unrouteAll();
});

test('a pause freezes everything while the host goes on, and going on catches up', async () => {
  await upload(31);
  await row('worker-one').locator('.cell.heat', { hasText: '31.0' }).waitFor();
  await page.keyboard.press('Z');
  await page.locator('.pill', { hasText: 'Paused' }).waitFor();
  await upload(32);
  await upload(33);
  await page.waitForFunction(async () => (await (await fetch('/api/process-snapshots/columns/?hostname=box')).json()).columns.cpu.includes(3300));
  assert.equal(await row('worker-one').locator('.cell.heat').textContent(), '31.0');
  await page.keyboard.press('Z');
  await row('worker-one').locator('.cell.heat', { hasText: '33.0' }).waitFor();
});

test('subtree totals add up, and a folded branch says how many it hides', async () => {
  await upload(40);
  await row('worker-one').locator('.cell.heat', { hasText: '40.0' }).waitFor();
  await (await cell('webserver', 'sum_cpu')).and(page.getByText('44.5', { exact: true })).waitFor();
  await (await cell('webserver', 'sum_memory')).and(page.getByText('440\u00a0M', { exact: true })).waitFor();
  await row('webserver').focus();
  await page.keyboard.press('ArrowLeft');
  await row('webserver').locator('.count', { hasText: '+2' }).waitFor();
});

test('heat and sparklines follow the samples', async () => {
  for (const busy of [10, 60, 20, 95]) await upload(busy);
  await row('worker-one').locator('.cell.heat[data-heat="9"]', { hasText: '95.0' }).waitFor();
  const drawn = async () => ((await row('worker-one').locator('.spark path').getAttribute('d')) ?? '').split('L').length;
  assert.ok((await drawn()) >= 2);
  await upload(5);
  await row('worker-one').locator('.cell.heat', { hasText: '5.0' }).waitFor();
  assert.ok((await drawn()) >= 3);
});

test('Enter opens what a process is: command line, user, start, parents, children, its life and its program\'s runs', async () => {
  await row('webserver').focus();
  await page.keyboard.press('Enter');
  const pane = page.locator('.pane');
  await pane.locator('h2', { hasText: 'webserver' }).waitFor();
  await pane.locator('code', { hasText: 'webserver --port 80' }).waitFor();
  await pane.getByText('50 · www').waitFor();
  await pane.getByText('2026-01-01 00:01:00').waitFor();
  await pane.getByRole('button', { name: 'init 1' }).waitFor();
  await pane.getByRole('button', { name: 'worker-two 52' }).waitFor();
  await pane.locator('.life canvas').nth(1).waitFor();
  await pane.getByText('Runs of this program today').waitFor();
  await pane.getByRole('button', { name: 'The values of its life as a table' }).click();
  await page.locator('dialog tbody tr').nth(5).waitFor();
  await page.keyboard.press('Escape');
  await pane.getByRole('button', { name: 'worker-two 52' }).click();
  await pane.locator('h2', { hasText: 'worker-two' }).waitFor();
});

test('an end is told with its exit in the row and in the details', async () => {
  await row('sh').click();
  await page.locator('.pane h2', { hasText: 'sh' }).waitFor();
  await server.upload(key, snapshot('box', new Date(), smallTree(9).filter((one) => one.pid !== 40)));
  await page.locator('.row.dead:not([hidden])', { hasText: 'sh' }).waitFor();
  await page.locator('.pane dt', { hasText: 'Ended' }).waitFor();
});

test('a followed process stays in sight', async () => {
  const many = bigTree(400, 3).map((one, i) => ({ ...one, cpu: i === 200 ? 99 : (i % 40) / 10, start_time: '2026-01-01T00:00:00Z' }));
  await server.upload(key, snapshot('follow', new Date(), many));
  await visit(page, hostUrl(server, 'follow', { list: '1' }));
  await row('task-200').waitFor();
  await row('task-200').focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('F');
  await page.locator('.notice', { hasText: 'Following' }).waitFor();
  await server.upload(key, snapshot('follow', new Date(), many.map((one) => (one.pid === 201 ? { ...one, cpu: 0 } : one))));
  await page.waitForFunction(() => {
    const box = document.querySelector('.row.selected:not([hidden])')?.getBoundingClientRect();
    return (document.querySelector('.grid')?.scrollTop ?? 0) > 1000 && box && box.top > 0 && box.bottom <= innerHeight;
  });
});

test('a pid that is used again is another process: the selection does not move to it', async () => {
  await upload(4, [{ pid: 300, name: 'first-life', cpu: 1, memory: '5MB', parent_pid: 1, user: 'ann', command_line: 'first', start_time: '2026-01-02T00:00:00Z' }]);
  await row('first-life').click();
  await page.locator('.pane h2', { hasText: 'first-life' }).waitFor();
  await upload(4, [{ pid: 300, name: 'second-life', cpu: 1, memory: '5MB', parent_pid: 1, user: 'bob', command_line: 'second', start_time: new Date().toISOString() }]);
  await row('second-life').waitFor();
  await page.locator('.row.dead:not([hidden])', { hasText: 'first-life' }).waitFor();
  assert.equal(await page.locator('.row.selected:not([hidden]) .label').textContent(), 'first-life');
  assert.equal(await page.locator('.pane h2').textContent(), 'first-life');
});

test('fold to a level by a command; UTC and local time by a switch', async () => {
  await page.keyboard.press('Control+k');
  await page.locator('.palette li').first().waitFor();
  await page.keyboard.type('fold to two');
  await page.keyboard.press('Enter');
  await row('worker-one').waitFor({ state: 'hidden' });
  await row('webserver').waitFor();
  assert.match((await page.locator('.range time').textContent()) ?? '', /UTC$/);
  await page.getByRole('button', { name: 'local', exact: true }).click();
  await page.locator('.range time', { hasText: 'local' }).waitFor();
  await page.getByRole('button', { name: 'UTC', exact: true }).click();
});

test('gaps are drawn as gaps: where nothing was seen the chart is hatched, not joined', async () => {
  for (let i = 0; i < 20; i++) await server.upload(key, snapshot('gap', new Date(Date.now() - 600_000 + i * 5000 + (i > 9 ? 400_000 : 0)), smallTree(90)));
  await page.goto(hostUrl(server, 'gap', { range: '15m' }));
  await page.locator('.plot canvas').first().waitFor();
  /** How many of the pixels in a row of the CPU chart are drawn on, left, within and right of the gap. */
  const drawn = () => page.locator('.plot canvas').first().evaluate((canvas) => {
    if (!(canvas instanceof HTMLCanvasElement)) return [];
    const { data } = canvas.getContext('2d')?.getImageData(0, Math.round(canvas.height * 0.7), canvas.width, 1) ?? { data: [] };
    const share = (/** @type {number} */ from, /** @type {number} */ until) => {
      let on = 0;
      for (let x = Math.round(canvas.width * from); x < canvas.width * until; x++) if ((data[x * 4 + 3] ?? 0) > 0) on += 1;
      return on / (canvas.width * (until - from));
    };
    return [share(0.36, 0.37), share(0.5, 0.7), share(0.85, 0.86)];
  });
  await page.waitForFunction(() => document.querySelector('.plot canvas') !== null);
  let shares = await drawn();
  for (let i = 0; i < 100 && !(shares[1] ?? 0); i++) {
    await page.waitForTimeout(50);
    shares = await drawn();
  }
  assert.ok((shares[1] ?? 0) > 0.05 && (shares[1] ?? 0) < 0.6, `hatched: ${shares}`);
});

test('nothing went wrong in the browser', () => {
  assert.deepEqual(trouble, []);
});
