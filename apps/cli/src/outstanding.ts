import type { Delivery, TopicNames } from '#libs/contracts';
import { deliveryIdOf, FenceLevels } from '#libs/core';
import { partitionName, type LogBounds, type LogReader, type LogRecord, type TopicPartition } from '#libs/kafka';
import { CodecError, type PlatformCodecs } from '#libs/schema-codec';
import { CommandFailed } from './report.js';

export type OutstandingCodecs = Pick<
  PlatformCodecs,
  'prepare' | 'isFence' | 'fence' | 'isEndOfSpace' | 'delivery' | 'attempt' | 'deadLetter'
>;

/** The copy that stands for a delivery without a final outcome. */
export interface Outstanding {
  readonly id: string;
  /** Where the copy is: `deliveries`, or a retry topic. */
  readonly topic: string;
  readonly offset: number;
  readonly hop: number;
  readonly endpointId: string;
  /** Offset of its first copy in this cluster's `deliveries`; null: that was never mirrored, so it is older than all that was. */
  mirroredAt: number | null;
  /** `pos` of its oldest copy, in the cluster that it came from. */
  readonly pos: number;
}

export interface PartitionLogs {
  readonly deliveries: LogBounds;
  readonly attempts: LogBounds;
  /** In the order of the retry topics. */
  readonly retries: readonly LogBounds[];
}

export interface PartitionState {
  readonly logs: PartitionLogs;
  readonly outstanding: ReadonlyMap<string, Outstanding>;
  /** Highest era of a fence or a writer; 0: there is none. */
  readonly era: number;
  /** Copies from before all that `attempts` still tells: closed long ago, or nobody knows. */
  readonly unjudged: number;
  /** Final attempts whose dead letter was not mirrored: those deliveries count as outstanding. */
  readonly withoutDeadLetter: number;
}

type Topics = Pick<TopicNames, 'deliveries' | 'attempts' | 'retry' | 'deadLetters'>;

interface Candidate extends Outstanding {
  /** Of the oldest copy's writer. */
  readonly oldestEra: number;
  /** Append time of the copy. */
  readonly timestamp: number;
}

export async function boundsOf(reader: LogReader, topics: Topics, partition: number): Promise<PartitionLogs> {
  const names = [topics.deliveries, topics.attempts, ...topics.retry.map(({ name }) => name)];
  const [deliveries = empty, attempts = empty, ...retries] = await reader.bounds(
    names.map((topic) => ({ topic, partition })),
  );
  return { deliveries, attempts, retries };
}

const dayMs = 86_400_000;
const empty: LogBounds = { start: 0, end: 0 };

/**
 * Which deliveries of a partition have no final outcome, as a worker would restore it, but by ids instead of positions:
 * those of another cluster mean nothing here. Retry topics count from their beginning, since a mirror is not trimmed.
 * @param from offset in `deliveries`: what stands before it is settled, except for what still stands in a retry topic
 */
export async function outstandingIn(
  partition: number,
  from: number,
  topics: Topics,
  { reader, codecs }: { readonly reader: LogReader; readonly codecs: OutstandingCodecs },
): Promise<PartitionState> {
  const logs = await boundsOf(reader, topics, partition);
  const read = (topic: string, bounds: LogBounds): AsyncIterable<LogRecord> =>
    recordsOf(reader, codecs, { topic, partition }, bounds);
  const found = new Map<string, Candidate>();
  let era = 0;
  for (const [index, { name }] of topics.retry.entries()) {
    const levels = new FenceLevels(null);
    for await (const record of read(name, logs.retries[index] ?? empty)) {
      const value = valueOf(record);
      if (codecs.isFence(value)) {
        const fence = decoded(record, () => codecs.fence.decode(value));
        levels.met(record.offset, fence);
        era = Math.max(era, fence.era);
        continue;
      }
      const delivery = decoded(record, () => codecs.delivery.decode(value));
      era = Math.max(era, delivery.writer?.era ?? 0);
      if (levels.isVoid(record.offset, delivery.writer ?? { era: 0, generation: 0 })) continue;
      for (const one of singlesOf(delivery)) note(found, record, one);
    }
  }
  for await (const record of read(topics.deliveries, logs.deliveries)) {
    const value = valueOf(record);
    if (codecs.isEndOfSpace(value)) continue;
    const delivery = decoded(record, () => codecs.delivery.decode(value));
    const known = found.get(deliveryIdOf(delivery));
    if (known !== undefined) known.mirroredAt ??= record.offset;
    else if (record.offset >= from) note(found, record, delivery, record.offset);
  }
  const judged = await judge(found, topics, logs, { read, codecs });
  return { logs, outstanding: found, era, ...judged };
}

