import type { DispatchEndpoint } from '../dispatch.js';
import { backoffMs, messageOf, pause, type Surroundings } from '../surroundings.js';
import type { CursorStore, StoredCursor } from './cursor-store.js';

export interface TakeCursorsPorts {
  readonly store: Pick<CursorStore, 'takeOver'>;
  readonly directory: { readToEnd(wanted: () => boolean): Promise<void>; all(): Iterable<DispatchEndpoint> };
  /** The lease. */
  readonly gate: { isHeld(): boolean };
  readonly around: Surroundings;
}

export interface TakenCursors {
  readonly epoch: number;
  readonly stored: readonly StoredCursor[];
  /** Backfills (runs) whose cursors are among the stored ones, or have none here any more. */
  readonly knownBackfills: ReadonlySet<string>;
}

const lookAgainMs = 20;

/**
 * Takes over the cursors of a source partition: first reads all configuration that an earlier owner may have known, then
 * raises the epoch, so that nothing of an earlier owner is written any more, then reads. The partition waits for it.
 * @returns null when the partition is no longer `wanted`
 */
export async function takeCursors(
  partition: number,
  { store, directory, gate, around }: TakeCursorsPorts,
  wanted: () => boolean,
): Promise<TakenCursors | null> {
  for (let failures = 0; wanted(); failures += 1) {
    try {
      await directory.readToEnd(wanted);
      // Read before the cursors: what is stored with an endpoint is stored before the endpoint is published.
      const knownBackfills = new Set([...directory.all()].flatMap(({ backfill }) => backfill ?? []));
      while (wanted() && !gate.isHeld()) await pause(around, lookAgainMs);
      if (!wanted()) return null;
      const { epoch, cursors } = await store.takeOver(partition);
      return { epoch, stored: cursors, knownBackfills };
    } catch (error) {
      around.log.warn({ partition, reason: messageOf(error) }, 'the cursors of a partition cannot be taken over yet');
      await pause(around, backoffMs(failures));
    }
  }
  return null;
}
