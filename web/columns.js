// The columns of the process grid: what each one says of a row, and how the name and CPU cells are drawn.
import { ageShort, bytesShort, percent, visible } from './format.js';

/** @typedef {import('./tree.js').Tree} Tree */
/** @typedef {import('./grid.js').Column} Column */
/** @typedef {import('./grid.js').CellState} CellState */
/** @typedef {{ highlights: string[], folded: Column[] }} Look what is searched for, and the columns below the name on a phone */

const SVG = 'http://www.w3.org/2000/svg';
const INDENT_PX = 16;
const INDENT_NARROW_PX = 10;
/** Levels drawn at full indent; deeper ones step less, then by a hair, so that 60 levels leave room for the name. */
const INDENT_FULL = 7;
const INDENT_LESS_PX = 6;
/** Levels after those that are still told apart by a smaller step. */
const INDENT_LESS = 10;
const INDENT_DEEP_PX = 0.5;

export const DEFAULT_COLUMNS = ['name', 'pid', 'user', 'cpu', 'sum_cpu', 'memory', 'sum_memory', 'threads', 'io', 'age', 'command_line'];
/** Columns of the phone's card: so many have room beside each other, the rest stand below the name. */
export const NARROW_COLUMNS = ['name', 'cpu', 'memory', 'pid', 'user'];
export const NARROW_SHOWN = 3;
/** What says by itself what it is, without a label. */
const PLAIN_ON_CARD = new Set(['pid', 'user', 'state', 'command_line', 'cgroup', 'executable']);

/** @param {number} depth @param {boolean} narrow */
const indent = (depth, narrow) => 8 + Math.min(depth, INDENT_FULL) * (narrow ? INDENT_NARROW_PX : INDENT_PX) + (narrow ? 0 : Math.max(0, Math.min(depth - INDENT_FULL, INDENT_LESS)) * INDENT_LESS_PX) + Math.max(0, depth - INDENT_FULL) * INDENT_DEEP_PX;

/** @param {string} className */
const span = (className) => {
  const element = document.createElement('span');
  element.className = className;
  return element;
};

/** @param {CellState} state */
function buildName(state) {
  state['twist'] = span('twist');
  state['twist'].setAttribute('aria-hidden', 'true');
  state['label'] = span('label');
  state['mark'] = document.createElement('mark');
  state['markText'] = document.createTextNode('');
  state['mark'].append(state['markText']);
  state['after'] = document.createTextNode('');
  state['count'] = span('count');
  state['label'].append(state.text, state['mark'], state['after']);
  state['mark'].hidden = true;
  state['sub'] = span('sub');
  state.cell.append(state['twist'], state['label'], state['count'], state['sub']);
}

/** Splits the shown name around the first thing searched for. @param {CellState} state @param {string[]} highlights */
function highlight(state, highlights) {
  const text = state.last;
  if (state['looked'] === highlights && state['lookedAt'] === text) return;
  state['looked'] = highlights;
  state['lookedAt'] = text;
  const low = text.toLowerCase();
  let at = -1;
  let length = 0;
  for (const word of highlights) {
    at = low.indexOf(word);
    length = word.length;
    if (at >= 0) break;
  }
  state['mark'].hidden = at < 0;
  state.text.data = at < 0 ? text : text.slice(0, at);
  state['markText'].data = at < 0 ? '' : text.slice(at, at + length);
  state['after'].data = at < 0 ? '' : text.slice(at + length);
}

/** @param {Element} element @param {string} text */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** What stands below the name. @param {Column[]} columns @param {number} index */
const cardText = (columns, index) => columns.map((column) => (PLAIN_ON_CARD.has(column.id) ? column.text(index) : `${column.label} ${column.text(index)}`)).filter(Boolean).join(' \u00b7 ');

/** @param {Tree} tree @param {Look} look @param {boolean} narrow @returns {Column} */
function nameColumn(tree, look, narrow) {
  const s = tree.snapshot;
  return {
    id: 'name', label: 'Process', width: narrow ? 150 : 240, grow: 1, className: 'name',
    text: (index) => visible(s.text.name[tree.rows[index] ?? -1]) || '(no name)',
    build: buildName,
    paint: (state, index) => {
      const row = tree.rows[index] ?? -1;
      highlight(state, look.highlights);
      const depth = tree.depths[index] ?? 0;
      if (state['depth'] !== depth) {
        state['depth'] = depth;
        state.cell.style.paddingLeft = `${indent(depth, narrow)}px`;
      }
      const fold = tree.fold(index);
      if (state['fold'] !== fold) {
        state['fold'] = fold;
        state['twist'].className = `twist ${fold}`;
      }
      const group = s.alive[row] === 3;
      const hidden = group ? (tree.sumCount[row] ?? 0) : fold === 'folded' ? (tree.sumCount[row] ?? 1) - 1 : 0;
      setText(state['count'], hidden > 0 ? `${group ? '×' : '+'}${hidden}` : '');
      if (narrow) setText(state['sub'], group ? '' : cardText(look.folded, index));
    },
  };
}

/** @param {CellState} state */
function buildHeat(state) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'spark');
  svg.setAttribute('viewBox', '0 0 58 16');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  svg.append(path);
  state['path'] = path;
  state['value'] = span('value');
  state['value'].append(state.text);
  state.cell.append(svg, state['value']);
}

/** Heat in ten steps of one core, finer where most processes are. @param {number} hundredths */
export const heatStep = (hundredths) => (hundredths >= 10 ? Math.min(9, Math.round(Math.sqrt(hundredths / 10000) * 9)) : 0);

