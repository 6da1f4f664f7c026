export * from './api-key.js';
export * from './portal-token.js';
export * from './scopes.js';
