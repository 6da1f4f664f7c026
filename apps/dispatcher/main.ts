import { runApp } from '#libs/platform';
import { dispatcherApp } from './src/index.js';

await runApp(dispatcherApp);
