// Reads: the commit's metadata; posthorn.attempts from `a`, the retry partitions up to the own fences, posthorn.deliveries
//   from `b` to the commit.
// Writes: a fence to each retry partition, before anything is read.
// Guarantees: when it is through, all that former owners did and that counts is known; nothing of theirs that is appended
//   later counts (DESIGN §3, Ownership and Restore). State is a fold over the log; nothing else is stored.
// On a crash here: nothing was committed; the next owner does the same, behind fences of a higher epoch.
// Tests: restore.spec.ts, ownership.spec.ts, test/simulation.

import type { Attempt, Delivery, Fence, TopicNames } from '#libs/contracts';
import {
  compareEpochs,
  FenceLevels,
  OffsetTracker,
  SeenPositions,
  type CommitMetadata,
  type WriterEpoch,
} from '#libs/core';
import type { LogReader, LogRecord, RecordSender } from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import type { Clock } from './clock.js';
import { closeMembers, entryOf } from './known-copies.js';
import { OwnedPartition } from './owned-partition.js';
import { HighWaterMark } from './high-water-mark.js';
import type { Without } from './rules.js';
import { closeByAttempts } from './restore-attempts.js';

export interface RestorePorts {
  readonly reader: Pick<LogReader, 'bounds' | 'range'>;
  readonly sender: Pick<RecordSender, 'send'>;
  readonly codecs: Pick<
    PlatformCodecs,
    'delivery' | 'attempt' | 'fence' | 'isFence' | 'endOfSpace' | 'isEndOfSpace' | 'prepare'
  >;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  /** An endpoint asked a former owner to be disabled, and may not be yet. */
  readonly disableWish: (attempt: Attempt) => void;
}

export interface RestoreRequest {
  readonly topics: Pick<TopicNames, 'deliveries' | 'retry' | 'attempts'>;
  readonly partition: number;
  /** Generation in which it was gained. */
  readonly generation: number;
  readonly committed: number;
  readonly metadata: CommitMetadata;
  /** End of `deliveries` at take-over. */
  readonly deliveriesEnd: number;
  readonly workerId: string;
  readonly without: Without;
  /** Whether it is still ours, within the lease. */
  readonly held: () => boolean;
}

/** It cannot be taken over until someone decides. */
export class RestoreAlarm extends Error {
  override readonly name = 'RestoreAlarm';
}

/** So long an owner that was preceded by several that achieved nothing goes carefully. */
const carefulMs = 60_000;
/** Fences without anything settled between them that make an owner suspicious. */
const suspicious = 3;

/**
 * Takes a partition over. Throws `RestoreAlarm`, or what the log throws: then it may be tried again, as long as the
 * partition is held.
 */
export async function restore(request: RestoreRequest, ports: RestorePorts): Promise<OwnedPartition> {
  const { metadata, topics, partition: number, without } = request;
  const attemptsAt = { topic: topics.attempts, partition: number };
  const writer: WriterEpoch = { era: without.has('eras') ? 0 : metadata.era, generation: request.generation };
  const [before] = await ports.reader.bounds([attemptsAt]);
  checkLevels(metadata, writer, request);
  const fenceOffsets = await appendFences(request, writer, before?.end ?? 0, ports);

  const retries: OffsetTracker[] = [];
  const fences: FenceLevels[] = [];
  for (const { delayMs } of topics.retry) {
    const position = metadata.retries.get(delayMs);
    retries.push(new OffsetTracker(position?.position ?? 0));
    fences.push(new FenceLevels(position?.level ?? null));
  }
  const [attempts] = await ports.reader.bounds([attemptsAt]);
  const { start = 0, end: attemptsEnd = 0 } = attempts ?? {};
  // What `attempts` no longer holds is older than any retry may be: see `posthorn.attempts`, kept 30 days.
  const a = Math.min(metadata.a, attemptsEnd);
  const seen = without.has('set-and-floor') ? new HighWaterMark() : new SeenPositions(metadata.floors);
  const partition = new OwnedPartition(
    {
      number,
      writer,
      deliveries: new OffsetTracker(request.committed),
      retries,
      retryPositions: retries.map(({ next }) => next),
      fences,
      seen,
      a,
      attemptsEnd,
      deliveriesEnd: request.deliveriesEnd,
    },
    without,
  );
  if (a < start) throw new RestoreAlarm(`attempts from ${a} on are needed, and its log begins at ${start}`);

  let found: readonly FoundFence[] = [];
  for (const [index, end] of fenceOffsets.entries()) {
    if (without.has('restore-retries')) break;
    const met = await readRetries(partition, index, end + 1, request, ports);
    if (index === 0) found = met;
  }
  const settling = without.has('fold-attempts')
    ? Infinity
    : await closeByAttempts(
        partition,
        { at: attemptsAt, from: a, to: attemptsEnd, committed: request.committed },
        ports,
      );
  await readSeen(partition, request, ports);
  guardAgainstPoison(partition, found, settling, ports.clock.monotonic());
  partition.heldSince = ports.clock.now();
  return partition;
}

/** The fences below the committed positions are not read again: what is known of them must be below the own epoch too. */
function checkLevels(
  { retries }: CommitMetadata,
  writer: WriterEpoch,
  { topics, partition, without }: RestoreRequest,
): void {
  if (without.has('eras')) return;
  for (const { name, delayMs } of topics.retry) {
    const level = retries.get(delayMs)?.level ?? null;
    if (level === null || compareEpochs(level, writer) < 0) continue;
    throw new RestoreAlarm(
      `the commit knows of a fence of era ${level.era}, generation ${level.generation} in ${name}-${partition}, not below ` +
        `the own ${writer.era}, ${writer.generation}: the group began anew; open a new era`,
    );
  }
}

