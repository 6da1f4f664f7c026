/** Child processes of the scripts: started on the pinned Node, ended with us. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const bin = join(root, 'node_modules', '.bin');

/** A program of a package. `fromBin('node')` is the pinned Node. */
export function fromBin(name) {
  return join(bin, name);
}

/** Our environment, in which `node` and the packages' programs are those of this checkout. */
function environment(extra = {}) {
  return { ...process.env, ...extra, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` };
}

const running = new Set();
let lastSignal = 0;
let interrupted = false;

/** True when a signal has asked us to end: no further step begins then. */
export function stopped() {
  return interrupted;
}

// The children are in sessions of their own and get each signal from us, once: a terminal would send Ctrl-C to all of
// us, and npm sends it again, which a child would take for impatience.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    const now = Date.now();
    const again = now - lastSignal < 300;
    lastSignal = now;
    interrupted = true;
    if (!again) for (const child of running) send(child, signal);
  });
}

/**
 * Runs a tool to its end, with our input and output. Resolves to its exit code; 128 + n after signal n. Signals go to
 * it and to the processes that it has started, and none of them outlives it.
 */
export function run(command, args, options = {}) {
  return start(command, args, { group: true, ...options, stdio: 'inherit' }).ended;
}

/** As `run`, for a program of ours, on the pinned Node: it alone gets the signals, and ends its children in order. */
export function runNode(args) {
  return run(fromBin('node'), args, { group: false });
}

/** As `run`, but keeps what it prints: `{ code, output }`. */
export async function capture(command, args, options = {}) {
  const { child, ended } = start(command, args, { group: true, ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text) => {
      output += text;
    });
  }
  return { code: await ended, output };
}

/** Runs programs side by side; when one ends, the others are ended. Resolves to the code of the first. */
export async function runAll(commands) {
  const all = commands.map(({ command, args }) => start(command, args, { stdio: 'inherit' }));
  const code = await Promise.race(all.map(({ ended }) => ended));
  // A signal to us has reached all of them already; a second one would be taken for impatience.
  if (!interrupted) for (const { child } of all) child.kill('SIGTERM');
  await Promise.all(all.map(({ ended }) => ended));
  return code;
}

const groups = new WeakSet();

function send(child, signal) {
  if (!groups.has(child) || child.pid === undefined) {
    child.kill(signal);
    return;
  }
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    // Nobody is left in the group.
    if (error.code !== 'ESRCH') throw error;
  }
}

function start(command, args, { env, group = false, ...options }) {
  const child = spawn(command, args, { cwd: root, detached: true, ...options, env: environment(env) });
  running.add(child);
  if (group) groups.add(child);
  const ended = new Promise((resolve) => {
    child.on('error', (error) => {
      running.delete(child);
      console.error(`${command} could not be started: ${error.message}`);
      resolve(127);
    });
    // A worker of a test runner that was interrupted goes on by itself, and may keep our output open.
    child.on('exit', () => group && send(child, 'SIGKILL'));
    child.on('close', (code, signal) => {
      running.delete(child);
      resolve(code ?? 128 + (constants.signals[signal] ?? 0));
    });
  });
  return { child, ended };
}
