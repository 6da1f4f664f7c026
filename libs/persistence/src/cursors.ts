import { QueryFailedError } from 'typeorm';
import { columns, type Cell } from './columns.js';
import {
  cursorRecordOf,
  storedCursorOf,
  type CursorReason,
  type CursorRecord,
  type CursorRow,
  type StoredCursor,
} from './cursor-rows.js';
import {
  endRuns,
  forgetRuns,
  insertFreezes,
  lockEpoch,
  moveForward,
  raiseEpoch,
  selectOfEndpoint,
  selectOfPartition,
  selectOne,
} from './cursors.sql.js';
import type { Database, Session } from './database.js';

interface OfRun {
  readonly endpointId: string;
  readonly run: string;
}

interface Freeze extends OfRun {
  readonly kind: 'freeze';
  readonly reason: Exclude<CursorReason, 'backfill'>;
  readonly incarnation: number;
  readonly position: number;
}

interface Move extends OfRun {
  readonly kind: 'move';
  readonly position: number;
}

export type CursorChange =
  | Freeze
  | Move
  /** It is live again, or deleted. */
  | (OfRun & { readonly kind: 'end' })
  /** The end record of the run stands in the log. */
  | (OfRun & { readonly kind: 'forget' });

/** A freeze, while another run of that endpoint is in force in that partition: a bug. Nothing was written. */
export class CursorConflict extends Error {
  override readonly name = 'CursorConflict';
}

/**
 * Cursors as the owners of source partitions move them (docs/decisions/0009-cursors-and-replays.md). Each write is one
 * transaction that holds the partition's row in `source_partitions`, as taking over does: so a write is either seen by the
 * next owner or changes nothing. Calls reject while PostgreSQL does not answer; whether a write happened is not known then.
 */
export class Cursors {
  constructor(
    private readonly database: Database,
    private readonly now: () => number = Date.now,
  ) {}

  /** Resolves when the database answers. */
  ping(): Promise<void> {
    return this.database.ping();
  }

  /** Raises the source partition's epoch, so that writes of earlier owners change nothing; then reads its cursors. */
  takeOver(partition: number): Promise<{ readonly epoch: number; readonly cursors: readonly StoredCursor[] }> {
    return this.database.transaction(async (session) => {
      const epoch = await raisedEpoch(session, partition);
      const rows: CursorRow[] = await session.query(selectOfPartition, [partition]);
      return { epoch, cursors: rows.map(storedCursorOf) };
    });
  }

  /**
   * Applies the changes in their order, all or none. Written twice it is as if written once: repeat one whose outcome is not
   * known.
   * @returns false when another owner has raised the epoch: nothing was changed
   * @throws CursorConflict
   */
  async write(partition: number, epoch: number, changes: readonly CursorChange[]): Promise<boolean> {
    try {
      return await this.database.transaction(async (session) => {
        const [found]: { epoch: string }[] = await session.query(lockEpoch, [partition]);
        if (found === undefined || Number(found.epoch) !== epoch) return false;
        for (const wave of wavesOf(changes)) await this.#apply(session, partition, wave);
        return true;
      });
    } catch (error) {
      if (!isConflict(error)) throw error;
      throw new CursorConflict(`another run is in force in source partition ${partition}`, { cause: error });
    }
  }

  /** The endpoint's cursor that is in force there; null: it has none. */
  async lookUp(partition: number, endpointId: string): Promise<StoredCursor | null> {
    const [row]: CursorRow[] = await this.database.session.query(selectOne, [partition, endpointId]);
    return row === undefined ? null : storedCursorOf(row);
  }

  /** Those of them that exist. */
  async existing(endpointIds: readonly string[]): Promise<ReadonlySet<string>> {
    const rows: { id: string }[] = await this.database.session.query(
      'SELECT id FROM endpoints WHERE id = ANY($1::text[])',
      [endpointIds],
    );
    return new Set(rows.map(({ id }) => id));
  }

  /** The endpoint's cursors that are in force, by source partition. */
  async ofEndpoint(endpointId: string): Promise<readonly CursorRecord[]> {
    const rows: CursorRow[] = await this.database.session.query(selectOfEndpoint, [endpointId]);
    return rows.map(cursorRecordOf);
  }

  async #apply(session: Session, partition: number, wave: readonly CursorChange[]): Promise<void> {
    const at = new Date(this.now());
    const freezes = wave.filter((one) => one.kind === 'freeze');
    const moves = wave.filter((one) => one.kind === 'move');
    const ends = wave.filter((one) => one.kind === 'end');
    const forgets = wave.filter((one) => one.kind === 'forget');
    if (freezes.length > 0) await session.query(insertFreezes, [partition, at, ...columns(freezes, ofFreeze)]);
    if (moves.length > 0) await session.query(moveForward, [partition, at, ...columns(moves, ofMove)]);
    if (ends.length > 0) await session.query(endRuns, [partition, at, ...columns(ends, ofRun)]);
    if (forgets.length > 0) await session.query(forgetRuns, [partition, ...columns(forgets, ofRun)]);
  }
}

/** Holds the partition's row until the transaction ends. */
export async function raisedEpoch(session: Session, partition: number): Promise<number> {
  const [raised]: { epoch: string }[] = await session.query(raiseEpoch, [partition]);
  if (raised === undefined) throw new Error(`source partition ${partition} has no epoch`);
  return Number(raised.epoch);
}

/**
 * The n-th change of each endpoint stands in the n-th wave. So changes of one wave are of different endpoints, and may be
 * applied kind by kind.
 */
function wavesOf(changes: readonly CursorChange[]): readonly (readonly CursorChange[])[] {
  const waves: CursorChange[][] = [];
  const seen = new Map<string, number>();
  for (const change of changes) {
    const wave = seen.get(change.endpointId) ?? 0;
    seen.set(change.endpointId, wave + 1);
    (waves[wave] ??= []).push(change);
  }
  return waves;
}

const ofRun: readonly Cell<OfRun>[] = [(one) => one.endpointId, (one) => one.run];
const ofMove: readonly Cell<Move>[] = [...ofRun, (one) => one.position];
const ofFreeze: readonly Cell<Freeze>[] = [
  ...ofRun,
  (one) => one.reason,
  (one) => one.incarnation,
  (one) => one.position,
];

function isConflict(error: unknown): boolean {
  if (!(error instanceof QueryFailedError)) return false;
  const { constraint } = error.driverError as { readonly constraint?: unknown };
  return constraint === 'cursors_in_force';
}
