import type { Conditions } from './conditions.js';
import { decodeCursor, toPage } from './cursor.js';
import type { Database, Session } from './database.js';
import {
  deadLetterConditions,
  deadLetters,
  deadLetterWords,
  wantedWords,
  type DeadLetterFilter,
  type DeadLetterState,
} from './dead-letter-filter.js';
import type { DeliveryRecord, DeliveryStatus } from './delivery-record.js';
import { deliveryOf, type DeliveryRow } from './delivery-rows.js';
import { noteAudit } from './note-audit.js';
import type { Page, PageRequest } from './page.js';

export interface DeadLetterRecord {
  readonly delivery: DeliveryRecord;
  readonly state: DeadLetterState;
  /** What was done about it; null while it is open. Times are Unix milliseconds. */
  readonly resolution: {
    readonly at: number;
    /** Null for one that was replayed. */
    readonly reason: string | null;
    readonly replayId: string | null;
    /** Who did it; null: not known. */
    readonly actor: string | null;
  } | null;
  /** Where it stands in the dead-letters topic; null: not projected yet. */
  readonly place: { readonly partition: number; readonly offset: number } | null;
}

export type DiscardResult =
  | { readonly outcome: 'discarded' }
  | { readonly outcome: 'unknown' }
  /** It was not given up, or the receiver has got it after all. */
  | { readonly outcome: 'not-dead-lettered'; readonly status: DeliveryStatus }
  /** Somebody was faster. */
  | { readonly outcome: 'not-open'; readonly state: DeadLetterState };

export interface Discard {
  readonly reason: string;
  readonly now: number;
}

interface DeadLetterRow extends DeliveryRow {
  log_partition: number | null;
  log_offset: string | null;
  resolved_as: 'discarded' | 'replayed' | null;
  resolution_reason: string | null;
  replay_id: string | null;
  actor: string | null;
  decided_at: Date | null;
}

const columns = `d.*, l.log_partition, l.log_offset, r.state AS resolved_as, r.reason AS resolution_reason, r.replay_id, r.actor,
  r.decided_at`;
const selected = `SELECT ${columns} FROM ${deadLetters}`;
const lastFirst = 'ORDER BY d.completed_at DESC, d.delivery_id DESC';
/** So many are cut into words before the index is asked. */
const looked = 1_000;

function following(filter: DeadLetterFilter, cursor: string | undefined): Conditions {
  const conditions = deadLetterConditions(filter);
  if (cursor === undefined) return conditions;
  const { at, id } = decodeCursor(cursor);
  conditions.add((places) => `(d.completed_at, d.delivery_id) < (${places})`, new Date(at), id);
  return conditions;
}

const discardOne = /* sql */ `
INSERT INTO dead_letter_resolutions (delivery_id, state, reason, decided_at)
SELECT delivery_id, 'discarded', $2, $3 FROM deliveries WHERE delivery_id = $1 AND status = 'dead-lettered'
ON CONFLICT DO NOTHING RETURNING delivery_id, (SELECT tenant_id FROM deliveries WHERE delivery_id = $1)
`;

/** Dead letters discarded by one statement: few enough to end in good time, enough that looking for words is rarely repeated. */
const discardedAtOnce = 50_000;

/** A place in the order of dead letters. */
interface Mark {
  readonly completed_at: Date;
  readonly delivery_id: string;
}

/** Deliveries that were given up, as projected from the log, and what people do about them, which is kept apart from it. */
export class DeadLetters {
  constructor(
    private readonly database: Database,
    private readonly atOnce = discardedAtOnce,
  ) {}

  /** Given up last first. @throws InvalidCursor */
  async list(filter: DeadLetterFilter, { limit, cursor }: PageRequest): Promise<Page<DeadLetterRecord>> {
    const { error, ...others } = filter;
    // Frequent words stand in the latest ones; the index is asked for rare ones, of which there are few.
    let rows: DeadLetterRow[] = error === undefined ? [] : await this.#latest(others, error, cursor, limit + 1);
    if (rows.length <= limit) {
      const conditions = following(filter, cursor);
      rows = await this.database.session.query(
        `${selected} ${conditions.where()} ${lastFirst} LIMIT ${conditions.value(limit + 1)}`,
        conditions.parameters,
      );
    }
    // A delivery with a final outcome has its time.
    return toPage(rows.map(deadLetterOf), limit, ({ delivery: d }) => ({ at: d.completedAt ?? 0, id: d.deliveryId }));
  }

