export * from './dispatch-window.js';
export * from './event-pattern.js';
export * from './repeat-window.js';
export * from './replay-selection.js';
export * from './send-caps.js';
export * from './source-position.js';
export * from './subscription-index.js';
