import { partitionName, type LogReader, type LogRecord, type TopicPartition } from '#libs/kafka';
import type { Slice } from './record-queue.js';

/** A partition, the first offset that it holds, and how much of it there is to do at first. */
export interface Part extends TopicPartition {
  readonly start: number;
  readonly end: number;
  /** Disables follow from what stands from here on. */
  readonly actsFrom: number;
  position: number;
  target: number;
  /** The log ends before the position: said once. */
  isBeyond?: boolean;
}

const sliceRecords = 1_000;

/** Records that were taken over. */
export const sum = (parts: readonly Part[]): number =>
  parts.reduce((total, { position, start }) => total + position - start, 0);

/** Records that are still to be taken over. */
export const left = (parts: readonly Part[]): number =>
  parts.reduce((total, { position, target }) => total + target - position, 0);

/** @param moveTo see RebuildOptions */
export async function partsOf(
  all: readonly TopicPartition[],
  moveTo: ReadonlyMap<string, number> | null,
  reader: LogReader,
): Promise<Part[]> {
  const bounds = await reader.bounds(all);
  return all.map((one, i) => {
    const { start = 0, end = 0 } = bounds[i] ?? {};
    const actsFrom = moveTo === null ? Infinity : (moveTo.get(partitionName(one)) ?? end);
    return { ...one, start, end, actsFrom, position: start, target: start };
  });
}

/** Nobody moves on in a log that is moved to. */
export const endsOf = (parts: readonly Part[]): ReadonlyMap<string, number> =>
  new Map(parts.map((part) => [partitionName(part), part.end]));

/** Says what is out of the ordinary if it is told how. */
export function aim(
  parts: readonly Part[],
  targets: ReadonlyMap<string, number>,
  report?: (line: string) => void,
): void {
  for (const part of parts) {
    const target = targets.get(partitionName(part));
    if (target === undefined) report?.(`${partitionName(part)} was never projected: it is left to the projectors`);
    else if (target < part.start)
      report?.(`${partitionName(part)} is projected up to ${target}, but its log begins at ${part.start} by now`);
    part.target = Math.max(part.target, target ?? part.start);
  }
}

/** A position beyond the end belongs to another log than this one: there is nothing to take over from there. */
export async function withinLog(
  parts: readonly Part[],
  reader: LogReader,
  report: (line: string) => void,
): Promise<void> {
  const bounds = await reader.bounds(parts);
  for (const [i, part] of parts.entries()) {
    const end = bounds[i]?.end ?? 0;
    if (part.target <= end) continue;
    if (part.isBeyond !== true)
      report(
        `${partitionName(part)} is projected up to ${part.target}, but its log ends at ${end}: projectors go on there`,
      );
    part.isBeyond = true;
    part.target = Math.max(end, part.position);
  }
}

/** What is left of a part, in stretches that are written at once; none lies across `actsFrom`. */
export async function* slicesOf(part: Part, reader: LogReader): AsyncIterable<Slice> {
  const { topic, partition, position, target, actsFrom } = part;
  let from = position;
  for await (const batch of reader.range(part, position, target)) {
    let records: LogRecord[] = [];
    for (const [i, record] of batch.entries()) {
      records.push(record);
      const next = batch[i + 1]?.offset ?? Infinity;
      const isLast = next === Infinity || (record.offset < actsFrom && next >= actsFrom);
      if (records.length < sliceRecords && !isLast) continue;
      const to = record.offset + 1;
      yield { topic, partition, from, to, records };
      from = to;
      records = [];
    }
  }
  // The last offsets may be no records.
  if (from < target) yield { topic, partition, from, to: target, records: [] };
}
