/**
 * What of one partition is settled: commits must be contiguous, settling is not. Offsets are tracked as they are read,
 * in order; gaps (compacted records, transaction markers) need no settling.
 */
export class OffsetTracker {
  // A Set keeps insertion order, and offsets come in order: its first is the lowest unsettled.
  readonly #unsettled = new Set<number>();
  #next: number;

  /** @param start offset from which the partition is read: all below it is settled */
  constructor(start: number) {
    this.#next = start;
  }

  /** The offset that reading has reached: all below was tracked or is not there. */
  get next(): number {
    return this.#next;
  }

  /** Records that were read and are not settled. */
  get outstanding(): number {
    return this.#unsettled.size;
  }

  /** A record was read. Throws a RangeError when it is out of order: then a gap could hide. */
  track(offset: number): void {
    if (offset < this.#next) throw new RangeError(`offset ${offset} was read after ${this.#next - 1}`);
    this.#unsettled.add(offset);
    this.#next = offset + 1;
  }

  /** All below `end` was read, also where there was no record. */
  reached(end: number): void {
    if (end > this.#next) this.#next = end;
  }

  /** @returns false when that offset was not outstanding */
  settle(offset: number): boolean {
    return this.#unsettled.delete(offset);
  }

  isOutstanding(offset: number): boolean {
    return this.#unsettled.has(offset);
  }

  /** What may be committed: all below it is settled. */
  get committable(): number {
    for (const lowest of this.#unsettled) return lowest;
    return this.#next;
  }
}
