import htm from 'htm';
export * from 'preact';
export { htm };
