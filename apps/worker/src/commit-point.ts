import { encodeCommitMetadata, type RetryPosition } from '#libs/core';
import type { OwnedPartition } from './owned-partition.js';
import type { Without } from './rules.js';

/** What a commit of `deliveries`-p says, and below which nothing will be read again. */
export interface CommitPoint {
  readonly offset: number;
  readonly metadata: string;
  /** Restore points of `deliveries` and, shortest first, of the retry topics. */
  readonly b: number;
  readonly retries: readonly number[];
}

/**
 * What may be committed of a partition now (DESIGN §3, Commit and Restore).
 * @param delaysMs delays of the retry topics, shortest first
 * @param now monotonic ms
 */
export function commitPointOf(
  partition: OwnedPartition,
  delaysMs: readonly number[],
  now: number,
  without: Without = new Set(),
): CommitPoint {
  const offset = partition.deliveries.committable;
  const { b, floors } = partition.seen.restorePoint(offset);
  const retries = new Map<number, RetryPosition>();
  const positions: number[] = [];
  for (const [index, tracker] of partition.retries.entries()) {
    const fences = partition.fences[index];
    const held = index === 0 ? (partition.heldFence ?? Infinity) : Infinity;
    const position = Math.min(tracker.committable, held);
    positions.push(position);
    // The fences below this position, not those above: what stands between them is not void.
    const level = fences?.levelAt(without.has('fence-level') ? Infinity : position) ?? null;
    retries.set(delaysMs[index] ?? 0, { position, level });
  }
  const { era } = partition.writer;
  const metadata = encodeCommitMetadata({ era, a: lowestStamp(partition, now, without), b, retries, floors });
  return { offset, metadata, b, retries: positions };
}

/** `attempts` must be read from here to know which of the unsettled copies belong to closed deliveries. */
function lowestStamp(partition: OwnedPartition, now: number, without: Without): number {
  const { taken, attemptsEnd, deliveries } = partition;
  if (without.has('stamps')) return Math.min(attemptsEnd, deliveries.lowestStamp);
  let a = Math.min(partition.attemptsEndBefore(now), deliveries.lowestStamp);
  for (const tracker of partition.retries) a = Math.min(a, tracker.lowestStamp);
  return partition.isPastTakeOver ? a : Math.min(a, taken.a);
}
