/**
 * The workers' part of a move to another cluster. Positions there cannot be translated: what a partition has outstanding is
 * spread over eight topics, and copies name places in the old `deliveries`. So it is found by ids, and carried over: the
 * copy that stands for each outstanding delivery is appended once more, in a new era, with a place in this cluster's order;
 * positions are set behind all that was mirrored. Then a worker takes the partition over as any other.
 */
import type { Config } from '#libs/config';
import { groupNames, topicNames, type Delivery, type TopicNames } from '#libs/contracts';
import { deliveryIdOf, encodeCommitMetadata, topicFor } from '#libs/core';
import {
  CommitRefused,
  partitionName,
  type Committed,
  type KafkaLog,
  type LogReader,
  type OutgoingRecord,
  type PartitionCommit,
  type RecordSender,
} from '#libs/kafka';
import type { PlatformCodecs } from '#libs/schema-codec';
import type { OffsetsPlan, PlannedPosition } from './offsets-plan.js';
import { eraAbove, oldMetadata } from './open-positions.js';
import {
  boundsOf,
  outstandingIn,
  singlesOf,
  type Outstanding,
  type OutstandingCodecs,
  type PartitionState,
} from './outstanding.js';
import { CommandFailed, type Report } from './report.js';

export type CarryOverCodecs = OutstandingCodecs & Pick<PlatformCodecs, 'delivery' | 'endOfSpace'>;

export interface CarryOverOptions {
  /** Deliveries of endpoints that the endpoints topic does not know are left behind. Default: nothing is done then. */
  readonly dropUnknown: boolean;
  /** Unix ms. */
  readonly now: () => number;
}

interface Tools {
  readonly kafka: KafkaLog;
  readonly reader: LogReader;
  readonly sender: RecordSender;
  readonly codecs: CarryOverCodecs;
  readonly topics: TopicNames;
}

const haltedDelayMs = 300_000;
const recordsPerSend = 200;
const bytesPerSend = 500_000;

/** Sets the positions of the workers' group by a plan. Run it again if it was cut short. @throws CommandFailed */
export async function carryOver(
  kafka: KafkaLog,
  codecs: CarryOverCodecs,
  { topicPrefix }: Pick<Config, 'topicPrefix'>,
  plan: OffsetsPlan,
  options: CarryOverOptions,
  report: Report,
): Promise<void> {
  const topics = topicNames(topicPrefix);
  const groupId = groupNames(topicPrefix).worker;
  const administration = kafka.administration();
  const [reader, sender] = [kafka.reader(), kafka.sender()];
  const tools: Tools = { kafka, reader, sender, codecs, topics };
  try {
    const commits = await administration.committed(groupId, plan.partitions);
    // From here on until all is done no worker takes a partition: it cannot read this, and stops with an alarm.
    const usedEra = Math.max(0, ...commits.map(eraOf), ...plan.partitions.map(({ above = 0 }) => above));
    const withdrawn = plan.partitions.map((one, i) => ({ ...placeOf(one), offset: commits[i]?.offset ?? 0 }));
    await administration.setCommits(
      groupId,
      withdrawn.map((one) => ({ ...one, metadata: `${movingMark}${usedEra}` })),
    );
    const configuration = await readEndpoints(reader, topics.endpoints);
    const states: PartitionState[] = [];
    for (const { partition, offset } of plan.partitions)
      states.push(await outstandingIn(partition, offset, topics, { reader, codecs }));
    const known = states.map(({ outstanding }) => knownOnly(outstanding, configuration.keys, options, report));
    const found = Math.max(usedEra, ...states.map(({ era }) => era));
    const era = eraAbove('none', { era: found, unreadable: null }, undefined);
    const set: PartitionCommit[] = [];
    for (const [i, { partition }] of plan.partitions.entries()) {
      const [state, outstanding] = [states[i], known[i]];
      if (state === undefined || outstanding === undefined) continue;
      const writer = { era, generation: 0 };
      const written = { writer, configVersion: configuration.end - 1, now: options.now() };
      set.push(await carryPartition(partition, state, outstanding, written, tools));
      report(wordsFor(`${topics.deliveries}-${partition}`, state, outstanding.length, era));
    }
    await administration.setCommits(groupId, set);
  } catch (error) {
    if (error instanceof CommitRefused) throw new CommandFailed(`${error.message}: stop every worker first`);
    throw error;
  } finally {
    await Promise.all([administration.close(), reader.close(), sender.close()]);
  }
}

