// Pictures of every view in light, dark and at 360 px, from the real server with made-up hosts, into docs/screenshots/ (WebP).
//   PROCESSION_BINARY=… node screenshots.mjs [view …]
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TestServer, hostUrl, signedIn, startBrowser } from './harness.mjs';
import { NAME, startMachine } from './machine.mjs';
import { World } from './fake/world.mjs';

const out = process.env['SCREENSHOTS_DIR'] ?? join(dirname(fileURLToPath(import.meta.url)), '..', 'docs', 'screenshots');
const QUALITY = 72;
const only = process.argv.slice(2);
const STEP_MS = 20_000;
/** How long the real machine works before its picture is taken. */
const MACHINE_MS = 200_000;
const SETTLED_MS = 4_000;
/** What one host lost of its history, in ms before now. */
const LOST = { hostname: 'db-01', from: 700_000, until: 440_000 };

/** One upload body of a made-up host. @param {World} world @param {number} ms */
function upload(world, ms) {
  const live = world.slots.filter((process) => process !== undefined);
  return {
    hostname: world.hostname, snapshot_time: new Date(ms).toISOString(), cpu_count: 16, memory_total: 64_000_000_000, os: 'Debian 12', agent_version: '0.1.0',
    processes: live.map((one) => ({ pid: one.pid, parent_pid: one.parent_pid, name: one.name, cpu: one.cpu / 100, memory: one.memory, start_time: new Date(one.start_time).toISOString(), command_line: one.command_line, user: one.user, state: one.state, threads: one.threads,
      virtual_memory: one.virtual_memory, read_bytes: one.read_bytes, write_bytes: one.write_bytes })),
  };
}

/** @param {TestServer} server @param {string} key */
async function fill(server, key) {
  const names = ['web-03', 'web-04', 'db-01', 'db-02', 'build-17', 'cache-2'];
  const until = Date.now();
  const worlds = names.map((hostname, i) => new World({ hostname, count: 140 + i * 37, seed: 42 + i * 13, hostile: false }));
  for (const world of worlds) {
    const from = until - (world.hostname === 'web-03' ? 3_600_000 : 1_200_000);
    for (let ms = from; ms <= until; ms += STEP_MS) {
      world.tick(ms, 3);
      const isOfLost = world.hostname === LOST.hostname && ms > until - LOST.from && ms < until - LOST.until + STEP_MS;
      if (isOfLost && ms < until - LOST.until) continue;
      const lost = { kind: 'snapshots', from: new Date(until - LOST.from).toISOString(), until: new Date(ms).toISOString(), count: Math.floor((LOST.from - LOST.until) / STEP_MS) };
      await server.upload(key, { ...upload(world, world.hostname === 'cache-2' ? ms - 7_200_000 : ms), ...(isOfLost ? { losses: [lost] } : {}) });
    }
  }
  const web = worlds[0];
  return { web, live: async () => { if (web) { web.tick(Date.now(), 2); await server.upload(key, upload(web, Date.now())); } } };
}

