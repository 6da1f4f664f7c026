/** What `posthorn offsets save` prints: how far a group has come, in terms that another cluster understands. */
import type { Config } from '#libs/config';
import { groupNames } from '#libs/contracts';
import { decodeSourcePosition } from '#libs/core';
import {
  partitionName,
  type Committed,
  type KafkaLog,
  type LogBounds,
  type LogReader,
  type TopicPartition,
} from '#libs/kafka';
import type { CursorRecord } from '#libs/persistence';
import type { SavedCursor } from './cursor-moves.js';
import { isoOf, partitionsOf, type GroupName, type SavedPosition, type SavedPositions } from './offsets-plan.js';
import { oldMetadata } from './open-positions.js';
import { CommandFailed } from './report.js';

export interface SaveRequest {
  readonly group: GroupName;
  /** Of the dispatchers: those in force. */
  readonly cursors: readonly CursorRecord[];
  /** Unix ms. */
  readonly now: () => number;
}

/** What the group has done, by time: to be saved now and then where a disaster does not reach it. */
export async function savePositions(
  kafka: KafkaLog,
  { topicPrefix }: Pick<Config, 'topicPrefix'>,
  { group, cursors, now }: SaveRequest,
): Promise<SavedPositions> {
  const places = await partitionsOf(kafka, group, topicPrefix);
  const administration = kafka.administration();
  const reader = kafka.reader();
  try {
    // In this order: what is appended after it was looked for is not older than this.
    const looked = now();
    const commits = await administration.committed(groupNames(topicPrefix)[group], places);
    const bounds = await reader.bounds(places);
    const times = new TimesByPlace(reader, looked);
    const partitions: SavedPosition[] = [];
    for (const [i, place] of places.entries()) {
      const commit = commits[i] ?? null;
      const at = commit === null ? null : await times.timeOf(place, bounds[i], commit.offset);
      const offset = commit?.offset ?? null;
      partitions.push({ ...place, offset, at: at === null ? null : isoOf(at), ...markOf(group, commit) });
    }
    const positions = { kind: 'positions', topicPrefix, group, partitions } as const;
    if (group !== 'dispatcher') return positions;
    const saved: SavedCursor[] = [];
    for (const { endpointId, partition, position: offset } of cursors) {
      const place = places[partition];
      if (place === undefined) throw new CommandFailed(`${endpointId} stands in partition ${partition} of events`);
      const at = await times.timeOf(place, bounds[partition], offset);
      saved.push({ endpointId, partition, offset, at: at === null ? null : isoOf(at) });
    }
    return { ...positions, cursors: saved };
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

/** Append time of the first record at or after an offset; each is read once. */
class TimesByPlace {
  readonly #found = new Map<string, Promise<number | null>>();

  constructor(
    private readonly reader: LogReader,
    /** Unix ms: where there is no such record yet. */
    private readonly looked: number,
  ) {}

  timeOf(
    place: TopicPartition,
    { start, end }: LogBounds = { start: 0, end: 0 },
    offset: number,
  ): Promise<number | null> {
    const first = Math.max(offset, start);
    if (first >= end) return Promise.resolve(this.looked);
    const key = `${partitionName(place)}@${first}`;
    const found = this.#found.get(key) ?? this.#read(place, first, end);
    this.#found.set(key, found);
    return found;
  }

  async #read(place: TopicPartition, from: number, end: number): Promise<number | null> {
    for await (const [first] of this.reader.range(place, from, end)) if (first !== undefined) return first.timestamp;
    return null;
  }
}
