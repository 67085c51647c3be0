// Questions about the past: who did this, when did it run, what changed, where is it running.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestServer, hostUrl, signedIn, startBrowser, visit } from '../harness.mjs';
import { smallTree, snapshot } from '../samples.mjs';

const server = new TestServer();
/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;
/** @type {string[]} */
let trouble;
const STEP_MS = 20_000;
const COUNT = 40;
const first = Math.floor(Date.now() / 1000) * 1000 - COUNT * STEP_MS;

/** One that grows, one that shrinks, one that gets another parent, and one that writes. @param {number} i */
const changing = (i) => [['grower', 100 + i * 20], ['shrinker', 900 - i * 20], ['mover', 10], ['writer', 5]].map(([name, megabytes], at) => ({
  pid: 600 + at, name, cpu: 0.1, memory: `${megabytes}MB`, parent_pid: name === 'mover' && i < 10 ? 40 : 1, user: 'eve', command_line: `${name}`, start_time: '2026-01-01T00:03:00Z', ...(name === 'writer' ? { read_bytes: 1000, write_bytes: 5_000_000 } : {}),
}));

before(async () => {
  await server.start(['--no-local-agent']);
  const key = await server.uploadKey();
  for (let i = 0; i < COUNT; i++) {
    const time = new Date(first + i * STEP_MS);
    const job = i >= 10 && i < 20 ? [{ pid: 700, name: 'batch-job', cpu: 350, memory: '800MB', parent_pid: 40, user: 'ann', command_line: 'batch-job --all', start_time: new Date(first + 10 * STEP_MS - 5000).toISOString() }] : [];
    const again = i >= 30 ? [{ pid: 720, name: 'batch-job', cpu: 20, memory: '100MB', parent_pid: 40, user: 'ann', command_line: 'batch-job --rest', start_time: new Date(first + 30 * STEP_MS - 5000).toISOString() }] : [];
    await server.upload(key, snapshot('box', time, [...smallTree(2), ...job, ...again, ...changing(i)]));
  }
  await server.upload(key, snapshot('other', new Date(), [...smallTree(2), { pid: 800, name: 'only-there', cpu: 1, memory: '5MB', parent_pid: 1, user: 'bob', command_line: 'only-there' }]));
  browser = await startBrowser();
  ({ page, trouble } = await signedIn(browser, server));
});

after(async () => {
  await browser?.close();
  await server.close();
});

test('who did this: the job stands first, by process, program, user and subtree, with its life one click away', async () => {
  await visit(page, hostUrl(server, 'box', { range: '15m' }));
  await page.locator('.plot canvas').first().waitFor();
  await page.getByRole('button', { name: 'Who did this?' }).click();
  await page.locator('.icicle .box', { hasText: 'batch-job' }).first().waitFor();
  const top = page.locator('.who-table tbody tr').first();
  for (const [group, name] of /** @type {[string, string][]} */ ([['Processes', 'batch-job'], ['Programs', 'batch-job'], ['Users', 'ann']])) {
    await page.locator('dialog').getByRole('button', { name: group, exact: true }).click();
    await top.locator('td', { hasText: name }).first().waitFor();
  }
  await page.locator('dialog').getByRole('button', { name: 'Processes', exact: true }).click();
  await page.locator('.who-table .plain', { hasText: 'batch-job' }).first().click();
  await page.locator('.pane h2').waitFor();
  await page.locator('.pane .life canvas').first().waitFor();
});

test('who did this ranks growth of memory and IO, too, and says when nobody\'s share is not known', async () => {
  await visit(page, hostUrl(server, 'box', { range: '15m' }));
  await page.locator('.plot canvas').first().waitFor();
  await page.getByRole('button', { name: 'Who did this?' }).click();
  await page.locator('dialog p', { hasText: 'what is nobody\'s is not known' }).waitFor();
  await page.locator('dialog').getByRole('button', { name: 'Processes', exact: true }).click();
  for (const [measure, name] of /** @type {[string, string][]} */ ([['Memory growth', 'grower'], ['IO', 'writer']])) {
    await page.locator('dialog').getByRole('button', { name: measure, exact: true }).click();
    await page.locator('.who-table tbody tr').first().locator('td', { hasText: name }).first().waitFor();
  }
  await page.keyboard.press('Escape');
});

test('the program view has each run, its gap and how long it ran', async () => {
  await visit(page, `${server.url}/program?name=batch-job&host=box&range=1h`);
  await page.locator('.gantt .run').nth(1).waitFor();
  assert.equal(await page.locator('.gantt .run').count(), 2);
  await page.getByText('2 runs').first().waitFor();
  await page.locator('.program .plot canvas').first().waitFor();
  await page.locator('.table a', { hasText: '700' }).click();
  await page.locator('.host[data-mode=past]').waitFor();
  await page.locator('.pane h2', { hasText: 'batch-job' }).waitFor();
});

