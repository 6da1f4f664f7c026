import { latencyPercentile } from '#libs/core';
import { columns, text, type Cell } from './columns.js';
import { Conditions } from './conditions.js';
import { decodeCursor, toPage } from './cursor.js';
import type { Database, Session } from './database.js';
import type { Page, PageRequest } from './page.js';
import { countAttempts, mayEnd, type CountedAttempt, type DeliveryEnd, type StatsRow } from './stats-fold.js';
import { addStats, selectEnds, selectStats } from './stats.sql.js';

/** What is left out (or undefined) does not narrow. */
export interface StatsQuery {
  readonly tenantId?: string | undefined;
  readonly endpointId?: string | undefined;
  readonly eventType?: string | undefined;
  /** Unix milliseconds, at the begin of an hour; inclusive. */
  readonly from: number;
  /** Exclusive, else the same. */
  readonly to: number;
  /** `all`: the whole time is one bucket. Days are of UTC. */
  readonly bucket: 'hour' | 'day' | 'all';
  /** What each bucket is divided by. */
  readonly by?: 'tenant' | 'endpoint' | 'eventType' | undefined;
}

export interface Stats {
  /** Unix milliseconds. */
  readonly start: number;
  /** The tenant, endpoint or event type; null: the bucket is not divided. */
  readonly key: string | null;
  readonly attempts: number;
  readonly failed: number;
  readonly delivered: number;
  readonly deadLettered: number;
  readonly dropped: number;
  /** Of live deliveries, to a factor of √2; null when there was none. */
  readonly latencyP50Ms: number | null;
  readonly latencyP95Ms: number | null;
}

const keys = { tenant: 'tenant_id', endpoint: 'endpoint_id', eventType: 'event_type' } as const;

interface BucketRow {
  start: Date;
  key: string;
  attempts: number;
  failed: number;
  delivered: number;
  dead_lettered: number;
  dropped: number;
  latency: number[] | null;
}

/** Numbers of deliveries by the hour. Reading them costs by endpoints, types and hours, however many deliveries there were. */
export class DeliveryStats {
  constructor(private readonly database: Database) {}

  /** Buckets in which something was recorded, oldest first. @throws InvalidCursor */
  async list(query: StatsQuery, { limit, cursor }: PageRequest): Promise<Page<Stats>> {
    const conditions = new Conditions();
    conditions.equal('tenant_id', query.tenantId);
    conditions.equal('endpoint_id', query.endpointId);
    conditions.equal('event_type', query.eventType);
    conditions.add((place) => `hour >= ${place}`, new Date(query.from));
    conditions.add((place) => `hour < ${place}`, new Date(query.to));
    const where = conditions.where();
    const begin =
      query.bucket === 'all'
        ? `${conditions.value(new Date(query.from))}::timestamptz`
        : `date_trunc('${query.bucket}', hour, 'UTC')`;
    // A cursor has an id, which must not be empty.
    const key = query.by === undefined ? `'-'` : keys[query.by];
    const { at, id } = cursor === undefined ? { at: null, id: '' } : decodeCursor(cursor);
    const after = (): string => {
      if (at === null) return '';
      // One bucket, which begins later by the hour where the time ends now.
      if (query.bucket === 'all') return `WHERE key > ${conditions.value(id)}`;
      return `WHERE (start, key) > (${conditions.value(new Date(at))}::timestamptz, ${conditions.value(id)})`;
    };
    const tail = `${after()} ORDER BY start, key LIMIT ${conditions.value(limit + 1)}`;
    const rows: BucketRow[] = await this.database.session.query(
      selectStats(begin, key, where, tail),
      conditions.parameters,
    );
    const page = toPage(rows, limit, (row) => ({ at: row.start.getTime(), id: row.key }));
    return { ...page, data: page.data.map((row) => statsOf(row, query.by !== undefined)) };
  }

  /** Forgets the oldest figures of hours before `horizon` (Unix ms), `most` at once. @returns how many */
  async expire(horizon: number, most: number): Promise<number> {
    const [, count]: [unknown, number] = await this.database.session.query(expireStats, [new Date(horizon), most]);
    return count;
  }
}

const expireStats = /* sql */ `
DELETE FROM delivery_stats WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM delivery_stats WHERE hour < $1 ORDER BY hour LIMIT $2 FOR UPDATE SKIP LOCKED
))
`;

function statsOf({ start, key, dead_lettered: deadLettered, latency, ...counts }: BucketRow, divided: boolean): Stats {
  const at = (share: number): number | null => (latency === null ? null : latencyPercentile(latency, share));
  const own = { start: start.getTime(), key: divided ? key : null };
  return { ...own, ...counts, deadLettered, latencyP50Ms: at(0.5), latencyP95Ms: at(0.95) };
}

const cells: readonly Cell<StatsRow>[] = [
  (row) => text(row.tenantId),
  (row) => text(row.endpointId),
  (row) => text(row.eventType),
  (row) => row.hour,
  (row) => row.attempts,
  (row) => row.failed,
  (row) => row.delivered,
  (row) => row.deadLettered,
  (row) => row.dropped,
  (row) => row.latency && `{${row.latency.join()}}`,
];

/** Part of a projector's transaction, before deliveries are written: how they stood decides what counts. */
export async function storeStats(session: Session, attempts: readonly CountedAttempt[]): Promise<void> {
  if (attempts.length === 0) return;
  const ending = new Map(
    attempts.filter(mayEnd).map(({ attempt }) => [text(attempt.deliveryId), attempt.acceptedAt] as const),
  );
  const ends: { delivery_id: string; status: DeliveryEnd }[] =
    ending.size === 0 ? [] : await session.query(selectEnds, [[...ending.keys()], [...ending.values()]]);
  const rows = countAttempts(attempts, new Map(ends.map((one) => [one.delivery_id, one.status])));
  if (rows.length > 0) await session.query(addStats, columns(rows, cells));
}
