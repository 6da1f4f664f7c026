export * from './fence.js';
export * from './lease.js';
export * from './partitioner.js';
export * from './text-within.js';
