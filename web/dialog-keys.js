// The keys, as a table.
import { html } from './page.js';

/** @type {[string, [string, string][]][]} */
export const KEYS = [
  ['Find', [['/  F3  \\  F4', 'search: words, or user:www cpu>5 mem>1GB name:post* age<1h -state:sleeping'], ['0 … 9', 'jump to a pid'], ['u', 'only this user'], ['Esc', 'clear the search, then close the details'], ['Ctrl K', 'command palette']]],
  ['Move', [['↑ ↓ PgUp PgDn Home End', 'rows'], ['→ ←', 'open, fold, and along the cells'], ['Enter', 'details of the process'], ['F', 'follow the selected process']]],
  ['Tree', [['t  F5', 'tree or list'], ['+  -', 'open or fold the branch'], ['*', 'fold all or open all'], ['G', 'by parents, as a list, by program, user, unit, container']]],
  ['Sort', [['P  M  T  N', 'CPU, memory, age, pid'], ['I', 'the other way round'], ['C  F6', 'columns, their order and sorting; or drag their heads and edges']]],
  ['Time', [[',  .', 'one sample back, one on'], ['Z  (Space on the time line)', 'pause'], ['L', 'return to live'], ['Backspace', 'undo the zoom'], ['g', 'who did this? (Shift while dragging on a chart)']]],
  ['Share', [['c', 'copy the cell or the command line'], ['y', 'copy a link to this view'], ['e', 'export: CSV, JSON, curl']]],
  ['Look', [['D', 'row height'], ['K', 'kiosk: for a screen on the wall'], ['R', 'kiosk that goes from host to host; Space holds it']]],
];

export default function Keys() {
  return html`<p class="quiet">Single letters work while the table or the time line has the keyboard.</p>
    ${KEYS.map(([group, keys]) => html`<table><caption class="unseen">${group}</caption><tbody>${keys.map(([key, what], i) => html`<tr>${i ? html`<td></td>` : html`<th scope="row" class="key-group">${group}</th>`}<td class="key-name">${key.split('  ').map((one) => html`<kbd>${one}</kbd> `)}</td><td>${what}</td></tr>`)}</tbody></table>`)}`;
}
