// The page's budgets, measured in Chromium: first load, time to the tree and going back in time on the real server; script an
// update, scrolling, long tasks and the heap on made-up hosts (fake/), which change alike in every run. Prints a Markdown table.
//   PROCESSION_BINARY=… node bench/page.mjs [--only load,moments,updates,hosts,heap] [--updates 60] [--heap-minutes 20] [--heap-pace 1]
// The heap is watched for as many updates as come in so many minutes at 1 Hz; a pace of 10 sends them in a tenth of the time,
// a pace of 1 takes the minutes.
import { cpus } from 'node:os';
import { startBrowser } from '../browser.mjs';
import { startFake } from '../fake/server.mjs';
import { TestServer, hostUrl } from '../harness.mjs';
import { bigTree, snapshot } from '../samples.mjs';
import { freshPage, heapMegabytes, longTasks, pause, quantile, scriptASecond, scrollFrames, servePlain, threadTasks } from './measure.mjs';

/** @param {string} name @param {number} otherwise */
const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const UPDATES = option('updates', 60);
const HEAP_MINUTES = option('heap-minutes', 20);
const HEAP_PACE = option('heap-pace', 1);
const PROCESSES = option('processes', 5000);
const PARTS = process.argv.includes('--only') ? (process.argv[process.argv.indexOf('--only') + 1] ?? '').split(',') : ['load', 'moments', 'updates', 'hosts', 'heap'];
const DEPTH = 60;
const LOADS = 9;
const EMPTY_MS = 500;
const MOMENTS = 40;
const SNAPSHOTS = 24;
/** How often the heap is looked at, at even distances. */
const HEAP_LOOKS = 20;

/** @type {string[][]} */
const table = [];
const ms = (/** @type {number} */ value) => `${value.toFixed(1)} ms`;
/** @param {string} what @param {number[]} values @param {string} budget */
const timed = (what, values, budget) => table.push([what, ms(quantile(values, 0.5)), ms(quantile(values, 0.95)), budget]);
/** @param {string} what @param {string} value @param {string} budget */
const one = (what, value, budget) => table.push([what, value, '', budget]);
/** @param {string} what @param {number[]} tasks @param {string} [budget] */
const none = (what, tasks, budget = '0') => one(what, `${tasks.length}${tasks.length ? ` (longest ${ms(Math.max(...tasks))})` : ''}`, budget);

/** A server with one host of many processes, looked at every five seconds. */
async function realServer() {
  const server = await new TestServer().start(['--no-local-agent']);
  const key = await server.uploadKey();
  const begin = Date.now() - SNAPSHOTS * 5000;
  for (let i = 0; i < SNAPSHOTS; i++) await server.upload(key, snapshot('big', new Date(begin + i * 5000), bigTree(PROCESSES, DEPTH).map((task, at) => ({ ...task, cpu: ((at * 37 + i * 11) % 100) / 10 }))));
  return server;
}

/** @param {import('playwright-core').Browser} browser @param {TestServer} server */
async function firstLoad(browser, server) {
  const times = [];
  let bytes = 0;
  let modules = 0;
  for (let round = 0; round < LOADS; round++) {
    const { context, page, session } = await freshPage(browser);
    // Signed in, but with an empty cache: what the first visit after an update of the server costs.
    await context.request.get(await server.signInLink());
    await session.send('Network.enable');
    await session.send('Network.emulateNetworkConditions', { offline: false, latency: 40, downloadThroughput: 20e6 / 8, uploadThroughput: 20e6 / 8 });
    await page.goto(hostUrl(server, 'big'), { waitUntil: 'commit' });
    times.push(await wholeGrid(page, 'treegrid'));
    modules = await page.evaluate(() => performance.getEntriesByType('resource').filter((entry) => entry.name.endsWith('.js') && entry.startTime < (performance.getEntriesByName('first-tree')[0]?.startTime ?? 0)).length);
    await page.locator('.plot canvas').first().waitFor();
    bytes = await page.evaluate(() => performance.getEntriesByType('resource').filter((entry) => entry.name.includes('/page/')).reduce((sum, entry) => sum + /** @type {PerformanceResourceTiming} */ (entry).encodedBodySize, 0));
    await context.close();
  }
  one('first load with charts, compressed', `${(bytes / 1024).toFixed(1)} KB`, '≤ 100 KB');
  one('modules asked for before the first tree', String(modules), '≤ 15');
  timed(`tree of ${PROCESSES} processes at 40 ms and 20 Mbit/s, from the address to the tree, ${LOADS} loads with an empty cache`, times, '≤ 1,000 ms');
}

