export * from './json-patch.js';
