/** Each level lasts at least so long … */
const levelMs = 500;
/** … and starts at most so many POSTs per second and POST on its way: else a quick endpoint would get all at once. */
const startsPerSecond = 10;

/**
 * What a recovering endpoint gets: 1, 2, 4, … POSTs at once. A level is through when as many as it allows have succeeded
 * and its time is over. With 16 at once allowed at the end, all of it takes 2.5 s and some 150 POSTs. Times in ms.
 */
export class CircuitRamp {
  #level = 1;
  #since: number;
  #successes = 0;
  #pacedUntil = 0;

  constructor(now: number) {
    this.#since = now;
  }

  /** POSTs that may be on their way at once. */
  get level(): number {
    return this.#level;
  }

  get since(): number {
    return this.#since;
  }

  /** When the next POST may start, as far as the pace is concerned. */
  nextAt(now: number): number {
    return Math.max(now, this.#pacedUntil);
  }

  posted(now: number): void {
    this.#pacedUntil = now + 1_000 / (startsPerSecond * this.#level);
  }

  /** @returns whether it is through: the endpoint is given all of its `limit` again */
  succeeded(limit: number, now: number): boolean {
    this.#successes += 1;
    if (this.#successes < this.#level || now - this.#since < levelMs) return false;
    if (this.#level >= limit) return true;
    this.#level *= 2;
    this.#since = now;
    this.#successes = 0;
    return false;
  }
}
