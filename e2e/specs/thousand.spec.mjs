// A thousand hosts, each a simulated agent with a connection of its own: the list stays whole, quick and true.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { TestServer, binary, signedIn, startBrowser } from '../harness.mjs';

const server = new TestServer();
const HOSTS = 1000;
/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;
/** @type {string[]} */
let trouble;
/** @type {import('node:child_process').ChildProcess | undefined} */
let swarm;

before(async () => {
  await server.start(['--no-local-agent']);
  const key = await server.uploadKey();
  swarm = spawn(binary(), ['swarm', '--server', server.url, '--key', key, '--hosts', String(HOSTS), '--processes', '20', '--duration', '10m', '--interval', '10s'], { stdio: 'ignore' });
  browser = await startBrowser();
  ({ page, trouble } = await signedIn(browser, server));
});

after(async () => {
  swarm?.kill('SIGKILL');
  await browser?.close();
  await server.close();
});

test('all are listed, and few of them are in the document', async () => {
  await page.locator(`[role=grid][aria-rowcount="${HOSTS + 1}"]`).waitFor({ timeout: 120_000 });
  await page.locator('.tag', { hasText: '1,000 hosts' }).waitFor();
  await page.locator('.foot', { hasText: '20,000 processes' }).waitFor({ timeout: 60_000 });
  assert.ok((await page.locator('[role=row]').count()) < 100);
});

test('the keyboard goes through all of them', async () => {
  await page.locator('.row:not([hidden])').first().focus();
  await page.keyboard.press('End');
  await page.waitForFunction((last) => document.activeElement?.getAttribute('aria-rowindex') === last, String(HOSTS + 1));
  await page.locator('.row:not([hidden])', { hasText: 'swarm-01000' }).or(page.locator('.row:not([hidden])', { hasText: 'swarm-00999' })).first().waitFor();
  await page.keyboard.press('Home');
  await page.waitForFunction(() => document.activeElement?.getAttribute('aria-rowindex') === '2');
});

test('sorting by CPU puts the busiest first', async () => {
  await page.getByRole('columnheader', { name: 'CPU %' }).getByRole('button').click();
  await page.locator('[role=columnheader][aria-sort=descending]', { hasText: 'CPU' }).waitFor();
  await page.waitForFunction(() => {
    const values = [...document.querySelectorAll('.row:not([hidden])')].sort((a, b) => Number(a.getAttribute('aria-rowindex')) - Number(b.getAttribute('aria-rowindex'))).map((row) => Number(row.querySelectorAll('.cell')[2]?.textContent));
    return values.length > 20 && values.every((value, i) => i === 0 || value <= (values[i - 1] ?? 0));
  });
});

test('a search over the processes of all of them answers while one types', async () => {
  await page.locator('#search').fill('name:post');
  await page.locator('#search').press('*');
  await page.locator('.found h2', { hasText: /on [\d,]+ hosts?/ }).waitFor();
  await page.locator('#search').pressSequentially(' cpu>0');
  await page.waitForFunction(() => {
    const rows = [...document.querySelectorAll('.found tbody tr')].map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent ?? ''));
    return rows.length > 0 && rows.every((cells) => cells[1]?.startsWith('post') && Number(cells[4]) > 0);
  });
  // Who types does not have to leave the field for it.
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'search');
  await page.locator('#search').fill('');
});

test('nothing went wrong in the browser', () => {
  assert.deepEqual(trouble, []);
});
