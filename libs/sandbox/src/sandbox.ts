import { Entry } from './entry.js';
import { FairQueue } from './fair-queue.js';
import {
  sandboxLimits,
  type CodeCheck,
  type SandboxCode,
  type SandboxInput,
  type SandboxJob,
  type SandboxLimits,
  type SandboxResult,
} from './sandbox-job.js';
import { SandboxThread, type Task } from './sandbox-thread.js';

export interface SandboxOptions {
  /** At most so many jobs run at once. Two at least, if one that is ended is not to delay the others. */
  readonly threads: number;
  readonly limits?: Partial<SandboxLimits>;
  /** Jobs that may wait. Default 10,000. */
  readonly maxQueued?: number;
  /** Loaded code that each thread keeps, in bytes; about 200 KiB for each version. Default 32 MiB. */
  readonly imageBytes?: number;
}

export interface SandboxStats {
  /** Jobs that wait for their turn. */
  readonly queued: number;
  /** Threads that have work. */
  readonly busy: number;
  /** Threads that were ended and replaced since the sandbox was opened. */
  readonly ended: number;
}

/** Too many jobs wait. */
export class SandboxFull extends Error {
  override readonly name = 'SandboxFull';
}

/**
 * Runs customers' code in threads of its own, so that no caller's event loop waits for it. Transformations take turns: each
 * has at most one thread at a time, so what floods or hangs delays itself alone.
 */
export interface Sandbox {
  /**
   * Whatever the code does is in the result. Jobs of one transformation are run in the order in which they were given.
   * Rejects with `SandboxFull`, and when the sandbox is closed or a thread of it cannot run at all.
   */
  run(job: SandboxJob): Promise<SandboxResult>;
  /** Evaluates the code without calling its handler. Rejects as `run` does. */
  check(code: string): Promise<CodeCheck>;
  /**
   * Ask before each `run` to be held back instead of refused. Resolves, in the order of asking, when at most half of the queue is
   * in use or given away; the place is kept for a `run` or `check` that follows at once, before the event loop goes on.
   */
  room(): Promise<void>;
  /** What is loaded of it is let go, in whichever version. */
  forget(transformationId: string): void;
  stats(): SandboxStats;
  /** Ends what runs; what was not answered rejects. */
  close(): Promise<void>;
}

const maxQueuedByDefault = 10_000;
const imageBytesByDefault = 32 * 1024 * 1024;
/** Jobs of one transformation that a thread gets at once: a message costs about as much as a run. */
const jobsAtOnce = 16;

/** Its threads are started when they are first needed. */
export function openSandbox(options: SandboxOptions): Sandbox {
  const limits = { ...sandboxLimits, ...options.limits };
  const { maxQueued = maxQueuedByDefault, imageBytes = imageBytesByDefault } = options;
  const queue = new FairQueue<Task>();
  const threads: SandboxThread[] = [];
  /** Whose turn it is there, and what comes after what it runs. */
  const busy = new Map<SandboxThread, { readonly key: string; readonly later: readonly Task[] }>();
  const entry = new Entry({ most: maxQueued / 2, queued: () => queue.size });
  let ended = 0;
  let checks = 0;
  let isClosed = false;

  const assign = (thread: SandboxThread): void => {
    const turn = queue.take(jobsAtOnce);
    if (turn === null) return;
    // One version at a time: they are different code.
    const [first] = turn.jobs;
    const alike = turn.jobs.findIndex(({ code }) => code.version !== first?.code.version);
    const tasks = alike === -1 ? turn.jobs : turn.jobs.slice(0, alike);
    busy.set(thread, { key: turn.key, later: turn.jobs.slice(tasks.length) });
    thread.work(tasks);
    entry.admit();
  };
  const idleThread = (): SandboxThread | undefined => {
    const idle = threads.find((thread) => !busy.has(thread));
    if (idle !== undefined || threads.length >= options.threads) return idle;
    const thread: SandboxThread = new SandboxThread({
      limits,
      imageBytes,
      onIdle(left) {
        const turn = busy.get(thread);
        busy.delete(thread);
        if (turn === undefined || isClosed) return;
        queue.release(turn.key, [...left, ...turn.later]);
        assign(thread);
      },
      onEnded: () => {
        ended += 1;
      },
    });
    threads.push(thread);
    return thread;
  };
  const submit = (code: SandboxCode, input: SandboxInput | null): Promise<SandboxResult | CodeCheck> =>
    new Promise((resolve, reject) => {
      if (isClosed) return reject(new Error('the sandbox is closed'));
      if (queue.size >= maxQueued) return reject(new SandboxFull(`${maxQueued} jobs wait for the sandbox`));
      entry.taken();
      queue.push(code.transformationId, { code, input, resolve, reject });
      const thread = idleThread();
      if (thread !== undefined) assign(thread);
    });

  return {
    run: ({ input, ...code }) => submit(code, input) as Promise<SandboxResult>,
    check(code) {
      checks += 1;
      return submit({ transformationId: `check:${checks}`, version: 0, code }, null) as Promise<CodeCheck>;
    },
    room: () => entry.room(),
    forget(transformationId) {
      for (const thread of threads) thread.forget(transformationId);
    },
    stats: () => ({ queued: queue.size, busy: busy.size, ended }),
    async close() {
      isClosed = true;
      for (const { reject } of queue.clear()) reject(new Error('the sandbox was closed'));
      entry.open();
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
}
