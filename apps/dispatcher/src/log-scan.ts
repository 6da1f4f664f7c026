import { RepeatWindow } from '#libs/core';
import type { LogReader, LogRecord, TopicPartition } from '#libs/kafka';
import type { EventReader, ParsedRecord } from './read-events.js';

export interface LogScanPorts {
  readonly reader: Pick<LogReader, 'bounds' | 'range'>;
  readonly events: Pick<EventReader, 'parse'>;
  /** Records before an event among which a repeat is looked for. */
  readonly repeatWindow: number;
}

export interface ScannedRecord {
  readonly parsed: ParsedRecord;
  /** Live dispatch did not send it: it is no event, or one that was sent before. */
  readonly passedOver: boolean;
}

export interface ScannedChunk {
  readonly records: readonly ScannedRecord[];
  /** All below is in `records`, or was before. */
  readonly end: number;
}

/**
 * Reads a source partition again from some offset on, and tells repeats as live dispatch does: by the records before each
 * event, which are read back when the scan is opened (DESIGN §4). Holds what one fetch brings.
 */
export class LogScan {
  readonly #at: TopicPartition;
  readonly #ports: LogScanPorts;
  readonly #repeats: RepeatWindow;
  /** Fetched, and not advanced over yet. */
  #buffer: ScannedRecord[] = [];
  #position: number;
  #fetchedTo: number;
  #range: { readonly batches: AsyncIterator<readonly LogRecord[]>; readonly to: number } | null = null;

  private constructor(at: TopicPartition, ports: LogScanPorts, from: number) {
    this.#at = { topic: at.topic, partition: at.partition };
    this.#ports = ports;
    this.#repeats = new RepeatWindow(ports.repeatWindow);
    this.#position = from;
    this.#fetchedTo = from;
  }

  /** Reads back what is needed to tell repeats. Throws `OffsetOutOfRange` when the log begins after `from`. */
  static async open(at: TopicPartition, from: number, ports: LogScanPorts): Promise<LogScan> {
    const scan = new LogScan(at, ports, from);
    const [bounds] = await ports.reader.bounds([at]);
    const back = Math.max(bounds?.start ?? 0, from - ports.repeatWindow);
    if (back < from) {
      for await (const records of ports.reader.range(at, back, from)) for (const record of records) scan.#note(record);
    }
    return scan;
  }

  get position(): number {
    return this.#position;
  }

  /** The next records, `most` of them, below the offset `to`; they stay until `advance`. Throws `OffsetOutOfRange`. */
  async peek(to: number, most: number): Promise<ScannedChunk> {
    while (this.#buffer.length < most && this.#fetchedTo < to) await this.#fetch(to);
    const beyond = this.#buffer.findIndex(({ parsed }) => parsed.record.offset >= to);
    const below = beyond === -1 ? this.#buffer.length : beyond;
    const records = this.#buffer.slice(0, Math.min(most, below));
    const isAll = records.length === below && this.#fetchedTo >= to;
    const last = records.at(-1)?.parsed.record.offset ?? this.#position - 1;
    return { records, end: isAll ? Math.max(to, this.#position) : last + 1 };
  }

  /** All below `position` is done. */
  advance(position: number): void {
    this.#position = Math.max(this.#position, position);
    const first = this.#buffer.findIndex(({ parsed }) => parsed.record.offset >= this.#position);
    this.#buffer = first === -1 ? [] : this.#buffer.slice(first);
  }

  async close(): Promise<void> {
    await this.#range?.batches.return?.();
    this.#range = null;
  }

  async #fetch(to: number): Promise<void> {
    const { reader } = this.#ports;
    this.#range ??= { batches: reader.range(this.#at, this.#fetchedTo, to)[Symbol.asyncIterator](), to };
    const next = await this.#range.batches.next();
    if (next.done === true) {
      this.#fetchedTo = this.#range.to;
      this.#range = null;
      return;
    }
    for (const record of next.value) {
      const { parsed, isRepeat } = this.#note(record);
      this.#buffer.push({ parsed, passedOver: isRepeat || parsed.event === null });
      this.#fetchedTo = record.offset + 1;
    }
  }

  #note(record: LogRecord): { readonly parsed: ParsedRecord; readonly isRepeat: boolean } {
    const parsed = this.#ports.events.parse(record);
    const isRepeat = parsed.event !== null && this.#repeats.note(parsed.event.identity, record.offset);
    return { parsed, isRepeat };
  }
}
