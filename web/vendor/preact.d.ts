import htm from 'htm';
export * from 'preact';
export * from 'preact/hooks';
export { signal, computed, effect, batch, Signal, ReadonlySignal } from '@preact/signals';
export { htm };
