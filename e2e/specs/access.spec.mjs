// Access: axe finds nothing on any view in both themes; one tab stop; the page works at 360 px.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { TestServer, hostUrl, signedIn, startBrowser, visit } from '../harness.mjs';
import { smallTree, snapshot } from '../samples.mjs';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const server = new TestServer();
/** @type {import('playwright-core').Browser} */
let browser;
const begun = Date.now();

before(async () => {
  await server.start(['--interval', '1s']);
  const key = await server.uploadKey();
  const lost = [{ kind: 'events', from: new Date(Date.now() - 70_000).toISOString(), until: new Date(Date.now() - 60_000).toISOString(), count: 12 }];
  for (let i = 0; i < 10; i++) await server.upload(key, { ...snapshot('box', new Date(begun - (10 - i) * 20_000), smallTree(i)), ...(i === 8 ? { losses: lost } : {}) });
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await server.close();
});

/** @param {import('playwright-core').Page} page */
async function violations(page) {
  // Through the debugger, which the page's content policy does not bind.
  const session = await page.context().newCDPSession(page);
  await session.send('Runtime.evaluate', { expression: axeSource });
  const { result } = await session.send('Runtime.evaluate', { expression: `axe.run(document, { resultTypes: ['violations'] }).then((r) => JSON.stringify(r.violations.map((v) => [v.id, v.nodes.slice(0, 3).map((n) => n.html.slice(0, 120))])))`, awaitPromise: true, returnByValue: true });
  await session.detach();
  return JSON.parse(result.value);
}

const VIEWS = /** @type {[string, () => string, string][]} */ ([
  ['fleet', () => `${server.url}/`, '.row:not([hidden])'],
  ['fleet side by side', () => `${server.url}/?view=charts`, '.side-card canvas'],
  ['host', () => hostUrl(server, 'box'), '.plot canvas'],
  ['host with details', () => hostUrl(server, 'box', { sel: `51@${Date.parse('2026-01-01T00:01:01Z')}` }), '.pane h2'],
  ['host in the past', () => hostUrl(server, 'box', { at: String(begun - 100_000) }), '.host[data-mode=past] .row:not([hidden])'],
  ['search without a match', () => hostUrl(server, 'box', { q: 'nothing-like-it' }), '.problem'],
  ['unknown host', () => hostUrl(server, 'nobody'), '.problem[role=alert]'],
  ['add a host', () => `${server.url}/keys`, 'text=Start an agent'],
  ['program', () => `${server.url}/program?name=worker-one`, '.program h1'],
  ['compare', () => `${server.url}/compare`, '.compare-form'],
  ['compare, with an answer', () => `${server.url}/compare?name=box&from=${begun - 120_000}&to=${begun}`, '.table'],
  ['by group', () => hostUrl(server, 'box', { group: 'user' }), '.row.group:not([hidden])'],
  ['a group\'s details', () => hostUrl(server, 'box', { group: 'user', sel: 'user:www' }), '.pane h2'],
  ['the list', () => hostUrl(server, 'box', { list: '1' }), '.row:not([hidden])'],
  ['kiosk', () => hostUrl(server, 'box', { kiosk: '1' }), '.plot canvas'],
  ['kiosk through all hosts, held', () => hostUrl(server, 'box', { kiosk: '1', rotate: '1m', hold: '1' }), '.rotation'],
  ['a time that is none', () => hostUrl(server, 'box', { at: 'soon' }), '.problem[role=alert]'],
  ['search over all hosts', () => `${server.url}/?q=worker`, '.found table'],
  ['nothing there', () => `${server.url}/nowhere`, '.empty h1'],
]);

/** Dialogs of the host view: how each is opened, and what is there when it is ready. @type {[string, string, string][]} */
const DIALOGS = [['keys', '?', 'dialog table'], ['columns', 'C', 'dialog table'], ['who did this', 'g', 'dialog .who-table'], ['export', 'e', 'dialog pre'], ['palette', 'Control+k', 'dialog .palette li'], ['menu', 'palette:More', 'dialog .actions'], ['losses', 'button:What is known to be lost in this range', 'dialog .table'],
  ['moment', 'button:Go to a moment', 'dialog .field'], ['table', 'button:The values of CPU as a table', 'dialog .table'], ['between two samples', 'button:lived between', 'dialog h3']];

/** @param {import('playwright-core').Page} page @param {string} name @param {string} url @param {string} ready */
async function open(page, name, url, ready) {
  await visit(page, url);
  await page.locator(ready).first().waitFor().catch(async () => assert.fail(`${name}: ${await page.evaluate(() => document.body.innerText.slice(0, 300))}`));
}

/** @param {import('playwright-core').Page} page @param {string} how @param {string} ready */
async function openDialog(page, how, ready) {
  if (how.startsWith('palette:')) {
    await page.keyboard.press('Control+k');
    await page.locator('dialog .palette-field').fill(how.slice(8));
    await page.keyboard.press('Enter');
  } else if (how.startsWith('button:')) await page.locator(`[title="${how.slice(7)}"], [aria-label="${how.slice(7)}"], .foot button:has-text("${how.slice(7)}")`).first().click();
  else {
    await page.locator('.row:not([hidden])').first().focus();
    await page.keyboard.press(how);
  }
  await page.locator(ready).first().waitFor();
}

