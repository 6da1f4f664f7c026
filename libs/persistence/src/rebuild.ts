import { randomUUID } from 'node:crypto';
import { QueryFailedError } from 'typeorm';
import { columns } from './columns.js';
import { Database, type Session } from './database.js';
import type { AttemptRecord, DeliveryRecord } from './delivery-record.js';
import { attemptOf, deliveryOf, type AttemptRow, type DeliveryRow } from './delivery-rows.js';
import { Projection, type ProjectionBatch, type StoredPosition } from './projection.js';
import * as sql from './rebuild.sql.js';
import { takeStats } from './rebuild-stats.js';

/** Another run has begun since: the tables beside the projection are its own now. */
export class RebuildSuperseded extends Error {
  override readonly name = 'RebuildSuperseded';
}

/** Somebody uses the tables for longer than others may be made to wait. Nothing was changed; try again. */
export class RebuildBusy extends Error {
  override readonly name = 'RebuildBusy';
}

/** First offset that a partition's log still holds. */
export interface LogStart {
  readonly partition: number;
  readonly start: number;
}

export interface LogStarts {
  readonly attempts: readonly LogStart[];
  readonly deadLetters: readonly LogStart[];
  /** Append time of the oldest record of an attempts partition that has lost some; null: none has. Unix ms. */
  readonly oldest: number | null;
}

export interface KeptRows {
  readonly deliveries: number;
  readonly attempts: number;
  readonly deadLetters: number;
}

/** A delivery whose first attempts the log has lost: as it is in use, and those attempts. */
export interface StraddlingDelivery {
  readonly delivery: DeliveryRecord;
  readonly attempts: readonly AttemptRecord[];
}

export interface SwapWork {
  /** Positions of these are handed over. */
  readonly partitions: readonly { readonly topic: string; readonly partition: number }[];
  /** Writes what is missing up to `live`, where no projector can move as long as this lasts. */
  readonly catchUp: (shadow: Projection, live: readonly StoredPosition[]) => Promise<void>;
  /** The rows in use come from another cluster's log: what this log does not know is kept, out of its way. */
  readonly foreign: boolean;
  /**
   * Figures of the hours that began at this time or later are those of this log; older ones stay. Unix ms, or ±Infinity;
   * null: all.
   * Those of a foreign log are added to what there is: only what nobody had projected was counted.
   */
  readonly statsFrom: number | null;
  /** For how long readers may be made to wait. */
  readonly lockMs: number;
}

const straddlingAtOnce = 500;
const lockNotAvailable = '55P03';
const deadlockDetected = '40P01';

/**
 * A second projection beside the one in use: filled from the log, then put in its place in one transaction, while the api
 * reads and projectors write. A run that died leaves its tables; the next one clears them away, and whatever the dead one
 * might still write is refused.
 */
export class RebuildStore {
  readonly #database: Database;
  readonly #run = randomUUID();
  #live = '';
  #columns: Record<(typeof sql.swapped)[number], string> = { deliveries: '', attempts: '', dead_letters: '' };
  #migrations = '';

  /** @param database without a limit on the time of a statement */
  constructor(database: Database) {
    this.#database = database;
  }

