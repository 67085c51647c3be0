// Copies the page's few dependencies from the pinned npm packages into web/vendor/ and draws the icon sprite.
// `node vendor.mjs` writes; `node vendor.mjs --check` says whether what is there is what the packages hold.
// Preact, its hooks, signals and htm become one module, of which only what the page uses is kept: three files less to ask for
// before the first row is there. uPlot gets an export.
import { mkdirSync, readFileSync, writeFileSync, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const packages = join(here, 'node_modules');
const target = join(here, '..', 'web');
const check = process.argv.includes('--check');

/** @param {string} path */
const read = (path) => readFileSync(join(packages, path), 'utf8');
/** @param {string} name */
const version = (name) => JSON.parse(read(`${name}/package.json`)).version;

/** What the page uses of the packages that become preact.js. @type {[name: string, file: string, licence: string, exports: string][]} */
const joined = [
  ['preact', 'preact', 'MIT', 'h, render, Fragment'],
  ['preact', 'preact/hooks', 'MIT', 'useEffect, useLayoutEffect, useRef, useState, useMemo'],
  ['@preact/signals', '@preact/signals', 'MIT', 'signal, computed, effect, batch'],
  ['@preact/signals-core', '@preact/signals-core', 'MIT', ''],
  ['htm', 'htm', 'Apache-2.0', 'default as htm'],
];
const copied = [
  { file: 'uplot.js', name: 'uplot', from: 'uplot/dist/uPlot.iife.min.js', licence: 'MIT' },
  { file: 'uplot.css', name: 'uplot', from: 'uplot/dist/uPlot.min.css', licence: 'MIT' },
];

/** The icons the page uses, by lucide's names. */
const icons = ['activity', 'arrow-down', 'arrow-up', 'arrow-left', 'calendar-clock', 'chevron-down', 'chevron-right', 'chevrons-down-up',
  'chevrons-up-down', 'chart-gantt', 'circle-question-mark', 'clipboard-copy', 'columns-3', 'command', 'contrast', 'download', 'eye',
  'flame', 'git-compare-arrows', 'keyboard', 'key-round', 'link', 'list', 'list-tree', 'locate', 'log-out', 'pause', 'play', 'search', 'server',
  'skip-back', 'skip-forward', 'terminal', 'triangle-alert', 'unplug', 'x'];

function sprite() {
  const symbols = icons.map((name) => {
    const svg = read(`lucide-static/icons/${name}.svg`);
    const body = svg.slice(svg.indexOf('>', svg.indexOf('<svg')) + 1, svg.lastIndexOf('</svg>')).replace(/\s+/g, ' ').trim();
    return `<symbol id="icon-${name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${body}</symbol>`;
  });
  return `<!-- lucide-static ${version('lucide-static')}, ISC licence, see vendor/README.md -->\n<svg xmlns="http://www.w3.org/2000/svg" display="none">\n${symbols.join('\n')}\n</svg>\n`;
}

function preact() {
  const contents = joined.filter(([, , , names]) => names).map(([, file, , names]) => `export { ${names} } from '${file}';`).join('\n');
  const { outputFiles } = buildSync({ stdin: { contents, resolveDir: here }, bundle: true, format: 'esm', minify: true, target: 'es2022', write: false, legalComments: 'none' });
  const names = joined.map(([name]) => name).filter((name, at, all) => all.indexOf(name) === at);
  return `/* ${names.map((name) => `${name} ${version(name)}`).join(', ')}; licences: vendor/README.md */\n${outputFiles[0]?.text ?? ''}`;
}

function files() {
  /** @type {Record<string, string>} */
  const out = { 'vendor/preact.js': preact() };
  for (const { file, from } of copied) out[`vendor/${file}`] = file === 'uplot.js' ? `${read(from).trimEnd()}\nexport default uPlot;\n` : read(from);
  const licences = ['preact', '@preact/signals-core', '@preact/signals', 'htm', 'uplot', 'lucide-static'];
  for (const name of licences) out[`vendor/LICENSE-${name.replace('@preact/', '')}.txt`] = read(`${name}/LICENSE`);
  out['vendor/icons.svg'] = sprite();
  const rows = copied.map(({ file, name, from, licence }) => `| \`${file}\` | ${name} ${version(name)} | \`${from.replace(`${name}/`, '')}\` | ${licence} |`);
  rows.unshift(...joined.map(([name, file, licence]) => `| \`preact.js\` | ${name} ${version(name)} | the module \`${file}\` | ${licence} |`));
  rows.push(`| \`icons.svg\` | lucide-static ${version('lucide-static')} | \`icons/\` (${icons.length} icons) | ISC |`);
  out['vendor/README.md'] = `# Vendored files\n\nWritten by \`node vendor.mjs\` in \`e2e/\` from the npm packages pinned in \`e2e/package-lock.json\`; do not edit. \`preact.js\` is what the
page uses of several packages, put together and minified by esbuild ${version('esbuild')}; uPlot's minified build got an \`export\`.\n\n| file | package | its file | licence |\n|---|---|---|---|\n${rows.join('\n')}\n`;
  return out;
}

let wrong = 0;
mkdirSync(join(target, 'vendor'), { recursive: true });
for (const [path, text] of Object.entries(files())) {
  const full = join(target, path);
  if (!check) writeFileSync(full, text);
  else if (!existsSync(full) || readFileSync(full, 'utf8') !== text) {
    console.error(`${path} is not what the pinned package holds; run "npm run vendor" in e2e/`);
    wrong += 1;
  }
}
process.exitCode = wrong ? 1 : 0;
