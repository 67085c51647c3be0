// The page's budgets, measured in Chromium against made-up hosts: first load, time to the tree, script an update, scrolling,
// long tasks with 1,000 hosts, heap over time. Prints a Markdown table with budgets.
//   node bench/page.mjs [--updates 60] [--heap-minutes 0]
import { cpus } from 'node:os';
import { startBrowser } from '../browser.mjs';
import { startFake } from '../fake/server.mjs';

/** @param {string} name @param {number} otherwise */
const option = (name, otherwise) => Number(process.argv[process.argv.indexOf(`--${name}`) + 1] || NaN) || otherwise;
const UPDATES = option('updates', 60);
const HEAP_MINUTES = option('heap-minutes', 0);
const PROCESSES = option('processes', 5000);

/** @param {number[]} values @param {number} share */
function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
const ms = (/** @type {number} */ value) => `${value.toFixed(1)} ms`;
const pause = (/** @type {number} */ time) => new Promise((resolve) => setTimeout(resolve, time));

/** @type {[string, string, string][]} */
const table = [];

/** Notes long tasks from the first moment on. @param {import('playwright-core').Page} page */
async function watchLongTasks(page) {
  await page.addInitScript(() => {
    /** @type {number[]} */
    const tasks = [];
    Object.assign(window, { longTasks: tasks });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) tasks.push(entry.duration);
    }).observe({ type: 'longtask', buffered: true });
  });
}

/** @param {import('playwright-core').Page} page @returns {Promise<number[]>} */
const longTasks = (page) => page.evaluate(() => /** @type {any} */ (window).longTasks.splice(0));

/** @param {import('playwright-core').Browser} browser @param {string} url */
async function firstLoad(browser, url) {
  const times = [];
  let bytes = 0;
  let modules = 0;
  for (let round = 0; round < 5; round++) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    const session = await context.newCDPSession(page);
    await session.send('Network.enable');
    await session.send('Network.emulateNetworkConditions', { offline: false, latency: 40, downloadThroughput: 20e6 / 8, uploadThroughput: 20e6 / 8 });
    const begin = performance.now();
    await page.goto(`${url}/host?name=web-03`, { waitUntil: 'commit' });
    await page.locator('.row:not([hidden])').first().waitFor();
    times.push(performance.now() - begin);
    if (round === 0) modules = await page.evaluate(() => {
      const grid = performance.getEntriesByName('first-tree')[0]?.startTime ?? performance.now();
      return performance.getEntriesByType('resource').filter((entry) => entry.name.endsWith('.js') && entry.startTime < grid).length;
    });
    await page.locator('.plot canvas').first().waitFor();
    bytes = await page.evaluate(() => performance.getEntriesByType('resource').filter((entry) => entry.name.includes('/page/')).reduce((sum, entry) => sum + /** @type {PerformanceResourceTiming} */ (entry).encodedBodySize, 0));
    await context.close();
  }
  table.push(['first load of the page with charts, compressed (gzip)', `${(bytes / 1024).toFixed(1)} KB`, '≤ 100 KB']);
  table.push(['modules asked for before the first tree', String(modules), '≤ 15']);
  table.push([`tree of ${PROCESSES} processes at 40 ms and 20 Mbit/s, median of 5`, ms(quantile(times, 0.5)), '≤ 1000 ms']);
}

/** @param {import('playwright-core').Browser} browser @param {string} url */
async function updates(browser, url) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await watchLongTasks(page);
  const session = await context.newCDPSession(page);
  await session.send('Performance.enable');
  await page.goto(`${url}/host?name=web-03`);
  await page.locator('.plot canvas').first().waitFor();
  await pause(4000);
  await longTasks(page);
  const script = async () => ((await session.send('Performance.getMetrics')).metrics.find((metric) => metric.name === 'ScriptDuration')?.value ?? 0) * 1000;
  const values = [];
  let last = await script();
  for (let i = 0; i < UPDATES; i++) {
    await pause(1000);
    const next = await script();
    values.push(next - last);
    last = next;
  }
  const tasks = await longTasks(page);
  table.push([`script an update, ${PROCESSES} processes at 1 Hz, ${UPDATES} updates: median`, ms(quantile(values, 0.5)), '']);
  table.push(['the same: p95', ms(quantile(values, 0.95)), '≤ 8 ms']);
  table.push(['tasks over 50 ms meanwhile', String(tasks.length), '0']);
  table.push(['scrolling: p95 frame', ms(await scrolling(page)), '≤ 20 ms']);
  if (HEAP_MINUTES) await heap(page, session);
  await context.close();
}

/** @param {import('playwright-core').Page} page */
async function scrolling(page) {
  const frames = await page.evaluate(() => new Promise((resolve) => {
    const grid = document.querySelector('[role=treegrid]');
    /** @type {number[]} */
    const times = [];
    let last = performance.now();
    const step = () => {
      const now = performance.now();
      times.push(now - last);
      last = now;
      if (grid) grid.scrollTop += 240;
      if (times.length < 240) requestAnimationFrame(step);
      else resolve(times.slice(5));
    };
    requestAnimationFrame(step);
  }));
  return quantile(/** @type {number[]} */ (frames), 0.95);
}

/** @param {import('playwright-core').Page} page @param {import('playwright-core').CDPSession} session */
async function heap(page, session) {
  const used = async () => {
    await session.send('HeapProfiler.collectGarbage');
    return (await page.evaluate(() => /** @type {any} */ (performance).memory.usedJSHeapSize)) / 1e6;
  };
  const before = await used();
  await pause(HEAP_MINUTES * 60_000);
  const after = await used();
  table.push([`heap after ${HEAP_MINUTES} minutes of updates`, `${before.toFixed(1)} → ${after.toFixed(1)} MB`, 'flat']);
}

/** @param {import('playwright-core').Browser} browser */
async function thousandHosts(browser) {
  const fake = await startFake({ processes: 50, hosts: 1000 });
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await watchLongTasks(page);
  await page.goto(`${fake.url}/`);
  await page.locator('.row:not([hidden])').nth(20).waitFor();
  await pause(10_000);
  const tasks = await longTasks(page);
  table.push(['1,000 hosts, all changing each second, 10 s: tasks over 50 ms', `${tasks.length}${tasks.length ? ` (longest ${ms(Math.max(...tasks))})` : ''}`, '0']);
  await context.close();
  fake.close();
}

const browser = await startBrowser();
const fake = await startFake({ processes: PROCESSES, depth: 60 });
await firstLoad(browser, fake.url);
await updates(browser, fake.url);
fake.close();
await thousandHosts(browser);
console.log(`Machine: ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}; ${browser.version()}; made-up hosts from e2e/fake.\n`);
console.log('| measured | value | budget |\n|---|---|---|');
for (const row of table) console.log(`| ${row.join(' | ')} |`);
await browser.close();
process.exit(0);
