export * from './authentication.js';
export * from './certificates.js';
export * from './credential.js';
export * from './token-grant.js';
export * from './without-credential.js';
