/** They come back before that; what has not, ended elsewhere. */
const staleMs = 30_000;

/**
 * What was spilled so that it comes back within seconds, by pos: lower ones are needed earlier. Those that come back, or
 * that are sent away anew, are told apart by nothing else.
 */
export class NearSpills {
  /** Ascending. */
  #positions: number[] = [];
  #since = 0;

  /** How many of lower pos are away. */
  before(pos: number, now: number): number {
    if (now - this.#since > staleMs) {
      this.#positions = [];
      this.#since = now;
    }
    let low = 0;
    let high = this.#positions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#positions[middle] ?? Infinity) < pos) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @param most that are remembered: the highest are forgotten first */
  add(pos: number, most: number, now: number): void {
    const at = this.before(pos, now);
    this.#positions.splice(at, 0, pos);
    if (this.#positions.length > most) this.#positions.length = most;
  }

  /** It came back. */
  remove(pos: number, now: number): void {
    const at = this.before(pos, now);
    if (this.#positions[at] === pos) this.#positions.splice(at, 1);
  }
}
