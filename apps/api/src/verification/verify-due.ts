import { asPosthorn } from '#libs/persistence';
import type { Verify } from './verify.js';

export interface DuePorts {
  readonly verify: Pick<Verify, 'due'>;
  readonly schedule: (ms: number, run: () => void) => () => void;
  readonly log: { warn(details: object, message: string): void };
}

export interface DueOptions {
  /** How often tries are looked for that others have left behind, or whose time has come. */
  readonly everyMs: number;
  /** On their way at once. */
  readonly atOnce: number;
}

/** Makes the tries that are due. Any number of processes may do it: each try goes to one of them. */
export class VerifyDue {
  readonly #running = new Set<Promise<void>>();
  #cancel: () => void = () => undefined;
  #looking = false;
  #again = false;
  #stopped = false;

  constructor(
    private readonly ports: DuePorts,
    private readonly options: DueOptions,
  ) {}

  start(): void {
    this.look();
  }

  /** Something may be due now. */
  look(): void {
    this.#again = true;
    // A tenant's request may say so: what is due is everybody's, and tried in nobody's name.
    if (!this.#looking && !this.#stopped) void asPosthorn(() => this.#run());
  }

  /** Begins nothing more. What is on its way ends with the sender. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await Promise.all(this.#running);
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    this.#looking = true;
    this.#cancel();
    while (this.#again && !this.#stopped) {
      this.#again = false;
      try {
        await this.#begin();
      } catch (err) {
        this.ports.log.warn({ err }, 'endpoints that are to be verified cannot be looked for; trying again');
      }
    }
    this.#looking = false;
    if (!this.#stopped) this.#cancel = this.ports.schedule(this.options.everyMs, () => this.look());
  }

  async #begin(): Promise<void> {
    const room = this.options.atOnce - this.#running.size;
    // Whoever ends makes room, and looks again.
    if (room <= 0) return;
    const begun = await this.ports.verify.due(room);
    for (const one of begun) {
      const settled: Promise<void> = one
        .then(
          () => undefined,
          (err: unknown) => this.ports.log.warn({ err }, 'a try to verify an endpoint was not kept; it is made again'),
        )
        .then(() => {
          const wasFull = this.#running.size >= this.options.atOnce;
          this.#running.delete(settled);
          if (wasFull) this.look();
        });
      this.#running.add(settled);
    }
  }
}
