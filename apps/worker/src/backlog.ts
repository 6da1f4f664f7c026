import type { Delivery } from '#libs/contracts';
import type { Entry } from './owned-partition.js';

export interface BacklogBounds {
  readonly maxRecords: number;
  readonly maxBytes: number;
}

/** What a delivery in memory takes beside its record's bytes, roughly. */
const overheadBytes = 600;

/**
 * How many payloads a worker holds in memory, over all its partitions: queued, waiting for a timer, in flight, not
 * acknowledged. Beyond the bounds (`isHigh`) lanes that cannot keep up spill early; at twice the bounds (`isFull`) reading
 * pauses, so that a worker holds at most that and what the feeds have read ahead.
 */
export class Backlog {
  #records = 0;
  #bytes = 0;

  /** @param monotonic ms of a clock that never jumps */
  constructor(
    readonly bounds: BacklogBounds,
    private readonly monotonic: () => number,
  ) {}

  /** The payload of a delivery came into memory. */
  load(entry: Entry, delivery: Delivery, recordBytes: number): void {
    entry.letGo();
    entry.load(delivery);
    entry.place = 'here';
    entry.since = this.monotonic();
    entry.recordBytes = recordBytes;
    entry.bytes = recordBytes + overheadBytes * entry.weight;
    entry.share.here += entry.weight;
    entry.partition.records += 1;
    entry.partition.bytes += entry.bytes;
    this.#records += 1;
    this.#bytes += entry.bytes;
  }

  /** It stands in the log alone, or is done. */
  unload(entry: Entry): void {
    entry.share.here -= entry.weight;
    entry.partition.records -= 1;
    entry.partition.bytes -= entry.bytes;
    this.#records -= 1;
    this.#bytes -= entry.bytes;
    entry.bytes = 0;
    entry.unload();
  }

  /** All payloads of a lost partition are let go of. */
  drop({ records, bytes }: { readonly records: number; readonly bytes: number }): void {
    this.#records -= records;
    this.#bytes -= bytes;
  }

  get isHigh(): boolean {
    return this.#records > this.bounds.maxRecords || this.#bytes > this.bounds.maxBytes;
  }

  get isFull(): boolean {
    return this.#records > this.bounds.maxRecords * 2 || this.#bytes > this.bounds.maxBytes * 2;
  }
}
