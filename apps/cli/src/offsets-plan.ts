/**
 * Where a consumer group goes on after a move to another cluster (docs/operations.md). Offsets differ between a cluster and
 * its mirror; append times do not by much, and a mirror appends later than the original. So the offset of a time in the
 * mirror is never above the one that belongs to the same record, up to clocks that differ: that is what the margin is for.
 */
import type { Config } from '#libs/config';
import { groupNames, topicNames, type GroupNames } from '#libs/contracts';
import { decodeSourcePosition } from '#libs/core';
import { partitionName, type Committed, type KafkaLog, type LogReader, type TopicPartition } from '#libs/kafka';
import { oldMetadata } from './open-positions.js';
import { CommandFailed } from './report.js';

export type GroupName = keyof GroupNames;

/** How far a group had come, and in terms of time, which another cluster understands. */
interface SavedPosition extends TopicPartition {
  /** Null: the group has none. */
  readonly offset: number | null;
  /** Append time of the first record that was not done; ISO 8601. Null: none was done. */
  readonly at: string | null;
  /** Of the dispatchers: incarnation of the log. */
  readonly incarnation?: number;
  /** Of the workers. */
  readonly era?: number;
}

export interface SavedPositions {
  readonly kind: 'positions';
  readonly topicPrefix: string;
  readonly group: GroupName;
  readonly partitions: readonly SavedPosition[];
}

export interface PlannedPosition extends TopicPartition {
  /** Everything that was appended before this, less the margin, is taken for done; ISO 8601. Null: nothing is. */
  readonly at: string | null;
  readonly offset: number;
  /** What the partition holds now. */
  readonly start: number;
  readonly end: number;
  /** Highest incarnation or era that the old cluster is known to have used. */
  readonly above?: number;
}

/** What `posthorn offsets apply` is given. */
export interface OffsetsPlan {
  readonly kind: 'plan';
  readonly topicPrefix: string;
  readonly group: GroupName;
  readonly marginSeconds: number;
  readonly partitions: readonly PlannedPosition[];
}

type Prefix = Pick<Config, 'topicPrefix'>;

/** The topics whose positions a group has. */
function topicsOf(group: GroupName, prefix: string): readonly string[] {
  const { events, deliveries, attempts, deadLetters } = topicNames(prefix);
  return { dispatcher: [events], worker: [deliveries], projector: [attempts, deadLetters] }[group];
}

/** @throws CommandFailed when one of its topics is missing */
export async function partitionsOf(kafka: KafkaLog, group: GroupName, prefix: string): Promise<TopicPartition[]> {
  const administration = kafka.administration();
  try {
    const topics = topicsOf(group, prefix);
    const counts = await administration.partitionCounts(topics);
    return topics.flatMap((topic) => {
      const count = counts.get(topic) ?? null;
      if (count === null) throw new CommandFailed(`there is no topic ${topic}: run \`posthorn topics create\` first`);
      return Array.from({ length: count }, (_, partition) => ({ topic, partition }));
    });
  } finally {
    await administration.close();
  }
}

/**
 * What the group has done, by time: to be saved now and then where a disaster does not reach it.
 * @param now Unix ms
 */
export async function savePositions(
  kafka: KafkaLog,
  { topicPrefix }: Prefix,
  group: GroupName,
  now: () => number,
): Promise<SavedPositions> {
  const places = await partitionsOf(kafka, group, topicPrefix);
  const administration = kafka.administration();
  const reader = kafka.reader();
  try {
    // In this order: what is appended after it was looked for is not older than this.
    const looked = now();
    const commits = await administration.committed(groupNames(topicPrefix)[group], places);
    const bounds = await reader.bounds(places);
    const partitions: SavedPosition[] = [];
    for (const [i, place] of places.entries()) {
      const commit = commits[i] ?? null;
      const { start = 0, end = 0 } = bounds[i] ?? {};
      const first = commit === null ? null : Math.max(commit.offset, start);
      const at = first === null ? null : first < end ? await timeOf(reader, place, first, end) : looked;
      const offset = commit?.offset ?? null;
      partitions.push({ ...place, offset, at: at === null ? null : isoOf(at), ...markOf(group, commit) });
    }
    return { kind: 'positions', topicPrefix, group, partitions };
  } finally {
    await Promise.all([administration.close(), reader.close()]);
  }
}

