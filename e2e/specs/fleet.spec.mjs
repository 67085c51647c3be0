// A fleet of real senders: a swarm of simulated agents and a separate agent process beside the server, with processes
// that come, go, and live shorter than an interval.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { TestServer, binary, hostUrl, rowNamed, signedIn, startBrowser, visit } from '../harness.mjs';

const server = new TestServer();
const HOSTS = 30;
/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;
/** @type {string[]} */
let trouble;
/** @type {import('node:child_process').ChildProcess[]} */
const children = [];

/** @param {string[]} args */
function run(...args) {
  const child = spawn(binary(), args, { stdio: 'ignore' });
  children.push(child);
  return child;
}

before(async () => {
  await server.start(['--no-local-agent']);
  const key = await server.uploadKey();
  run('swarm', '--server', server.url, '--key', key, '--hosts', String(HOSTS), '--processes', '120', '--duration', '10m', '--interval', '2s');
  run('agent', '--server', server.url, '--key', key, '--interval', '1s', '--hostname', 'beside', '--no-spool');
  browser = await startBrowser();
  ({ page, trouble } = await signedIn(browser, server));
});

after(async () => {
  for (const child of children) child.kill('SIGKILL');
  await browser?.close();
  await server.close();
});

const row = (/** @type {string} */ name) => rowNamed(page, name);

test('all hosts are listed as they come, live, with what they do', async () => {
  await page.locator(`[role=grid][aria-rowcount="${HOSTS + 2}"]`).waitFor();
  await page.getByRole('gridcell', { name: 'beside', exact: true }).waitFor();
  const cells = page.locator('.row:not([hidden])', { has: page.getByRole('gridcell', { name: 'swarm-00003', exact: true }) }).locator('.cell');
  await page.waitForFunction(() => [...document.querySelectorAll('.row:not([hidden]) .cell.status')].every((cell) => cell.textContent === 'live'));
  assert.equal(await cells.nth(5).textContent(), '120');
  await page.locator('#search').fill('swarm-0001');
  await page.locator('[role=grid][aria-rowcount="11"]').waitFor();
  await page.locator('#search').fill('');
  await page.getByRole('columnheader', { name: 'Memory' }).getByRole('button').click();
  await page.locator('[role=columnheader][aria-sort=descending]').waitFor();
});

test('the agent\'s host moves by itself; who begins is seen beginning, and who ends is seen ending', async () => {
  await visit(page, hostUrl(server, 'beside'));
  await page.locator('.row:not([hidden])').first().waitFor();
  await page.locator('.foot', { hasText: 'of a core' }).waitFor();
  const job = spawn('sleep', ['987'], { stdio: 'ignore' });
  children.push(job);
  await page.locator('#search').fill('cmd:"sleep 987"');
  await row('sleep').waitFor();
  await page.locator('.row.born:not([hidden])', { hasText: 'sleep' }).waitFor();
  job.kill('SIGTERM');
  await page.locator('.row.dead:not([hidden])', { hasText: 'sleep' }).waitFor();
  await page.locator('.row.dead:not([hidden]) .cell', { hasText: 'ended' }).waitFor();
  await page.locator('#search').fill('');
});

test('what lives between two samples is counted, and listed on demand', async () => {
  const timer = setInterval(() => children.push(spawn('sh', ['-c', 'exit 7'], { stdio: 'ignore' })), 150);
  try {
    await page.waitForFunction(() => /[1-9]\d* lived between/.test(document.querySelector('.foot')?.textContent ?? ''));
    await page.locator('.foot').getByRole('button', { name: /lived between/ }).click();
    await page.locator('dialog tbody tr', { hasText: 'exit 7' }).or(page.locator('dialog tbody tr', { hasText: 'sh' })).first().waitFor();
    await page.keyboard.press('Escape');
  } finally {
    clearInterval(timer);
  }
});

test('who did this says how much of the CPU is nobody\'s, where the host tells its own figure', async () => {
  await page.locator('.foot', { hasText: /nobody's: \d/ }).waitFor();
  await page.locator('.row:not([hidden])').first().focus();
  await page.keyboard.press('g');
  await page.locator('dialog p', { hasText: /in all; .+ \([\d.]+ %\) is nobody's: used, but by no process that was seen/ }).waitFor();
  await page.locator('dialog .who-table tbody tr').first().waitFor();
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
});

test('a search finds processes on all hosts while one types, by the filter language', async () => {
  await visit(page, `${server.url}/`);
  await page.locator('#search').fill('name:post* mem>1MB');
  await page.locator('.found h2', { hasText: /on \d\d? hosts?/ }).waitFor();
  const names = await page.locator('.found tbody td:nth-child(2)').allTextContents();
  assert.ok(names.length > 0 && names.every((name) => name.startsWith('post')), names.slice(0, 5).join());
  await page.locator('.found tbody a').first().click();
  await page.locator('.pane h2', { hasText: 'post' }).waitFor();
});

test('a host that is not heard of any more is said to be stale, with its age, on both views', async () => {
  const [swarm] = children;
  swarm?.kill('SIGKILL');
  await visit(page, `${server.url}/`);
  await page.locator('#search').fill('swarm-00003');
  await page.locator('.cell.status[data-status=stale]', { hasText: 'stale' }).waitFor({ timeout: 60_000 });
  await page.locator('.foot', { hasText: 'stale' }).waitFor();
  await visit(page, hostUrl(server, 'swarm-00003'));
  await page.locator('.pill.stale', { hasText: 'Stale' }).waitFor({ timeout: 60_000 });
  await page.locator('.foot .bad', { hasText: 'old' }).waitFor();
});

test('nothing went wrong in the browser', () => {
  assert.deepEqual(trouble, []);
});