/** Wider than the window, which would scroll sideways. @param {import('playwright-core').Page} page */
const wider = (page) => page.evaluate(() => {
  const boxes = [document.documentElement, ...document.querySelectorAll('.app, .page-main, .pane, dialog, .empty, .side, .found, .fleet-main')];
  return boxes.filter((box) => box.scrollWidth > Math.max(box.clientWidth, 1) + 1 && !(box instanceof HTMLElement && box.hidden)).map((box) => `${box.className} ${box.scrollWidth} > ${box.clientWidth}`);
});

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  test(`axe finds nothing, ${colorScheme}`, async () => {
    const { context, page, trouble } = await signedIn(browser, server, { colorScheme });
    for (const [name, url, ready] of VIEWS) {
      await open(page, name, url(), ready);
      assert.deepEqual(await violations(page), [], name);
    }
    await visit(page, hostUrl(server, 'box'));
    await page.locator('.plot canvas').first().waitFor();
    for (const [name, how, ready] of DIALOGS) {
      await openDialog(page, how, ready);
      assert.deepEqual(await violations(page), [], name);
      await page.keyboard.press('Escape');
      await page.locator('dialog').waitFor({ state: 'detached' });
    }
    assert.deepEqual(trouble, []);
    await context.close();
    const out = await browser.newContext({ colorScheme });
    const stranger = await out.newPage();
    await stranger.goto(`${server.url}/`);
    await stranger.getByText('procession sign-in').waitFor();
    assert.deepEqual(await violations(stranger), [], 'sign in');
    await out.close();
  });
}

test('at 360 px no view and no dialog scrolls sideways', async () => {
  const { context, page, trouble } = await signedIn(browser, server, { viewport: { width: 360, height: 740 } });
  /** @type {string[]} */
  const found = [];
  const look = async (/** @type {string} */ name) => found.push(...(await wider(page)).map((box) => `${name}: ${box}`));
  for (const [name, url, ready] of VIEWS) {
    await open(page, name, url(), ready);
    await look(name);
  }
  await visit(page, hostUrl(server, 'box'));
  await page.locator('.plot canvas').first().waitFor();
  for (const [name, how, ready] of DIALOGS) {
    // What has no place in the phone's layout is not opened from there.
    if (how.startsWith('button:') && !how.includes('moment')) continue;
    await openDialog(page, how, ready);
    await look(name);
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
  }
  assert.deepEqual(found, []);
  assert.deepEqual(trouble, []);
  await context.close();
});

test('the grid is one tab stop, and its roles and numbers are true', async () => {
  const { context, page } = await signedIn(browser, server);
  await page.goto(hostUrl(server, 'box'));
  await page.locator('.row:not([hidden])').nth(4).waitFor();
  assert.equal(await page.locator('[role=treegrid] [tabindex="0"]').count(), 1);
  const rows = await page.locator('.row:not([hidden])').evaluateAll((elements) => elements.map((row) => ['aria-rowindex', 'aria-level', 'aria-posinset', 'aria-setsize'].map((name) => Number(row.getAttribute(name)))).sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0)));
  assert.deepEqual(rows.map((row) => row[0]), [2, 3, 4, 5, 6]);
  assert.deepEqual(rows.map((row) => row[1]), [1, 2, 3, 3, 2]);
  assert.deepEqual(rows[2]?.slice(2), [1, 2]);
  await page.locator('.row:not([hidden])').first().focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.waitForFunction(() => document.activeElement?.getAttribute('role') === 'gridcell');
  assert.equal(await page.locator('[role=treegrid] [tabindex="0"]').count(), 1);
  await context.close();
});

test('at 360 px: no sideways scrolling, time and host name in sight, details as a sheet', async () => {
  const { context, page, trouble } = await signedIn(browser, server, { viewport: { width: 360, height: 740 }, hasTouch: true });
  await page.goto(hostUrl(server, 'box'));
  await page.locator('.plot canvas').first().waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  for (const selector of ['.range time', '.crumb b', '.pill']) {
    const box = await page.locator(selector).boundingBox();
    assert.ok(box && box.x >= 0 && box.x + box.width <= 360.5, `${selector} ${JSON.stringify(box)}`);
  }
  await page.locator('.row:not([hidden])').nth(1).tap();
  await page.locator('.pane h2').waitFor();
  assert.equal((await page.locator('.pane').boundingBox())?.width, 360);
  await page.getByRole('button', { name: 'Close the details' }).tap();
  await page.locator('.pane').waitFor({ state: 'detached' });
  await page.goto(`${server.url}/`);
  await page.locator('.row:not([hidden])').first().waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  assert.deepEqual(trouble, []);
  await context.close();
});