async function appendFences(
  { topics, partition, metadata, committed, workerId, held, generation }: RestoreRequest,
  writer: WriterEpoch,
  attemptsEnd: number,
  { sender, codecs, clock }: RestorePorts,
): Promise<number[]> {
  const value = codecs.fence.encode({
    era: writer.era,
    generation,
    committed,
    attemptsEnd,
    workerId,
    at: clock.now(),
  });
  const records = topics.retry.map(({ name }) => ({ topic: name, partition, key: null, value }));
  const appended = await sender.send(records, { held });
  return appended.map(({ offset }, index) => {
    const position = metadata.retries.get(topics.retry[index]?.delayMs ?? 0)?.position ?? 0;
    if (offset >= position) return offset;
    throw new RestoreAlarm(
      `${topics.retry[index]?.name}-${partition} ends at ${offset}, below its position ${position}`,
    );
  });
}

/** What is outstanding, by ids and keys. @returns the fences that were met, the own one last */
async function readRetries(
  partition: OwnedPartition,
  index: number,
  end: number,
  { topics, workerId, without }: RestoreRequest,
  { reader, codecs }: RestorePorts,
): Promise<readonly FoundFence[]> {
  const [tracker, levels, topic] = [partition.retries[index], partition.fences[index], topics.retry[index]?.name ?? ''];
  const met: FoundFence[] = [];
  if (tracker === undefined || levels === undefined) return met;
  const check = (fence: Fence): void => {
    if (without.has('eras')) return;
    const order = compareEpochs(fence, partition.writer);
    if (order < 0 || (order === 0 && fence.workerId === workerId)) return;
    throw new RestoreAlarm(
      `${topic}-${partition.number} holds a fence of era ${fence.era}, generation ${fence.generation}, not below the own ` +
        `${partition.writer.era}, ${partition.writer.generation}: the group began anew; open a new era`,
    );
  };
  for await (const records of reader.range({ topic, partition: partition.number }, tracker.next, end)) {
    await codecs.prepare(records.map((record) => record.value));
    for (const record of records) {
      const { offset, value } = record;
      if (value !== null && codecs.isFence(value)) {
        const fence = codecs.fence.decode(value);
        check(fence);
        levels.met(offset, without.has('eras') ? { era: 0, generation: fence.generation } : fence);
        const last = met.at(-1);
        // One owner may have needed several tries.
        if (last === undefined || compareEpochs(fence, last) > 0) met.push({ ...fence, offset });
      } else restoreCopy(partition, { tracker, levels, without }, record, codecs);
      tracker.reached(offset + 1);
    }
  }
  tracker.reached(end);
  return met;
}

function restoreCopy(
  partition: OwnedPartition,
  {
    tracker,
    levels,
    without,
  }: { readonly tracker: OffsetTracker; readonly levels: FenceLevels; readonly without: Without },
  { topic, offset, value }: LogRecord,
  codecs: RestorePorts['codecs'],
): void {
  if (value === null)
    throw new RestoreAlarm(`${topic}-${partition.number} holds a record without a value at ${offset}`);
  const delivery = codecs.delivery.decode(value);
  const written = delivery.writer ?? { era: 0, generation: 0 };
  const writer = without.has('eras') ? { era: 0, generation: written.generation } : written;
  if (levels.isVoid(offset, writer) && !without.has('fence')) return;
  tracker.track(offset, partition.taken.a);
  const copy = { tracker, offset };
  const entry = entryOf(partition, delivery);
  if (entry === undefined) {
    partition.ledger.settle(copy);
    return;
  }
  partition.restoredTo = Math.max(partition.restoredTo, entry.lastPos);
  if (delivery.hop > entry.hop) {
    partition.ledger.advance(entry, delivery.hop, [copy]);
    entry.dueAt = delivery.dueAt;
    partition.halts(entry, delivery.haltedAt !== null);
    closeMembers(partition, entry, delivery);
  } else partition.ledger.met(entry.id, delivery.hop, copy);
}

/** The ids that were seen in `deliveries`, from `b` to the commit. */
async function readSeen(
  { seen }: OwnedPartition,
  { topics, partition, metadata, committed }: RestoreRequest,
  { reader, codecs }: RestorePorts,
): Promise<void> {
  for await (const records of reader.range({ topic: topics.deliveries, partition }, metadata.b, committed)) {
    await codecs.prepare(records.map((record) => record.value));
    for (const { offset, value, timestamp } of records) {
      seen.readAt(timestamp);
      if (value === null) continue;
      if (codecs.isEndOfSpace(value)) seen.end(codecs.endOfSpace.decode(value), offset, timestamp);
      else seen.isRepeat(codecs.delivery.decode(value) satisfies Delivery, offset);
    }
  }
}

/** A fence of the shortest retry topic, at its offset. */
type FoundFence = Fence & { readonly offset: number };

/**
 * Several owners in a row have taken over and settled nothing: perhaps one of the deliveries ends them. The first of these
 * fences then stays uncommitted until something has settled, so that the next owner can count on.
 */
function guardAgainstPoison(
  partition: OwnedPartition,
  fences: readonly FoundFence[],
  settling: number,
  now: number,
): void {
  const isIdle = partition.ledger.size === 0 && partition.deliveries.next === partition.taken.deliveriesEnd;
  const own = fences.at(-1);
  if (isIdle || own === undefined) return;
  // Since it took over nothing was settled, and nothing but fences committed.
  const inVain = fences.filter((fence) => settling < fence.attemptsEnd && fence.committed === own.committed);
  const counted = inVain.slice(-suspicious);
  partition.heldFence = counted[0]?.offset ?? own.offset;
  if (counted.length >= suspicious) partition.carefulUntil = now + carefulMs;
}
