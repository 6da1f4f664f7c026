import type { Clock } from '../clock.js';

/** Time for tests: it passes only in `run`, and everything due happens in order. */
export class VirtualTime implements Clock {
  #now: number;
  #nth = 0;
  #timers: { readonly at: number; readonly nth: number; readonly task: () => void }[] = [];
  #deferred: (() => void)[] = [];

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  schedule(ms: number, task: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), nth: this.#nth++, task };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  defer(task: () => void): void {
    this.#deferred.push(task);
  }

  /** Lets `ms` pass. */
  async run(ms: number): Promise<void> {
    const until = this.#now + ms;
    for (;;) {
      await this.#settle();
      const [next] = this.#timers.toSorted((a, b) => a.at - b.at || a.nth - b.nth);
      if (next === undefined || next.at > until) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.#now = Math.max(this.#now, next.at);
      next.task();
    }
    this.#now = until;
  }

  /** Lets time pass until `work` is done. */
  async during<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const end = work.finally(() => {
      done = true;
    });
    for (let i = 0; i < 10_000 && !done; i += 1) await this.run(10);
    return end;
  }

  /** Runs what is ready: promises, then what was deferred, until there is nothing left. */
  async #settle(): Promise<void> {
    for (;;) {
      await new Promise<void>((resolve) => void setImmediate(resolve));
      const ready = this.#deferred.splice(0);
      if (ready.length === 0) return;
      for (const task of ready) task();
    }
  }
}