const machine = only.length && !only.includes('readme') ? null : await startMachine();
const server = await new TestServer().start(['--interval', '1s']);
const empty = await new TestServer().start(['--no-local-agent']);
const browser = await startBrowser();
try {
  const key = await server.uploadKey();
  const { live } = await fill(server, key);
  const past = String(Date.now() - 480_000);
  const end = String(Date.now());
  /** @param {import('playwright-core').Page} page */
  const selectBusy = async (page) => {
    await page.locator('.row:not([hidden])').nth(4).click();
    await page.locator('.pane h2').waitFor();
  };
  /** @type {Record<string, { url: string, ready: string, act?: (page: import('playwright-core').Page, phone: boolean) => Promise<unknown>, on?: TestServer, signedOut?: boolean, look?: string }>} */
  const views = {
    fleet: { url: `${server.url}/`, ready: '.row:not([hidden])' },
    'side-by-side': { url: `${server.url}/?view=charts`, ready: '.side-card canvas' },
    host: { url: hostUrl(server, 'web-03'), ready: '.plot canvas', act: async (page, phone) => (phone ? undefined : selectBusy(page)) },
    past: { url: hostUrl(server, 'web-03', { at: past, end, q: 'name:post*' }), ready: '.plot canvas' },
    details: { url: hostUrl(server, 'web-03', { sort: '-memory' }), ready: '.plot canvas', act: (page) => selectBusy(page) },
    who: { url: hostUrl(server, 'web-03'), ready: '.plot canvas', act: async (page) => { await page.locator('.range button.who').evaluate((button) => button instanceof HTMLElement && button.click()); await page.locator('.dialog table').waitFor(); } },
    program: { url: `${server.url}/program?name=convert&range=1h`, ready: '.gantt' },
    compare: { url: `${server.url}/compare?name=web-03&from=now-30m&to=now`, ready: '.page-main h2' },
    keys: { url: hostUrl(server, 'web-03'), ready: '.plot canvas', act: async (page) => { await page.getByRole('button', { name: 'Keys and commands' }).click(); await page.locator('.dialog table').first().waitFor(); } },
    losses: { url: hostUrl(server, LOST.hostname, { range: '15m' }), ready: '.lost-note:not(:empty)', act: async (page) => { await page.locator('.lost-note').click(); await page.locator('.dialog .table').waitFor(); } },
    kiosk: { url: hostUrl(server, 'web-03', { kiosk: '1', rotate: '30s', hold: '1' }), ready: '.rotation' },
    menu: { url: hostUrl(server, 'web-03'), ready: '.plot canvas', look: 'phone', act: async (page) => { await page.getByRole('button', { name: 'More…' }).click(); await page.locator('.dialog .actions').first().waitFor(); } },
    grouped: { url: hostUrl(server, 'web-03', { group: 'user', fold: '1' }), ready: '.row.group:not([hidden])' },
    'add-a-host': { url: `${server.url}/keys`, ready: 'main h1' },
    'no-host': { url: `${empty.url}/`, ready: '.empty h1', on: empty },
    'sign-in': { url: `${server.url}/`, ready: '.empty h1', signedOut: true },
  };
  mkdirSync(out, { recursive: true });
  for (const [look, options] of /** @type {[string, import('playwright-core').BrowserContextOptions][]} */ ([['light', { colorScheme: 'light' }], ['dark', { colorScheme: 'dark' }], ['phone', { colorScheme: 'light', viewport: { width: 360, height: 740 } }]])) {
    for (const [name, view] of Object.entries(views)) {
      if ((only.length && !only.includes(name)) || (view.look && view.look !== look)) continue;
      await live();
      const size = options.viewport ?? { width: 1440, height: 900 };
      const { context, page } = view.signedOut ? await plain(options) : await signedIn(browser, view.on ?? server, options);
      try {
        await page.setViewportSize(size);
        await page.goto(view.url);
        await page.locator(view.ready).first().waitFor({ timeout: 10_000 });
        page.setDefaultTimeout(10_000);
        await view.act?.(page, look === 'phone');
        await page.waitForTimeout(900);
        const session = await context.newCDPSession(page);
        const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: QUALITY });
        writeFileSync(join(out, `${name}-${look}.webp`), Buffer.from(data, 'base64'));
        if (process.env['SCREENSHOTS_PNG']) await page.screenshot({ path: join(out, `${name}-${look}.png`) });
      } catch (error) {
        console.error(`${name}-${look}: ${error instanceof Error ? error.message.split('\n')[0] : error}`);
        process.exitCode = 1;
      }
      await context.close();
    }
  }
  if (machine) await readme(machine);
} finally {
  machine?.close();
  await browser.close();
  await server.close();
  await empty.close();
}

/** The README's picture: a machine with real programs at work, after some minutes. @param {NonNullable<Awaited<ReturnType<typeof startMachine>>>} real */
async function readme(real) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'light' });
  const page = await context.newPage();
  await page.goto(real.link);
  await page.waitForTimeout(Math.max(0, real.started + MACHINE_MS - Date.now()));
  await page.goto(`${real.url}/host?${new URLSearchParams({ name: NAME, range: '3m' })}`);
  await page.locator('.plot canvas').first().waitFor();
  await page.waitForTimeout(SETTLED_MS);
  const busy = page.locator('.row:not([hidden])', { has: page.locator('.label', { hasText: /^postgres/ }) });
  await busy.nth(3).click();
  await page.mouse.move(5, 5);
  await page.locator('.pane .life canvas').first().waitFor();
  await page.waitForTimeout(2500);
  const session = await context.newCDPSession(page);
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: 80 });
  writeFileSync(join(out, 'readme.webp'), Buffer.from(data, 'base64'));
  if (process.env['SCREENSHOTS_PNG']) await page.screenshot({ path: join(out, 'readme.png') });
  await context.close();
}

/** @param {import('playwright-core').BrowserContextOptions} options */
async function plain(options) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  return { context, page: await context.newPage() };
}
