import { CommitMetadataError, decodeCommitMetadata, type CommitMetadata } from '#libs/core';
import type { GainedPartition } from '#libs/kafka';
import type { StartPositions } from './owned-partition.js';

export type Start =
  | { readonly kind: 'positions'; readonly era: number; readonly positions: StartPositions }
  | { readonly kind: 'alarm'; readonly message: string };

/**
 * Where the owner of a partition reads on, by its commit: `deliveries` and, in the metadata, the retry topics. Without a
 * commit everything is read from its start. Nothing ever resets by itself.
 * @param delaysMs delays of the retry topics, shortest first
 */
export function startOf(gained: GainedPartition, delaysMs: readonly number[]): Start {
  const { committed, bounds } = gained;
  if (committed === null) {
    const positions = { deliveries: bounds.start, retries: delaysMs.map(() => 0) };
    return { kind: 'positions', era: 0, positions };
  }
  if (committed.offset < bounds.start || committed.offset > bounds.end) {
    const message = `the commit ${committed.offset} lies outside of the log, ${bounds.start} to ${bounds.end}`;
    return { kind: 'alarm', message };
  }
  let metadata: CommitMetadata;
  try {
    metadata = decodeCommitMetadata(committed.metadata);
  } catch (error) {
    if (!(error instanceof CommitMetadataError)) throw error;
    return { kind: 'alarm', message: error.message };
  }
  const retries = delaysMs.map((delayMs) => metadata.retryPositions.get(delayMs) ?? 0);
  return { kind: 'positions', era: metadata.era, positions: { deliveries: committed.offset, retries } };
}
