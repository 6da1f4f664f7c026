export interface BacklogBounds {
  readonly maxRecords: number;
  readonly maxBytes: number;
}

/**
 * How much a worker holds in memory, over all its partitions: queued, waiting for a timer, in flight, not acknowledged.
 * Beyond the bounds (`isHigh`) lanes that cannot keep up spill early; at twice the bounds (`isFull`) reading pauses, so
 * that a worker holds at most that and one fetch for each partition.
 */
export class Backlog {
  #records = 0;
  #bytes = 0;

  constructor(readonly bounds: BacklogBounds) {}

  add(records: number, bytes: number): void {
    this.#records += records;
    this.#bytes += bytes;
  }

  remove(records: number, bytes: number): void {
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
