// How values are written for people, and how text that strangers chose is made harmless to look at.
// Everything here returns plain strings; they only ever reach the page as text nodes.

/** Longest text that a cell shows; a command line may be 100 KB, and nobody reads past this in a row. */
export const CELL_TEXT_MAX = 400;

const HOSTILE = /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|\udb40[\udc00-\udfff]/g;

/** @param {string} character */
function spelled(character) {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0xa0) return `\u27e8${code.toString(16).toUpperCase().padStart(2, '0')}\u27e9`;
  if (code >= 0xd800 && code <= 0xdfff) return '\ufffd';
  return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, '0')}\u27e9`;
}

/**
 * The text with control, bidirectional and invisible characters spelled out, so that it cannot hide, reorder or break anything.
 * @param {string | null | undefined} text
 * @param {number} [longest]
 */
export function visible(text, longest = CELL_TEXT_MAX) {
  if (!text) return '';
  const short = text.length > longest ? `${text.slice(0, longest)}\u2026` : text;
  HOSTILE.lastIndex = 0;
  return HOSTILE.test(short) ? short.replace(HOSTILE, spelled) : short;
}

const NONE = '\u2013';

/** Hundredths of a percent to a short percentage, without the sign. @param {number | null | undefined} hundredths */
export function percent(hundredths) {
  if (hundredths == null || Number.isNaN(hundredths)) return NONE;
  const value = hundredths / 100;
  return value >= 1000 ? value.toFixed(0) : value.toFixed(1);
}

const UNITS = ['B', 'K', 'M', 'G', 'T', 'P'];

/** @param {number} value @returns {[string, string]} */
function scaled(value) {
  let unit = 0;
  let rest = Math.abs(value);
  while (rest >= 999.5 && unit < UNITS.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  const digits = unit > 1 && rest < 99.95 && (unit > 2 || rest < 9.95) ? 1 : 0;
  return [(value < 0 ? '-' : '') + rest.toFixed(digits), UNITS[unit] ?? ''];
}

/** Short bytes for a cell, such as "412 M" or "1.3 G". @param {number | null | undefined} bytes */
export function bytesShort(bytes) {
  if (bytes == null || Number.isNaN(bytes) || bytes === 0) return NONE;
  return scaled(bytes).join('\u00a0');
}

/** Bytes in words, such as "412 MB". @param {number | null | undefined} bytes */
export function bytes(bytes) {
  if (bytes == null || Number.isNaN(bytes)) return NONE;
  const [number, unit] = scaled(bytes);
  return `${number.replace(/\.0$/, '')}\u00a0${unit === 'B' ? 'B' : `${unit.toLowerCase() === 'k' ? 'k' : unit}B`}`;
}

/** A duration for a cell: "0.4 s", "6 m", "9 h", "41 d". @param {number | null | undefined} ms */
export function ageShort(ms) {
  if (ms == null || Number.isNaN(ms)) return NONE;
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(1)}\u00a0s`;
  if (s < 60) return `${Math.floor(s)}\u00a0s`;
  if (s < 3600) return `${Math.floor(s / 60)}\u00a0m`;
  if (s < 172800) return `${Math.floor(s / 3600)}\u00a0h`;
  return `${Math.floor(s / 86400)}\u00a0d`;
}