/**
 * When the grid was there, each row that has room for it, and drawn. The page looks by itself: a wait from outside would first put much
 * script into it. It looks after each frame, when all is laid out: to ask for a height before would make the browser lay out once more.
 * @param {import('playwright-core').Page} page @param {'treegrid' | 'grid'} role @returns {Promise<number>}
 */
const wholeGrid = (page, role) => page.evaluate((wanted) => new Promise((resolve) => {
  const look = () => {
    const height = document.querySelector(`[role=${wanted}]`)?.clientHeight ?? Infinity;
    if (document.querySelectorAll('.row:not([hidden])').length >= Math.floor((height - 30) / 24)) resolve(performance.now());
    else requestAnimationFrame(() => setTimeout(look));
  };
  look();
}), role);

/** From the press on a chart to the frame after the tree of that moment. @param {import('playwright-core').Browser} browser @param {TestServer} server */
async function backInTime(browser, server) {
  const { context, page } = await freshPage(browser);
  await context.request.get(await server.signInLink());
  await page.goto(hostUrl(server, 'big', { range: '2m' }));
  await page.locator('.plot canvas').first().waitFor();
  await pause(2000);
  await page.evaluate(() => {
    let pressed = 0;
    const time = document.querySelector('.range time');
    addEventListener('mousedown', () => (pressed = performance.now()), true);
    Object.assign(window, { shown: [] });
    if (time) new MutationObserver(() => {
      const from = pressed;
      pressed = 0;
      if (from) requestAnimationFrame(() => setTimeout(() => /** @type {any} */ (window).shown.push(performance.now() - from)));
    }).observe(time, { characterData: true, subtree: true, childList: true });
  });
  const box = await page.locator('.plot .u-over').first().boundingBox();
  if (!box) throw new Error('There is no chart.');
  for (let i = 0; i < MOMENTS; i++) {
    await page.mouse.click(box.x + box.width * (0.1 + 0.85 * ((i * 0.618) % 1)), box.y + 30);
    await pause(350);
  }
  /** @type {number[]} */
  const shown = await page.evaluate(() => /** @type {any} */ (window).shown);
  // A click on the moment that is shown already changes nothing.
  if (shown.length < MOMENTS / 2) throw new Error(`${shown.length} of ${MOMENTS} clicks went to another moment.`);
  timed(`a click on a chart to the frame after the tree of that moment, ${PROCESSES} processes, ${shown.length} moments`, shown, '≤ 150 ms');
  await context.close();
}

/** @param {import('playwright-core').Browser} browser */
async function updates(browser) {
  const fake = await startFake({ processes: PROCESSES, depth: DEPTH });
  const { context, page, session } = await freshPage(browser);
  await page.goto(`${fake.url}/host?name=web-03`);
  await page.locator('.plot canvas').first().waitFor();
  await pause(5000);
  await longTasks(page);
  const values = await scriptASecond(session, UPDATES, fake.ticked);
  const tasks = await longTasks(page);
  timed(`script an update (time of the page's thread), ${PROCESSES} processes at 1 Hz, ${UPDATES} updates`, values, 'p95 ≤ 8 ms');
  none('tasks over 50 ms meanwhile', tasks);
  timed('a frame while scrolling three rows a frame, each cell of them drawn', await scrollFrames(page, 3), 'p95 ≤ 20 ms');
  timed('a frame while scrolling ten rows a frame', await scrollFrames(page, 10), 'p95 ≤ 20 ms');
  await context.close();
  fake.close();
  await plainScroll(browser);
}

/** What the machine gives. @param {import('playwright-core').Browser} browser */
async function plainScroll(browser) {
  const plain = await servePlain();
  const { context, page } = await freshPage(browser);
  await page.goto(plain.list);
  await pause(1000);
  timed('for comparison: a plain list of 600 rows, three rows a frame', await scrollFrames(page, 3), '');
  timed('the same, ten rows a frame', await scrollFrames(page, 10), '');
  await context.close();
  plain.close();
}

