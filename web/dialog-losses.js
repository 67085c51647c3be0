// What is known to be lost in the range that the charts show.
import { html, zone } from './page.js';
import { moment } from './format.js';
import { chartWindow } from './timeline.js';
import { LossTable } from './losses.js';

/** @param {{ current: { model: import('./host-model.js').HostModel } | null }} props */
export default function Losses({ current }) {
  if (!current) return html`<p>Open a host first.</p>`;
  void current.model.tick.value;
  const { from, until } = chartWindow();
  const losses = current.model.lossesOfRange();
  return html`<p class="quiet">${moment(from, zone.value)} to ${moment(until, zone.value)}. The charts mark these times in red at their top; nothing was counted as calm.</p>
    ${losses.length ? html`<${LossTable} losses=${losses} />` : html`<p>Nothing is known to be lost.</p>`}`;
}
