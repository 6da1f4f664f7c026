import { checkSource, decodeSourcePosition, RepeatWindow, type EventIdentity, type SourceAlarm } from '#libs/core';
import { OffsetOutOfRange, type GainedPartition, type LogBounds, type LogReader, type LogRecord } from '#libs/kafka';
import { backoffMs, messageOf, pause, type Surroundings } from './surroundings.js';

/** Where to go on in a source partition, with what must be known of the records before. */
export interface TakenOver {
  readonly kind: 'ready';
  readonly offset: number;
  /** End of the log: nobody before us can have read beyond it. */
  readonly end: number;
  readonly incarnation: number;
  readonly repeats: RepeatWindow;
}

export interface TakeOverAlarm {
  readonly kind: 'alarm';
  readonly reason: SourceAlarm;
  readonly detail: string;
}

export interface TakeOverPorts {
  readonly reader: Pick<LogReader, 'bounds' | 'range'>;
  /** Who an event is, by its record alone; null for what is not an event. */
  identify(record: LogRecord): EventIdentity | null;
  /** Records before an event among which a repeat is looked for. */
  readonly repeatWindow: number;
  readonly around: Surroundings;
}

const looksAtBounds = 4;

/**
 * What a new owner does before the first event of a partition (DESIGN §4): checks that the commit lies in this log and
 * behind the same record, and reads back the window in which repeats are found. Tries again for as long as the brokers do
 * not answer. @returns null when the partition is no longer `wanted`.
 */
export async function takeOver(
  gained: GainedPartition,
  ports: TakeOverPorts,
  wanted: () => boolean,
): Promise<TakenOver | TakeOverAlarm | null> {
  let { bounds } = gained;
  for (let failures = 0; wanted(); failures += 1) {
    try {
      const taken = await readBack(gained, bounds, ports, wanted);
      if (taken?.kind !== 'alarm' || taken.reason !== 'commit-outside-log' || failures >= looksAtBounds) return taken;
      // A new leader may not know for a moment how far its log reaches: look again before anybody is alarmed.
      await pause(ports.around, backoffMs(failures));
      [bounds = bounds] = await ports.reader.bounds([gained]);
    } catch (error) {
      const { log } = ports.around;
      const at = { topic: gained.topic, partition: gained.partition };
      log.warn({ ...at, reason: messageOf(error) }, 'a partition cannot be taken over yet');
      // The log's start moves on with retention while it is read back.
      if (error instanceof OffsetOutOfRange) bounds = error.bounds;
      await pause(ports.around, backoffMs(failures));
    }
  }
  return null;
}

async function readBack(
  gained: GainedPartition,
  bounds: LogBounds,
  ports: TakeOverPorts,
  wanted: () => boolean,
): Promise<TakenOver | TakeOverAlarm | null> {
  const { reader, repeatWindow } = ports;
  const { committed } = gained;
  const before = await recordBefore(gained, bounds, reader);
  const check = checkSource({ committed, bounds, before });
  if (check.kind === 'alarm') return check;
  const { offset, incarnation } = check;
  const repeats = new RepeatWindow(repeatWindow);
  const from = Math.max(bounds.start, offset - repeatWindow);
  if (from < offset) {
    for await (const records of reader.range(gained, from, offset)) {
      if (!wanted()) return null;
      for (const record of records) {
        const identity = ports.identify(record);
        if (identity !== null) repeats.note(identity, record.offset);
      }
    }
  }
  return { kind: 'ready', offset, end: bounds.end, incarnation, repeats };
}

async function recordBefore(
  { topic, partition, committed }: GainedPartition,
  bounds: LogBounds,
  reader: TakeOverPorts['reader'],
): Promise<LogRecord | null> {
  if (committed === null || decodeSourcePosition(committed.metadata)?.fingerprint === null) return null;
  const { offset } = committed;
  if (offset <= bounds.start || offset > bounds.end) return null;
  let last: LogRecord | null = null;
  for await (const records of reader.range({ topic, partition }, offset - 1, offset)) last = records.at(-1) ?? last;
  return last;
}
