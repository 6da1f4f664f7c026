export * from './allowed-rate.js';
export * from './callback-token.js';
export * from './challenge.js';
export * from './endpoint-verification.js';
export * from './handshake.js';
export * from './verification-rules.js';
export * from './verification-verdict.js';
