// What the view at hand offers to the dialogs: the host's model, when a host is shown.
import { signal } from './vendor/signals.js';

/** @type {import('./vendor/signals.js').Signal<{ model: import('./host-model.js').HostModel } | null>} */
export const current = signal(null);
