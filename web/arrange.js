// How the grid is arranged, beyond the plain tree: groups, a list, folds, widths, all from and to the address. Loaded when
// the address or a person asks for it.
import { remember, remembered } from './page.js';
import { address, setParameters } from './router.js';

/** @typedef {import('./host-model.js').HostModel} HostModel */

/** Single folds that a link carries; more are kept on this page only. */
const FOLDS_MAX = 60;
const WIDTHS_MAX = 40;

/** @type {[string, string][]} */
export const GROUPS = [['', 'Tree'], ['list', 'List'], ['name', 'By program'], ['user', 'By user'], ['unit', 'By unit'], ['container', 'By container']];

const CONTAINER = /(?:docker|cri-containerd|crio|libpod|lxc|containerd|kubepods)[-./:]?(?:.*[-/])?([0-9a-f]{12,64})/;

/** @type {Record<string, import('./tree.js').Tree['groupOf']>} */
export const GROUP_OF = {
  name: (s, row) => s.text.name[row] || '(no name)',
  user: (s, row) => s.text.user[row] || '(user not known)',
  unit: (s, row) => unitOf(s.text.cgroup[row] ?? ''),
  container: (s, row) => {
    const id = CONTAINER.exec(s.text.cgroup[row] ?? '')?.[1];
    return id ? `container ${id.slice(0, 12)}` : '(in no container)';
  },
};

/** The last part of a control group's path says which unit it is. @param {string} path */
function unitOf(path) {
  const parts = path.split('/').filter(Boolean);
  return parts.findLast((part) => /\.(service|scope|slice|socket|mount)$/.test(part)) ?? parts.at(-1) ?? '(no unit)';
}

/** What the address asks for: "", "list" or a group. */
export function arrangement() {
  const { params } = address.value;
  const group = params.get('group') ?? '';
  return GROUP_OF[group] ? group : params.get('list') === '1' ? 'list' : '';
}

/** @param {string} value */
export function arrange(value) {
  setParameters({ list: value === 'list' ? '1' : null, group: GROUP_OF[value] ? value : null, fold: null, shut: null, open: null });
}

/** So many levels that nothing is folded. */
export const ALL_LEVELS = '99';

/** Whether the address folds anything; groups are folded unless it says otherwise. */
export function anyFolded() {
  const { params } = address.peek();
  const fold = params.get('fold');
  return params.has('shut') || (fold ? fold !== ALL_LEVELS : params.has('group'));
}

/** Shows so many levels. @param {string} levels */
export function foldTo(levels) {
  setParameters({ fold: levels, shut: null, open: null });
}

/** What was applied last, by host model: folds by hand are in the tree before they are in the address. @type {WeakMap<HostModel, string>} */
const applied = new WeakMap();

/** Puts what the address says into the tree; false when it was there already. @param {HostModel} model */
export function applyArrangement(model) {
  const { tree } = model;
  const { params } = address.peek();
  const asked = ['list', 'group', 'fold', 'shut', 'open'].map((name) => params.get(name) ?? '').join('&');
  if ((applied.get(model) ?? '&&&&') === asked) return false;
  applied.set(model, asked);
  const wanted = arrangement();
  const group = GROUP_OF[wanted] ? wanted : '';
  if (tree.group !== group) Object.assign(tree, { group, groupOf: GROUP_OF[group] ?? (() => ''), structure: -1 });
  tree.flat = wanted === 'list';
  const fold = Number(params.get('fold'));
  tree.foldTo(fold >= 1 ? fold : group ? 1 : Infinity);
  for (const id of idsIn('shut')) tree.folded.add(id);
  for (const id of idsIn('open')) tree.opened.add(id);
  return true;
}

/** @param {string} name */
const idsIn = (name) => (address.peek().params.get(name) ?? '').split('~').filter(Boolean).slice(0, FOLDS_MAX);

/** Single folds go into the address, so that a link shows a colleague the same view. @param {HostModel} model */
export function keepFolds(model) {
  const text = (/** @type {Set<string>} */ ids) => [...ids].filter((id) => !id.includes('~')).slice(-FOLDS_MAX).join('~');
  const { params } = address.peek();
  const [shut, open] = [text(model.tree.folded), text(model.tree.opened)];
  applied.set(model, [params.get('list') ?? '', params.get('group') ?? '', params.get('fold') ?? '', shut, open].join('&'));
  setParameters({ shut, open });
}

/** Column widths of the address, else the remembered ones. @returns {Record<string, number>} */
export function chosenWidths() {
  const text = address.value.params.get('widths') || remembered('widths');
  /** @type {Record<string, number>} */
  const widths = {};
  for (const part of text.split(',').slice(0, WIDTHS_MAX)) {
    const [id = '', px = ''] = part.split(':');
    if (/^[a-z_]+$/.test(id) && Number(px) >= 20 && Number(px) <= 4000) widths[id] = Number(px);
  }
  return widths;
}

/** @param {Record<string, number>} widths */
export function keepWidths(widths) {
  const text = Object.entries(widths).map(([id, px]) => `${id}:${Math.round(px)}`).join(',');
  remember('widths', text);
  setParameters({ widths: text || null });
}
