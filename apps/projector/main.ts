import { runApp } from '#libs/platform';
import { projectorApp, runRebuild } from './src/index.js';

const [task, ...args] = process.argv.slice(2);
if (task === 'rebuild') await runRebuild(args);
else await runApp(projectorApp);
