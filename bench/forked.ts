import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '#libs/config';

/** A process of the bench itself, spoken to over IPC. It ends by itself when the channel closes. */
export class Forked<Out extends object, In extends { readonly type: string }> {
  readonly #child: ChildProcess;
  readonly #title: string;

  /** @param script compiled, relative to the bench's folder in `dist`: its tests run this file from the source */
  constructor(title: string, script: string) {
    this.#title = title;
    this.#child = fork(join(projectRoot(), 'dist', 'bench', script), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  tell(message: Out): void {
    this.#child.send(message);
  }

  /** The next message of this type; null after `timeoutMs`. Rejects when the process ends before. */
  hear<T extends In['type']>(type: T, timeoutMs: number): Promise<Extract<In, { readonly type: T }> | null> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.#child.off('message', look).off('exit', failed).off('error', failed);
      };
      const look = (message: unknown): void => {
        if ((message as In).type !== type) return;
        settle();
        resolve(message as Extract<In, { readonly type: T }>);
      };
      const failed = (cause: unknown): void => {
        settle();
        reject(new Error(`the ${this.#title} has ended`, { cause }));
      };
      const timer = setTimeout(() => {
        settle();
        resolve(null);
      }, timeoutMs);
      this.#child.on('message', look).once('exit', failed).once('error', failed);
    });
  }

  /** As `hear`, for an answer that must come. */
  async mustHear<T extends In['type']>(type: T, timeoutMs: number): Promise<Extract<In, { readonly type: T }>> {
    const message = await this.hear(type, timeoutMs);
    if (message === null) throw new Error(`the ${this.#title} has not said '${type}' within ${timeoutMs} ms`);
    return message;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 2_000);
    if (this.#child.connected) this.#child.disconnect();
    await ended;
    clearTimeout(timer);
  }
}
