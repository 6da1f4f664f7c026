import type { Surroundings } from '../src/surroundings.js';

interface Timer {
  readonly at: number;
  readonly task: () => void;
}

/** Time that passes only when a test says so. */
export class VirtualTime {
  /** 2026-01-01. */
  readonly epoch = 1_767_225_600_000;
  elapsed = 0;
  #timers: Timer[] = [];

  readonly now = (): number => this.epoch + this.elapsed;
  readonly monotonic = (): number => this.elapsed;
  readonly schedule = (ms: number, task: () => void): (() => void) => {
    const timer = { at: this.elapsed + ms, task };
    this.#timers.push(timer);
    return () => (this.#timers = this.#timers.filter((one) => one !== timer));
  };

  /** Everything that can happen without time passing. */
  async settle(): Promise<void> {
    for (let i = 0; i < 4; i += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  async advance(ms: number): Promise<void> {
    const until = this.elapsed + ms;
    await this.settle();
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((one) => one !== due);
      this.elapsed = Math.max(this.elapsed, due.at);
      due.task();
      await this.settle();
    }
    this.elapsed = until;
    await this.settle();
  }

  /** Lets time pass until the work is done; a minute of it is too much. */
  async during(work: Promise<void>): Promise<void> {
    let done = false;
    const watched = work.finally(() => (done = true));
    for (let waited = 0; !done; waited += 100) {
      if (waited > 60_000) throw new Error('not done within a minute of virtual time');
      await this.advance(100);
    }
    await watched;
  }

  surroundings(lines: string[]): Surroundings {
    const line = (details: object, message: string) => void lines.push(`${message} ${JSON.stringify(details)}`);
    return {
      now: this.now,
      monotonic: this.monotonic,
      schedule: this.schedule,
      die: (error) => void lines.push(`died: ${error.message}`),
      log: { info: line, warn: line, error: line },
    };
  }
}
