export * from './address-rules.js';
export * from './ip-address.js';
export * from './ip-range.js';
export * from './network-rules.js';
export * from './port-range.js';
export * from './proxy-bypass.js';
export { specialRanges } from './special-ranges.js';
