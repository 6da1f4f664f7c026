import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import type { IdempotencyKeys } from '#libs/persistence';

export interface ForgetPorts {
  readonly keys: Pick<IdempotencyKeys, 'forgetOld'>;
  readonly schedule: (ms: number, run: () => void) => () => void;
  readonly now: () => number;
  readonly log: { warn(details: object, message: string): void };
}

/** Clears away answers that are older than a day, now and then. Any number of processes may do it. */
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
    const { keys, now, log } = this.ports;
    try {
      await keys.forgetOld(now());
    } catch (err) {
      log.warn({ err }, 'old answers to repeated requests cannot be cleared away yet; trying again');
    }
    this.#next();
  }
}
