// What may be typed next in the search: fields first, then the values that the shown processes have.
import { html, useMemo } from './page.js';
import { FIELDS } from './filter.js';
import { visible } from './format.js';

const OFFERED_MAX = 30;
/** Rows that are looked at for values. */
const LOOKED_AT_MAX = 20_000;

/** @type {Record<string, 'name' | 'user' | 'state' | 'cgroup'>} */
const VALUES = { name: 'name', user: 'user', state: 'state', unit: 'cgroup' };

/** @param {import('./snapshot.js').Snapshot} s @param {string} q @returns {string[]} */
export function completions(s, q) {
  const at = q.lastIndexOf(' ') + 1;
  const word = q.slice(at).toLowerCase();
  const found = /^(-?)(name|user|state|unit):"?([^"]*)$/.exec(word);
  if (!found) return /[:<>=]/.test(word) ? [] : FIELDS.filter((field) => field.startsWith(word)).map((field) => q.slice(0, at) + field);
  const [, minus = '', field = '', begin = ''] = found;
  const texts = s.text[VALUES[field] ?? 'name'];
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (let row = 0; row < Math.min(s.used, LOOKED_AT_MAX); row++) {
    const text = s.alive[row] === 1 ? (texts[row] ?? '') : '';
    if (text && text.length < 80 && text.toLowerCase().includes(begin) && visible(text) === text) counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  const best = [...counts].sort((a, b) => b[1] - a[1]).slice(0, OFFERED_MAX);
  return best.map(([text]) => `${q.slice(0, at)}${minus}${field}:${/\s/.test(text) ? `"${text}"` : text}`);
}

/** @param {{ model: import('./host-model.js').HostModel, q: string }} props */
export default function Completions({ model, q }) {
  const offered = useMemo(() => completions(model.snapshot, q), [q, model]);
  return html`<datalist id="filter-fields">${offered.map((text) => html`<option key=${text} value=${text} />`)}</datalist>`;
}
