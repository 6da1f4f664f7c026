import { runStandalone } from './src/index.js';

await runStandalone();
