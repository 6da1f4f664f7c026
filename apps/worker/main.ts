import { runApp } from '#libs/platform';
import { workerApp } from './src/index.js';

await runApp(workerApp);
