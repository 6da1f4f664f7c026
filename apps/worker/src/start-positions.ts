import { CommitMetadataError, decodeCommitMetadata, type CommitMetadata } from '#libs/core';
import type { GainedPartition } from '#libs/kafka';

export type Start =
  | { readonly kind: 'positions'; readonly committed: number; readonly metadata: CommitMetadata }
  | { readonly kind: 'alarm'; readonly message: string };

const decide =
  'decide where to go on: `posthorn positions open --partition <n> --at <offset>`, with the workers stopped; it opens a new era';

/**
 * Where the owner of a partition reads on, by its commit: `deliveries` and, in the metadata, all else. Nothing ever resets
 * by itself: without a commit, or with one that does not lie in this log, the partition stops with an alarm.
 */
export function startOf({ committed, bounds }: GainedPartition): Start {
  const alarm = (message: string): Start => ({ kind: 'alarm', message });
  if (committed === null) {
    return alarm(`the group has no position: run \`posthorn topics create\` if the partition is new, else ${decide}`);
  }
  const { offset } = committed;
  if (offset < bounds.start || offset > bounds.end) {
    return alarm(`the commit ${offset} lies outside of the log, ${bounds.start} to ${bounds.end}: ${decide}`);
  }
  try {
    const metadata = decodeCommitMetadata(committed.metadata);
    if (metadata.b < bounds.start || metadata.b > offset) {
      return alarm(`the restore point ${metadata.b} lies outside of the log, ${bounds.start} to ${offset}: ${decide}`);
    }
    return { kind: 'positions', committed: offset, metadata };
  } catch (error) {
    if (!(error instanceof CommitMetadataError)) throw error;
    return alarm(`${error.message}: ${decide}`);
  }
}
