import type { LogReader, LogRecord, TopicPartition } from '#libs/kafka';

export interface BufferedChunk<T> {
  readonly items: readonly T[];
  /** All below is in `items`, or was before. */
  readonly end: number;
}

/**
 * Reads a partition from some offset on, in pieces of the caller's choosing, each record mapped once, in order. Holds what
 * one fetch brings.
 */
export class BufferedRange<T> {
  readonly #at: TopicPartition;
  readonly #reader: Pick<LogReader, 'range'>;
  readonly #map: (record: LogRecord) => T;
  #buffer: { readonly offset: number; readonly item: T }[] = [];
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
    while (this.#buffer.length < most && this.#fetchedTo < to) await this.#fetch(to);
    const beyond = this.#buffer.findIndex(({ offset }) => offset >= to);
    const below = beyond === -1 ? this.#buffer.length : beyond;
    const chosen = this.#buffer.slice(0, Math.min(most, below));
    const isAll = chosen.length === below && this.#fetchedTo >= to;
    const last = chosen.at(-1)?.offset ?? this.#position - 1;
    return { items: chosen.map(({ item }) => item), end: isAll ? Math.max(to, this.#position) : last + 1 };
  }

  /** All below `position` is done. */
  advance(position: number): void {
    this.#position = Math.max(this.#position, position);
    if (this.#position > this.#fetchedTo) {
      // What lies between is nobody's: it is not even read.
      this.#fetchedTo = this.#position;
      void this.close();
    }
    const first = this.#buffer.findIndex(({ offset }) => offset >= this.#position);
    this.#buffer = first === -1 ? [] : this.#buffer.slice(first);
  }

  async close(): Promise<void> {
    await this.#range?.batches.return?.();
    this.#range = null;
  }

  async #fetch(to: number): Promise<void> {
    this.#range ??= { batches: this.#reader.range(this.#at, this.#fetchedTo, to)[Symbol.asyncIterator](), to };
    const next = await this.#range.batches.next();
    if (next.done === true) {
      this.#fetchedTo = this.#range.to;
      this.#range = null;
      return;
    }
    for (const record of next.value) {
      this.#buffer.push({ offset: record.offset, item: this.#map(record) });
      this.#fetchedTo = record.offset + 1;
    }
  }
}
