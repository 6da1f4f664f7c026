import { backoffMs, BrokerRefusal, isStaleLeader, pause, type Cluster } from './cluster.js';
import { LinkFailure, messageOf } from './broker-link.js';
import { partitionName, type LogBounds, type TopicPartition } from './ports.js';

const earliest = -2;
const latest = -1;

interface ListOffsetsAnswer {
  readonly responses: readonly {
    readonly topic: string;
    readonly partitions: readonly { partition: number; errorCode: number; offset: string }[];
  }[];
}

/** Bounds of each partition, in the given order, each asked of its leader. `end` is the last stable offset. */
export async function readBounds(cluster: Cluster, partitions: readonly TopicPartition[]): Promise<LogBounds[]> {
  const [starts, ends] = await Promise.all([
    listOffsets(cluster, partitions, earliest),
    listOffsets(cluster, partitions, latest),
  ]);
  return partitions.map((_, at) => ({ start: starts[at] ?? 0, end: ends[at] ?? 0 }));
}

/** First offset appended at or after `timestamp`; the end if there is none. */
export async function readOffsetsAt(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  timestamp: number,
): Promise<number[]> {
  const found = await listOffsets(cluster, partitions, timestamp);
  if (found.every((offset) => offset >= 0)) return found;
  const ends = await listOffsets(cluster, partitions, latest);
  return found.map((offset, at) => (offset >= 0 ? offset : (ends[at] ?? 0)));
}

async function listOffsets(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  timestamp: number,
): Promise<number[]> {
  if (partitions.some((one) => cluster.leaderOf(one) === null))
    await cluster.refresh(new Set(partitions.map((one) => one.topic)));
  const byLeader = Map.groupBy(partitions, (one) => cluster.leaderOf(one));
  const offsets = new Map<string, number>();
  const reads = [...byLeader].map(async ([leader, of]) => {
    if (leader === null) throw new BrokerRefusal(5, `no leader for ${of.map(partitionName).join(', ')}`);
    const topics = [...Map.groupBy(of, ({ topic }) => topic)].map(([topic, those]) => ({
      topic,
      partitions: those.map(({ partition }) => ({ partition, timestamp })),
    }));
    const args = { isolationLevel: 1, topics };
    const { responses } = await cluster.call<ListOffsetsAnswer>(leader, 'ListOffsets', 2, args);
    for (const { topic, partitions: answers } of responses) {
      for (const { partition, errorCode, offset } of answers) {
        if (errorCode !== 0) throw new BrokerRefusal(errorCode, `no offset of ${topic}-${partition}`);
        offsets.set(partitionName({ topic, partition }), Number(offset));
      }
    }
  });
  await Promise.all(reads);
  return partitions.map((one) => {
    const offset = offsets.get(partitionName(one));
    if (offset === undefined) throw new BrokerRefusal(3, `the answer lacks ${partitionName(one)}`);
    return offset;
  });
}

/**
 * Repeats what failed for reasons that pass (network, elections), with backoff, up to `patienceMs`; then throws the last
 * reason. Leaders are read anew before each repeat.
 */
export async function patiently<Result>(
  cluster: Cluster,
  what: string,
  work: () => Promise<Result>,
  patienceMs: number,
  signal?: AbortSignal,
): Promise<Result> {
  const started = performance.now();
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const passes = error instanceof LinkFailure || (error instanceof BrokerRefusal && isTransient(error.code));
      if (!passes || signal?.aborted === true || performance.now() - started > patienceMs) throw error;
      cluster.log(attempt > 3 ? 'warn' : 'debug', `${what} is tried again`, { attempt, reason: messageOf(error) });
      await pause(backoffMs(attempt), signal);
      try {
        await cluster.refresh([]);
      } catch (failure) {
        cluster.log('debug', 'no metadata', { reason: messageOf(failure) });
      }
    }
  }
}

// coordinator loading, not available, not coordinator; network, timeout, not controller, unknown server error
const transientCodes = new Set([-1, 7, 13, 14, 15, 16, 41]);

export function isTransient(code: number): boolean {
  return isStaleLeader(code) || transientCodes.has(code);
}
