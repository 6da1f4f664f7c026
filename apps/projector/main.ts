import { runApp } from '#libs/platform';
import { projectorApp } from './src/index.js';

await runApp(projectorApp);
