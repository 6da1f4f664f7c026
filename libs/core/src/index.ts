export * from './delivery/index.js';
export * from './dispatch/index.js';
export * from './event/index.js';
export * from './json/index.js';
export * from './log/index.js';
export * from './network/index.js';
export * from './signing/index.js';
