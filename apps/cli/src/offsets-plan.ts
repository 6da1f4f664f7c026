/**
 * Where a consumer group goes on after a move to another cluster (docs/operations.md). Offsets differ between a cluster and
 * its mirror; append times do not by much, and a mirror appends later than the original. So the offset of a time in the
 * mirror is never above the one that belongs to the same record, up to clocks that differ: that is what the margin is for.
 */
import type { Config } from '#libs/config';
import { topicNames, type GroupNames } from '#libs/contracts';
import { partitionName, type KafkaLog, type TopicPartition } from '#libs/kafka';
import type { CursorRecord } from '#libs/persistence';
import {
  cursorIn,
  isCursor,
  PlacesByTime,
  timeOfUnsaved,
  type PlannedCursor,
  type SavedCursor,
} from './cursor-moves.js';
import { CommandFailed } from './report.js';

export type GroupName = keyof GroupNames;

/** How far a group had come, and in terms of time, which another cluster understands. */
export interface SavedPosition extends TopicPartition {
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
  /** Of the dispatchers: endpoints that did not follow a partition live. */
  readonly cursors?: readonly SavedCursor[];
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
  /** Of the dispatchers. */
  readonly cursors?: readonly PlannedCursor[];
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

export interface PlanRequest {
  readonly group: GroupName;
  /** A time for all partitions (Unix ms), or what was saved. */
  readonly from: number | SavedPositions;
  readonly marginSeconds: number;
  /** Of the dispatchers: those in force, as this cluster's PostgreSQL has them. */
  readonly cursors: readonly CursorRecord[];
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
    const byTime = new PlacesByTime(reader, marginSeconds * 1_000);
    const partitions: PlannedPosition[] = [];
    for (const [i, place] of places.entries()) {
      const { start, end } = bounds[i] ?? { start: 0, end: 0 };
      const { at, above } = typeof from === 'number' ? { at: from, above: undefined } : savedOf(from, place);
      const offset = await byTime.offsetOf(place, { start, end }, at);
      const mark = above === undefined ? {} : { above };
      partitions.push({ ...place, at: at === null ? null : isoOf(at), offset, start, end, ...mark });
    }
    const plan: OffsetsPlan = { kind: 'plan', topicPrefix, group, marginSeconds, partitions };
    return group === 'dispatcher' ? { ...plan, cursors: await planCursors(partitions, request, byTime) } : plan;
  } finally {
    await reader.close();
  }
}

/** For every cursor that there is, whether it was saved or not. */
async function planCursors(
  partitions: readonly PlannedPosition[],
  { from, cursors }: PlanRequest,
  byTime: PlacesByTime,
): Promise<readonly PlannedCursor[]> {
  if (typeof from === 'object' && from.cursors === undefined)
    throw new CommandFailed('the saved positions lack the endpoints that did not follow a partition live');
  const find = cursorIn(typeof from === 'object' ? (from.cursors ?? []) : []);
  const planned: PlannedCursor[] = [];
  for (const cursor of cursors) {
    const { endpointId, partition, createdAt } = cursor;
    const place = partitions.find((one) => one.partition === partition);
    if (place === undefined) throw new CommandFailed(`${endpointId} stands in partition ${partition} of events`);
    const saved = find(cursor);
    // An operator's time is of the positions; one that stood still since before it was sent nothing more.
    const dispatched = typeof from === 'number' ? Math.min(from, createdAt) : savedOf(from, place).at;
    const known =
      saved === undefined ? timeOfUnsaved(cursor, dispatched) : saved.at === null ? null : Date.parse(saved.at);
    const offset = await byTime.offsetOf(place, place, known);
    planned.push({ endpointId, partition, at: known === null ? null : isoOf(known), offset });
  }
  return planned;
}

function savedOf(
  { partitions }: SavedPositions,
  place: TopicPartition,
): { readonly at: number | null; readonly above: number | undefined } {
  const saved = partitions.find(({ topic, partition }) => topic === place.topic && partition === place.partition);
  if (saved === undefined) throw new CommandFailed(`the saved positions lack ${partitionName(place)}`);
  return { at: saved.at === null ? null : Date.parse(saved.at), above: saved.incarnation ?? saved.era };
}

export const isoOf = (at: number): string => new Date(at).toISOString();

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
  const { partitions, cursors = [] } = file as { partitions?: unknown; cursors?: unknown };
  const isGroup = ['dispatcher', 'worker', 'projector'].includes(String(file['group']));
  const isOne = (one: unknown): boolean => {
    const position = (one ?? {}) as Record<string, unknown>;
    return typeof position['topic'] === 'string' && Number.isInteger(position['partition']) && isPosition(position);
  };
  const areCursors = Array.isArray(cursors) && cursors.every(isCursor);
  if (file['kind'] !== kind || !isGroup || !Array.isArray(partitions) || !partitions.every(isOne) || !areCursors)
    throw new CommandFailed(`the file is no ${kind} of \`posthorn offsets\``);
  return value as T;
}
