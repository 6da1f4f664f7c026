export * from './secret-box.js';
export * from './webhook-signature.js';