/** A duration in words with two units: "6 min 12 s". @param {number | null | undefined} ms */
export function duration(ms) {
  if (ms == null || Number.isNaN(ms)) return NONE;
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(s < 1 ? 2 : 1)}\u00a0s`;
  const whole = Math.floor(s);
  if (whole < 60) return `${whole}\u00a0s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}\u00a0min ${whole % 60}\u00a0s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}\u00a0h ${Math.floor((whole % 3600) / 60)}\u00a0min`;
  return `${Math.floor(whole / 86400)}\u00a0d ${Math.floor((whole % 86400) / 3600)}\u00a0h`;
}

/** @param {number} n @param {number} [width] */
const pad = (n, width = 2) => String(n).padStart(width, '0');

/**
 * @param {number} ms
 * @param {string} zone "utc" or "local"
 */
function parts(ms, zone) {
  const d = new Date(ms);
  return zone === 'local'
    ? { y: d.getFullYear(), mo: d.getMonth() + 1, d: d.getDate(), h: d.getHours(), mi: d.getMinutes(), s: d.getSeconds() }
    : { y: d.getUTCFullYear(), mo: d.getUTCMonth() + 1, d: d.getUTCDate(), h: d.getUTCHours(), mi: d.getUTCMinutes(), s: d.getUTCSeconds() };
}

/** "2026-11-21 03:12:35 UTC". @param {number | null | undefined} ms @param {string} [zone] */
export function moment(ms, zone = 'utc') {
  if (ms == null || !Number.isFinite(ms)) return NONE;
  const p = parts(ms, zone);
  return `${pad(p.y, 4)}-${pad(p.mo)}-${pad(p.d)} ${pad(p.h)}:${pad(p.mi)}:${pad(p.s)} ${zone === 'local' ? 'local' : 'UTC'}`;
}

/** "03:12:35", with the date before it when it is another day than `near`. @param {number | null | undefined} ms @param {string} [zone] @param {number} [near] */
export function clock(ms, zone = 'utc', near = Date.now()) {
  if (ms == null || !Number.isFinite(ms)) return NONE;
  const p = parts(ms, zone);
  const n = parts(near, zone);
  const time = `${pad(p.h)}:${pad(p.mi)}:${pad(p.s)}`;
  return p.y === n.y && p.mo === n.mo && p.d === n.d ? time : `${pad(p.y, 4)}-${pad(p.mo)}-${pad(p.d)} ${time}`;
}

/** @type {Record<string, number>} */
const SPAN_UNITS = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** "90m", "1h", "7d" in ms; NaN when it is not a span. @param {string} text */
export function parseSpan(text) {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w)$/i.exec(text.trim());
  return match ? Number(match[1]) * (SPAN_UNITS[(match[2] ?? '').toLowerCase()] ?? NaN) : NaN;
}

/** The shortest exact way to write a span for the address. @param {number} ms */
export function spanText(ms) {
  for (const unit of ['d', 'h', 'm', 's']) {
    const size = SPAN_UNITS[unit] ?? 1;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${Math.round(ms)}ms`;
}

/** "1GB", "512K", "1.5 GiB" in bytes; NaN when it is not a size. @param {string} text */
export function parseBytes(text) {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?)b?$/i.exec(text.trim());
  if (!match) return NaN;
  const power = ' kmgtp'.indexOf((match[2] || ' ').toLowerCase());
  return Number(match[1]) * (match[3] ? 1024 : 1000) ** power;
}

/**
 * A moment as people write it: "now-6h", ms since the epoch, or an ISO time (UTC unless it says otherwise, or local when that is chosen).
 * @param {string} text
 * @param {number} now
 * @param {string} [zone]
 */
export function parseMoment(text, now, zone = 'utc') {
  const t = text.trim();
  if (/^now$/i.test(t)) return now;
  const back = /^now\s*-\s*(.+)$/i.exec(t);
  if (back) return now - parseSpan(back[1] ?? '');
  if (/^\d{11,}$/.test(t)) return Number(t);
  const iso = t.replace(/ UTC$/i, 'Z').replace(/^(\d{4}-\d\d-\d\d) /, '$1T');
  const full = /^\d\d:\d\d(:\d\d)?$/.test(iso) ? `${new Date(now).toISOString().slice(0, 10)}T${iso}` : iso;
  const hasZone = /(Z|[+-]\d\d:?\d\d)$/i.test(full);
  return Date.parse(hasZone || zone === 'local' ? full : `${full}${full.includes('T') ? 'Z' : ''}`);
}

/** 12,345. By hand, because the first use of Intl loads data for tens of ms, and this is wanted at the start. @param {number} n */
export function whole(n) {
  return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** 1 process, 2 processes. @param {number} n @param {string} one @param {string} [many] */
export function plural(n, one, many = `${one}s`) {
  return `${whole(n)} ${n === 1 ? one : many}`;
}