  /** Those with the words, of the latest `looked` that match the rest. */
  #latest(
    filter: DeadLetterFilter,
    error: string,
    cursor: string | undefined,
    limit: number,
  ): Promise<DeadLetterRow[]> {
    const conditions = following(filter, cursor);
    const latest = `SELECT ${columns}, ${deadLetterWords} AS words FROM ${deadLetters} ${conditions.where()}
      ${lastFirst} LIMIT ${looked}`;
    return this.database.session.query(
      `SELECT * FROM (${latest}) AS latest WHERE words @@ ${wantedWords(conditions.value(error))}
       ORDER BY completed_at DESC, delivery_id DESC LIMIT ${conditions.value(limit)}`,
      conditions.parameters,
    );
  }

  /** Null: there is no such delivery, or it is not a dead letter. */
  async get(deliveryId: string): Promise<DeadLetterRecord | null> {
    const conditions = deadLetterConditions({});
    conditions.equal('d.delivery_id', deliveryId);
    const [row]: DeadLetterRow[] = await this.database.session.query(
      `${selected} ${conditions.where()}`,
      conditions.parameters,
    );
    return row === undefined ? null : deadLetterOf(row);
  }

  /** Says that nothing will be done about it. It keeps its row; the first decision stands. */
  async discard(deliveryId: string, { reason, now }: Discard): Promise<DiscardResult> {
    const discarded = await this.database.transaction(async (session) => {
      const [done]: { tenant_id: string }[] = await session.query(discardOne, [deliveryId, reason, new Date(now)]);
      if (done === undefined) return false;
      await noteAudit(session, {
        tenantId: done.tenant_id,
        at: now,
        action: 'dead-letter.discarded',
        resource: `dead-letter/${deliveryId}`,
        before: { state: 'open' },
        after: { state: 'discarded', reason },
      });
      return true;
    });
    if (discarded) return { outcome: 'discarded' };
    const { session } = this.database;
    const found = await this.get(deliveryId);
    if (found !== null) return { outcome: 'not-open', state: found.state };
    const [delivery]: { status: DeliveryStatus }[] = await session.query(
      'SELECT status FROM deliveries WHERE delivery_id = $1',
      [deliveryId],
    );
    return delivery === undefined ? { outcome: 'unknown' } : { outcome: 'not-dead-lettered', status: delivery.status };
  }

  /**
   * Discards all open ones that match and were there at the beginning, in several transactions: after a crash some are
   * discarded, and the call may be made again.
   * @returns how many it has discarded.
   */
  async discardAll(filter: Omit<DeadLetterFilter, 'state'>, discard: Discard): Promise<number> {
    const { session } = this.database;
    const last = await lastOf(session, filter);
    let discarded = 0;
    for (let after: Mark | null = null; last !== null;) {
      const step = await this.database.transaction((own) =>
        discardNext(own, filter, discard, { after, last, limit: this.atOnce }),
      );
      discarded += step.discarded;
      if (step.reached === null) break;
      after = step.reached;
    }
    return discarded;
  }
}

/** What comes later than the last one that matches now is not meant. */
async function lastOf(session: Session, filter: DeadLetterFilter): Promise<Mark | null> {
  const conditions = deadLetterConditions(filter);
  const [row]: Mark[] = await session.query(
    `SELECT d.completed_at, d.delivery_id FROM ${deadLetters} ${conditions.where()}
     ORDER BY d.completed_at DESC, d.delivery_id DESC LIMIT 1`,
    conditions.parameters,
  );
  return row ?? null;
}

/** Goes on from `after`, so that what is discarded already is not walked over again and again. */
async function discardNext(
  session: Session,
  filter: DeadLetterFilter,
  { reason, now }: Discard,
  { after, last, limit }: { readonly after: Mark | null; readonly last: Mark; readonly limit: number },
): Promise<{ readonly discarded: number; readonly reached: Mark | null }> {
  const conditions = deadLetterConditions(filter);
  const place = '(d.completed_at, d.delivery_id)';
  conditions.add((places) => `${place} <= (${places})`, last.completed_at, last.delivery_id);
  if (after !== null) conditions.add((places) => `${place} > (${places})`, after.completed_at, after.delivery_id);
  const rows: (Mark & { inserted: boolean; tenant_id: string })[] = await session.query(
    `WITH chosen AS (
       SELECT d.completed_at, d.delivery_id, d.tenant_id FROM ${deadLetters} ${conditions.where()}
       ORDER BY d.completed_at, d.delivery_id LIMIT ${conditions.value(limit)}
     ), done AS (
       INSERT INTO dead_letter_resolutions (delivery_id, state, reason, decided_at)
       SELECT delivery_id, 'discarded', ${conditions.value(reason)}, ${conditions.value(new Date(now))} FROM chosen
       ON CONFLICT DO NOTHING RETURNING delivery_id
     )
     SELECT c.completed_at, c.delivery_id, c.tenant_id, done.delivery_id IS NOT NULL AS inserted
     FROM chosen c LEFT JOIN done USING (delivery_id) ORDER BY c.completed_at, c.delivery_id`,
    conditions.parameters,
  );
  const done = rows.filter(({ inserted }) => inserted);
  const byTenant = [...Map.groupBy(done, (row) => row.tenant_id)];
  // In one order, so that two who discard do not wait for each other's chains in a circle.
  for (const [tenantId, own] of byTenant.sort(([a], [b]) => (a < b ? -1 : 1))) {
    const after = { state: 'discarded', reason, count: own.length, filter };
    const note = { tenantId, at: now, resource: 'dead-letters', before: null, after };
    await noteAudit(session, { ...note, action: 'dead-letters.discarded' });
  }
  return {
    discarded: done.length,
    reached: rows.length < limit ? null : (rows.at(-1) ?? null),
  };
}

function deadLetterOf(row: DeadLetterRow): DeadLetterRecord {
  const { log_partition: partition, log_offset: offset, decided_at: decidedAt } = row;
  return {
    delivery: deliveryOf(row),
    state: row.resolved_as ?? 'open',
    resolution: decidedAt && {
      at: decidedAt.getTime(),
      reason: row.resolution_reason,
      replayId: row.replay_id,
      actor: row.actor,
    },
    place: partition === null || offset === null ? null : { partition, offset: Number(offset) },
  };
}
