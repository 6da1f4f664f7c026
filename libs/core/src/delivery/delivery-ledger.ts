import type { OffsetTracker } from './offset-tracker.js';

/** A record in which a delivery stands: in `deliveries` or in a retry topic. */
export interface Copy {
  readonly tracker: OffsetTracker;
  readonly offset: number;
}

export interface LedgerEntry {
  readonly id: string;
  /** Number of the copy that stands for the delivery: the highest that is known to be durable and not void. */
  hop: number;
  /** Unsettled copies that are known, of this hop and lower ones. */
  copies: Copy[];
}

/**
 * What a copy is to the delivery that it belongs to:
 * - `stranger`: nothing is known of the delivery here
 * - `settled`: it needed no more and has settled: its delivery is closed, or a higher copy stands for it
 * - `joined`: it is the one that stands for the delivery, or is as good as it (an append that was repeated)
 * - `early`: it is higher than what is known: an own append whose acknowledgement has not come yet
 */
export type CopyRole = 'stranger' | 'settled' | 'joined' | 'early';

/**
 * The deliveries of one partition that are outstanding, an entry each, and their copies (DESIGN §3, Commit). Copies settle
 * when a higher one is durable, or the delivery is closed; the log keeps what is not settled.
 */
export class DeliveryLedger<E extends LedgerEntry> {
  readonly #entries = new Map<string, E>();
  /** Copies settled since this was last set to 0. */
  settledCopies = 0;

  get size(): number {
    return this.#entries.size;
  }

  get(id: string): E | undefined {
    return this.#entries.get(id);
  }

  entries(): Iterable<E> {
    return this.#entries.values();
  }

  enter(entry: E): void {
    this.#entries.set(entry.id, entry);
  }

  /** A copy that is not void was read. */
  met(id: string, hop: number, copy: Copy): CopyRole {
    const entry = this.#entries.get(id);
    if (entry === undefined) return 'stranger';
    if (hop > entry.hop) return 'early';
    if (hop < entry.hop) {
      this.settle(copy);
      return 'settled';
    }
    if (!entry.copies.some((one) => one.offset === copy.offset && one.tracker === copy.tracker))
      entry.copies.push(copy);
    return 'joined';
  }

  /** The next copy is durable: it stands for the delivery from now on, and all others settle. */
  advance(entry: E, hop: number, copies: readonly Copy[]): void {
    for (const copy of entry.copies) this.settle(copy);
    entry.hop = hop;
    entry.copies = [...copies];
  }

  /** The outcome is durable: the delivery needs nothing any more. */
  close(entry: E): void {
    for (const copy of entry.copies) this.settle(copy);
    entry.copies = [];
    this.#entries.delete(entry.id);
  }

  settle({ tracker, offset }: Copy): void {
    if (tracker.settle(offset)) this.settledCopies += 1;
  }
}
