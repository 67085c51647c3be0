// What the page's bench measures with: quantiles, long tasks, script time, heap, and plain pages to compare with.
import { createServer } from 'node:http';

/** @param {number[]} values @param {number} share */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

export const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

const WIDTH = 1440;
const HEIGHT = 900;

/** A page that notes long tasks from its first moment on. @param {import('playwright-core').Browser} browser */
export async function freshPage(browser) {
  const context = await browser.newContext({ viewport: { width: WIDTH, height: HEIGHT } });
  const page = await context.newPage();
  await page.addInitScript(() => {
    /** @type {number[]} */
    const tasks = [];
    Object.assign(window, { longTasks: tasks });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) tasks.push(entry.duration);
    }).observe({ type: 'longtask', buffered: true });
  });
  return { context, page, session: await context.newCDPSession(page) };
}

/** The long tasks since the last call. @param {import('playwright-core').Page} page @returns {Promise<number[]>} */
export const longTasks = (page) => page.evaluate(() => /** @type {any} */ (window).longTasks.splice(0));

/** Marks the page's thread in a trace. */
const MARK = 'bench-page';

/**
 * Does some work with a page and tells how long each task of the page's thread computed meanwhile, in ms: its own time, which
 * other work on the machine does not lengthen. Tasks that drive the page from outside are among them.
 * @param {import('playwright-core').Browser} browser
 * @param {import('playwright-core').Page} page
 * @param {() => Promise<unknown>} work
 * @returns {Promise<number[]>}
 */
export async function threadTasks(browser, page, work) {
  const session = await browser.newBrowserCDPSession();
  /** @type {any[]} */
  const events = [];
  session.on('Tracing.dataCollected', ({ value }) => events.push(...value));
  await session.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: ['toplevel', 'blink.user_timing'] } });
  await work();
  await page.evaluate((name) => void performance.mark(name), MARK);
  const complete = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
  await session.send('Tracing.end');
  await complete;
  await session.detach();
  const mark = events.find((event) => event.name === MARK);
  return events.filter((event) => event.pid === mark?.pid && event.tid === mark?.tid && event.name.endsWith('RunTask') && event.tdur > 0).map((event) => event.tdur / 1000);
}

/** So long after an update all it caused is done. */
const SETTLED_MS = 800;

/**
 * Script time from one update to the next, in ms, all that happens in between included: what the page's thread computed, which
 * other work on the machine does not lengthen. Read at the same distance from each update, so that each value has exactly one.
 * @param {import('playwright-core').CDPSession} session
 * @param {number} seconds
 * @param {() => Promise<unknown>} [ticked] waits for the next update
 */
export async function scriptASecond(session, seconds, ticked = () => pause(1000 - SETTLED_MS)) {
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const script = async () => ((await session.send('Performance.getMetrics')).metrics.find((metric) => metric.name === 'ScriptDuration')?.value ?? 0) * 1000;
  const read = async () => {
    await ticked();
    await pause(SETTLED_MS);
    return script();
  };
  const values = [];
  let last = await read();
  for (let i = 0; i < seconds; i++) {
    const next = await read();
    values.push(next - last);
    last = next;
  }
  return values;
}

const ROW_PX = 24;

/** Times between frames while a grid is scrolled by so many rows a frame, in ms. @param {import('playwright-core').Page} page @param {number} rows @returns {Promise<number[]>} */
export const scrollFrames = (page, rows) => page.evaluate((step) => new Promise((resolve) => {
  const grid = document.querySelector('[role=treegrid], [role=grid]');
  /** @type {number[]} */
  const times = [];
  let last = performance.now();
  const frame = () => {
    const now = performance.now();
    times.push(now - last);
    last = now;
    if (grid) grid.scrollTop = grid.scrollTop + step >= grid.scrollHeight - grid.clientHeight ? 0 : grid.scrollTop + step;
    if (times.length < 300) requestAnimationFrame(frame);
    else resolve(times.slice(5));
  };
  requestAnimationFrame(frame);
}), rows * ROW_PX);

const PLAIN_ROWS = 600;
const PLAIN_CELLS = 8;

/** Pages that do next to nothing, served alike: what this browser on this machine takes for itself. @returns {Promise<{ empty: string, list: string, close: () => void }>} */
export async function servePlain() {
  const row = (/** @type {number} */ at) => `<div class="row">${Array.from({ length: PLAIN_CELLS }, (_, cell) => `<span>${cell ? at * cell : `process-${at}`}</span>`).join('')}</div>`;
  const list = `<style>body { margin: 0; font: 13px sans-serif } [role=grid] { height: 650px; overflow: auto; contain: strict } .row { height: 24px; display: flex; contain: strict } span { width: 120px; flex: none }</style>
    <div role="grid">${Array.from({ length: PLAIN_ROWS }, (_, at) => row(at)).join('')}</div>`;
  const server = createServer((request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' });
    response.end(`<!doctype html><title>Plain</title>${request.url === '/list' ? list : '<p>Text'}`);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(null)));
  const bound = server.address();
  const url = `http://127.0.0.1:${typeof bound === 'object' && bound ? bound.port : 0}`;
  return { empty: `${url}/`, list: `${url}/list`, close: () => { server.close(); server.closeAllConnections(); } };
}

/** What is reachable in the heap, in MB, after a collection. @param {import('playwright-core').Page} page @param {import('playwright-core').CDPSession} session */
export async function heapMegabytes(page, session) {
  await session.send('HeapProfiler.collectGarbage');
  return (await page.evaluate(() => /** @type {any} */ (performance).memory.usedJSHeapSize)) / 1e6;
}
