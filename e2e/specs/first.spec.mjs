// What people see first: the header in the theme they chose, before a module has come, and then the icons.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestServer, signedIn, startBrowser } from '../harness.mjs';

const server = new TestServer();
/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;
/** @type {string[]} */
let trouble;

before(async () => {
  await server.start(['--no-local-agent']);
  browser = await startBrowser();
  ({ page, trouble } = await signedIn(browser, server));
});

after(async () => {
  await browser?.close();
  await server.close();
});

/** Opens an address while modules do not come, and tells what is seen. @param {string} path */
async function withoutModules(path) {
  await page.route('**/*.js', () => {});
  await page.goto(`${server.url}${path}`, { waitUntil: 'commit' });
  await page.locator('.brand', { hasText: 'Procession' }).waitFor();
  const seen = await page.evaluate(() => {
    const { x, y, width } = /** @type {Element} */ (document.querySelector('.brand span')).getBoundingClientRect();
    return { theme: document.documentElement.dataset['theme'], paper: getComputedStyle(document.body).backgroundColor, brand: [x, y, width] };
  });
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  return seen;
}

test('the header comes first, in the theme that people chose or their system has', async () => {
  await page.emulateMedia({ colorScheme: 'light' });
  const light = await withoutModules('/');
  assert.equal(light.theme, 'light');
  const dark = await withoutModules('/?theme=dark');
  assert.equal(dark.theme, 'dark');
  assert.notEqual(dark.paper, light.paper);
  await page.emulateMedia({ colorScheme: 'dark' });
  assert.deepEqual(await withoutModules('/'), dark);
  await page.evaluate(() => localStorage.setItem('procession.theme', 'light'));
  assert.deepEqual(await withoutModules('/'), light);
  await page.evaluate(() => localStorage.removeItem('procession.theme'));
});

test('the header stays where it was when the view comes, and icons are drawn', async () => {
  const { brand } = await withoutModules('/');
  await page.goto(`${server.url}/`);
  await page.locator('.icon-button').first().waitFor();
  const box = await page.locator('.brand span').boundingBox();
  assert.deepEqual([box?.x, box?.y, box?.width], brand);
  assert.equal(await page.locator('.brand').count(), 1);
  await page.waitForFunction(() => [...document.querySelectorAll('svg.icon')].every((icon) => {
    const { width, height } = /** @type {SVGGraphicsElement} */ (icon.querySelector('use')).getBBox();
    return width > 4 && height > 4;
  }));
  assert.deepEqual(trouble, []);
});
