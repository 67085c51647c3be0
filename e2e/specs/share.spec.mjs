// What people hand on: a link that shows a colleague the very same view, the command that answers the same, files of each view.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { TestServer, command, hostUrl, rowNamed, signedIn, startBrowser, visit } from '../harness.mjs';
import { smallTree, snapshot } from '../samples.mjs';

const server = new TestServer();
/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;
/** @type {string[]} */
let trouble;
const begun = Date.now();

before(async () => {
  await server.start(['--no-local-agent']);
  const key = await server.uploadKey();
  for (let i = 0; i < 30; i++) await server.upload(key, snapshot('box', new Date(begun - (30 - i) * 20_000), smallTree(i)));
  await server.upload(key, snapshot('long gone', new Date(Date.now() - 7_200_000), smallTree(1)));
  browser = await startBrowser();
  ({ page, trouble } = await signedIn(browser, server, { permissions: ['clipboard-read', 'clipboard-write'], acceptDownloads: true }));
});

after(async () => {
  await browser?.close();
  await server.close();
});

const clipboard = () => page.evaluate(() => navigator.clipboard.readText());

/** All that makes a view of a host what it is. @param {import('playwright-core').Page} page */
const seen = (page) => page.evaluate(() => ({
  rows: [...document.querySelectorAll('.row:not([hidden])')].sort((a, b) => Number(a.getAttribute('aria-rowindex')) - Number(b.getAttribute('aria-rowindex'))).map((row) => `${row.getAttribute('aria-level')} ${row.getAttribute('aria-selected')} ${row.textContent}`.replace(/\s*\d+ (s|m|h|d)\b/, '')),
  columns: [...document.querySelectorAll('[role=columnheader]')].map((cell) => `${cell.textContent} ${cell.getAttribute('aria-sort')}`),
  time: document.querySelector('.range time')?.textContent,
  range: document.querySelector('.range .on')?.textContent,
  search: document.querySelector('#search') instanceof HTMLInputElement ? /** @type {HTMLInputElement} */ (document.querySelector('#search')).value : '',
  details: document.querySelector('.pane h2')?.textContent,
  mode: document.querySelector('.host')?.getAttribute('data-mode'),
}));

test('a link shows a colleague the same host, time, range, search, order, columns and selection', async () => {
  await visit(page, hostUrl(server, 'box'));
  await rowNamed(page, 'init').waitFor();
  await page.locator('.plot canvas').first().waitFor();
  await page.getByRole('button', { name: '6 h', exact: true }).click();
  await page.locator('#search').fill('user:www');
  await page.getByRole('columnheader', { name: 'Memory' }).getByRole('button').click();
  await rowNamed(page, 'worker-two').click();
  await page.locator('.pane h2', { hasText: 'worker-two' }).waitFor();
  await page.keyboard.press('C');
  await page.locator('dialog').getByRole('button', { name: 'Units' }).click();
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
  await rowNamed(page, 'worker-two').focus();
  await page.keyboard.press(',');
  await rowNamed(page, 'worker-one').locator('.cell.heat', { hasText: '28.0' }).waitFor();
  await page.keyboard.press('y');
  await page.waitForFunction(async () => (await navigator.clipboard.readText()).includes('/host?'));
  const mine = await seen(page);
  assert.equal(mine.mode, 'past');
  assert.equal(mine.details, 'worker-two');
  const colleague = await signedIn(browser, server);
  await colleague.page.goto(await clipboard());
  await colleague.page.locator('.pane h2', { hasText: 'worker-two' }).waitFor();
  await colleague.page.locator('.plot canvas').first().waitFor();
  await rowNamed(colleague.page, 'worker-one').locator('.cell.heat', { hasText: '28.0' }).waitFor();
  assert.deepEqual(await seen(colleague.page), mine);
  await colleague.context.close();
  await page.evaluate(() => localStorage.clear());
});

/** Opens the export of a view and gives the command that it offers. @param {string} url @param {string} ready */
async function offered(url, ready) {
  await visit(page, url);
  await page.locator(ready).first().waitFor();
  await page.getByRole('button', { name: 'Export' }).click();
  await page.locator('dialog pre', { hasText: 'curl -H' }).waitFor();
  return (await page.locator('dialog pre').textContent()) ?? '';
}

/** Runs it as people do, in a shell, with a key for reading in place of the word. @param {string} text @param {string} key */
async function answered(text, key) {
  const { stdout } = await promisify(execFile)('sh', ['-c', `${text.replace('KEY', key)} --silent --show-error --fail`], { maxBuffer: 1e8 });
  return JSON.parse(stdout);
}

test('each view\'s curl command answers what the view shows, and its CSV has as many rows', async () => {
  const key = await command(['key', 'create', '--data', server.data, '--purpose', 'read']);
  for (const [url, ready, rowsOf] of /** @type {[string, string, (answer: any) => number][]} */ ([
    [hostUrl(server, 'box'), '.plot canvas', (answer) => answer.columns?.pid?.length ?? answer.pid.length],
    [`${server.url}/`, '.row:not([hidden])', (answer) => answer.length],
    [`${server.url}/program?name=worker-one&range=1h`, '.gantt', (answer) => answer.runs.length],
    [`${server.url}/compare?name=box&from=${begun - 120_000}&to=${begun}`, '.compared', (answer) => answer.changed.length + answer.began.length + answer.ended.length],
  ])) {
    const text = await offered(url, ready);
    const answer = await answered(text, key);
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator('dialog').getByRole('button', { name: 'CSV' }).click()]);
    const lines = readFileSync(await download.path(), 'utf8').split('\r\n');
    assert.equal(lines.length - 1, rowsOf(answer), `${text}\n${lines[0]}`);
    await page.locator('dialog').waitFor({ state: 'detached' });
  }
});

test('a host that is heard of no more is offline after a restart, and its page says how old its data is', async () => {
  const { port } = server;
  await server.end();
  await server.start(['--no-local-agent'], port);
  await page.goto(`${server.url}/`);
  const gone = page.locator('.row:not([hidden])', { has: page.getByRole('gridcell', { name: 'long gone', exact: true }) });
  await gone.locator('.cell.status[data-status=offline]', { hasText: 'offline' }).waitFor();
  await gone.locator('.cell', { hasText: /^2.h$/ }).first().waitFor();
  await page.locator('.foot .bad', { hasText: '1 offline' }).waitFor();
  await gone.locator('.cell').first().click();
  await page.locator('.pill.stale', { hasText: /Stale · 2.h/ }).waitFor();
  await page.locator('.foot .bad', { hasText: 'sample 2 h 0 min old' }).waitFor();
});

test('nothing went wrong in the browser', () => {
  assert.deepEqual(trouble, []);
});
