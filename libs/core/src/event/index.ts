export * from './attribute-filter.js';
export * from './cloud-event.js';
export * from './formats.js';
export * from './http-binding.js';
export * from './kafka-binding.js';
export * from './rfc3339.js';
export * from './structured-json.js';
