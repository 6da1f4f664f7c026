export * from './json-patch.js';
export { strictJson, type StrictJson } from './strict-json.js';
