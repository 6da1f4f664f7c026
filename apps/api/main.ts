import { runApp } from '#libs/platform';
import { apiApp } from './src/index.js';

await runApp(apiApp);
