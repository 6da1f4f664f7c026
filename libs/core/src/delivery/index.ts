export * from './delivery-id.js';
