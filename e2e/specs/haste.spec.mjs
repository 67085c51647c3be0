// Rows that pass too fast to be read: where frames come late most cells are left out, and all is there again at rest.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { TestServer, hostUrl, signedIn, startBrowser } from '../harness.mjs';
import { bigTree, snapshot } from '../samples.mjs';

const server = new TestServer();
/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;

before(async () => {
  await server.start(['--no-local-agent']);
  await server.upload(await server.uploadKey(), snapshot('many', new Date(), bigTree(2000, 20).map((one) => ({ ...one, start_time: '2026-01-01T00:00:00Z' }))));
  browser = await startBrowser();
  ({ page } = await signedIn(browser, server));
});

after(async () => {
  await browser?.close();
  await server.close();
});

beforeEach(async () => {
  await page.goto(hostUrl(server, 'many', { sort: 'pid', list: '1' }));
  await page.locator('.row:not([hidden])', { hasText: 'task-0' }).waitFor();
  await page.waitForFunction(() => performance.getEntriesByType('resource').some((entry) => entry.name.endsWith('/grid-haste.js')));
});

/**
 * Scrolls by so many pixels a frame, each frame as late as it is told, and tells after each which columns of the row in the middle are seen.
 * @param {number} px @param {number} lateMs
 * @returns {Promise<string[]>}
 */
const scroll = (px, lateMs) => page.evaluate(([step, late]) => new Promise((resolve) => {
  const grid = /** @type {HTMLElement} */ (document.querySelector('.grid'));
  /** @type {string[]} */
  const seen = [];
  const frame = () => {
    const middle = grid.getBoundingClientRect().top + grid.clientHeight / 2;
    const row = [...document.querySelectorAll('.row:not([hidden])')].find((one) => one.getBoundingClientRect().bottom > middle && one.getBoundingClientRect().top <= middle);
    const cells = [...(row?.querySelectorAll('.cell') ?? [])].filter((cell) => getComputedStyle(cell).visibility === 'visible');
    seen.push(cells.map((cell) => document.querySelector(`.grid-head .cell[aria-colindex="${cell.getAttribute('aria-colindex')}"]`)?.getAttribute('data-column')).join(' '));
    if (seen.length === 12) return resolve(seen);
    grid.scrollTop += /** @type {number} */ (step);
    for (const end = performance.now() + /** @type {number} */ (late); performance.now() < end;);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}), [px, lateMs]);

/** Each row in sight that does not say of itself what the others do. */
const wrong = () => page.evaluate(() => [...document.querySelectorAll('.row:not([hidden])')].filter((row) => {
  const text = (/** @type {string} */ column) => row.querySelector(`[aria-colindex="${document.querySelector(`[data-column=${column}]`)?.getAttribute('aria-colindex')}"]`)?.textContent;
  const at = Number(text('command_line')?.replace('/usr/bin/task --number ', ''));
  return text('pid') !== String(at + 1) || text('name') !== (at % 50 === 7 ? '<b>bold</b>' : `task-${at}`) || text('user') !== `user${at % 9}` || text('threads') !== String(1 + (at % 5));
}).map((row) => row.textContent));

test('rows that pass too fast leave out what cannot be read, and say it at rest', async () => {
  const seen = await scroll(300, 40);
  assert.equal(seen.at(-1), 'name pid');
  await page.waitForFunction(() => getComputedStyle(/** @type {Element} */ (document.querySelector('.row:not([hidden]) .cell:last-child'))).visibility === 'visible');
  assert.deepEqual(await wrong(), []);
});

test('nothing is left out of rows that can be read, however late frames are', async () => {
  const all = (await scroll(0, 0))[0] ?? '';
  assert.ok(all.split(' ').length > 8, all);
  assert.deepEqual(new Set(await scroll(48, 40)), new Set([all]));
  assert.deepEqual(await wrong(), []);
});

test('the keyboard stays in its cell while rows pass', async () => {
  await page.locator('.row:not([hidden])', { hasText: 'task-0' }).focus();
  for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowRight');
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-colindex'));
  const at = await focused();
  assert.ok(at);
  assert.equal((await scroll(300, 40)).at(-1), 'name pid');
  assert.equal(await focused(), at);
});
