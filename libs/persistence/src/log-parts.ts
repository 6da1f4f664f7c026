import { QueryFailedError } from 'typeorm';
import type { Database } from './database.js';

/** Deliveries first: their dead letters go when they are gone. */
export const logTables = ['deliveries', 'dead_letters', 'attempts'] as const;
export type LogTable = (typeof logTables)[number];

/** Somebody uses the table for longer than others may be made to wait. Nothing was changed; try again. */
export class LogInUse extends Error {
  override readonly name = 'LogInUse';
}

export interface DroppedPart {
  /** For example `deliveries_20261123`. */
  readonly name: string;
  /** Rows of it that live on: open deliveries, and what was sent or settled after the horizon. Null: too many, it stays. */
  readonly kept: number | null;
}

/** So many rows may be moved while everybody waits: for four seconds. */
const mostKept = 50_000;
const lockNotAvailable = '55P03';
const deadlockDetected = '40P01';
const dayMs = 86_400_000;

/**
 * The parts, by time, that the tables of the log consist of (docs/decisions/0017). Each call is a transaction of its own, and
 * makes nobody wait for longer than half a second, but for as long as it takes to move what lives on.
 */
export class LogParts {
  constructor(private readonly database: Database) {}

  /**
   * Makes parts of so many days up to `upto` (Unix ms), where they are missing.
   * @returns how many it has made
   * @throws LogInUse
   */
  async makeUpTo(table: LogTable, upto: number, days: number): Promise<number> {
    const [row] = await this.#call<{ made: number }>('SELECT posthorn_make_parts($1, $2, $3::interval) AS made', [
      table,
      new Date(upto),
      `${days} days`,
    ]);
    return row?.made ?? 0;
  }

  /**
   * Drops the oldest part, if all of it was accepted (attempts: made) before `horizon` (Unix ms).
   * @returns null: there is none that old
   * @throws LogInUse
   */
  async dropOldest(table: LogTable, horizon: number): Promise<DroppedPart | null> {
    const [row] = await this.#call<{ name: string | null; kept: number }>(
      'SELECT name, kept FROM posthorn_drop_part($1, $2, $3)',
      [table, new Date(horizon), mostKept],
    );
    if (row === undefined || row.name === null) return null;
    return { name: row.name, kept: row.kept < 0 ? null : row.kept };
  }

  /**
   * Deletes up to `most` rows that lie before all parts (replays of old events, what lived on) and live no more.
   * @returns how many it has deleted
   */
  async expireOlder(table: LogTable, horizon: number, most: number): Promise<number> {
    const [row] = await this.#call<{ count: number }>('SELECT posthorn_expire_older($1, $2, $3) AS count', [
      table,
      new Date(horizon),
      most,
    ]);
    return row?.count ?? 0;
  }

  async #call<T>(statement: string, parameters: unknown[]): Promise<T[]> {
    try {
      return await this.database.session.query<T[]>(statement, parameters);
    } catch (error) {
      const code = error instanceof QueryFailedError ? (error.driverError as { code?: string }).code : undefined;
      if (code === lockNotAvailable || code === deadlockDetected)
        throw new LogInUse('somebody uses the delivery log for long', { cause: error });
      throw error;
    }
  }
}

/** Days of one part: about a tenth of what is kept, so that a list looks into few of them and little is kept for too long. */
export const daysOfPart = (keptDays: number): number => (keptDays <= 14 ? 1 : 7);

/** Before which all is too old. @param now Unix ms */
export const horizonOf = (now: number, keptDays: number): number => now - keptDays * dayMs;
