/** What one send may hold. */
export interface SendLimits {
  /** Of all records to one partition of one topic. */
  readonly partitionBytes: number;
  /** Of all records together. */
  readonly totalBytes: number;
  readonly records: number;
}

/**
 * Fills one send after the other, in order (DESIGN §4: "Batches are capped in bytes per partition and send"). One record
 * always has room in an empty send.
 */
export class SendCaps {
  readonly #limits: SendLimits;
  readonly #partitions = new Map<string, number>();
  #bytes = 0;
  #records = 0;

  constructor(limits: SendLimits) {
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    return this.#records === 0;
  }

  /** Whether a record of so many bytes may join what is there. */
  admits(partition: string, bytes: number): boolean {
    if (this.#records === 0) return true;
    const { partitionBytes, totalBytes, records } = this.#limits;
    if (this.#records >= records || this.#bytes + bytes > totalBytes) return false;
    const there = this.#partitions.get(partition) ?? 0;
    return there === 0 || there + bytes <= partitionBytes;
  }

  add(partition: string, bytes: number): void {
    this.#partitions.set(partition, (this.#partitions.get(partition) ?? 0) + bytes);
    this.#bytes += bytes;
    this.#records += 1;
  }

  /** The next send begins. */
  reset(): void {
    this.#partitions.clear();
    this.#bytes = 0;
    this.#records = 0;
  }
}
