import { partitionName, type TopicPartition } from './ports.js';

/** A member of the group, and what it held under the generation that it last took part in (-1: nothing yet). */
export interface GroupMember {
  readonly id: string;
  readonly generation: number;
  readonly held: readonly TopicPartition[];
}

/**
 * Shares the partitions out evenly (counts differ by at most one) and moves none without need. Where two members claim
 * the same partition, the later generation is right.
 */
export function assignSticky(
  members: readonly GroupMember[],
  partitions: readonly TopicPartition[],
): ReadonlyMap<string, readonly TopicPartition[]> {
  const open = new Map(partitions.map((one) => [partitionName(one), one]));
  const claims = new Map<string, TopicPartition[]>();
  for (const { id, held } of members.toSorted((a, b) => b.generation - a.generation || order(a.id, b.id))) {
    const mine: TopicPartition[] = [];
    for (const one of held) {
      const name = partitionName(one);
      const known = open.get(name);
      if (known !== undefined) mine.push(known);
      open.delete(name);
    }
    claims.set(id, mine);
  }
  // The larger shares go to those that hold most.
  const ranked = [...claims].toSorted(([a, mine], [b, theirs]) => theirs.length - mine.length || order(a, b));
  const small = Math.floor(partitions.length / Math.max(1, ranked.length));
  const larger = partitions.length - small * ranked.length;
  const assignment = new Map<string, TopicPartition[]>();
  const free: TopicPartition[] = [];
  ranked.forEach(([id, mine], rank) => {
    const share = small + (rank < larger ? 1 : 0);
    assignment.set(id, mine.slice(0, share));
    free.push(...mine.slice(share));
  });
  free.push(...open.values());
  ranked.forEach(([id], rank) => {
    const mine = assignment.get(id);
    const share = small + (rank < larger ? 1 : 0);
    while (mine !== undefined && mine.length < share) {
      const next = free.shift();
      if (next === undefined) break;
      mine.push(next);
    }
  });
  return assignment;
}

/** What a member tells the leader of its present assignment, as user data of the group protocol. */
export function encodeHeld({ generation, held }: Pick<GroupMember, 'generation' | 'held'>): Buffer {
  const byTopic = [...Map.groupBy(held, ({ topic }) => topic)].map(([topic, of]) => [
    topic,
    of.map((one) => one.partition),
  ]);
  return Buffer.from(JSON.stringify({ generation, held: byTopic }));
}

/** Nothing held, if the bytes are not ours (another client, another version). */
export function decodeHeld(userData: Buffer): Pick<GroupMember, 'generation' | 'held'> {
  try {
    const parsed = JSON.parse(userData.toString()) as { generation: number; held: [string, number[]][] };
    return {
      generation: Number(parsed.generation),
      held: parsed.held.flatMap(([topic, partitions]) =>
        partitions.map((partition) => ({ topic, partition: Number(partition) })),
      ),
    };
  } catch {
    return { generation: -1, held: [] };
  }
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