function markOf(group: GroupName, commit: Committed | null): Pick<SavedPosition, 'incarnation' | 'era'> {
  if (commit === null || group === 'projector') return {};
  if (group === 'dispatcher') {
    const incarnation = decodeSourcePosition(commit.metadata)?.incarnation;
    return incarnation === undefined ? {} : { incarnation };
  }
  const metadata = oldMetadata(commit);
  return typeof metadata === 'string' ? {} : { era: metadata.era };
}

/** Append time of the first record at or after an offset. */
async function timeOf(reader: LogReader, place: TopicPartition, from: number, end: number): Promise<number | null> {
  for await (const [first] of reader.range(place, from, end)) if (first !== undefined) return first.timestamp;
  return null;
}

export interface PlanRequest {
  readonly group: GroupName;
  /** A time for all partitions (Unix ms), or what was saved. */
  readonly from: number | SavedPositions;
  readonly marginSeconds: number;
}

/** Translates times into this cluster's offsets. Changes nothing. @throws CommandFailed */
export async function planOffsets(
  kafka: KafkaLog,
  { topicPrefix }: Prefix,
  request: PlanRequest,
): Promise<OffsetsPlan> {
  const { group, from, marginSeconds } = request;
  if (typeof from === 'object' && (from.group !== group || from.topicPrefix !== topicPrefix))
    throw new CommandFailed(
      `these are positions of ${from.topicPrefix}, ${from.group}: not of ${topicPrefix}, ${group}`,
    );
  const places = await partitionsOf(kafka, group, topicPrefix);
  const reader = kafka.reader();
  try {
    const bounds = await reader.bounds(places);
    const partitions: PlannedPosition[] = [];
    for (const [i, place] of places.entries()) {
      const { start, end } = bounds[i] ?? { start: 0, end: 0 };
      const { at, above } = typeof from === 'number' ? { at: from, above: undefined } : savedOf(from, place);
      const [found = start] = at === null ? [start] : await reader.offsetsAt([place], at - marginSeconds * 1_000);
      const offset = Math.min(Math.max(found, start), end);
      const mark = above === undefined ? {} : { above };
      partitions.push({ ...place, at: at === null ? null : isoOf(at), offset, start, end, ...mark });
    }
    return { kind: 'plan', topicPrefix, group, marginSeconds, partitions };
  } finally {
    await reader.close();
  }
}

function savedOf(
  { partitions }: SavedPositions,
  place: TopicPartition,
): { readonly at: number | null; readonly above: number | undefined } {
  const saved = partitions.find(({ topic, partition }) => topic === place.topic && partition === place.partition);
  if (saved === undefined) throw new CommandFailed(`the saved positions lack ${partitionName(place)}`);
  return { at: saved.at === null ? null : Date.parse(saved.at), above: saved.incarnation ?? saved.era };
}

const isoOf = (at: number): string => new Date(at).toISOString();

/** @throws CommandFailed when the text is not what was saved or planned */
export function parseSaved(text: string): SavedPositions {
  return parsed(text, 'positions', (one) => (one['at'] === null || isTime(one['at'])) && 'offset' in one);
}

/** @throws CommandFailed */
export function parsePlan(text: string): OffsetsPlan {
  return parsed(text, 'plan', (one) => Number.isSafeInteger(one['offset']) && Number(one['offset']) >= 0);
}

const isTime = (value: unknown): boolean => typeof value === 'string' && !Number.isNaN(Date.parse(value));

function parsed<T>(text: string, kind: string, isPosition: (one: Record<string, unknown>) => boolean): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CommandFailed('the file holds no JSON', { cause });
  }
  const file = (value ?? {}) as Record<string, unknown>;
  const { partitions } = file as { partitions?: unknown };
  const isGroup = ['dispatcher', 'worker', 'projector'].includes(String(file['group']));
  const isOne = (one: unknown): boolean => {
    const position = (one ?? {}) as Record<string, unknown>;
    return typeof position['topic'] === 'string' && Number.isInteger(position['partition']) && isPosition(position);
  };
  if (file['kind'] !== kind || !isGroup || !Array.isArray(partitions) || !partitions.every(isOne))
    throw new CommandFailed(`the file is no ${kind} of \`posthorn offsets\``);
  return value as T;
}
