export { connectKafka } from './connect.js';
export { InMemoryLog } from './in-memory-log.js';
export type { InMemoryMembership } from './in-memory-group.js';
export * from './ports.js';
