/** A place between two records of a source partition. */
export interface SourceMark {
  /** Everything below it. */
  readonly offset: number;
  /** How many records of the log were dispatched up to it, since this window began. */
  readonly count: number;
}

/**
 * How far one source partition may be ahead of its commit: never more than `limit` records (W in DESIGN §3 "Fan-out":
 * workers remember no more ids than that). Records are counted, not offsets: a log may have gaps.
 *
 * sent ≥ acknowledged ≥ committed; only `committed`, the floor of what is sent, is known to the broker.
 */
export class DispatchWindow {
  readonly limit: number;
  #sent: SourceMark;
  #acknowledged: SourceMark;
  #committed: SourceMark;

  /** @param start the commit at take-over, or where the log begins. */
  constructor(limit: number, start: number) {
    this.limit = limit;
    this.#sent = this.#acknowledged = this.#committed = { offset: start, count: 0 };
  }

  /** Records that may still be taken. */
  get room(): number {
    return this.limit - (this.#sent.count - this.#committed.count);
  }

  /** The last commit whose acknowledgement is known. */
  get floor(): number {
    return this.#committed.offset;
  }

  /** Up to where everything that it led to is acknowledged. */
  get acknowledged(): SourceMark {
    return this.#acknowledged;
  }

  /** Records that are done and not yet committed. */
  get uncommitted(): number {
    return this.#acknowledged.count - this.#committed.count;
  }

  /** Takes the record at `offset` into work. @returns the mark after it. */
  take(offset: number): SourceMark {
    if (this.room <= 0) throw new RangeError(`more than ${this.limit} records beyond the commit ${this.floor}`);
    if (offset < this.#sent.offset) throw new RangeError(`record ${offset} comes after ${this.#sent.offset}`);
    this.#sent = { offset: offset + 1, count: this.#sent.count + 1 };
    return this.#sent;
  }

  /** All that was appended for the records before the mark is acknowledged. */
  acknowledge(mark: SourceMark): void {
    if (mark.count > this.#sent.count)
      throw new RangeError(`acknowledged ${mark.offset}, but sent ${this.#sent.offset}`);
    if (mark.count > this.#acknowledged.count) this.#acknowledged = mark;
  }

  /** The broker has confirmed a commit at the mark. */
  commit(mark: SourceMark): void {
    if (mark.count > this.#acknowledged.count) {
      throw new RangeError(`committed ${mark.offset}, but acknowledged ${this.#acknowledged.offset}`);
    }
    if (mark.count > this.#committed.count) this.#committed = mark;
  }
}
