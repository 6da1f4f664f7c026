import type { Config } from '#libs/config';
import { groupNames, topicNames } from '#libs/contracts';
import { decodeSourcePosition, encodeSourcePosition, fingerprintOf } from '#libs/core';
import type { GainedPartition, GroupMembership, KafkaLog, LogBounds, TopicPartition } from '#libs/kafka';
import { CursorRelocation, type CursorRecord } from '#libs/persistence';
import { connectBrokers } from './broker.js';
import { newRun, type CursorMoves } from './cursor-moves.js';
import { withDatabase } from './database.js';
import { CommandFailed, type Report } from './report.js';

export interface IncarnationRequest {
  /** Of the events topic. */
  readonly partition: number;
  /** Where the dispatcher is to go on. */
  readonly at: 'earliest' | 'latest' | number;
  /** Number of the new incarnation; needed where the old one cannot be read. Default: one above the old one. */
  readonly incarnation?: number;
}

/**
 * Decides what a dispatcher that stopped with an alarm waits for: sets the position of one partition of events, as a new
 * incarnation of the log, so that no delivery id of the old one is taken for one of the new (DESIGN §4). Endpoints that do
 * not follow the partition live go on there too: where they stood is an offset of the old one. All dispatchers must be
 * stopped: positions belong to the group's members, and for this moment that is us.
 * @throws CommandFailed
 */
export async function openIncarnation(config: Config, request: IncarnationRequest, report: Report): Promise<void> {
  const kafka = connectBrokers(config);
  await withDatabase(config, (database) =>
    openIncarnationIn({ kafka, cursors: new CursorRelocation(database) }, config, request, report),
  );
}

interface Ports {
  readonly kafka: KafkaLog;
  readonly cursors: CursorMoves;
}

/** The same over any log. */
export async function openIncarnationIn(
  ports: Ports,
  config: Pick<Config, 'topicPrefix'>,
  request: IncarnationRequest,
  report: Report,
): Promise<void> {
  const { kafka } = ports;
  const topic = topicNames(config.topicPrefix).events;
  const groupId = groupNames(config.topicPrefix).dispatcher;
  const gained = new Map<number, GainedPartition>();
  const membership = kafka.membership({
    groupId,
    topics: [topic],
    listener: {
      onGained: (partitions) => {
        for (const one of partitions) gained.set(one.partition, one);
      },
      onLost: (partitions) => {
        for (const { partition } of partitions) gained.delete(partition);
      },
      beforeJoin: () => Promise.resolve(),
      // `join` rejects with the same error.
      onFatal: () => gained.clear(),
    },
  });
  try {
    const partitions = await partitionCount(kafka, topic);
    if (request.partition >= partitions)
      throw new CommandFailed(`${topic} has partitions 0 to ${partitions - 1}, no ${request.partition}`);
    await membership.join();
    await untilAny(gained);
    const place = gained.get(request.partition);
    if (place === undefined || gained.size < partitions)
      throw new CommandFailed(`the group ${groupId} has other members: stop every dispatcher first`);
    await commitIncarnation(ports, membership, place, request, report);
  } finally {
    await membership.leave();
  }
}

async function partitionCount(kafka: KafkaLog, topic: string): Promise<number> {
  const administration = kafka.administration();
  try {
    const count = (await administration.partitionCounts([topic])).get(topic) ?? null;
    if (count === null) throw new CommandFailed(`there is no topic ${topic}: run \`posthorn topics create\` first`);
    return count;
  } finally {
    await administration.close();
  }
}

/** Commits and bounds are read after the join; all partitions of an assignment arrive together, a moment later. */
async function untilAny(gained: ReadonlyMap<number, GainedPartition>): Promise<void> {
  for (let i = 0; i < 100 && gained.size === 0; i += 1) await new Promise((resolve) => setTimeout(resolve, 100));
}

async function commitIncarnation(
  { kafka, cursors }: Ports,
  membership: GroupMembership,
  place: GainedPartition,
  request: IncarnationRequest,
  report: Report,
): Promise<void> {
  const { topic, partition, bounds, committed } = place;
  const offset = request.at === 'earliest' ? bounds.start : request.at === 'latest' ? bounds.end : request.at;
  if (offset < bounds.start || offset > bounds.end)
    throw new CommandFailed(
      `${topic}-${partition} has no offset ${offset}: its log reaches from ${bounds.start} to ${bounds.end}`,
    );
  const incarnation = newIncarnation(place, request);
  const fingerprint = await fingerprintBefore(kafka, place, offset);
  const metadata = encodeSourcePosition({ incarnation, fingerprint });
  let moved: readonly CursorRecord[] = [];
  await cursors.relocate(
    [partition],
    (inForce) => {
      moved = inForce.filter((cursor) => cursor.incarnation < incarnation);
      return moved.map(({ endpointId }) => ({ endpointId, partition, incarnation, position: offset, run: newRun() }));
    },
    () => membership.commit([{ topic, partition, offset, metadata }]),
  );
  const old = committed === null ? 'without a position' : `at ${committed.offset}`;
  report(`${topic}-${partition}: was ${old}, goes on at ${offset} as incarnation ${incarnation}`);
  for (const cursor of moved) report(wordsFor(cursor, offset));
}

/** What it means for an endpoint that was behind: nobody knows what its old position would be in this log. */
const wordsFor = ({ endpointId, reason, position, incarnation }: CursorRecord, offset: number): string =>
  `${endpointId} (${reason}) was at ${position} of incarnation ${incarnation}, and goes on there too: ` +
  `of what lay between that and the old log's end, it is sent only what stands at ${offset} or later`;

function newIncarnation({ committed }: GainedPartition, request: IncarnationRequest): number {
  const old = committed === null ? { incarnation: 0 } : decodeSourcePosition(committed.metadata);
  if (old === null && request.incarnation === undefined)
    throw new CommandFailed(
      'the old commit does not say its incarnation: give a number above any that was used, with --incarnation',
    );
  const least = (old?.incarnation ?? 0) + 1;
  const incarnation = request.incarnation ?? least;
  if (incarnation < least) throw new CommandFailed(`the incarnation must be at least ${least}`);
  return incarnation;
}

/** Of the record before `offset`; null when the log holds none. */
export async function fingerprintBefore(
  kafka: Pick<KafkaLog, 'reader'>,
  place: TopicPartition & { readonly bounds: LogBounds },
  offset: number,
): Promise<string | null> {
  if (offset <= place.bounds.start) return null;
  const reader = kafka.reader();
  try {
    for await (const records of reader.range(place, offset - 1, offset)) {
      const record = records.find((one) => one.offset === offset - 1);
      if (record !== undefined) return fingerprintOf(record);
    }
    return null;
  } finally {
    await reader.close();
  }
}
