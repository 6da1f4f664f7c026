import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';

export interface ForgetPorts {
  /** Clears away what is older than it needs to be at this time. */
  readonly forgetOld: (now: number) => Promise<unknown>;
  readonly schedule: (ms: number, run: () => void) => () => void;
  readonly now: () => number;
  readonly log: { warn(details: object, message: string): void };
}

/** Clears away what is kept for a day (answers to repeated requests, revoked tokens), now and then. Any number of processes may do it. */
export class ForgetAnswers implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #stopped = false;
  #cancel: () => void = () => undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(
    private readonly ports: ForgetPorts,
    private readonly everyMs: number,
  ) {}

  onApplicationBootstrap(): void {
    this.#next();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#work;
  }

  #next(): void {
    if (this.#stopped) return;
    this.#cancel = this.ports.schedule(this.everyMs, () => {
      this.#work = this.#run();
    });
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { forgetOld, now, log } = this.ports;
    try {
      await forgetOld(now());
    } catch (err) {
      log.warn({ err }, 'what is kept for a day cannot be cleared away yet; trying again');
    }
    this.#next();
  }
}
