import type { LogReader, LogRecord, TopicPartition } from '#libs/kafka';

export interface BufferedChunk<T> {
  readonly items: readonly T[];
  /** All below is in `items`, or was before. */
  readonly end: number;
}

/**
 * Reads a partition from some offset on, in pieces of the caller's choosing, each record mapped once, in order, when its
 * piece is asked for: a whole fetch at once would hold up the event loop. Holds what one fetch brings.
 */
export class BufferedRange<T> {
  readonly #at: TopicPartition;
  readonly #reader: Pick<LogReader, 'range'>;
  readonly #map: (record: LogRecord) => T;
  #records: LogRecord[] = [];
  /** Of the first ones of them. */
  #items: T[] = [];
  #position: number;
  #fetchedTo: number;
  #range: { readonly batches: AsyncIterator<readonly LogRecord[]>; readonly to: number } | null = null;

  constructor(at: TopicPartition, from: number, reader: Pick<LogReader, 'range'>, map: (record: LogRecord) => T) {
    this.#at = { topic: at.topic, partition: at.partition };
    this.#reader = reader;
    this.#map = map;
    this.#position = from;
    this.#fetchedTo = from;
  }

  get position(): number {
    return this.#position;
  }

  /** The next items, `most` of them, below the offset `to`; they stay until `advance`. Throws `OffsetOutOfRange`. */
  async peek(to: number, most: number): Promise<BufferedChunk<T>> {
    while (this.#records.length < most && this.#fetchedTo < to) await this.#fetch(to);
    const below = this.#below(to);
    const count = Math.min(most, below);
    this.#mapFirst(count);
    const isAll = count === below && this.#fetchedTo >= to;
    const last = this.#records[count - 1]?.offset ?? this.#position - 1;
    return { items: this.#items.slice(0, count), end: isAll ? Math.max(to, this.#position) : last + 1 };
  }

  /** All below `position` is done. */
  advance(position: number): void {
    this.#position = Math.max(this.#position, position);
    if (this.#position > this.#fetchedTo) {
      // What lies between is nobody's: it is not even read.
      this.#fetchedTo = this.#position;
      void this.close();
    }
    const done = this.#below(this.#position);
    this.#mapFirst(done);
    this.#records.splice(0, done);
    this.#items.splice(0, done);
  }

  async close(): Promise<void> {
    const range = this.#range;
    this.#range = null;
    await range?.batches.return?.();
  }

  async #fetch(to: number): Promise<void> {
    this.#range ??= { batches: this.#reader.range(this.#at, this.#fetchedTo, to)[Symbol.asyncIterator](), to };
    const range = this.#range;
    const next = await range.batches.next().catch((error: unknown) => {
      // A generator that has thrown says afterwards that all was read.
      if (this.#range === range) this.#range = null;
      throw error;
    });
    if (next.done === true) {
      // One that was closed meanwhile is not at its end.
      if (this.#range !== range) return;
      this.#fetchedTo = range.to;
      this.#range = null;
      return;
    }
    for (const record of next.value) this.#records.push(record);
    this.#fetchedTo = (next.value.at(-1)?.offset ?? this.#fetchedTo - 1) + 1;
  }

  /** How many of those that are held stand below the offset. */
  #below(offset: number): number {
    const first = this.#records.findIndex((record) => record.offset >= offset);
    return first === -1 ? this.#records.length : first;
  }

  #mapFirst(count: number): void {
    for (const record of this.#records.slice(this.#items.length, count)) this.#items.push(this.#map(record));
  }
}
