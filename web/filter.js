// The filter language: words and field:value terms, all of which must hold.
//   user:www cpu>5 mem>1GB name:post* age<1h -state:sleeping "two words" name:sh,bash
// A bare word is looked for in name, pid, command line and user.
import { parseBytes, parseSpan } from './format.js';

/** @typedef {import('./snapshot.js').Snapshot} Snapshot */
/** @typedef {import('./tree.js').Tree} Tree */
/** @typedef {(snapshot: Snapshot, row: number, tree: Tree) => boolean} Test */
/** @typedef {{ field: string, operator: string, value: string, negated: boolean }} Term */

const TERMS_MAX = 50;

/** @type {Record<string, 'name' | 'command_line' | 'user' | 'executable' | 'cgroup' | 'state'>} */
const TEXT_FIELDS = { name: 'name', cmd: 'command_line', command: 'command_line', user: 'user', exe: 'executable', unit: 'cgroup', cgroup: 'cgroup', container: 'cgroup', state: 'state' };

/** @type {Record<string, { read: (s: Snapshot, row: number, tree: Tree) => number, parse: (text: string) => number }>} */
const NUMBER_FIELDS = {
  cpu: { read: (s, row) => (s.metric.cpu[row] ?? NaN) / 100, parse: (text) => Number(text.replace(/%$/, '')) },
  mem: { read: (s, row) => s.metric.memory[row] ?? NaN, parse: parseBytes },
  memory: { read: (s, row) => s.metric.memory[row] ?? NaN, parse: parseBytes },
  virt: { read: (s, row) => s.metric.virtual_memory[row] ?? NaN, parse: parseBytes },
  thr: { read: (s, row) => s.metric.threads[row] ?? NaN, parse: Number },
  threads: { read: (s, row) => s.metric.threads[row] ?? NaN, parse: Number },
  io: { read: (s, row) => s.io(row), parse: parseBytes },
  age: { read: (s, row) => s.ageMs(row), parse: parseSpan },
  pid: { read: (s, row) => s.pid[row] ?? NaN, parse: Number },
  ppid: { read: (s, row) => s.parentPid[row] ?? NaN, parse: Number },
  sumcpu: { read: (_s, row, tree) => (tree.sumCpu[row] ?? NaN) / 100, parse: (text) => Number(text.replace(/%$/, '')) },
  summem: { read: (_s, row, tree) => tree.sumMemory[row] ?? NaN, parse: parseBytes },
};

/** What may be typed next, for completion. */
export const FIELDS = ['name:', 'user:', 'cmd:', 'cpu>', 'mem>', 'age<', 'io>', 'thr>', 'pid:', 'state:', 'unit:', 'exe:', 'sumcpu>', 'summem>'];

/** @param {string} query @returns {Term[]} */
export function terms(query) {
  const found = [];
  const pattern = /(-)?(?:([a-z]+)(:|>=|<=|>|<|=))?(?:"([^"]*)"?|(\S+))/gi;
  for (const match of query.matchAll(pattern)) {
    found.push({ negated: match[1] === '-', field: (match[2] ?? '').toLowerCase(), operator: match[3] ?? '', value: match[4] ?? match[5] ?? '' });
    if (found.length >= TERMS_MAX) break;
  }
  return found;
}

/** A test of text against one pattern, in which * stands for anything. @param {string} pattern @returns {(text: string) => boolean} */
function textTest(pattern) {
  const low = pattern.toLowerCase();
  if (!low.includes('*')) return (text) => text.toLowerCase().includes(low);
  const pieces = low.split('*');
  return (text) => {
    const t = text.toLowerCase();
    const first = pieces[0] ?? '';
    const last = pieces[pieces.length - 1] ?? '';
    if (!t.startsWith(first)) return false;
    let at = first.length;
    for (const piece of pieces.slice(1, -1)) {
      const next = t.indexOf(piece, at);
      if (next < 0) return false;
      at = next + piece.length;
    }
    return t.length - last.length >= at && t.endsWith(last);
  };
}

/** Descriptions rarely change, so what a text term said of a row is kept. @param {(s: Snapshot, row: number) => boolean} test @returns {Test} */
function cached(test) {
  /** @type {Int8Array} */
  let answers = new Int8Array(0);
  let structure = -1;
  return (s, row) => {
    if (structure !== s.structure || answers.length < s.used) {
      answers = new Int8Array(s.capacity).fill(-1);
      structure = s.structure;
    }
    const known = answers[row] ?? -1;
    if (known >= 0) return known === 1;
    const answer = test(s, row);
    answers[row] = answer ? 1 : 0;
    return answer;
  };
}

/** @param {string} word @returns {Test} */
function wordTest(word) {
  const test = textTest(word);
  return cached((s, row) => test(s.text.name[row] ?? '') || String(s.pid[row]) === word || test(s.text.command_line[row] ?? '') || test(s.text.user[row] ?? ''));
}

/** @param {string} operator @param {number} wanted @param {(s: Snapshot, row: number, tree: Tree) => number} read @returns {Test} */
function numberTest(operator, wanted, read) {
  switch (operator) {
    case '>': return (s, row, tree) => read(s, row, tree) > wanted;
    case '>=': return (s, row, tree) => read(s, row, tree) >= wanted;
    case '<': return (s, row, tree) => read(s, row, tree) < wanted;
    case '<=': return (s, row, tree) => read(s, row, tree) <= wanted;
    default: return (s, row, tree) => read(s, row, tree) === wanted;
  }
}

/** @param {Term} term @returns {Test | string} the test, or what is wrong */
function termTest(term) {
  if (!term.field) return wordTest(term.value);
  if (!term.value) return `${term.field}${term.operator} needs a value`;
  const text = TEXT_FIELDS[term.field];
  if (text) {
    const tests = term.value.split(',').filter(Boolean).map(textTest);
    const exact = term.operator === '=';
    if (text === 'state') return (s, row) => tests.some((test) => test(s.alive[row] === 2 ? 'ended' : (s.text.state[row] ?? '')));
    if (exact) return cached((s, row) => (s.text[text][row] ?? '').toLowerCase() === term.value.toLowerCase());
    return cached((s, row) => tests.some((test) => test(s.text[text][row] ?? '')));
  }
  const number = NUMBER_FIELDS[term.field];
  if (!number) return `There is no field "${term.field}"`;
  const wanted = number.parse(term.value);
  if (Number.isNaN(wanted)) return `"${term.value}" is no value for ${term.field}`;
  return numberTest(term.operator, wanted, number.read);
}

/**
 * @param {string} query
 * @returns {{ test: Test, highlights: string[], problem: string } | null} null when nothing is asked for
 */
export function compile(query) {
  /** @type {Test[]} */
  const tests = [];
  /** @type {string[]} */
  const highlights = [];
  let problem = '';
  for (const term of terms(query)) {
    const test = termTest(term);
    if (typeof test === 'string') {
      problem ||= test;
      continue;
    }
    tests.push(term.negated ? (s, row, tree) => !test(s, row, tree) : test);
    if (!term.negated && (!term.field || term.field === 'name')) highlights.push(...term.value.toLowerCase().split(/[,*]/).filter((piece) => piece));
  }
  if (!tests.length) return problem ? { test: () => true, highlights, problem } : null;
  return { test: (s, row, tree) => tests.every((test) => test(s, row, tree)), highlights, problem };
}
