// The less common keys of the host view, loaded when one is first pressed.
import { dialog, tell, copy, switchDensity, switchKiosk } from './page.js';
import { rotateKiosk } from './kiosk.js';
import { ALL_LEVELS, GROUPS, anyFolded, arrange, arrangement, foldTo } from './arrange.js';
import { currentLink, address, setParameters } from './router.js';
import { foldRow, sortBy } from './host.js';

const DIGITS_PAUSE_MS = 1500;
let digits = '';
let lastDigit = 0;

/** @typedef {import('./host-model.js').HostModel} HostModel */
/** @typedef {import('./grid.js').Grid} Grid */

/** Digits typed one after another find the process whose pid begins so. @param {string} key @param {HostModel} model @param {Grid} grid */
function jump(key, model, grid) {
  const time = performance.now();
  digits = time - lastDigit > DIGITS_PAUSE_MS ? key : digits + key;
  lastDigit = time;
  const { snapshot, tree } = model;
  const exact = snapshot.rowOfPid.get(Number(digits));
  const row = exact ?? tree.order.find((one) => String(snapshot.pid[one]).startsWith(digits));
  if (row === undefined) return tell(`No pid begins with ${digits}.`);
  tree.reveal(row);
  tree.update();
  const id = snapshot.id[row] ?? '';
  setParameters({ sel: id });
  grid.select(id, true);
  grid.focusActive();
  return undefined;
}

/** @param {HostModel} model @param {Grid} grid @param {boolean | 'all'} open */
function fold(model, grid, open) {
  const { tree } = model;
  if (open === 'all') {
    foldTo(anyFolded() ? ALL_LEVELS : '1');
  } else {
    const index = tree.indexOf(grid.active.key);
    if (index >= 0) foldRow(model, index, open);
  }
}

/** Only this process's user, or everybody again. @param {HostModel} model @param {Grid} grid */
function userOnly(model, grid) {
  const q = address.peek().params.get('q') ?? '';
  const without = q.replace(/\s*user:("[^"]*"|\S+)/g, '').trim();
  if (without !== q.trim()) return setParameters({ q: without || null });
  const row = model.snapshot.rowOfId.get(grid.active.key);
  const user = row === undefined ? '' : model.snapshot.text.user[row];
  if (!user) return tell('Select a process of that user first.');
  return setParameters({ q: `${q} user:${/\s/.test(user) ? `"${user}"` : user}`.trim() });
}

/** @param {HostModel} model @param {Grid} grid */
function follow(model, grid) {
  model.following = !model.following;
  tell(model.following ? 'Following the selected process.' : 'Not following any more.');
  if (model.following && grid.selected) grid.select(grid.selected, true);
}

/** What the focused cell says, or the whole command line of the focused row. @param {HostModel} model @param {Grid} grid */
function copyFocused(model, grid) {
  const row = model.snapshot.rowOfId.get(grid.active.key);
  if (row === undefined) return;
  const column = grid.columns[grid.active.column];
  const index = model.tree.indexOf(grid.active.key);
  if (column && column.id !== 'command_line') void copy(column.text(index), column.label);
  else void copy(model.snapshot.text.command_line[row] || (model.snapshot.text.name[row] ?? ''), 'the command line');
}

/** @param {string} key @param {HostModel} model @param {Grid} grid */
export default function hostKey(key, model, grid) {
  if (/^\d$/.test(key)) return jump(key, model, grid);
  switch (key) {
    case 'F6': case 'C': dialog.value = 'columns'; break;
    case '+': fold(model, grid, true); break;
    case '-': fold(model, grid, false); break;
    case '*': fold(model, grid, 'all'); break;
    case 'N': sortBy('pid'); break;
    case 'P': sortBy('cpu'); break;
    case 'M': sortBy('memory'); break;
    case 'T': sortBy('age'); break;
    case 'I': {
      const sort = address.peek().params.get('sort') || '-cpu';
      sortBy(sort.replace(/^-/, ''));
      break;
    }
    case 'u': userOnly(model, grid); break;
    case 'F': follow(model, grid); break;
    case 'c': copyFocused(model, grid); break;
    case 'y': void copy(currentLink(), 'a link to this view'); break;
    case 'g': dialog.value = 'who'; break;
    case 'G': {
      const at = GROUPS.findIndex(([value]) => value === arrangement());
      const [value = '', label = ''] = GROUPS[(at + 1) % GROUPS.length] ?? [];
      arrange(value);
      tell(`Rows: ${label.toLowerCase()}.`);
      break;
    }
    case 'D': switchDensity(); break;
    case 'K': switchKiosk(); break;
    case 'R': rotateKiosk(); break;
    case 'e': dialog.value = 'export'; break;
    case 'Backspace': model.unzoom(); break;
    default:
  }
  return undefined;
}
