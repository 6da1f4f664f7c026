import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { childEnvironment } from '#libs/config';

export interface ChildOptions {
  /** How it is called in messages. */
  readonly title: string;
  /** Compiled script, relative to the folder of the compiled demo. */
  readonly script: string;
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly onLine?: (line: string, from: 'stdout' | 'stderr') => void;
  readonly onMessage?: (message: unknown) => void;
}

/** A process of the demo. It has a group of its own: a terminal's Ctrl-C reaches only us, and we stop them in order. */
export class Child {
  readonly #process: ChildProcess;
  /** Settles with the exit code (null after a signal). */
  readonly ended: Promise<number | null>;
  #running = true;

  constructor(private readonly options: ChildOptions) {
    const script = fileURLToPath(new URL(`../${options.script}`, import.meta.url));
    this.#process = spawn(process.execPath, ['--enable-source-maps', script, ...(options.args ?? [])], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: childEnvironment(options.environment ?? {}),
    });
    for (const from of ['stdout', 'stderr'] as const) {
      const stream = this.#process[from];
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => options.onLine?.(line, from));
    }
    this.#process.on('message', (message) => options.onMessage?.(message));
    this.ended = new Promise((resolve, reject) => {
      this.#process.once('error', reject);
      // `close` comes after the last line of output.
      this.#process.once('close', (code) => {
        this.#running = false;
        resolve(code);
      });
    });
  }

  /** Rejects when it ends: for what must live as long as the demo. */
  async mustLive(): Promise<never> {
    const code = await this.ended;
    throw new Error(`the ${this.options.title} has ended (${code === null ? 'by a signal' : `exit ${code}`})`);
  }

  send(message: object): void {
    this.#process.send(message);
  }

  /** The first message of this type. Rejects when the process ends before. */
  async message<T>(type: string): Promise<T> {
    const arrived = new Promise<T>((resolve) => {
      const look = (message: unknown): void => {
        if ((message as { type?: string }).type !== type) return;
        this.#process.off('message', look);
        resolve(message as T);
      };
      this.#process.on('message', look);
    });
    return Promise.race([arrived, this.mustLive()]);
  }

  /** SIGTERM; SIGKILL after `graceMs`. Resolves when it has ended. */
  async stop(graceMs: number): Promise<void> {
    if (!this.#running) return;
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.kill(), graceMs);
    await this.ended.catch(() => null);
    clearTimeout(timer);
  }

  kill(): void {
    if (this.#running) this.#process.kill('SIGKILL');
  }
}
