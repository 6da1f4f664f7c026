export * from './fence.js';
export * from './lease.js';
export * from './partitioner.js';