const movingMark = 'moving;';
const placeOf = ({ topic, partition }: PlannedPosition) => ({ topic, partition });

/** Of a commit that a worker or this tool has made; 0 where there is none to be read. */
function eraOf(commit: Committed | null): number {
  if (commit === null) return 0;
  if (commit.metadata.startsWith(movingMark)) return Number(commit.metadata.slice(movingMark.length)) || 0;
  const metadata = oldMetadata(commit);
  return typeof metadata === 'string' ? 0 : metadata.era;
}

/** Keys of the endpoints that there are or were, and the topic's end. */
async function readEndpoints(
  reader: LogReader,
  topic: string,
): Promise<{ readonly keys: ReadonlySet<string>; readonly end: number }> {
  const place = { topic, partition: 0 };
  const [bounds] = await reader.bounds([place]);
  const { start, end } = bounds ?? { start: 0, end: 0 };
  const keys = new Set<string>();
  for await (const records of reader.range(place, start, end))
    for (const { key } of records) keys.add(key?.toString('utf8') ?? '');
  return { keys, end };
}

/** Workers drop deliveries of unknown endpoints: if their configuration was not mirrored, that would be a loss. */
function knownOnly(
  outstanding: ReadonlyMap<string, Outstanding>,
  endpoints: ReadonlySet<string>,
  { dropUnknown }: CarryOverOptions,
  report: Report,
): readonly Outstanding[] {
  const all = [...outstanding.values()];
  const unknown = all.filter(({ endpointId }) => !endpoints.has(endpointId));
  if (unknown.length === 0) return all;
  const names = [...new Set(unknown.map(({ endpointId }) => endpointId))].slice(0, 5).join(', ');
  const words = `${unknown.length} deliveries of endpoints that the endpoints topic does not know (${names})`;
  if (!dropUnknown)
    throw new CommandFailed(
      `${words}: publish the configuration first (\`posthorn configuration publish\`, with an api running), or give them up ` +
        'with --drop-unknown',
    );
  report(`${words} are left behind`);
  return all.filter(({ endpointId }) => endpoints.has(endpointId));
}

interface Written {
  readonly writer: NonNullable<Delivery['writer']>;
  /** Of this cluster: workers know the configuration that counts when they have read as far. */
  readonly configVersion: number;
  readonly now: number;
}

/** Appends what is outstanding, and tells the positions behind it. */
async function carryPartition(
  partition: number,
  { logs }: PartitionState,
  outstanding: readonly Outstanding[],
  written: Written,
  tools: Tools,
): Promise<PartitionCommit> {
  const { topics, reader, sender, codecs } = tools;
  const delaysMs = topics.retry.map(({ delayMs }) => delayMs);
  const places = orderOf(outstanding);
  const padding = Math.max(0, outstanding.length - logs.deliveries.end);
  const appended = new Map<string, number>(topics.retry.map(({ name }) => [name, 0]));
  for await (const chunk of chunksOf(partition, outstanding, { reader, codecs })) {
    const records = chunk.map(({ delivery, of }): OutgoingRecord => {
      const waits = delivery.haltedAt === null ? (delivery.dueAt ?? 0) - written.now : haltedDelayMs;
      const topic = topics.retry[topicFor(delaysMs, waits)]?.name ?? '';
      const { writer, configVersion } = written;
      const copy = { ...delivery, hop: delivery.hop + 1, pos: places.get(of) ?? 0, writer, configVersion };
      appended.set(topic, (appended.get(topic) ?? 0) + 1);
      return { topic, partition, key: delivery.endpointId, value: codecs.delivery.encode(copy) };
    });
    await sender.send(records);
  }
  await pad(padding, { topic: topics.deliveries, partition }, tools);
  const offset = logs.deliveries.end + padding;
  await mustBeStill(partition, { ...logs, deliveries: { ...logs.deliveries, end: offset } }, appended, tools);
  const retries = new Map(
    delaysMs.map((delayMs, index) => [delayMs, { position: logs.retries[index]?.end ?? 0, level: null }]),
  );
  const { era } = written.writer;
  const metadata = encodeCommitMetadata({ era, a: logs.attempts.end, b: offset, retries, floors: [] });
  return { topic: topics.deliveries, partition, offset, metadata };
}

