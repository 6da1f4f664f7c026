export * from './audit-chain.js';
export * from './audit-entry.js';
export * from './canonical-json.js';
export * from './without-secrets.js';
