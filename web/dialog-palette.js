// The command palette: everything the page can do, and every host, by typing a part of its name.
import { html, focusOnce, dialog, useEffect, useState, switchDensity, switchKiosk, switchTheme, switchZone, copy } from './page.js';
import { currentLink, go, link } from './router.js';
import { getJson } from './api.js';
import { rotateKiosk } from './kiosk.js';
import { visible } from './format.js';
import { sortBy } from './host.js';
import { ALL_LEVELS, GROUPS, arrange, foldTo } from './arrange.js';

const SHOWN_MAX = 12;

/** @typedef {{ name: string, key?: string, run: () => void }} Command */
/** @typedef {import('./host-model.js').HostModel} HostModel */

/** @param {HostModel | null} model @returns {Command[]} */
function commands(model) {
  const open = (/** @type {string} */ name) => () => (dialog.value = name);
  const hostname = model?.hostname ?? '';
  /** @type {Command[]} */
  const always = [
    { name: 'All hosts', run: () => go('/') }, { name: 'Hosts side by side', run: () => go('/?view=charts') }, { name: 'Add a host', run: () => go('/keys') },
    { name: 'Compare two moments or two hosts', run: () => go(link('/compare', [['name', hostname]])) },
    { name: 'Light or dark', run: switchTheme }, { name: 'Row height: usual, dense, roomy', key: 'D', run: switchDensity }, { name: 'Kiosk: for a screen on the wall', key: 'K', run: switchKiosk }, { name: 'Kiosk through all hosts', key: 'R', run: rotateKiosk }, { name: 'UTC or local time', run: switchZone }, { name: 'Copy a link to this view', key: 'y', run: () => void copy(currentLink(), 'a link to this view') }, { name: 'Keys', key: '?', run: open('keys') },
  ];
  if (!model) return always;
  return [
    { name: 'More: rows, range, time, questions', run: open('menu') },
    { name: 'Return to live', key: 'L', run: () => model.goLive() }, { name: 'Pause', key: 'Z', run: () => model.pause() }, { name: 'One sample back', key: ',', run: () => void model.step(-1) }, { name: 'One sample on', key: '.', run: () => void model.step(1) },
    { name: 'Go to a moment', run: open('moment') }, { name: 'Who did this? (ranking of the range)', key: 'g', run: open('who') }, { name: 'What is lost in this range', run: open('losses') }, { name: 'Export (CSV, JSON, curl)', run: open('export') }, { name: 'Columns', key: 'C', run: open('columns') },
    { name: 'Began, ended and lived between two samples', run: open('brief') }, { name: 'Table behind the charts', run: () => model.showTable() },
    { name: 'Compare with an hour before', run: () => go(link('/compare', [['name', hostname], ['from', String(model.snapshot.timeMs - 3_600_000)], ['to', String(model.snapshot.timeMs)]])) },
    ...GROUPS.map(([value, label]) => ({ name: `Rows: ${label.toLowerCase()}`, key: value === 'list' ? 't' : '', run: () => arrange(value) })),
    { name: 'Fold all', key: '*', run: () => foldTo('1') }, { name: 'Fold to two levels', run: () => foldTo('2') }, { name: 'Fold to three levels', run: () => foldTo('3') }, { name: 'Open all', run: () => foldTo(ALL_LEVELS) },
    { name: 'Sort by CPU', key: 'P', run: () => sortBy('cpu') }, { name: 'Sort by memory', key: 'M', run: () => sortBy('memory') }, { name: 'Sort by IO', run: () => sortBy('io') }, { name: 'Sort by age', key: 'T', run: () => sortBy('age') }, { name: 'Sort by pid', key: 'N', run: () => sortBy('pid') },
    ...always,
  ];
}

/** @param {{ current: { model: HostModel } | null, close: () => void }} props */
export default function Palette({ current, close }) {
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const [hosts, setHosts] = useState(/** @type {string[]} */ ([]));
  useEffect(() => {
    getJson('hosts/').then((list) => setHosts(list.map((/** @type {any} */ host) => host.hostname)), () => {});
  }, []);
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const all = [...commands(current?.model ?? null), ...hosts.map((name) => ({ name: `Host ${visible(name, 120)}`, run: () => go(link('/host', [['name', name]])) }))];
  const found = /** @type {Command[]} */ (all).filter((command) => words.every((word) => command.name.toLowerCase().includes(word))).slice(0, SHOWN_MAX);
  const chosen = Math.min(at, found.length - 1);
  const run = (/** @type {Command | undefined} */ command) => {
    if (!command) return;
    close();
    command.run();
  };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === 'ArrowDown') setAt((chosen + 1) % found.length);
    else if (event.key === 'ArrowUp') setAt((chosen + found.length - 1) % found.length);
    else if (event.key === 'Enter') run(found[chosen]);
    else return;
    event.preventDefault();
  };
  return html`<input class="field palette-field" ref=${focusOnce} role="combobox" aria-expanded="true" aria-controls="palette-list" aria-activedescendant=${`palette-${chosen}`} aria-label="Command or host" placeholder="Command or host"
      value=${text} onInput=${(/** @type {any} */ event) => { setText(event.target.value); setAt(0); }} onKeyDown=${keys} />
    <ul id="palette-list" class="palette" role="listbox" aria-label="Commands">${found.map((command, i) => html`<li id=${`palette-${i}`} role="option" aria-selected=${i === chosen} onClick=${() => run(command)}>${command.name}${command.key ? html`<kbd>${command.key}</kbd>` : null}</li>`)}</ul>
    ${found.length ? null : html`<p class="quiet">Nothing is called so.</p>`}`;
}
