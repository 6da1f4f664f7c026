import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { exceeded } from './machine-answer.js';
import type {
  CodeCheck,
  SandboxCode,
  SandboxFailed,
  SandboxInput,
  SandboxLimits,
  SandboxResult,
} from './sandbox-job.js';
import { looksUntilStuck, StepWatch } from './step-watch.js';
import type { FromThread, ThreadSetup, ToThread } from './thread-messages.js';

export interface Task {
  readonly code: SandboxCode;
  /** Null: only see whether the code can be run. */
  readonly input: SandboxInput | null;
  readonly resolve: (result: SandboxResult | CodeCheck) => void;
  readonly reject: (error: Error) => void;
}

export interface ThreadOptions {
  readonly limits: SandboxLimits;
  readonly imageBytes: number;
  /** It has answered all that it was given, or has ended; then `left` was not begun. */
  readonly onIdle: (left: readonly Task[]) => void;
  /** It had to be ended, since nothing else could stop what it ran. */
  readonly onEnded: () => void;
}

const isSource = import.meta.url.endsWith('.ts');
const entry = new URL(isSource ? './thread.ts' : './thread.js', import.meta.url);

/**
 * One thread of the sandbox, from the outside. It is started with its first work. When it takes longer than it may for one
 * step, because it is in the midst of something that cannot be interrupted, it is ended together with what it ran, and the
 * next work starts another one.
 */
export class SandboxThread {
  readonly #steps = new Int32Array(new SharedArrayBuffer(4));
  #worker: Worker | null = null;
  #isReady = false;
  readonly #watch = new StepWatch(this.#steps);
  #timer: NodeJS.Timeout | null = null;
  /** CPU time that its last start took. */
  #startMs = 0;
  /** In their order; the first is being run. */
  #tasks: Task[] = [];

  constructor(private readonly options: ThreadOptions) {}

  get isIdle(): boolean {
    return this.#tasks.length === 0;
  }

  /** Of one piece of code, at least one. Only when idle. */
  work(tasks: readonly Task[]): void {
    const [first] = tasks;
    if (first === undefined) return;
    this.#tasks = [...tasks];
    this.#worker ??= this.#start();
    this.#send({ kind: 'work', code: first.code, inputs: tasks.map(({ input }) => input) });
    if (this.#isReady) this.#beginWatch();
  }

  forget(transformationId: string): void {
    this.#send({ kind: 'forget', transformationId });
  }

  /** Rejects what it has not answered. */
  async close(): Promise<void> {
    const worker = this.#worker;
    this.#release();
    for (const task of this.#tasks.splice(0)) task.reject(new Error('the sandbox was closed'));
    await worker?.terminate();
  }

  #start(): Worker {
    const { limits, imageBytes } = this.options;
    const worker = new Worker(entry, {
      name: 'sandbox',
      workerData: { limits, imageBytes, steps: this.#steps.buffer } satisfies ThreadSetup,
      // Nothing of the host's environment or options. Sources need what turns them into JavaScript.
      env: {},
      execArgv: isSource ? ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href] : [],
      resourceLimits: { maxOldGenerationSizeMb: 64, stackSizeMb: 4 },
    });
    worker.on('message', (message: FromThread) => {
      if (worker !== this.#worker) return;
      if (message.kind === 'ready') {
        this.#isReady = true;
        this.#startMs = message.cpuMs;
        this.#beginWatch();
      } else this.#answered(message.result);
    });
    worker.on('error', (error) => this.#died(worker, error));
    worker.on('exit', () => this.#died(worker, new Error('a thread of the sandbox has ended')));
    return worker;
  }

  #answered(result: SandboxResult | CodeCheck): void {
    this.#tasks.shift()?.resolve(result);
    if (this.#tasks.length > 0) return;
    this.#stopWatching();
    this.options.onIdle([]);
  }

  /** A fault of ours or of the machine, not one of the limits: whoever asked is told, and may ask again. */
  #died(worker: Worker, error: unknown): void {
    if (worker !== this.#worker) return;
    this.#release();
    const [running, ...left] = this.#tasks.splice(0);
    if (running === undefined) return;
    if (isOutOfMemory(error)) running.resolve(this.#failed('memory', this.options.limits.runMs));
    else running.reject(error instanceof Error ? error : new Error(String(error)));
    this.options.onIdle(left);
  }

  #beginWatch(): void {
    this.#watch.begin();
    // Asks for the thread's steps, not for its answers: those may wait because this thread is busy.
    this.#timer ??= setInterval(() => {
      if (this.#watch.look()) this.#endIt();
    }, this.#allowedMs / looksUntilStuck);
  }

  #endIt(): void {
    const worker = this.#worker;
    this.#release();
    const [running, ...left] = this.#tasks.splice(0);
    this.options.onEnded();
    running?.resolve(this.#failed('timeout', this.#allowedMs));
    this.options.onIdle(left);
    void worker?.terminate();
  }

  /** @param ranMs what it has used, as far as that is known; it pays for the thread's successor too */
  #failed(code: 'timeout' | 'memory', ranMs: number): SandboxFailed {
    const message = `${exceeded(code, this.options.limits)}, and its thread had to be ended`;
    return { kind: 'failed', code, message, logs: [], cpuMs: ranMs + this.#startMs };
  }

  get #allowedMs(): number {
    return this.options.limits.runMs + this.options.limits.graceMs;
  }

  #send(message: ToThread): void {
    this.#worker?.postMessage(message);
  }

  #release(): void {
    this.#stopWatching();
    this.#worker = null;
    this.#isReady = false;
  }

  #stopWatching(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}

/** Of what the thread has beside the machine: the same for whoever waits as if it had been the machine's. */
const isOutOfMemory = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
