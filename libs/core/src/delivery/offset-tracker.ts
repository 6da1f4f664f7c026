/**
 * What of one partition is settled: commits must be contiguous, settling is not. Offsets are tracked as they are read,
 * in order; gaps (compacted records, transaction markers) need no settling.
 *
 * Each copy bears a stamp (DESIGN §3, Restore): the end of `attempts`, as far as known, when it was first read or
 * appended. Whoever restores from below a copy needs the attempts from its stamp on to know whether it is closed.
 */
export class OffsetTracker {
  // A Map keeps insertion order, and offsets come in order: its first is the lowest unsettled, and its stamp the lowest.
  readonly #unsettled = new Map<number, number>();
  /** Own copies that were appended and not read yet, with their stamp; false: settled before they were read. */
  readonly #ahead = new Map<number, { readonly stamp: number; open: boolean }>();
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

  /**
   * A record was read. Throws a RangeError when it is out of order: then a gap could hide.
   * @returns false when it was settled already, by what was known of it before it was read
   */
  track(offset: number, stamp = 0): boolean {
    if (offset < this.#next) throw new RangeError(`offset ${offset} was read after ${this.#next - 1}`);
    this.#next = offset + 1;
    const own = this.#ahead.get(offset);
    if (own === undefined) {
      // A copy whose append was repeated stands twice; the first is known only when it is read, and is as old as the second.
      this.#unsettled.set(offset, Math.min(stamp, this.#lowestAhead()));
      return true;
    }
    // One that was acknowledged late may stand below one that was acknowledged, and closed, long before.
    const lowest = Math.min(own.stamp, this.#lowestAhead());
    this.#ahead.delete(offset);
    if (own.open) this.#unsettled.set(offset, lowest);
    return own.open;
  }

  /** An own copy was appended at `offset`. Does nothing if it was read before the acknowledgement came. */
  appended(offset: number, stamp: number): void {
    if (offset >= this.#next) this.#ahead.set(offset, { stamp, open: true });
  }

  /** All below `end` was read, also where there was no record. */
  reached(end: number): void {
    if (end <= this.#next) return;
    this.#next = end;
    for (const offset of this.#ahead.keys()) {
      if (offset < end) this.#ahead.delete(offset);
    }
  }

  /** @returns false when that offset was not outstanding */
  settle(offset: number): boolean {
    const own = this.#ahead.get(offset);
    if (own === undefined) return this.#unsettled.delete(offset);
    if (!own.open) return false;
    own.open = false;
    return true;
  }

  isOutstanding(offset: number): boolean {
    return this.#unsettled.has(offset);
  }

  /** What may be committed: all below it is settled. */
  get committable(): number {
    for (const lowest of this.#unsettled.keys()) return lowest;
    return this.#next;
  }

  /** Lowest stamp of the copies that a reader would find from `committable` on; Infinity when it would find none. */
  get lowestStamp(): number {
    for (const stamp of this.#unsettled.values()) return Math.min(stamp, this.#lowestAhead());
    return this.#lowestAhead();
  }

  #lowestAhead(): number {
    for (const { stamp } of this.#ahead.values()) return stamp;
    return Infinity;
  }
}
