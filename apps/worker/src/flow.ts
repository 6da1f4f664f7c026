const windowMs = 500;
/** So long something new gets the benefit of the doubt, and so long if it had a success. */
const doubtMs = 500;
const freshMs = 2_500;

/** How fast an endpoint takes deliveries, over the last half to whole second. Times are of a monotonic clock, in ms. */
export class Flow {
  readonly #began: number;
  #since: number;
  #earlier = 0;
  #recent = 0;
  #any = false;

  constructor(now: number) {
    this.#began = now;
    this.#since = now;
  }

  /** A delivery was answered with success. */
  add(now: number): void {
    this.#roll(now);
    this.#recent += 1;
    this.#any = true;
  }

  /** Whether `records` would go out within `ms` at this speed. */
  takes(records: number, ms: number, now: number): boolean {
    return now - this.#began < (this.#any ? freshMs : doubtMs) || this.perMs(now) * ms >= records;
  }

  /** Successes per millisecond. */
  perMs(now: number): number {
    this.#roll(now);
    return (this.#earlier + this.#recent) / (windowMs + (now - this.#since));
  }

  #roll(now: number): void {
    const windows = Math.floor((now - this.#since) / windowMs);
    if (windows <= 0) return;
    this.#earlier = windows === 1 ? this.#recent : 0;
    this.#recent = 0;
    this.#since += windows * windowMs;
  }
}
