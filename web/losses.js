// What is known to be lost of a host's history: in words, and as a list. Loaded with the charts.
import { html, zone } from './page.js';
import { clock, duration, plural } from './format.js';

/** @typedef {{ kind: string, from_ms: number, until_ms: number, count: number | null }} Loss */

/** What is lost, one and many, and why. @type {Record<string, [string, string, string]>} */
const KINDS = {
  snapshots: ['sample', 'samples', 'the agent could not keep them until the server took them'],
  events: ['beginning or end', 'beginnings and ends', 'the kernel told of more processes than could be taken'],
  missed: ['sample not taken', 'samples not taken', 'the machine slept or was too busy'],
};

/** @param {Loss} loss */
export function lossText({ kind, count }) {
  const [one = kind, many = kind] = KINDS[kind] ?? [];
  return count == null ? `some ${many} lost` : `${plural(count, one, many)} lost`;
}

/** @param {Loss} loss */
export const lossReason = ({ kind }) => KINDS[kind]?.[2] ?? 'not known';

/** The same loss may be known from history and from a sample that came live. @param {Loss[]} losses */
export function together(losses) {
  const known = new Map(losses.map((loss) => [`${loss.kind} ${loss.from_ms} ${loss.until_ms}`, loss]));
  return [...known.values()].sort((a, b) => a.from_ms - b.from_ms);
}

/** All of some losses in a few words. @param {Loss[]} losses */
export function lossesText(losses) {
  if (!losses.length) return '';
  if (losses.length === 1 && losses[0]) return lossText(losses[0]);
  const samples = losses.filter((loss) => loss.kind !== 'events').reduce((sum, loss) => sum + (loss.count ?? 0), 0);
  return `${plural(losses.length, 'loss', 'losses')}${samples ? `, ${plural(samples, 'sample')}` : ''}`;
}

/** What was lost around a moment, or "". @param {Loss[]} losses @param {number} ms */
export const lossAt = (losses, ms) => losses.filter((loss) => loss.from_ms <= ms && ms <= loss.until_ms).map(lossText).join(', ');

/** @param {{ losses: Loss[] }} props */
export function LossTable({ losses }) {
  return html`<table class="table"><thead><tr><th>From</th><th class="end wide">Until</th><th class="end">For</th><th>What</th><th>Why</th></tr></thead>
    <tbody>${[...losses].reverse().map((loss) => html`<tr><td class="whole">${clock(loss.from_ms, zone.value)}</td><td class="end wide">${clock(loss.until_ms, zone.value, loss.from_ms)}</td><td class="end">${duration(loss.until_ms - loss.from_ms)}</td><td>${lossText(loss)}</td><td>${lossReason(loss)}</td></tr>`)}</tbody></table>`;
}
