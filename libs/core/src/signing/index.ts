export * from './master-keys.js';
export * from './reseal.js';
export { openSecret, sealSecret } from './secret-box.js';
export { sealEnvelope } from './secret-envelope.js';
export * from './secret-rotation.js';
export * from './webhook-keys.js';
export * from './webhook-signature.js';
