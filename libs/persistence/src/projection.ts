import { QueryFailedError } from 'typeorm';
import type { Attempt, DeadLetter } from '#libs/contracts';
import { insertAttempts } from './attempts.sql.js';
import { columns, json, text, type Cell } from './columns.js';
import type { Database, Session } from './database.js';
import { insertDeadLetters } from './dead-letters.sql.js';
import { upsertDeliveries } from './deliveries.sql.js';
import type { DeliveryRecord } from './delivery-record.js';
import { disableEndpoint } from './endpoint-repository.js';
import { storeStats } from './stats.js';

/** A record of the attempts topic. */
export interface LoggedAttempt {
  readonly partition: number;
  readonly offset: number;
  /** Append time, Unix milliseconds. */
  readonly loggedAt: number;
  readonly attempt: Attempt;
}

/** A record of the dead-letters topic. */
export interface LoggedDeadLetter {
  readonly partition: number;
  readonly offset: number;
  readonly loggedAt: number;
  readonly deadLetter: DeadLetter;
}

/** An endpoint's 410: see `EndpointRepository.disable`. */
export interface DisableWish {
  readonly endpointId: string;
  readonly reason: string;
  /** When the attempt began that was answered so. */
  readonly decidedAt: number;
}

/** These records, `from` (inclusive) to `to` (exclusive), are what the batch's rows were made of. */
export interface Advance {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

/** What some stretches of the log amount to. `deliveries` holds the fold of the batch alone, one for each delivery. */
export interface ProjectionBatch {
  readonly advances: readonly Advance[];
  readonly attempts: readonly LoggedAttempt[];
  readonly deliveries: readonly DeliveryRecord[];
  readonly deadLetters: readonly LoggedDeadLetter[];
  readonly disables: readonly DisableWish[];
  /** Its attempts are in the figures already. */
  readonly uncounted?: boolean;
}

export interface StoredPosition {
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
}

/** Some position is not where the batch begins: another process has been here. Nothing was written; read positions again. */
export class PositionConflict extends Error {
  override readonly name = 'PositionConflict';
}

/** Postgres refuses what some row holds, now and ever (a value out of range, say). Nothing was written. */
export class UnstorableRows extends Error {
  override readonly name = 'UnstorableRows';
}

/** Where the projector writes: rows and the positions that they come from, in one transaction. */
export class Projection {
  constructor(
    private readonly database: Database,
    private readonly now: () => number = Date.now,
  ) {}

  /** Up to where each partition is projected; `start` (the log's start) becomes the position of one that never was. */
  async open(
    partitions: readonly { topic: string; partition: number; start: number }[],
  ): Promise<readonly StoredPosition[]> {
    const parameters = columns(partitions, [(p) => p.topic, (p) => p.partition, (p) => p.start]);
    await this.database.session.query(openPositions, parameters);
    return positionsOf(await this.database.session.query(selectPositions, parameters.slice(0, 2)));
  }

  /**
   * Writes a batch, all or nothing.
   * @returns how many endpoints were disabled by it.
   * @throws PositionConflict when a position is not the one that the batch begins at: so a process that lost a partition
   * without knowing can neither double nor lose rows, and a batch whose commit got no answer may be applied again.
   * @throws UnstorableRows
   */
  async apply(batch: ProjectionBatch): Promise<number> {
    try {
      return await this.write(batch);
    } catch (error) {
      throw isDataFault(error) ? new UnstorableRows('Postgres refuses a row', { cause: error }) : error;
    }
  }

  private write(batch: ProjectionBatch): Promise<number> {
    return this.database.transaction(async (session) => {
      // Rows and position are lost together, if the server dies right now, and come again from the log.
      if (batch.disables.length === 0) await session.query('SET LOCAL synchronous_commit = off');
      await advance(session, batch.advances);
      await storeAttempts(session, batch.attempts);
      if (batch.uncounted !== true) await storeStats(session, batch.attempts);
      await storeDeliveries(session, batch.deliveries);
      await storeDeadLetters(session, batch.deadLetters);
      let disabled = 0;
      for (const wish of batch.disables) {
        const { endpointId, reason, decidedAt } = wish;
        if (await disableEndpoint(session, endpointId, reason, { now: this.now(), decidedAt })) disabled += 1;
      }
      return disabled;
    });
  }

  /**
   * Passes over records that the log no longer has. The caller has said so loudly.
   * @throws PositionConflict
   */
  async skip(gap: Advance): Promise<void> {
    await this.database.transaction((session) => advance(session, [gap]));
  }

