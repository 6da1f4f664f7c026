import { columns } from './columns.js';
import { cursorRecordOf, type CursorRecord, type CursorRow } from './cursor-rows.js';
import { raisedEpoch } from './cursors.js';
import { lockInForce, relocateCursors, selectInForce } from './cursors.sql.js';
import type { Database } from './database.js';

/** Where an endpoint goes on in a source partition that is another log now. */
export interface CursorPlace {
  readonly endpointId: string;
  readonly partition: number;
  readonly incarnation: number;
  readonly position: number;
  /** A new one: what was sent in the old one has other offsets. */
  readonly run: string;
}

/**
 * Cursors as an operator moves them, with the dispatchers' positions, while no dispatcher runs. One whose end is already
 * decided is left to the dispatchers.
 */
export class CursorRelocation {
  constructor(
    private readonly database: Database,
    private readonly now: () => number = Date.now,
  ) {}

  /** All that are in force, by source partition. */
  async list(): Promise<readonly CursorRecord[]> {
    const rows: CursorRow[] = await this.database.session.query(selectInForce);
    return rows.map(cursorRecordOf);
  }

  /**
   * One transaction: raises the partitions' epochs, so that a dispatcher that has not noticed changes nothing any more; puts
   * those in force where `decide` says (one that it does not name stays); then waits for `commit`. When that rejects, nothing
   * was changed here. A crash right after it leaves the cursors as they were: then do it again.
   */
  async relocate(
    partitions: readonly number[],
    decide: (inForce: readonly CursorRecord[]) => readonly CursorPlace[],
    commit: () => Promise<void>,
  ): Promise<void> {
    await this.database.transaction(async (session) => {
      // In one order, whoever does it.
      for (const partition of partitions.toSorted((a, b) => a - b)) await raisedEpoch(session, partition);
      const rows: CursorRow[] = await session.query(lockInForce, [partitions]);
      const places = decide(rows.map(cursorRecordOf));
      const runs = new Map(rows.map((row) => [`${row.source_partition}/${row.endpoint_id}`, row.run]));
      const cells = columns(places, [
        (place) => place.endpointId,
        (place) => place.partition,
        (place) => runs.get(`${place.partition}/${place.endpointId}`) ?? '',
        (place) => place.run,
        (place) => place.incarnation,
        (place) => place.position,
      ]);
      if (places.length > 0) await session.query(relocateCursors, [new Date(this.now()), ...cells]);
      await commit();
    });
  }
}
