export * from './endpoint-content.js';
export * from './endpoint-credentials.js';
export * from './endpoint-verification.js';
export * from './first-copy.js';
export * from './headers.js';
export * from './platform-schemas.generated.js';
export type * from './records.generated.js';
export * from './topics.js';
