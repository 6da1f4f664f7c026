import { runCli } from './src/index.js';

process.exitCode = await runCli(process.argv.slice(2));
