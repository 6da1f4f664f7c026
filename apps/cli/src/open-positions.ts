import type { Config } from '#libs/config';
import { groupNames, topicNames, type TopicNames } from '#libs/contracts';
import { CommitMetadataError, decodeCommitMetadata, encodeCommitMetadata, type CommitMetadata } from '#libs/core';
import {
  CommitRefused,
  partitionName,
  type Committed,
  type KafkaLog,
  type LogBounds,
  type LogReader,
} from '#libs/kafka';
import { registryOf } from '#libs/platform';
import { CodecError, connectSchemaCodec, type SchemaCodec } from '#libs/schema-codec';
import { connectBrokers } from './broker.js';
import { CommandFailed, type Report } from './report.js';

export interface PositionsRequest {
  /** Of the deliveries topic. */
  readonly partition: number;
  /** Where the worker is to go on in it. */
  readonly at: 'earliest' | 'latest' | number;
  /** The new era; needed where the old commit cannot be read. Default: one above every one that was found. */
  readonly era?: number;
}

/**
 * Decides what a worker that stopped with an alarm waits for: the position of one partition of deliveries, in a new era, so
 * that whatever a former owner still appends to the retry topics is void (DESIGN §3, Ownership). Retry partitions are read
 * again from the start of their logs, and `attempts` tells which of it is closed. All workers must be stopped.
 * @throws CommandFailed
 */
export async function openPositions(config: Config, request: PositionsRequest, report: Report): Promise<void> {
  const codec = await connectSchemaCodec(registryOf(config));
  await openPositionsIn(connectBrokers(config), codec, config, request, report);
}

type Codecs = Pick<SchemaCodec['platform'], 'prepare' | 'isFence' | 'fence' | 'delivery'>;

/** The same over any log. */
export async function openPositionsIn(
  kafka: KafkaLog,
  { platform: codecs }: { readonly platform: Codecs },
  { topicPrefix }: Pick<Config, 'topicPrefix'>,
  request: PositionsRequest,
  report: Report,
): Promise<void> {
  const topics = topicNames(topicPrefix);
  const groupId = groupNames(topicPrefix).worker;
  const administration = kafka.administration();
  const reader = kafka.reader();
  try {
    const counts = await administration.partitionCounts([topics.deliveries]);
    checkPartition(topics.deliveries, counts.get(topics.deliveries) ?? null, request.partition);
    const place = { topic: topics.deliveries, partition: request.partition };
    const [committed = null] = await administration.committed(groupId, [place]);
    const found = await look(reader, codecs, topics, request.partition);
    const offset = offsetIn(found.deliveries, request.at, topics.deliveries);
    const old = oldMetadata(committed);
    const era = eraAbove(old, found, request.era);
    const metadata = encodeCommitMetadata(freshMetadata(era, offset, found, old, topics));
    await administration.setCommits(groupId, [{ ...place, offset, metadata }]);
    const was = committed === null ? 'without a position' : `at ${committed.offset}`;
    report(`${place.topic}-${place.partition}: was ${was}, goes on at ${offset} in era ${era}`);
    if (offset > found.deliveries.start)
      report(`deliveries below ${offset} are taken for settled, except for what still stands in the retry topics`);
  } catch (error) {
    if (error instanceof CommitRefused) throw new CommandFailed(`${error.message}: stop every worker first`);
    throw error;
  } finally {
    await Promise.all([administration.close(), reader.close()]);
  }
}

function checkPartition(topic: string, count: number | null, partition: number): void {
  if (count === null) throw new CommandFailed(`there is no topic ${topic}: run \`posthorn topics create\` first`);
  if (partition >= count) throw new CommandFailed(`${topic} has partitions 0 to ${count - 1}, no ${partition}`);
}

/** What stands in the partition's logs. */
interface Found {
  readonly deliveries: LogBounds;
  readonly attempts: LogBounds;
  /** In the order of the retry topics. */
  readonly retries: readonly LogBounds[];
  /** Highest era of a fence or of a copy's writer; 0: there is none. */
  readonly era: number;
  /** The first record that may hide a higher one; null: all could be read. */
  readonly unreadable: string | null;
}

async function look(reader: LogReader, codecs: Codecs, topics: TopicNames, partition: number): Promise<Found> {
  const names = [topics.deliveries, topics.attempts, ...topics.retry.map(({ name }) => name)];
  const places = names.map((topic) => ({ topic, partition }));
  const [deliveries = empty, attempts = empty, ...retries] = await reader.bounds(places);
  let era = 0;
  let unreadable: string | null = null;
  for (const [index, place] of places.slice(2).entries()) {
    const { start, end } = retries[index] ?? empty;
    for await (const records of reader.range(place, start, end)) {
      await codecs.prepare(records.map(({ value }) => value));
      for (const { value, offset } of records) {
        const one = eraOf(codecs, value);
        if (one === null) unreadable ??= `${partitionName(place)} at ${offset}`;
        else era = Math.max(era, one);
      }
    }
  }
  return { deliveries, attempts, retries, era, unreadable };
}

const empty: LogBounds = { start: 0, end: 0 };

/** Null when it cannot be read. */
function eraOf(codecs: Codecs, value: Buffer | null): number | null {
  try {
    if (value === null) return 0;
    return codecs.isFence(value) ? codecs.fence.decode(value).era : (codecs.delivery.decode(value).writer?.era ?? 0);
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}

function offsetIn({ start, end }: LogBounds, at: PositionsRequest['at'], topic: string): number {
  const offset = at === 'earliest' ? start : at === 'latest' ? end : at;
  if (offset < start || offset > end)
    throw new CommandFailed(`${topic} has no offset ${offset} there: its log reaches from ${start} to ${end}`);
  return offset;
}

export function oldMetadata(committed: Committed | null): CommitMetadata | 'none' | 'unreadable' {
  if (committed === null) return 'none';
  try {
    return decodeCommitMetadata(committed.metadata);
  } catch (error) {
    if (error instanceof CommitMetadataError) return 'unreadable';
    throw error;
  }
}

/** Above the first era in any case: of a lost one nothing may be left to be found. */
export function eraAbove(
  old: ReturnType<typeof oldMetadata>,
  { era: found, unreadable }: Pick<Found, 'era' | 'unreadable'>,
  wanted: number | undefined,
): number {
  const hidden = old === 'unreadable' ? 'the old commit' : unreadable;
  if (hidden !== null && wanted === undefined)
    throw new CommandFailed(`${hidden} does not say its era: give a number above any that was used, with --era`);
  const least = Math.max(1, found, typeof old === 'string' ? 0 : old.era) + 1;
  if (wanted !== undefined && wanted < least) throw new CommandFailed(`the era must be at least ${least}`);
  return wanted ?? least;
}

function freshMetadata(
  era: number,
  offset: number,
  { deliveries, attempts, retries }: Found,
  old: ReturnType<typeof oldMetadata>,
  topics: TopicNames,
): CommitMetadata {
  return {
    era,
    a: attempts.start,
    b: deliveries.start,
    retries: new Map(
      topics.retry.map(({ delayMs }, index) => {
        const position = retries[index]?.start ?? 0;
        const before = typeof old === 'string' ? undefined : old.retries.get(delayMs);
        // What fences below the old position say holds here only if all of them are below this one too.
        return [delayMs, { position, level: before && before.position <= position ? before.level : null }];
      }),
    ),
    // Learnt when `b` had been reached: of what is read again from below it, they would lose some.
    floors: typeof old === 'string' || offset < old.b ? [] : old.floors,
  };
}
