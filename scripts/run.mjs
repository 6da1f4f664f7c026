/**
 * `node scripts/run.mjs <task> [arguments]`: what the npm scripts call. Plain JavaScript over Node's own modules, so
 * that it starts on a fresh clone, on the system's Node: it installs first, and runs all else on the pinned Node.
 */
import { build } from './build.mjs';
import { check } from './check.mjs';
import { install } from './install.mjs';
import { fromBin, run, runAll, runNode, stopped } from './process.mjs';
import { test } from './test.mjs';

/** Each task resolves to the exit code. */
const tasks = {
  build: () => build(),
  start: (args) => built(['--enable-source-maps', 'dist/apps/standalone/main.js', ...args]),
  demo: (args) => built(['--enable-source-maps', 'dist/examples/project-management/demo.js', ...args]),
  cli: (args) => built(['--enable-source-maps', 'dist/apps/cli/main.js', ...args]),
  bench: (args) => built(['dist/bench/main.js', ...args]),
  dev: async (args) => {
    const code = await build();
    if (code !== 0) return code;
    return runAll([
      { command: fromBin('tsc'), args: ['-p', 'tsconfig.build.json', '--watch', '--preserveWatchOutput'] },
      { command: fromBin('node'), args: ['--enable-source-maps', '--watch', 'dist/apps/standalone/main.js', ...args] },
    ]);
  },
  gen: (args) => runNode(['--conditions=source', 'scripts/gen.mjs', ...args]),
  check: () => check(),
  test: (args) => (args[0] === 'simulation' && args.length > 1 ? simulation(args.slice(1)) : test(args)),
};

/** `test simulation --seeds N --from S`: just these. Without arguments it is a tier as the others. */
function simulation(args) {
  return runNode(['--conditions=source', '--import', 'tsx', 'test/simulation/main.ts', ...args]);
}

async function built(args) {
  const code = await build();
  return code === 0 ? runNode(args) : code;
}

const [name = '', ...args] = process.argv.slice(2);
const task = Object.hasOwn(tasks, name) ? tasks[name] : undefined;
if (task === undefined) {
  console.error(`usage: node scripts/run.mjs <${Object.keys(tasks).join('|')}> [arguments]`);
  process.exitCode = 2;
} else {
  const code = await install(run);
  process.exitCode = code === 0 && !stopped() ? await task(args) : code || 130;
}
