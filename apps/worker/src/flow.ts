const defaultWindowMs = 500;
/** So long something new gets the benefit of the doubt, and so long if it had a success. */
const doubtMs = 500;
const freshMs = 2_500;

/**
 * How often something happens, over the last one to two windows; with the default window: how fast an endpoint takes
 * deliveries. Times are of a monotonic clock, in ms.
 */
export class Flow {
  readonly #began: number;
  readonly #windowMs: number;
  #since: number;
  #earlier = 0;
  #recent = 0;
  #any = false;

  constructor(now: number, windowMs = defaultWindowMs) {
    this.#began = now;
    this.#since = now;
    this.#windowMs = windowMs;
  }

  /** It happened, so often: deliveries were answered with success. */
  add(now: number, times = 1): void {
    this.#roll(now);
    this.#recent += times;
    this.#any = true;
  }

  /** Whether `records` would go out within `ms` at this speed. */
  takes(records: number, ms: number, now: number): boolean {
    return now - this.#began < (this.#any ? freshMs : doubtMs) || this.perMs(now) * ms >= records;
  }

  /** How often per millisecond. */
  perMs(now: number): number {
    this.#roll(now);
    // What is young has had less time than its window.
    const lasted = Math.max(Math.min(this.#windowMs, doubtMs), now - this.#began);
    return (this.#earlier + this.#recent) / Math.min(lasted, this.#windowMs + (now - this.#since));
  }

  #roll(now: number): void {
    const windows = Math.floor((now - this.#since) / this.#windowMs);
    if (windows <= 0) return;
    this.#earlier = windows === 1 ? this.#recent : 0;
    this.#recent = 0;
    this.#since += windows * this.#windowMs;
  }
}
