import { RepeatWindow } from '#libs/core';
import type { LogReader, LogRecord, TopicPartition } from '#libs/kafka';
import { BufferedRange, type BufferedChunk } from './buffered-range.js';
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

/**
 * Reads a source partition again from some offset on, and tells repeats as live dispatch does: by the records before each
 * event, which are read back when the scan is opened (DESIGN §4).
 */
export class LogScan {
  readonly #range: BufferedRange<ScannedRecord>;

  private constructor(range: BufferedRange<ScannedRecord>) {
    this.#range = range;
  }

  /** Reads back what is needed to tell repeats. */
  static async open(at: TopicPartition, from: number, ports: LogScanPorts): Promise<LogScan> {
    const { reader, events, repeatWindow } = ports;
    const repeats = new RepeatWindow(repeatWindow);
    const scanned = (record: LogRecord): ScannedRecord => {
      const parsed = events.parse(record);
      const isRepeat = parsed.event !== null && repeats.note(parsed.event.identity, record.offset);
      return { parsed, passedOver: isRepeat || parsed.event === null };
    };
    const [bounds] = await reader.bounds([at]);
    const back = Math.max(bounds?.start ?? 0, from - repeatWindow);
    if (back < from) {
      for await (const records of reader.range(at, back, from)) for (const record of records) scanned(record);
    }
    return new LogScan(new BufferedRange(at, from, reader, scanned));
  }

  get position(): number {
    return this.#range.position;
  }

  /** As `BufferedRange.peek`. Throws `OffsetOutOfRange` when the log begins later than it stands. */
  peek(to: number, most: number): Promise<BufferedChunk<ScannedRecord>> {
    return this.#range.peek(to, most);
  }

  advance(position: number): void {
    this.#range.advance(position);
  }

  close(): Promise<void> {
    return this.#range.close();
  }
}