  /** Empty tables, for this run alone. */
  async begin(): Promise<void> {
    await this.#database.transaction(async (session) => {
      await session.query(`LOCK TABLE ${sql.shadowSchema}.run IN EXCLUSIVE MODE`);
      await session.query(`UPDATE ${sql.shadowSchema}.run SET id = $1, started_at = now()`, [this.#run]);
      const [schema]: { name: string }[] = await session.query('SELECT quote_ident(current_schema()) AS name');
      this.#live = schema?.name ?? 'public';
      this.#migrations = await migrationsOf(session, this.#live);
      await session.query(sql.clearShadow);
      for (const table of [...sql.swapped, ...sql.beside] as const) {
        const [partitioning]: { sql: string }[] = await session.query(sql.selectPartitioning, [
          unquoted(this.#live),
          table,
        ]);
        await session.query(`${sql.createShadow(this.#live, table)} ${partitioning?.sql ?? ''}`);
        for (const select of [sql.selectParts, sql.selectKeys, sql.selectGrants])
          await this.#runEach(session, select, table);
        if (table === 'projection_positions' || table === 'delivery_stats') continue;
        const names: { name: string }[] = await session.query(sql.selectColumns, [unquoted(this.#live), table]);
        this.#columns[table] = names.map(({ name }) => name).join(', ');
      }
    });
  }

  /** The projection beside the one in use: written like the other. Its `apply` throws `RebuildSuperseded`, too. */
  get shadow(): Projection {
    return new Projection(new ShadowDatabase(this.#database, this.#live, this.#run));
  }

  /** Takes over the rows that are older than the log. */
  async keepOlder({ attempts, deadLetters, oldest }: LogStarts): Promise<KeptRows> {
    const cells = [(one: LogStart) => one.partition, (one: LogStart) => one.start];
    const [ofAttempts, ofDeadLetters] = [columns(attempts, cells), columns(deadLetters, cells)];
    const keptAttempts = await this.#insert(sql.keepOlder(this.#live, 'attempts', this.#columns.attempts), ofAttempts);
    await this.#database.session.query(`ANALYZE ${sql.shadowSchema}.attempts`);
    return {
      attempts: keptAttempts,
      deadLetters: await this.#insert(
        sql.keepOlder(this.#live, 'dead_letters', this.#columns.dead_letters),
        ofDeadLetters,
      ),
      deliveries: await this.#insert(sql.keepOlderDeliveries(this.#live, this.#columns.deliveries), [
        ...ofAttempts,
        oldest,
      ]),
    };
  }

  /** Deliveries that lie across the log's start, some at a time; call it after `keepOlder`. */
  async *straddling({ attempts }: LogStarts): AsyncIterable<readonly StraddlingDelivery[]> {
    const starts = columns(attempts, [(one) => one.partition, (one) => one.start]);
    const { session } = this.#database;
    const deliveries: DeliveryRow[] = await session.query(sql.selectStraddling(this.#live), starts);
    for (let at = 0; at < deliveries.length; at += straddlingAtOnce) {
      const some = deliveries.slice(at, at + straddlingAtOnce);
      const ids = some.map((row) => row.delivery_id);
      const rows: (AttemptRow & { delivery_id: string })[] = await session.query(sql.selectOlderAttempts(this.#live), [
        ...starts,
        ids,
      ]);
      const byDelivery = Map.groupBy(rows, (row) => row.delivery_id);
      yield some.map((row) => ({
        delivery: deliveryOf(row),
        attempts: (byDelivery.get(row.delivery_id) ?? []).map(attemptOf),
      }));
    }
  }

  /** What the log's rows are folded onto. */
  async seed(deliveries: readonly DeliveryRecord[]): Promise<void> {
    await this.shadow.apply({ ...nothing, deliveries });
  }

  /** Where the log's rows begin. */
  async startAt(positions: readonly StoredPosition[]): Promise<void> {
    const parameters = columns(positions, [(one) => one.topic, (one) => one.partition, (one) => one.position]);
    await this.#insert(sql.startPositions, parameters);
  }

  /** Up to where the log is taken over. */
  async positions(partitions: SwapWork['partitions']): Promise<readonly StoredPosition[]> {
    return positionsIn(this.#database.session, sql.shadowSchema, partitions, false);
  }

  /** Where the projection in use has come to; partitions that were never projected are missing. */
  async livePositions(partitions: SwapWork['partitions']): Promise<readonly StoredPosition[]> {
    return positionsIn(this.#database.session, this.#live, partitions, false);
  }

  /** Builds the indexes, once the rows are there. */
  async index(progress: (name: string) => void): Promise<void> {
    const { session } = this.#database;
    const indexes: { name: string; sql: string }[] = await session.query(sql.selectIndexes, [
      unquoted(this.#live),
      [...sql.swapped],
    ]);
    for (const one of indexes) {
      progress(one.name);
      await session.query(one.sql);
    }
    for (const table of sql.swapped) await session.query(`ANALYZE ${sql.shadowSchema}.${table}`);
  }

  /**
   * Puts the tables in place of those in use, in one transaction. Projectors wait at their positions, which they lock
   * before they touch any row, and find them where they left them: what they wrote until then is in the new tables too,
   * what they write next goes there. The positions' table itself stays: a projector that waits for a row of it has it
   * locked, and would stand against us for ever.
   * @throws RebuildBusy, RebuildSuperseded
   */
  async swap({ partitions, catchUp, foreign, statsFrom, lockMs }: SwapWork): Promise<void> {
    try {
      await this.#database.transaction(async (session) => {
        await session.query(`SET LOCAL lock_timeout = ${Math.floor(lockMs)}`);
        const live = await positionsIn(session, this.#live, partitions, true);
        const shadow = new ShadowDatabase(this.#database, this.#live, this.#run, session);
        await catchUp(new Projection(shadow), live);
        await mustBeTurnOf(session, this.#run);
        // A migration meanwhile has changed tables that ours were made after.
        if ((await migrationsOf(session, this.#live)) !== this.#migrations)
          throw new Error('the tables were migrated while the projection was rebuilt: run it again');
        if (foreign) for (const one of sql.keepForeign(this.#live, this.#columns)) await session.query(one);
        // Before others have to wait for us: nobody does for these rows.
        await takeStats(session, this.#live, sql.shadowSchema, foreign ? 'added' : statsFrom);
        const inUse = sql.swapped.map((table) => `${this.#live}.${table}`).join(', ');
        const policies: { sql: string }[] = await session.query(sql.selectPolicies, [
          unquoted(this.#live),
          [...sql.swapped],
        ]);
        await session.query(`LOCK TABLE ${inUse} IN ACCESS EXCLUSIVE MODE`);
        await session.query(sql.handOverPositions(this.#live));
        await session.query(
          `DROP TABLE ${[inUse, ...sql.beside.map((table) => `${sql.shadowSchema}.${table}`)].join(', ')}`,
        );
        const parts: { sql: string }[] = await session.query(sql.movePartsIntoUse, [[...sql.swapped]]);
        for (const one of parts) await session.query(one.sql);
        for (const table of sql.swapped)
          await session.query(`ALTER TABLE ${sql.shadowSchema}.${table} SET SCHEMA ${this.#live}`);
        for (const one of policies) await session.query(one.sql);
        // A batch that was caught up with has put it off.
        await session.query('SET LOCAL synchronous_commit TO DEFAULT');
      });
    } catch (error) {
      const code = sqlState(error);
      if (code === lockNotAvailable || code === deadlockDetected)
        throw new RebuildBusy('somebody uses the tables for long', { cause: error });
      throw error;
    }
  }

  async #insert(statement: string, parameters: unknown[]): Promise<number> {
    return this.#database.transaction(async (session) => {
      await mustBeTurnOf(session, this.#run);
      const count = `WITH kept AS (${statement} RETURNING 1) SELECT count(*)::float8 AS count FROM kept`;
      const [row]: { count: number }[] = await session.query(count, parameters);
      return row?.count ?? 0;
    });
  }

  async #runEach(session: Session, select: string, table: string): Promise<void> {
    const statements: { sql: string }[] = await session.query(select, [unquoted(this.#live), table]);
    for (const one of statements) await session.query(one.sql);
  }
}

const nothing: ProjectionBatch = { advances: [], attempts: [], deliveries: [], deadLetters: [], disables: [] };

/** Finds the tables of the rebuild under the names of those in use, as long as it is this run's turn. */
class ShadowDatabase extends Database {
  constructor(
    database: Database,
    private readonly live: string,
    private readonly run: string,
    /** The transaction that all is part of; else each has one of its own. */
    private readonly within?: Session,
  ) {
    super(database.session.dataSource);
  }

  /** Without a transaction nothing tells our tables from those in use. */
  override get session(): Session {
    throw new Error('the rebuild works in transactions only');
  }

  override transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const inShadow = async (session: Session): Promise<T> => {
      await session.query(`SET LOCAL search_path = ${sql.shadowSchema}, ${this.live}`);
      await mustBeTurnOf(session, this.run);
      const result = await work(session);
      await session.query('SET LOCAL search_path TO DEFAULT');
      return result;
    };
    return this.within === undefined ? super.transaction(inShadow) : inShadow(this.within);
  }
}

/** Until the transaction ends, no other run can begin. */
async function mustBeTurnOf(session: Session, run: string): Promise<void> {
  const ours: unknown[] = await session.query(`SELECT 1 FROM ${sql.shadowSchema}.run WHERE id = $1 FOR SHARE`, [run]);
  if (ours.length === 0) throw new RebuildSuperseded('another rebuild has begun since');
}

async function positionsIn(
  session: Session,
  live: string,
  partitions: SwapWork['partitions'],
  lock: boolean,
): Promise<readonly StoredPosition[]> {
  const wanted = columns(partitions, [(one) => one.topic, (one) => one.partition]);
  const rows: { topic: string; partition: number; position: string }[] = await session.query(
    sql.lockLivePositions(live, lock),
    wanted,
  );
  return rows.map(({ topic, partition, position }) => ({ topic, partition, position: Number(position) }));
}

async function migrationsOf(session: Session, live: string): Promise<string> {
  const [row]: { all: string | null }[] = await session.query(
    `SELECT string_agg(number::text, ',' ORDER BY number) AS all FROM ${live}.migrations`,
  );
  return row?.all ?? '';
}

/** Of what quote_ident has made. */
const unquoted = (name: string): string => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name);

function sqlState(error: unknown): string | undefined {
  return error instanceof QueryFailedError ? (error.driverError as { code?: string }).code : undefined;
}