test('on the program view a drag zooms, Backspace undoes, and a click goes to the host at that moment', async () => {
  await visit(page, `${server.url}/program?name=batch-job&range=1h`);
  await page.locator('.plot canvas').first().waitFor();
  await page.getByText('2 runs').first().waitFor();
  const box = await page.locator('.plot .u-over').first().boundingBox();
  assert.ok(box);
  await page.mouse.move(box.x + box.width * 0.2, box.y + 30);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.9, box.y + 30, { steps: 5 });
  await page.mouse.up();
  await page.waitForFunction(() => new URLSearchParams(location.search).get('range') !== '1h');
  await page.keyboard.press('Backspace');
  await page.waitForFunction(() => new URLSearchParams(location.search).get('range') === '1h');
  // Whose moment it is, is asked of the runs of the range shown.
  await page.getByText('2 runs').first().waitFor();
  // The second run went on until some seconds ago, on one of the two hosts.
  await page.mouse.click(box.x + box.width * 0.97, box.y + 30);
  await page.locator('.host[data-mode=past]').waitFor();
  assert.equal(new URL(page.url()).searchParams.get('name'), 'box');
});

test('comparing two moments and two hosts', async () => {
  await visit(page, `${server.url}/compare?name=box&from=${first + 5 * STEP_MS}&to=${first + 15 * STEP_MS}`);
  await page.locator('tr', { hasText: 'batch-job' }).first().waitFor();
  await page.getByText('Began (1)').waitFor();
  for (const [name, text] of /** @type {[string, RegExp][]} */ ([['grower', /\+200.MB/], ['shrinker', /-200.MB/], ['mover', /to parent 1/]])) await page.locator('.compared tr', { hasText: name }).filter({ hasText: text }).waitFor();
  await visit(page, `${server.url}/compare?name=box&from=${first + 15 * STEP_MS}&to=${first + 25 * STEP_MS}`);
  await page.getByText('Ended (1)').waitFor();
  await page.locator('.listed tr', { hasText: 'batch-job' }).getByRole('link').click();
  await page.locator('.host[data-mode=past] .pane h2', { hasText: 'batch-job' }).waitFor();
  await visit(page, `${server.url}/compare?name=box&other=other`);
  await page.locator('tr', { hasText: 'only-there' }).first().waitFor();
});

test('hosts stand side by side on one time: a click goes to that host at that moment, and the values are a table', async () => {
  await visit(page, `${server.url}/?view=charts&range=15m`);
  const card = page.locator('.side-card', { has: page.getByRole('link', { name: 'box', exact: true }) });
  await card.locator('canvas').nth(1).waitFor();
  await page.locator('.side-card', { has: page.getByRole('link', { name: 'other', exact: true }) }).waitFor();
  await card.getByRole('button', { name: 'The values of box as a table' }).click();
  await page.locator('dialog tbody tr').nth(10).waitFor();
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
  const plot = await card.locator('.u-over').first().boundingBox();
  assert.ok(plot);
  await page.mouse.click(plot.x + plot.width * 0.6, plot.y + 20);
  await page.locator('.host[data-mode=past] .row:not([hidden])').first().waitFor();
  const { searchParams } = new URL(page.url());
  assert.equal(searchParams.get('name'), 'box');
  assert.ok(Math.abs(Number(searchParams.get('at')) - (Date.now() - 0.4 * 900_000)) < 60_000, String(searchParams));
});

test('a click on a chart of a process\'s life goes to that moment', async () => {
  await visit(page, hostUrl(server, 'box', { sel: `600@${Date.parse('2026-01-01T00:03:00Z')}` }));
  const life = page.locator('.pane .life .u-over').first();
  await life.waitFor();
  const box = await life.boundingBox();
  assert.ok(box);
  await page.mouse.click(box.x + box.width * 0.6, box.y + 20);
  await page.locator('.host[data-mode=past]').waitFor();
  await page.locator('.pane h2', { hasText: 'grower' }).waitFor();
});

test('a search on the fleet finds live processes of all hosts', async () => {
  await visit(page, `${server.url}/`);
  await page.locator('#search').fill('nothing-of-that-name');
  await page.locator('.problem', { hasText: 'No host is called so' }).waitFor();
  await page.locator('.found h2', { hasText: 'No process on any host matches' }).waitFor();
  await page.getByRole('button', { name: 'Clear the search' }).last().click();
  await page.getByRole('gridcell', { name: 'other', exact: true }).waitFor();
  await page.locator('#search').fill('only-th');
  await page.locator('.found a', { hasText: 'only-there' }).click();
  await page.locator('.pane h2', { hasText: 'only-there' }).waitFor();
});

test('nothing went wrong in the browser', () => {
  assert.deepEqual(trouble, []);
});