  /** Empties the projection: it is rebuilt from the log when a projector starts. Run it while none does. */
  async drop(): Promise<void> {
    // Not TRUNCATE, which makes a new file for each part of each index: this is for tests, which have few rows.
    await this.database.session.query(`
      WITH d AS (DELETE FROM deliveries), a AS (DELETE FROM attempts), l AS (DELETE FROM dead_letters),
        s AS (DELETE FROM delivery_stats)
      DELETE FROM projection_positions`);
  }
}

/** SQLSTATE classes 22 (data exception) and 23 (integrity constraint). */
function isDataFault(error: unknown): boolean {
  if (!(error instanceof QueryFailedError)) return false;
  const { code } = error.driverError as { code?: string };
  return code !== undefined && /^2[23]/.test(code);
}

const openPositions = /* sql */ `
INSERT INTO projection_positions (topic, partition, position)
SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[])
ON CONFLICT DO NOTHING
`;
const selectPositions = /* sql */ `
SELECT topic, partition, position FROM projection_positions
WHERE (topic, partition) IN (SELECT * FROM unnest($1::text[], $2::integer[]))
`;
const lockPositions = /* sql */ `
SELECT topic, partition, position FROM projection_positions
WHERE (topic, partition) IN (SELECT * FROM unnest($1::text[], $2::integer[]))
ORDER BY topic, partition FOR UPDATE
`;
const movePositions = /* sql */ `
UPDATE projection_positions AS p SET position = moved.position
FROM unnest($1::text[], $2::integer[], $3::bigint[]) AS moved (topic, partition, position)
WHERE p.topic = moved.topic AND p.partition = moved.partition
`;

/** Before anything else, so that two processes with one partition wait for each other here. */
async function advance(session: Session, advances: readonly Advance[]): Promise<void> {
  const parameters = columns(advances, [(a) => a.topic, (a) => a.partition, (a) => a.to]);
  const stored = positionsOf(await session.query(lockPositions, parameters.slice(0, 2)));
  const at = new Map(stored.map(({ topic, partition, position }) => [`${topic}-${partition}`, position]));
  for (const { topic, partition, from } of advances) {
    const position = at.get(`${topic}-${partition}`);
    if (position !== from) {
      throw new PositionConflict(
        `${topic}-${partition} is projected up to ${position ?? 'nowhere'}, the batch begins at ${from}`,
      );
    }
  }
  await session.query(movePositions, parameters);
}

function positionsOf(rows: { topic: string; partition: number; position: string }[]): StoredPosition[] {
  return rows.map(({ topic, partition, position }) => ({ topic, partition, position: Number(position) }));
}

const attemptCells: readonly Cell<LoggedAttempt>[] = [
  (a) => a.partition,
  (a) => a.offset,
  (a) => a.loggedAt,
  (a) => text(a.attempt.deliveryId),
  (a) => a.attempt.number,
  (a) => a.attempt.configVersion,
  (a) => a.attempt.startedAt,
  (a) => a.attempt.durationMs,
  (a) => text(a.attempt.url),
  (a) => json(a.attempt.requestHeaders),
  (a) => a.attempt.response?.status ?? null,
  (a) => (a.attempt.response === null ? null : json(a.attempt.response.headers)),
  (a) => a.attempt.response?.body ?? null,
  (a) => a.attempt.response?.truncated ?? null,
  (a) => text(a.attempt.error?.kind),
  (a) => text(a.attempt.error?.message),
  (a) => a.attempt.outcome,
  (a) => a.attempt.final,
  (a) => text(a.attempt.deadLetterReason),
  (a) => a.attempt.dueAt,
  (a) => text(a.attempt.workerId),
  (a) => text(a.attempt.batch?.id),
  (a) => a.attempt.batch?.size ?? null,
  (a) => a.attempt.batch?.place ?? null,
];

const deliveryCells: readonly Cell<DeliveryRecord>[] = [
  (d) => text(d.deliveryId),
  (d) => text(d.webhookId),
  (d) => text(d.tenantId),
  (d) => text(d.endpointId),
  (d) => text(d.stream),
  (d) => text(d.eventId),
  (d) => text(d.eventSource),
  (d) => text(d.eventType),
  (d) => d.status,
  (d) => d.attempts,
  (d) => d.acceptedAt,
  (d) => d.dispatchedAt,
  (d) => d.firstAttemptAt,
  (d) => d.lastAttemptAt,
  (d) => d.completedAt,
  (d) => d.nextAttemptAt,
  (d) => d.lastStatus,
  (d) => text(d.lastError?.kind),
  (d) => text(d.lastError?.message),
  (d) => text(d.deadLetterReason),
  (d) => text(d.orderingKey),
  (d) => d.haltedAt,
];

const deadLetterCells: readonly Cell<LoggedDeadLetter>[] = [
  (d) => text(d.deadLetter.deliveryId),
  (d) => text(d.deadLetter.delivery.tenantId),
  (d) => text(d.deadLetter.delivery.endpointId),
  (d) => text(d.deadLetter.reason),
  (d) => d.deadLetter.at,
  (d) => d.deadLetter.lastStatus,
  (d) => text(d.deadLetter.lastError),
  (d) => d.partition,
  (d) => d.offset,
  (d) => d.loggedAt,
  (d) => d.deadLetter.delivery.acceptedAt,
];

async function storeAttempts(session: Session, rows: readonly LoggedAttempt[]): Promise<void> {
  if (rows.length > 0) await session.query(insertAttempts, columns(rows, attemptCells));
}

async function storeDeliveries(session: Session, rows: readonly DeliveryRecord[]): Promise<void> {
  if (rows.length > 0) await session.query(upsertDeliveries, columns(rows, deliveryCells));
}

async function storeDeadLetters(session: Session, rows: readonly LoggedDeadLetter[]): Promise<void> {
  if (rows.length > 0) await session.query(insertDeadLetters, columns(rows, deadLetterCells));
}