/**
 * Their order as places: below the new position, so that they stand before all that follows. Those whose first copy was
 * never mirrored are older than all others; between them, and between the others, places and offsets tell.
 */
function orderOf(outstanding: readonly Outstanding[]): ReadonlyMap<Outstanding, number> {
  const rank = ({ mirroredAt, pos }: Outstanding): [number, number] => [mirroredAt === null ? 0 : 1, mirroredAt ?? pos];
  const ranked = outstanding.map((one) => ({ one, rank: rank(one) }));
  ranked.sort((a, b) => a.rank[0] - b.rank[0] || a.rank[1] - b.rank[1]);
  return new Map(ranked.map(({ one }, place) => [one, place]));
}

interface Carried {
  readonly of: Outstanding;
  readonly delivery: Delivery;
}

/** The copies with their payloads, in the order in which they stand, some at a time. */
async function* chunksOf(
  partition: number,
  outstanding: readonly Outstanding[],
  { reader, codecs }: Pick<Tools, 'reader' | 'codecs'>,
): AsyncIterable<readonly Carried[]> {
  let [chunk, bytes]: [Carried[], number] = [[], 0];
  for (const [topic, copies] of Map.groupBy(outstanding, (one) => one.topic)) {
    const byId = new Map(copies.map((one) => [one.id, one]));
    const offsets = copies.map(({ offset }) => offset).sort((a, b) => a - b);
    const standing = new Set(offsets);
    for await (const records of reader.range({ topic, partition }, offsets[0] ?? 0, (offsets.at(-1) ?? -1) + 1)) {
      await codecs.prepare(records.map(({ value }) => value));
      for (const { offset, value } of records) {
        if (value === null || !standing.has(offset)) continue;
        for (const delivery of singlesOf(codecs.delivery.decode(value))) {
          const of = byId.get(deliveryIdOf(delivery));
          if (of?.offset === offset) chunk.push({ of, delivery });
        }
        bytes += value.length;
        if (chunk.length < recordsPerSend && bytes < bytesPerSend) continue;
        yield chunk;
        [chunk, bytes] = [[], 0];
      }
    }
  }
  if (chunk.length > 0) yield chunk;
}

/** A place is an offset below the commit: of a log that is too short for them, records are added that say nothing. */
async function pad(
  count: number,
  { topic, partition }: { readonly topic: string; readonly partition: number },
  { sender, codecs }: Tools,
): Promise<void> {
  const space = { endpointId: '', stream: 'moved', incarnation: 0, sourcePartition: 0, space: '' };
  const value = codecs.endOfSpace.encode(space);
  for (let left = count; left > 0; left -= recordsPerSend) {
    const some = Array.from({ length: Math.min(left, recordsPerSend) }, () => ({ topic, partition, key: null, value }));
    await sender.send(some);
  }
}

/** What is mirrored afterwards would be taken for what workers of this cluster have written. */
async function mustBeStill(
  partition: number,
  before: Awaited<ReturnType<typeof boundsOf>>,
  appended: ReadonlyMap<string, number>,
  { topics, reader }: Tools,
): Promise<void> {
  const now = await boundsOf(reader, topics, partition);
  const moved = [
    ...(now.deliveries.end > before.deliveries.end ? [topics.deliveries] : []),
    ...(now.attempts.end > before.attempts.end ? [topics.attempts] : []),
    ...topics.retry
      .map(({ name }) => name)
      .filter((name, i) => (now.retries[i]?.end ?? 0) > (before.retries[i]?.end ?? 0) + (appended.get(name) ?? 0)),
  ];
  if (moved.length > 0)
    throw new CommandFailed(
      `${moved.map((topic) => partitionName({ topic, partition })).join(', ')} still grows: stop the mirror, and run it again`,
    );
}

function wordsFor(name: string, state: PartitionState, carried: number, era: number): string {
  const notes = [
    state.unjudged > 0 ? `${state.unjudged} are older than what attempts still tell, and were left behind` : '',
    state.withoutDeadLetter > 0 ? `${state.withoutDeadLetter} of them because their dead letter was not mirrored` : '',
  ].filter((note) => note !== '');
  return `${name}: ${carried} deliveries carried over into era ${era}${notes.map((note) => `; ${note}`).join('')}`;
}
