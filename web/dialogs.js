// The dialogs: keys, command palette, what lived between two samples, the table behind the charts, columns, who did this.
import { html, Icon, current, dialog, useEffect, useRef, useState } from './page.js';

/** @type {Record<string, { title: string, load: () => Promise<{ default: any }> }>} */
const DIALOGS = {
  keys: { title: 'Keys', load: () => import('./dialog-keys.js') },
  palette: { title: 'Commands', load: () => import('./dialog-palette.js') },
  brief: { title: 'Between two samples', load: () => import('./dialog-brief.js') },
  table: { title: 'The values behind the charts', load: () => import('./dialog-table.js') },
  columns: { title: 'Columns', load: () => import('./dialog-columns.js') },
  export: { title: 'Export what is shown', load: () => import('./dialog-export.js') },
  losses: { title: 'What is lost', load: () => import('./dialog-losses.js') },
  menu: { title: 'More', load: () => import('./dialog-menu.js') },
  moment: { title: 'Go to a moment', load: () => import('./dialog-moment.js') },
  who: { title: 'Who did this?', load: () => import('./dialog-who.js') },
};

export default function Dialogs() {
  const name = dialog.value;
  const entry = DIALOGS[name];
  const element = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const [body, setBody] = useState(/** @type {{ name: string, Body: any }} */ ({ name: '', Body: null }));
  useEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  useEffect(() => {
    let wanted = true;
    void entry?.load().then((module) => wanted && setBody({ name, Body: module.default }));
    return () => { wanted = false; };
  }, [name]);
  const close = () => (dialog.value = '');
  const outside = (/** @type {MouseEvent} */ event) => {
    if (event.target === element.current) close();
  };
  return html`<dialog ref=${element} class="dialog dialog-${name}" aria-labelledby="dialog-title" onClose=${close} onClick=${outside}>
    <button type="button" class="icon-button close" aria-label="Close" onClick=${close}><${Icon} name="x" /></button>
    <h2 id="dialog-title">${entry?.title ?? ''}</h2>
    ${body.name === name && body.Body ? html`<${body.Body} current=${current.value} close=${close} />` : html`<p class="quiet">Loading…</p>`}</dialog>`;
}
