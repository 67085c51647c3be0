// An icicle: each process stands under its parent, as wide as what its whole subtree used.
import { html } from './page.js';
import { visible } from './format.js';
import { measured } from './dialog-who.js';

const LEVELS_MAX = 14;
/** Narrower than this share nothing is drawn. */
const SHARE_LEAST = 0.003;

/** @typedef {import('./dialog-who.js').TopRow} TopRow */
/** @typedef {{ row: TopRow, left: number, width: number, level: number }} Box */

/** @param {TopRow[]} rows @param {number} total @returns {Box[]} */
export function boxes(rows, total) {
  /** @type {Map<number, TopRow[]>} */
  const below = new Map();
  rows.forEach((row) => {
    const parent = row.parent ?? -1;
    const list = below.get(parent);
    if (list) list.push(row);
    else below.set(parent, [row]);
  });
  /** @type {Box[]} */
  const out = [];
  const place = (/** @type {number} */ parent, /** @type {number} */ left, /** @type {number} */ level) => {
    let at = left;
    if (level >= LEVELS_MAX) return;
    for (const row of (below.get(parent) ?? []).sort((a, b) => b.value - a.value)) {
      const width = row.value / total;
      if (width < SHARE_LEAST) continue;
      out.push({ row, left: at, width, level });
      place(rows.indexOf(row), at, level + 1);
      at += width;
    }
  };
  place(-1, 0, 0);
  return out;
}

/** @param {{ rows: TopRow[], total: number, by: string, onOpen: (row: TopRow) => void }} props */
export function Icicle({ rows, total, by, onOpen }) {
  const drawn = boxes(rows, total);
  const levels = drawn.reduce((most, box) => Math.max(most, box.level + 1), 0);
  return html`<div class="icicle" style=${{ height: `${levels * 22}px` }}>${drawn.map(({ row, left, width, level }) => html`<button type="button" class="box" data-heat=${Math.min(9, 4 + Math.round(width * 5))}
    style=${{ left: `${left * 100}%`, width: `${width * 100}%`, top: `${level * 22}px` }} title=${`${visible(row.label, 100)} ${row.pid ?? ''}\n${measured(by, row.value)}, ${(width * 100).toFixed(1)} %`} onClick=${() => onOpen(row)}>${width > 0.04 ? visible(row.label, 40) : html`<span class="unseen">${visible(row.label, 40)}</span>`}</button>`)}</div>`;
}
