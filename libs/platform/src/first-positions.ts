import { groupNames, topicNames } from '#libs/contracts';
import { CommitMetadataError, decodeCommitMetadata, firstCommitMetadata } from '#libs/core';
import { partitionName, type Committed, type KafkaLog, type TopicPartition } from '#libs/kafka';

export interface FirstPositions {
  /** Partitions of `deliveries` that got their first position now. */
  readonly set: readonly number[];
  /** Partitions whose position only a person can decide, and why. */
  readonly unclear: readonly { readonly partition: number; readonly why: string }[];
}

/**
 * Gives the workers' group its first position, in the first era, in each partition of `deliveries` that has none while
 * `deliveries`-p and all retry-p have never held a record: workers take no partition without one, since a position that
 * was lost and one that never was look the same to them (DESIGN §3, Ownership). What it finds there is left alone.
 * @throws CommitRefused while the group has members that were there before a first position was needed
 */
export async function firstPositions(kafka: KafkaLog, topicPrefix: string): Promise<FirstPositions> {
  const { deliveries, retry } = topicNames(topicPrefix);
  const groupId = groupNames(topicPrefix).worker;
  const administration = kafka.administration();
  const reader = kafka.reader();
  try {
    const count = (await administration.partitionCounts([deliveries])).get(deliveries) ?? 0;
    const partitions = Array.from({ length: count }, (_, partition) => ({ topic: deliveries, partition }));
    const commits = await administration.committed(groupId, partitions);
    const set: number[] = [];
    const unclear: { partition: number; why: string }[] = [];
    for (const [partition, commit] of commits.entries()) {
      const topics = [deliveries, ...retry.map(({ name }) => name)].map((topic) => ({ topic, partition }));
      const why = commit === null ? await traceOf(reader, topics) : unreadable(commit);
      if (why !== null) unclear.push({ partition, why });
      else if (commit === null) set.push(partition);
    }
    const metadata = firstCommitMetadata(retry.map(({ delayMs }) => delayMs));
    await administration.setCommits(
      groupId,
      set.map((partition) => ({ topic: deliveries, partition, offset: 0, metadata })),
    );
    return { set, unclear };
  } finally {
    await Promise.all([administration.close(), reader.close()]);
  }
}

/** What shows that one of the partitions has held records; null: nothing does. */
async function traceOf(
  reader: ReturnType<KafkaLog['reader']>,
  partitions: readonly TopicPartition[],
): Promise<string | null> {
  const bounds = await reader.bounds(partitions);
  const used = partitions.find((_, at) => (bounds[at]?.end ?? 0) > 0);
  return used === undefined ? null : `it has no position, but ${partitionName(used)} has held records`;
}

function unreadable({ metadata }: Committed): string | null {
  try {
    decodeCommitMetadata(metadata);
    return null;
  } catch (error) {
    if (error instanceof CommitMetadataError) return error.message;
    throw error;
  }
}
