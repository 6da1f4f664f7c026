/**
 * Reads: what parts the delivery log in Postgres consists of.
 * Writes: makes parts for the time to come, drops those that are too old, and figures that are.
 * Guarantees: an open delivery keeps its row; nobody waits for longer than half a second, and for rows to be moved; several processes may do it at once.
 * On a crash here: each step is a transaction of its own; the next round, of whichever projector, goes on.
 * Tests: retain.spec.ts, libs/persistence/src/log-parts.int-spec.ts.
 */
import { daysOfPart, horizonOf, LogInUse, logTables, type DroppedPart, type LogTable } from '#libs/persistence';

export interface RetainPorts {
  readonly parts: {
    makeUpTo(table: LogTable, upto: number, days: number): Promise<number>;
    dropOldest(table: LogTable, horizon: number): Promise<DroppedPart | null>;
    expireOlder(table: LogTable, horizon: number, most: number): Promise<number>;
  };
  readonly stats: { expire(horizon: number, most: number): Promise<number> };
  readonly metrics: {
    logPartDropped(table: string): void;
    logRowsExpired(table: string, count: number): void;
    logRetentionPutOff(table: string): void;
  };
  readonly logger: {
    info(details: object, message: string): void;
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
  /** Unix ms. */
  readonly now: () => number;
  /** Runs `task` after `ms`; returns how to call it off. */
  schedule(ms: number, task: () => void): () => void;
}

const roundMs = 600_000;
/** After one that was put off. */
const againMs = 30_000;
const aheadMs = 14 * 86_400_000;
const rowsAtOnce = 5_000;

/** Keeps the delivery log to its days, for as long as it runs. */
export class Retention {
  #callOff: () => void = () => undefined;
  #stopped = false;
  #round: Promise<void> = Promise.resolve();

  constructor(
    private readonly keptDays: { readonly log: number; readonly stats: number },
    private readonly ports: RetainPorts,
  ) {}

  /** Begins at once; does not wait for the round. */
  start(): void {
    this.#round = this.#run();
  }

  /** Waits for the step under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#callOff();
    await this.#round;
  }

  async #run(): Promise<void> {
    let done = true;
    for (const table of logTables) {
      if (this.#stopped) return;
      done = (await this.#keep(table)) && done;
    }
    if (!this.#stopped) done = (await this.#keepStats()) && done;
    if (!this.#stopped) this.#callOff = this.ports.schedule(done ? roundMs : againMs, () => this.start());
  }

  /** @returns whether all that had to be done could be */
  async #keep(table: LogTable): Promise<boolean> {
    const { parts, metrics, logger, now } = this.ports;
    try {
      await parts.makeUpTo(table, now() + aheadMs, daysOfPart(this.keptDays.log));
      const horizon = horizonOf(now(), this.keptDays.log);
      for (;;) {
        if (this.#stopped) return true;
        const dropped = await parts.dropOldest(table, horizon);
        if (dropped === null) break;
        if (dropped.kept === null) {
          logger.warn(
            { table, part: dropped.name },
            'an old part of the delivery log stays: too much of it is still open',
          );
          break;
        }
        metrics.logPartDropped(table);
        logger.info({ table, part: dropped.name, kept: dropped.kept }, 'dropped an old part of the delivery log');
      }
      for (let count = rowsAtOnce; count === rowsAtOnce && !this.#stopped;) {
        count = await parts.expireOlder(table, horizon, rowsAtOnce);
        if (count > 0) metrics.logRowsExpired(table, count);
      }
      return true;
    } catch (error) {
      metrics.logRetentionPutOff(table);
      if (error instanceof LogInUse) logger.info({ table }, 'the delivery log is in use for long; its old parts wait');
      else logger.error({ err: error, table }, 'old parts of the delivery log could not be dropped; trying again');
      return false;
    }
  }

  async #keepStats(): Promise<boolean> {
    const { stats, metrics, logger, now } = this.ports;
    try {
      const horizon = horizonOf(now(), this.keptDays.stats);
      for (let count = rowsAtOnce; count === rowsAtOnce && !this.#stopped;) {
        count = await stats.expire(horizon, rowsAtOnce);
        if (count > 0) metrics.logRowsExpired('delivery_stats', count);
      }
      return true;
    } catch (error) {
      logger.error({ err: error }, 'old figures could not be forgotten; trying again');
      return false;
    }
  }
}