/**
 * What of a copy is outstanding: the delivery itself or, of a batch, its members without an outcome, each as far as the
 * batch had got. A batch stays behind: the places of its members are of another cluster.
 */
export function singlesOf(copy: Delivery): readonly Delivery[] {
  if (copy.members === null) return [copy];
  const { hop, writer, attempt, dueAt, haltedAt, scheduleFrom, scheduledSince } = copy;
  const state = { hop, writer, attempt, dueAt, haltedAt, scheduleFrom, scheduledSince };
  return copy.members.flatMap((member) => (member.pos === null ? [] : [{ ...member, ...state }]));
}

/** The highest hop stands for its delivery. */
function note(
  found: Map<string, Candidate>,
  { topic, offset, timestamp }: LogRecord,
  delivery: Delivery,
  mirroredAt: number | null = null,
): void {
  const { hop, endpointId } = delivery;
  const id = deliveryIdOf(delivery);
  const known = found.get(id);
  const pos = delivery.pos ?? offset;
  const writtenIn = delivery.writer?.era ?? 0;
  // Copies that a run of this tool has made, which was cut short, bear places of its own.
  const oldest =
    known !== undefined && known.oldestEra <= writtenIn
      ? { pos: known.pos, oldestEra: known.oldestEra }
      : { pos, oldestEra: writtenIn };
  if (known === undefined || hop > known.hop)
    found.set(id, { id, topic, offset, hop, endpointId, mirroredAt, timestamp, ...oldest });
  else found.set(id, { ...known, ...oldest });
}

interface JudgePorts {
  readonly read: (topic: string, bounds: LogBounds) => AsyncIterable<LogRecord>;
  readonly codecs: OutstandingCodecs;
}

/** Takes away what is closed, by its final Attempt. */
async function judge(
  found: Map<string, Candidate>,
  topics: Topics,
  { attempts }: PartitionLogs,
  { read, codecs }: JudgePorts,
): Promise<Pick<PartitionState, 'unjudged' | 'withoutDeadLetter'>> {
  const givenUp = new Map<string, Candidate>();
  let oldest: number | null = null;
  for await (const record of read(topics.attempts, attempts)) {
    oldest ??= record.timestamp;
    const { deliveryId, final, outcome } = decoded(record, () => codecs.attempt.decode(valueOf(record)));
    const candidate = found.get(deliveryId);
    if (!final || candidate === undefined) continue;
    found.delete(deliveryId);
    if (outcome === 'deadLetter' || outcome === 'disable') givenUp.set(deliveryId, candidate);
  }
  // Topics are mirrored each at its own pace: a dead letter may be missing that was written before its final Attempt.
  if (givenUp.size > 0) {
    const bounds = { start: 0, end: Infinity };
    for await (const record of read(topics.deadLetters, bounds))
      givenUp.delete(decoded(record, () => codecs.deadLetter.decode(valueOf(record))).deliveryId);
    for (const [id, candidate] of givenUp) found.set(id, candidate);
  }
  let unjudged = 0;
  const newest = [...found.values()].reduce((latest, { timestamp }) => Math.max(latest, timestamp), 0);
  // What is outstanding is appended anew every 12 hours, at least.
  const since = attempts.start === 0 ? -Infinity : (oldest ?? newest - dayMs);
  for (const [id, { timestamp, topic }] of found) {
    if (topic === topics.deliveries || timestamp >= since) continue;
    found.delete(id);
    unjudged += 1;
  }
  return { unjudged, withoutDeadLetter: givenUp.size };
}

async function* recordsOf(
  reader: LogReader,
  codecs: OutstandingCodecs,
  place: TopicPartition,
  bounds: LogBounds,
): AsyncIterable<LogRecord> {
  const [known = empty] = bounds.end === Infinity ? await reader.bounds([place]) : [bounds];
  for await (const records of reader.range(place, known.start, known.end)) {
    await codecs.prepare(records.map(({ value }) => value));
    yield* records;
  }
}

function valueOf({ value, ...record }: LogRecord): Buffer {
  if (value === null) throw unreadable(record);
  return value;
}

function decoded<T>(record: LogRecord, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof CodecError) throw unreadable(record, error);
    throw error;
  }
}

/** Going on without it could lose a delivery. */
const unreadable = (record: TopicPartition & { readonly offset: number }, cause?: unknown): CommandFailed =>
  new CommandFailed(`${partitionName(record)} holds a record at ${record.offset} that cannot be read`, { cause });
