import { DueQueue } from '#libs/core';
import type { Clock } from './clock.js';
import type { Entry } from './owned-partition.js';

/** Deliveries whose time is nearer than the shortest retry topic would give them back: one timer for all of them. */
export class RetryTimers {
  readonly #clock: Clock;
  readonly #due: (entry: Entry) => void;
  readonly #waiting = new DueQueue<Entry>();
  #armedFor = Infinity;
  #disarm: () => void = () => undefined;

  constructor(clock: Clock, due: (entry: Entry) => void) {
    this.#clock = clock;
    this.#due = due;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** @param dueAt Unix milliseconds */
  add(dueAt: number, entry: Entry): void {
    this.#waiting.add(dueAt, entry);
    if (dueAt < this.#armedFor) this.#arm();
  }

  close(): void {
    this.#disarm();
    this.#armedFor = -Infinity;
  }

  #arm(): void {
    this.#disarm();
    this.#armedFor = this.#waiting.nextAt;
    if (this.#armedFor === Infinity) return;
    const ms = Math.max(1, Math.ceil(this.#armedFor - this.#clock.now()));
    this.#disarm = this.#clock.schedule(ms, () => this.#run());
  }

  #run(): void {
    // A timer may fire early, and a wall clock may be set back: only what is due now goes out.
    const now = this.#clock.now();
    this.#armedFor = Infinity;
    for (let entry = this.#waiting.takeDue(now); entry !== undefined; entry = this.#waiting.takeDue(now)) {
      if (entry.partition.alive) this.#due(entry);
    }
    this.#arm();
  }
}
