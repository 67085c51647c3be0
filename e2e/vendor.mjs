// Copies the page's few dependencies from the pinned npm packages into web/vendor/ and draws the icon sprite.
// `node vendor.mjs` writes; `node vendor.mjs --check` says whether what is there is what the packages hold.
// The only changes made to a file: htm rides in preact.js, uPlot gets an export, bare import names become relative paths, so that the page needs no import map.
import { mkdirSync, readFileSync, writeFileSync, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const packages = join(here, 'node_modules');
const target = join(here, '..', 'web');
const check = process.argv.includes('--check');

/** @type {Record<string, string>} */
const relative = {
  preact: './preact.js',
  'preact/hooks': './preact-hooks.js',
  '@preact/signals-core': './signals-core.js',
};

/** @param {string} text */
function withRelativeImports(text) {
  return text
    .replace(/(from\s*|import\s*)"([^".][^"]*)"/g, (_whole, before, name) => {
      const path = relative[name];
      if (!path) throw new Error(`no vendored file for import ${name}`);
      return `${before}"${path}"`;
    })
    .replace(/\n?\/\/# sourceMappingURL=.*\s*$/, '\n');
}

/** @param {string} path */
const read = (path) => readFileSync(join(packages, path), 'utf8');
/** @param {string} name */
const version = (name) => JSON.parse(read(`${name}/package.json`)).version;

const modules = [
  { file: 'preact.js', name: 'preact', from: 'preact/dist/preact.mjs', licence: 'MIT' },
  { file: 'preact-hooks.js', name: 'preact', from: 'preact/hooks/dist/hooks.mjs', licence: 'MIT' },
  { file: 'signals-core.js', name: '@preact/signals-core', from: '@preact/signals-core/dist/signals-core.mjs', licence: 'MIT' },
  { file: 'signals.js', name: '@preact/signals', from: '@preact/signals/dist/signals.mjs', licence: 'MIT' },
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
    return `<symbol id="${name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${body}</symbol>`;
  });
  return `<!-- lucide-static ${version('lucide-static')}, ISC licence, see vendor/README.md -->\n<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join('\n')}\n</svg>\n`;
}

/** htm is so small that it rides in preact.js: one module less to load before the first row is there. */
function htm() {
  const pieces = read('htm/dist/htm.mjs').split('export default ');
  if (pieces.length !== 2) throw new Error('htm.mjs is not what it was');
  return `/* htm */ export const htm = (() => { ${pieces[0]}return ${(pieces[1] ?? '').trim()} })();`;
}

function files() {
  /** @type {Record<string, string>} */
  const out = {};
  for (const { file, from } of modules) {
    const text = withRelativeImports(read(from));
    out[`vendor/${file}`] = file === 'uplot.js' ? `${text.trimEnd()}\nexport default uPlot;\n` : file === 'preact.js' ? `${text.trimEnd()}\n${htm()}\n` : text;
  }
  const licences = ['preact', '@preact/signals-core', '@preact/signals', 'htm', 'uplot', 'lucide-static'];
  for (const name of licences) out[`vendor/LICENSE-${name.replace('@preact/', '')}.txt`] = read(`${name}/LICENSE`);
  out['vendor/icons.svg'] = sprite();
  const rows = modules.map(({ file, name, from, licence }) => `| \`${file}\` | ${name} ${version(name)} | \`${from.replace(`${name}/`, '')}\` | ${licence} |`);
  rows.push(`| \`preact.js\`, last line | htm ${version('htm')} | \`dist/htm.mjs\` | Apache-2.0 |`);
  rows.push(`| \`icons.svg\` | lucide-static ${version('lucide-static')} | \`icons/\` (${icons.length} icons) | ISC |`);
  out['vendor/README.md'] = `# Vendored files\n\nWritten by \`node vendor.mjs\` in \`e2e/\` from the npm packages pinned in \`e2e/package-lock.json\`; do not edit. The only change:
bare import names became relative paths, and uPlot's minified build got an \`export\`, and htm was put into preact.js.\n\n| file | package | its file | licence |\n|---|---|---|---|\n${rows.join('\n')}\n`;
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
