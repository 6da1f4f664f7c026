import type { Delivery, Epoch } from '#libs/contracts';
import { encodeCommitMetadata, OffsetTracker } from '#libs/core';
import type { Lane } from './lane.js';

/** A record in which a delivery stands: in `deliveries` or in a retry topic. */
export interface Copy {
  readonly tracker: OffsetTracker;
  readonly offset: number;
}

/** A delivery in memory. Its copies settle together, when what follows from it is acknowledged. */
export interface Entry {
  readonly partition: OwnedPartition;
  readonly id: string;
  /** Offset in `deliveries`. */
  readonly pos: number;
  /** Size in memory, estimated. */
  readonly bytes: number;
  delivery: Delivery;
  /** The highest copy that this entry stands for: lower ones, and itself, join it when they are read. */
  hop: number;
  copies: Copy[];
  /** Offset, in the shortest retry topic, of a copy that was appended and has not come round yet. */
  awaited: number | null;
  lane: Lane<Entry> | null;
}

/** Where reading starts, as committed. */
export interface StartPositions {
  readonly deliveries: number;
  /** By retry topic, shortest first. */
  readonly retries: readonly number[];
}

/**
 * Partition p of `deliveries` and of every retry topic, as this worker holds it: what was read, what is settled, which
 * deliveries are in memory. It ends when the partition is lost: nothing of it may be appended or committed any more.
 */
export class OwnedPartition {
  readonly deliveries: OffsetTracker;
  readonly retries: readonly OffsetTracker[];
  /** Deliveries in memory, and their bytes. */
  records = 0;
  bytes = 0;
  /** Whether it is still ours. */
  alive = true;
  /** It met something that it may neither process nor skip; it reads no further. */
  stopped = false;
  /** Copies settled since the last commit. */
  settled = 0;
  /** End of `deliveries`-p, as far as known. */
  end = 0;
  readonly #entries = new Map<string, Entry>();
  /** Deliveries that are done with in memory while a copy of them is still to come round in the shortest retry topic. */
  readonly #handled = new Map<string, { readonly hop: number; readonly offset: number }>();

  constructor(
    readonly number: number,
    readonly writer: Epoch,
    start: StartPositions,
  ) {
    this.deliveries = new OffsetTracker(start.deliveries);
    this.retries = start.retries.map((position) => new OffsetTracker(position));
  }

  enter(entry: Entry): void {
    this.#entries.set(entry.id, entry);
    this.records += 1;
    this.bytes += entry.bytes;
  }

  /**
   * A copy was read. If its delivery is in memory, or done, at this hop or a later one, the copy belongs to that.
   * @returns false when it stands for itself
   */
  join(id: string, hop: number, copy: Copy): boolean {
    const entry = this.#entries.get(id);
    const comesRound = copy.tracker === this.retries[0];
    if (entry !== undefined && entry.hop >= hop) {
      entry.copies.push(copy);
      if (comesRound && entry.awaited !== null && copy.offset >= entry.awaited) entry.awaited = null;
      return true;
    }
    const handled = this.#handled.get(id);
    if (handled === undefined || handled.hop < hop) return false;
    this.settle([copy]);
    if (comesRound && copy.offset >= handled.offset) this.#handled.delete(id);
    return true;
  }

  /** The copy for the next hop of `entry`, which stays in memory too, stands at `offset` of the shortest retry topic. */
  awaitCopy(entry: Entry, offset: number): void {
    const read = (this.retries[0]?.next ?? 0) > offset;
    entry.awaited = read ? null : offset;
  }

  /** What follows from the entry is acknowledged: its copies settle, and it leaves the memory. */
  finish(entry: Entry): void {
    this.settle(entry.copies);
    entry.copies = [];
    // A later hop may have been taken up in its place, when the acknowledgement took long.
    if (this.#entries.get(entry.id) === entry) this.#entries.delete(entry.id);
    this.records -= 1;
    this.bytes -= entry.bytes;
    if (entry.awaited !== null) this.#handled.set(entry.id, { hop: entry.hop, offset: entry.awaited });
  }

  settle(copies: readonly Copy[]): void {
    for (const { tracker, offset } of copies) {
      if (tracker.settle(offset)) this.settled += 1;
    }
  }

  /** What may be committed now. `delaysMs`: delays of the retry topics, shortest first. */
  committable(delaysMs: readonly number[]): { readonly offset: number; readonly metadata: string } {
    const retryPositions = new Map<number, number>();
    for (const [index, tracker] of this.retries.entries()) {
      retryPositions.set(delaysMs[index] ?? 0, tracker.committable);
    }
    return {
      offset: this.deliveries.committable,
      metadata: encodeCommitMetadata({ era: this.writer.era, retryPositions }),
    };
  }
}
