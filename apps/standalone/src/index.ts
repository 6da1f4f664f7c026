export { runStandalone, type Addresses } from './standalone.js';
