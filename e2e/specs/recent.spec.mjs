// What history gives the host view beside the tree: small lines that are filled when one comes, live and in the past, and what
// is known to be lost in the range of the charts.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestServer, hostUrl, rowNamed, signedIn, startBrowser } from '../harness.mjs';
import { smallTree, snapshot } from '../samples.mjs';

const server = new TestServer();
const STEP_MS = 5_000;
const COUNT = 40;
/** When the process came that is younger than the others. */
const CAME = 35;
const begin = Date.now() - COUNT * STEP_MS - 2_000;
const at = (/** @type {number} */ i) => begin + i * STEP_MS;
/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;
/** @type {string[]} */
let trouble;
let key = '';

/** @param {number} i */
const tree = (i) => [...smallTree(10 + i * 2), ...(i < CAME ? [] : [{ pid: 70, name: 'young', cpu: 30, memory: '9MB', parent_pid: 1, user: 'ann', command_line: 'young', start_time: new Date(at(CAME) - 100).toISOString() }])];

before(async () => {
  await server.start(['--no-local-agent']);
  key = await server.uploadKey();
  for (let i = 0; i < COUNT; i++) await server.upload(key, snapshot('box', new Date(at(i)), tree(i)));
  browser = await startBrowser();
  ({ page, trouble } = await signedIn(browser, server));
});

after(async () => {
  await browser?.close();
  await server.close();
});

/** The points of a row's small line: across and, growing with CPU, up. @param {string} name @returns {Promise<[number, number][]>} */
async function line(name) {
  const path = (await rowNamed(page, name).locator('.spark path').getAttribute('d')) ?? '';
  return path.split(/[ML]/).filter(Boolean).map((point) => {
    const [x = NaN, y = NaN] = point.split(' ').map(Number);
    return [x, 15 - y];
  });
}

/** @param {string} name @param {number} points */
const lineOf = (name, points) => page.waitForFunction(([wanted, count]) => {
  const row = [...document.querySelectorAll('.row:not([hidden])')].find((one) => one.querySelector('.label')?.textContent?.includes(String(wanted)));
  return ((row?.querySelector('.spark path')?.getAttribute('d') ?? '').match(/[ML]/g) ?? []).length === count;
}, [name, points]);

test('small lines are there when a host opens, before any sample comes', async () => {
  await page.goto(hostUrl(server, 'box'));
  await lineOf('worker-one', 20);
  const points = await line('worker-one');
  assert.ok(points.every(([, up], i) => i === 0 || up > (points[i - 1]?.[1] ?? 0)), `CPU that rose is a line that rises: ${points}`);
  assert.deepEqual(await line('sh'), [[0, 0], [58, 0]], 'what did nothing has a line at the bottom');
  await lineOf('young', COUNT - CAME);
  assert.equal((await line('young'))[0]?.[0], Number(((58 / 19) * (20 - (COUNT - CAME))).toFixed(1)), 'it begins where the process began');
});

test('a sample that comes moves the line on', async () => {
  await page.goto(hostUrl(server, 'box'));
  await lineOf('worker-one', 20);
  await server.upload(key, snapshot('box', new Date(), tree(0)));
  await rowNamed(page, 'worker-one').locator('.cell.heat', { hasText: '10.0' }).waitFor();
  const points = await line('worker-one');
  assert.equal(points.length, 20);
  assert.ok((points[19]?.[1] ?? 99) < (points[18]?.[1] ?? 0), 'the newest value stands at the end');
});

test('at a past moment the line is what was before that moment, also after a step', async () => {
  await page.goto(hostUrl(server, 'box', { at: String(at(30)) }));
  await lineOf('worker-one', 20);
  await page.goto(hostUrl(server, 'box', { at: String(at(6)) }));
  await lineOf('worker-one', 7);
  await rowNamed(page, 'init').focus();
  await page.keyboard.press('.');
  await lineOf('worker-one', 8);
  await page.keyboard.press(',');
  await lineOf('worker-one', 7);
  await page.keyboard.press(',');
  await lineOf('worker-one', 6);
});

test('a group has the line of its processes together', async () => {
  await page.goto(hostUrl(server, 'box', { group: 'user', at: String(at(30)) }));
  await lineOf('www', 20);
  assert.ok((await line('www')).every(([, up]) => up > 0));
});

test('losses of a past range are told: how many, when and why, on the chart, in words and as a list', async () => {
  const from = Date.now() - 1_500_000;
  for (let i = 0; i < 10; i++) await server.upload(key, snapshot('gap', new Date(from + i * STEP_MS), smallTree(90)));
  const lost = [{ kind: 'snapshots', from: new Date(from + 60_000).toISOString(), until: new Date(from + 590_000).toISOString(), count: 107 }];
  await server.upload(key, { ...snapshot('gap', new Date(from + 600_000), smallTree(90)), losses: lost });
  for (let i = 1; i < 10; i++) await server.upload(key, snapshot('gap', new Date(from + 600_000 + i * STEP_MS), smallTree(90)));
  const end = String(from + 700_000);
  await page.goto(hostUrl(server, 'gap', { at: String(from + 640_000), range: '12m', end }));
  await page.locator('.lost-note', { hasText: '107 samples lost' }).waitFor();
  const box = await page.locator('.plot .u-over').first().boundingBox();
  assert.ok(box);
  await page.mouse.move(box.x + box.width * 0.5, box.y + 20);
  await page.locator('.chart h2 small', { hasText: '107 samples lost' }).first().waitFor();
  await page.mouse.move(box.x + box.width * 0.97, box.y + 20);
  await page.locator('.chart h2 small', { hasText: /at [\d: -]+$/ }).first().waitFor();
  assert.ok(await marked(0.5) && !await marked(0.98), 'the loss is marked where it was');
  await page.locator('.lost-note').click();
  const row = page.locator('dialog tbody tr');
  assert.match((await row.first().textContent()) ?? '', /8\smin\s50\ss.*107 samples lost.*could not keep them until the server took them/);
  assert.equal(await row.count(), 1);
  await page.keyboard.press('Escape');
  // A range that ends before the sample that tells of it.
  await page.goto(hostUrl(server, 'gap', { at: String(from + 20_000), range: '5m', end: String(from + 300_000) }));
  await page.locator('.lost-note', { hasText: '107 samples lost' }).waitFor();
  await page.goto(hostUrl(server, 'gap', { at: String(from + 640_000), range: '1m', end }));
  await page.locator('.plot canvas').first().waitFor();
  await page.locator('.lost-note').waitFor({ state: 'hidden' });
});

/** Whether the CPU chart has a mark at its top at this part of its width. @param {number} part */
const marked = (part) => page.locator('.plot canvas').first().evaluate((canvas, share) => {
  if (!(canvas instanceof HTMLCanvasElement)) return false;
  const { data } = canvas.getContext('2d')?.getImageData(Math.round(canvas.width * share), 0, 1, 12) ?? { data: [] };
  return Array.from({ length: 12 }, (_, y) => [data[y * 4] ?? 0, data[y * 4 + 1] ?? 0, data[y * 4 + 3] ?? 0]).some(([red = 0, green = 0, alpha = 0]) => alpha > 200 && red > green + 80);
}, part);

test('nothing went wrong in the browser', () => {
  assert.deepEqual(trouble, []);
});