/** @param {import('playwright-core').Browser} browser */
async function heap(browser) {
  const fake = await startFake({ processes: PROCESSES, depth: DEPTH, tickMs: 1000 / HEAP_PACE });
  const { context, page, session } = await freshPage(browser);
  await page.goto(`${fake.url}/host?name=web-03`);
  await page.locator('.plot canvas').first().waitFor();
  const values = [];
  for (let part = 0; part <= HEAP_LOOKS; part++) {
    await pause((HEAP_MINUTES * 60_000) / HEAP_PACE / HEAP_LOOKS);
    values.push(await heapMegabytes(page, session));
  }
  const quarter = Math.ceil(values.length / 4);
  const [early, late] = [quantile(values.slice(0, quarter), 0.5), quantile(values.slice(-quarter), 0.5)];
  const updates = Math.round(HEAP_MINUTES * 60);
  table.push([`heap after a collection, over ${updates} updates (${HEAP_MINUTES} minutes at 1 Hz${HEAP_PACE === 1 ? '' : `, sent ${HEAP_PACE} a second`}): median of the first and of the last quarter`, `${early.toFixed(1)} → ${late.toFixed(1)} MB`, '', 'flat']);
  await context.close();
  fake.close();
}

/** @param {import('playwright-core').Browser} browser */
async function thousandHosts(browser) {
  const fake = await startFake({ processes: 50, hosts: 1000 });
  // What a browser does for itself right after its start is no part of the page.
  await pause(3000);
  const plain = await servePlain();
  /** @type {number[]} */
  const tasks = [];
  /** @type {number[]} */
  const plainTasks = [];
  /** @type {number[]} */
  const longest = [];
  /** @type {number[]} */
  const plainLongest = [];
  for (let round = 0; round < LOADS; round++) {
    tasks.push(...await tasksOfLoad(browser, (page) => openFleet(page, fake.url)));
    plainTasks.push(...await tasksOfLoad(browser, (page) => openEmpty(page, plain.empty)));
    longest.push(await longestOfLoad(browser, (page) => openFleet(page, fake.url)));
    plainLongest.push(await longestOfLoad(browser, (page) => openEmpty(page, plain.empty)));
  }
  none(`1,000 hosts: tasks over 50 ms until the list is there, ${LOADS} loads`, tasks);
  none('the same for an empty page', plainTasks, '');
  timed('1,000 hosts: the longest task of a load (time of the page\'s thread), in loads of their own that are traced', longest, '< 50 ms');
  timed('the same for an empty page', plainLongest, '');
  plain.close();
  const { context, page, session } = await freshPage(browser);
  await openFleet(page, fake.url);
  await longTasks(page);
  const values = await scriptASecond(session, 15, fake.ticked);
  none('1,000 hosts, all changing each second, 15 s: tasks over 50 ms', await longTasks(page));
  timed('the same: script a second', values, '');
  await context.close();
  fake.close();
}

/** The tasks over 50 ms of a load that nothing but the page's own observer watches. @param {import('playwright-core').Browser} browser @param {(page: import('playwright-core').Page) => Promise<unknown>} open */
async function tasksOfLoad(browser, open) {
  const { context, page } = await freshPage(browser);
  await open(page);
  // The observer is told of a task only after it.
  await pause(100);
  const tasks = await longTasks(page);
  await context.close();
  return tasks;
}

/** @param {import('playwright-core').Browser} browser @param {(page: import('playwright-core').Page) => Promise<unknown>} open */
async function longestOfLoad(browser, open) {
  const { context, page } = await freshPage(browser);
  const longest = Math.max(...await threadTasks(browser, page, () => open(page)));
  await context.close();
  return longest;
}

/** Until each row that has room is there. @param {import('playwright-core').Page} page @param {string} url */
async function openFleet(page, url) {
  await page.goto(`${url}/`);
  await wholeGrid(page, 'grid');
}

/** About as long as the list of hosts takes. @param {import('playwright-core').Page} page @param {string} url */
async function openEmpty(page, url) {
  await page.goto(url);
  await page.evaluate((untilMs) => new Promise((resolve) => {
    const look = () => (performance.now() > untilMs ? resolve(null) : requestAnimationFrame(look));
    look();
  }), EMPTY_MS);
}

const browser = await startBrowser();
if (PARTS.includes('load') || PARTS.includes('moments')) {
  const server = await realServer();
  if (PARTS.includes('load')) await firstLoad(browser, server);
  if (PARTS.includes('moments')) await backInTime(browser, server);
  await server.close();
}
if (PARTS.includes('updates')) await updates(browser);
if (PARTS.includes('hosts')) await thousandHosts(browser);
if (PARTS.includes('heap') && HEAP_MINUTES > 0) await heap(browser);
console.log(`Machine: ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}; Chromium ${browser.version()}.\n`);
console.log('| measured | value, median | p95 | budget |\n|---|---|---|---|');
for (const row of table) console.log(`| ${row.join(' | ')} |`);
await browser.close();
process.exit(0);
