import { isOfAnotherTenant, RepeatWindow } from '#libs/core';
import type { LogReader, LogRecord, TopicPartition } from '#libs/kafka';
import { BufferedRange, type BufferedChunk } from './buffered-range.js';
import type { EventReader, IdentifiedEvent, ParsedRecord } from './read-events.js';

export interface LogScanPorts {
  readonly reader: Pick<LogReader, 'bounds' | 'range'>;
  readonly events: Pick<EventReader, 'parse'>;
  /** Records before an event among which a repeat is looked for. */
  readonly repeatWindow: number;
}

/** `parsed` null: live dispatch did not send it, it is no event, or one that was sent before; or another tenant's. */
export interface ScannedRecord {
  readonly offset: number;
  readonly parsed: (ParsedRecord & { readonly event: IdentifiedEvent }) | null;
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

  /**
   * Reads back what is needed to tell repeats.
   * @param tenantId whose events are looked at, the others' cost next to nothing; null: all tenants'
   */
  static async open(at: TopicPartition, from: number, ports: LogScanPorts, tenantId: string | null): Promise<LogScan> {
    const { reader, events, repeatWindow } = ports;
    const repeats = new RepeatWindow(repeatWindow);
    const tenant = tenantId === null ? null : Buffer.from(tenantId);
    const scanned = (record: LogRecord): ScannedRecord => {
      const { offset } = record;
      // An event of another tenant is no repeat of one of this tenant: it need not be noted.
      if (tenant !== null && isOfAnotherTenant(record, tenant)) return { offset, parsed: null };
      const parsed = events.parse(record);
      if (parsed.event === null) return { offset, parsed: null };
      return { offset, parsed: repeats.note(parsed.event.identity, offset) ? null : parsed };
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
