import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { guard, unguard } from './guardian.js';
import { lastLines } from './run-to-end.js';

export interface ChildOptions {
  /** How it is called in messages. */
  readonly title: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Its output goes here; overwritten at each start. */
  readonly logFile: string;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** The signal that asks it to end. Default SIGTERM. */
  readonly stopSignal?: 'SIGTERM' | 'SIGINT';
}

/** A running program of ours, in a process group of its own, that does not outlive us. */
export interface Child {
  readonly title: string;
  readonly pid: number;
  /** Settles when the process has ended, however. */
  readonly ended: Promise<void>;
  /** Asks, and after `graceMs` kills. Done when it has ended. */
  stop(graceMs: number): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Asks `probe` until it says true. Rejects with the end of the log when the process ends, or after `timeoutMs`. */
  untilReady(probe: () => Promise<boolean>, timeoutMs: number): Promise<void>;
}

/** Starts a program. The group of its own keeps a terminal's Ctrl-C away from it: we end our children in order. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { title, command, args, logFile, stopSignal = 'SIGTERM' } = options;
  const log = openSync(logFile, 'w');
  const child = spawn(command, args, {
    detached: true,
    stdio: ['ignore', log, log],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });
  closeSync(log);
  const { pid } = child;
  if (pid === undefined) {
    const reason = await new Promise<Error>((resolve) => child.once('error', resolve));
    throw new Error(`${title} could not be started: ${reason.message}`, { cause: reason });
  }
  guard(pid, stopSignal.replace('SIG', ''));
  let running = true;
  const ended = new Promise<void>((resolve) =>
    child.once('exit', () => {
      running = false;
      unguard(pid);
      resolve();
    }),
  );
  const signal = (name: NodeJS.Signals): void => {
    // Only while it runs: afterwards the id may belong to someone else.
    if (running) child.kill(name);
  };
  return {
    title,
    pid,
    ended,
    signal,
    stop: async (graceMs) => {
      if (!running) return;
      signal(stopSignal);
      // A frozen process hears a polite signal only when it is thawed.
      signal('SIGCONT');
      const timer = new AbortController();
      const patience = sleep(graceMs, undefined, { signal: timer.signal }).then(
        () => signal('SIGKILL'),
        () => undefined,
      );
      await ended;
      timer.abort();
      await patience;
    },
    untilReady: async (probe, timeoutMs) => {
      const deadline = performance.now() + timeoutMs;
      for (;;) {
        const problem = !running
          ? 'ended before it was ready'
          : performance.now() > deadline
            ? 'does not answer'
            : null;
        if (problem !== null) throw new Error(`${title} ${problem}. Its log (${logFile}):\n${tail(logFile)}`);
        if (await probe()) return;
        await sleep(50);
      }
    },
  };
}

function tail(file: string): string {
  return lastLines(readFileSync(file, 'utf8').slice(-20_000), 20);
}
