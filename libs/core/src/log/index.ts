export * from './lease.js';
export * from './partitioner.js';