/** @param {Tree} tree @param {boolean} narrow @returns {Column} */
function cpuColumn(tree, narrow) {
  const s = tree.snapshot;
  return {
    id: 'cpu', label: narrow ? 'CPU' : 'CPU %', title: 'CPU in the interval, in percent of one core', width: narrow ? 66 : 122, end: true, className: 'heat',
    text: (index) => percent(s.metric.cpu[tree.rows[index] ?? -1]),
    build: buildHeat,
    paint: (state, index, hasty) => {
      const row = tree.rows[index] ?? -1;
      const heat = heatStep(s.metric.cpu[row] ?? 0);
      if (state['heat'] !== heat) {
        state['heat'] = heat;
        state.cell.dataset['heat'] = String(heat);
      }
      if (narrow || hasty) return;
      const { sparks } = s;
      if (!sparks || (state['stamp'] === sparks.stamp && state['of'] === s.id[row])) return;
      state['stamp'] = sparks.stamp;
      state['of'] = s.id[row];
      const path = s.alive[row] === 2 ? '' : sparks.path(row, s.alive[row] === 3 ? tree.children[row] : undefined);
      if (state['drawn'] !== path) {
        state['drawn'] = path;
        state['path'].setAttribute('d', path);
      }
    },
  };
}

/** @param {import('./snapshot.js').Snapshot} s @param {number} row */
function commandText(s, row) {
  const end = s.end[row];
  if (s.alive[row] !== 2 || !end) return visible(s.text.command_line[row]);
  const how = end.signal ? `, signal ${end.signal}` : end.exit_code != null ? `, exit ${end.exit_code}` : '';
  const cpu = end.cpu_time_us != null ? `, ${(end.cpu_time_us / 1e6).toFixed(2)} s CPU` : '';
  return `ended${how}${cpu} \u00b7 ${visible(s.text.command_line[row])}`;
}

/** @param {Tree} tree @returns {Record<string, Column>} */
function plainColumns(tree) {
  const s = tree.snapshot;
  const at = (/** @type {number} */ index) => tree.rows[index] ?? -1;
  /** @param {string} id @param {string} label @param {number} width @param {(row: number) => string} text @param {Partial<Column>} [more] @returns {Column} */
  const number = (id, label, width, text, more = {}) => ({ id, label, width, end: true, text: (index) => text(at(index)), ...more });
  /** @param {string} id @param {string} label @param {number} width @param {(row: number) => string} text @param {Partial<Column>} [more] @returns {Column} */
  const words = (id, label, width, text, more = {}) => ({ id, label, width, text: (index) => text(at(index)), ...more });
  const count = (/** @type {number | undefined} */ value) => (value == null || Number.isNaN(value) ? '\u2013' : String(value));
  const list = [
    number('pid', 'PID', 66, (row) => (s.alive[row] === 3 ? '' : String(s.pid[row] ?? '')), { className: 'mono' }),
    words('user', 'User', 84, (row) => visible(s.text.user[row], 60)),
    number('sum_cpu', '\u03a3 CPU', 66, (row) => (s.alive[row] !== 2 ? percent(tree.sumCpu[row]) : '\u2013'), { title: 'CPU of the process and all below it', className: 'sum' }),
    number('memory', 'Memory', 80, (row) => bytesShort(s.metric.memory[row]), { title: 'Resident memory' }),
    number('sum_memory', '\u03a3 Mem', 70, (row) => (s.alive[row] !== 2 ? bytesShort(tree.sumMemory[row]) : '\u2013'), { title: 'Resident memory of the process and all below it', className: 'sum' }),
    number('threads', 'Thr', 52, (row) => count(s.metric.threads[row]), { title: 'Threads' }),
    number('io', 'IO/s', 68, (row) => bytesShort(s.io(row)), { title: 'Read and written a second' }),
    number('age', 'Age', 60, (row) => ageShort(s.ageMs(row))),
    words('command_line', 'Command', 150, (row) => commandText(s, row), { grow: 2.4, className: 'mono quiet' }),
    words('state', 'State', 84, (row) => (s.alive[row] === 2 ? 'ended' : visible(s.text.state[row], 20))),
    number('virtual_memory', 'Virtual', 74, (row) => bytesShort(s.metric.virtual_memory[row]), { title: 'Virtual memory' }),
    number('memory_percent', 'Mem %', 62, (row) => percent((s.metric.memory_percent[row] ?? NaN) * 100), { title: 'Memory in percent of the host\'s' }),
    number('read_bytes', 'Read', 68, (row) => bytesShort(s.metric.read_bytes[row]), { title: 'Read in the interval' }),
    number('write_bytes', 'Written', 68, (row) => bytesShort(s.metric.write_bytes[row]), { title: 'Written in the interval' }),
    number('sum_count', '\u03a3 Proc', 62, (row) => count(tree.sumCount[row]), { title: 'Processes in the subtree' }),
    number('parent_pid', 'Parent', 66, (row) => ((s.parentPid[row] ?? -1) >= 0 ? String(s.parentPid[row]) : '\u2013'), { className: 'mono', unsortable: true }),
    words('cgroup', 'Unit', 150, (row) => visible(s.text.cgroup[row]), { className: 'mono quiet', title: 'Control group, container or unit' }),
    words('executable', 'Executable', 150, (row) => visible(s.text.executable[row]), { className: 'mono quiet' }),
  ];
  return Object.fromEntries(list.map((column) => [column.id, column]));
}

/**
 * All columns by id.
 * @param {Tree} tree
 * @param {Look} look
 * @param {boolean} narrow
 * @returns {Record<string, Column>}
 */
export function processColumns(tree, look, narrow) {
  return { name: nameColumn(tree, look, narrow), cpu: cpuColumn(tree, narrow), ...plainColumns(tree) };
}
