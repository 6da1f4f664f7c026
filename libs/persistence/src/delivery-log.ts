import { selectAttempts, selectAttemptsAfter } from './attempts.sql.js';
import { columns } from './columns.js';
import { Conditions } from './conditions.js';
import { decodeCursor, InvalidCursor, toPage } from './cursor.js';
import type { Database } from './database.js';
import { wantedWords } from './dead-letter-filter.js';
import type { AttemptRecord, DeliveryRecord, DeliveryStatus } from './delivery-record.js';
import { selectEndpointStats } from './deliveries.sql.js';
import { attemptOf, deliveryOf, type AttemptRow, type DeliveryRow, type StatsRow } from './delivery-rows.js';
import type { Page, PageRequest } from './page.js';
import { scopeNow } from './work-scope.js';

/** What is left out (or undefined) does not narrow. */
export interface DeliveryFilter {
  readonly tenantId?: string | undefined;
  readonly endpointId?: string | undefined;
  readonly status?: DeliveryStatus | undefined;
  readonly eventType?: string | undefined;
  readonly eventId?: string | undefined;
  readonly eventSource?: string | undefined;
  readonly webhookId?: string | undefined;
  readonly orderingKey?: string | undefined;
  /** HTTP status of the last answer. */
  readonly lastStatus?: number | undefined;
  readonly errorKind?: string | undefined;
  /** Words, or beginnings of words, of the last error: all of them must be there. */
  readonly error?: string | undefined;
  /** Of when the event was accepted, in Unix milliseconds. Inclusive. */
  readonly from?: number | undefined;
  /** Exclusive. */
  readonly to?: number | undefined;
}

/** A message has words; of a kind, `connection-refused`, each part is one. As the index says it, which has failures only. */
const errorWords = `to_tsvector('simple', regexp_replace(
  coalesce(last_error_kind, '') || ' ' || coalesce(last_error_message, ''), '[^[:alnum:]]+', ' ', 'g'))`;

function deliveryConditions(filter: DeliveryFilter, ofAll: boolean): Conditions {
  const conditions = new Conditions();
  conditions.equal('tenant_id', filter.tenantId);
  conditions.equal('endpoint_id', filter.endpointId);
  // Of another's endpoint nothing is read at all, rather than all of the tenant's or all of the endpoint's rows in vain.
  const { confinement } = scopeNow();
  if (filter.endpointId !== undefined && confinement !== null)
    conditions.add(
      (places) => `EXISTS (SELECT FROM endpoint_versions WHERE (endpoint_id, tenant_id) = (${places}))`,
      filter.endpointId,
      confinement.tenantId,
    );
  conditions.equal('status', filter.status);
  conditions.equal('event_type', filter.eventType);
  conditions.equal('event_id', filter.eventId);
  conditions.equal('event_source', filter.eventSource);
  conditions.equal('webhook_id', filter.webhookId);
  conditions.equal('ordering_key', filter.orderingKey);
  conditions.equal('last_error_kind', filter.errorKind);
  if (filter.lastStatus !== undefined) conditions.add((place) => `last_status = ${place}`, filter.lastStatus);
  if (filter.from !== undefined) addTime(conditions, '>=', filter.from, ofAll);
  if (filter.to !== undefined) addTime(conditions, '<', filter.to, ofAll);
  if (filter.error !== undefined) conditions.add(() => 'last_error_kind IS NOT NULL');
  return conditions;
}

/** As the index of all has it, which only lists take that no other index serves. */
const byAge = `(accepted_at AT TIME ZONE 'UTC')`;

/** Whether nearly every row is meant, apart from time. A tenant's own list has its tenant. */
function isOfAll(filter: DeliveryFilter): boolean {
  const { from: _from, to: _to, status = 'delivered', lastStatus = 200, ...others } = filter;
  const narrowed =
    status !== 'delivered' || lastStatus !== 200 || Object.values(others).some((one) => one !== undefined);
  return !narrowed && scopeNow().confinement === null;
}

/** Said of the column, which parts are made by, and as the index of all has it. */
function addTime(conditions: Conditions, operator: '>=' | '<' | '<=', at: number, ofAll: boolean): void {
  const place = conditions.value(new Date(at));
  conditions.add(() => `accepted_at ${operator} ${place}`);
  if (ofAll) conditions.add(() => `${byAge} ${operator} (${place}::timestamptz AT TIME ZONE 'UTC')`);
}

/** So many failures are cut into words before the index is asked. */
const looked = 1_000;

interface Place {
  readonly accepted_at: Date;
  readonly delivery_id: string;
}

const ofPlaces = /* sql */ `
SELECT d.* FROM unnest($1::timestamptz[], $2::text[]) AS place (accepted_at, delivery_id)
JOIN deliveries d USING (accepted_at, delivery_id)
ORDER BY accepted_at DESC, delivery_id DESC
`;

/** Deliveries that were tried at least once, by endpoint. */
export interface EndpointStats {
  readonly endpointId: string;
  readonly matched: number;
  readonly delivered: number;
  /** Needed more than one POST. */
  readonly retried: number;
  readonly deadLettered: number;
  readonly dropped: number;
  readonly pending: number;
  readonly halted: number;
  /** From the acceptance of the event to the first 2xx; null when there was none. */
  readonly latencyP50Ms: number | null;
  readonly latencyP95Ms: number | null;
}

/** Partition and offset, which rows of another cluster's log have below 0; without a cursor before all. */
function placeIn(cursor: string | undefined): readonly [number, string] {
  if (cursor === undefined) return [-1, '0'];
  const [, partition, offset] = /^(\d{1,9}) (-?\d{1,18})$/.exec(decodeCursor(cursor).id) ?? [];
  if (partition === undefined || offset === undefined) throw new InvalidCursor(cursor);
  return [Number(partition), offset];
}

/** What became of deliveries, as projected from the log. */
export class DeliveryLog {
  constructor(private readonly database: Database) {}

  /** Newest event first. @throws InvalidCursor */
  async list(filter: DeliveryFilter, { limit, cursor }: PageRequest): Promise<Page<DeliveryRecord>> {
    const ofAll = isOfAll(filter);
    const conditions = deliveryConditions(filter, ofAll);
    if (cursor !== undefined) {
      const { at, id } = decodeCursor(cursor);
      // The parts, and the indexes, know nothing of the id.
      addTime(conditions, '<=', at, ofAll);
      conditions.add((places) => `(accepted_at, delivery_id) < (${places})`, new Date(at), id);
    }
    const { session } = this.database;
    const rows: DeliveryRow[] =
      filter.error === undefined
        ? await session.query(
            `SELECT * FROM deliveries ${conditions.where()}
             ORDER BY ${ofAll ? byAge : 'accepted_at'} DESC, delivery_id DESC LIMIT ${conditions.value(limit + 1)}`,
            conditions.parameters,
          )
        : await session.query(ofPlaces, await this.#placesWith(filter.error, conditions, limit + 1));
    return toPage(rows.map(deliveryOf), limit, (row) => ({ at: row.acceptedAt, id: row.deliveryId }));
  }

  /**
   * Where what has the words stands. Row-level security keeps whoever is confined out of an index of words, since the
   * operator might leak; so this looks in nobody's name, for rows of the scope alone. What it finds is read in the scope:
   * a condition that is missing here hides rows from their owner, and shows nobody another's.
   *
   * Frequent words are found among the latest failures; only for rare ones, of which there are few, the index is asked.
   */
  async #placesWith(error: string, conditions: Conditions, limit: number): Promise<unknown[]> {
    const { confinement } = scopeNow();
    if (confinement !== null) {
      conditions.equal('tenant_id', confinement.tenantId);
      conditions.oneOf('endpoint_id', confinement.endpointIds ?? undefined);
    }
    const { session } = this.database.unconfined;
    const wanted = `${errorWords} @@ ${wantedWords(conditions.value(error))}`;
    const newest = 'ORDER BY accepted_at DESC, delivery_id DESC LIMIT';
    const page = `${newest} ${conditions.value(limit)}`;
    const among = (rows: string, narrowed: string): Promise<Place[]> =>
      session.query(`${rows} SELECT accepted_at, delivery_id FROM found ${narrowed} ${page}`, conditions.parameters);
    const failures = `FROM deliveries ${conditions.where()}`;
    let places = await among(`WITH found AS (SELECT * ${failures} ${newest} ${looked})`, `WHERE ${wanted}`);
    // Materialized, or the planner would walk through all failures for words that none of them has.
    if (places.length < limit)
      places = await among(
        `WITH found AS MATERIALIZED (SELECT accepted_at, delivery_id ${failures} AND ${wanted})`,
        '',
      );
    return columns(places, [({ accepted_at: at }) => at.toISOString(), ({ delivery_id: id }) => id]);
  }

  /** With its attempts, in the order of the log. */
  async get(
    deliveryId: string,
  ): Promise<{ readonly delivery: DeliveryRecord; readonly attempts: readonly AttemptRecord[] } | null> {
    const { session } = this.database;
    const [delivery]: DeliveryRow[] = await session.query('SELECT * FROM deliveries WHERE delivery_id = $1', [
      deliveryId,
    ]);
    if (delivery === undefined) return null;
    const attempts: AttemptRow[] = await session.query(selectAttempts, [deliveryId]);
    return { delivery: deliveryOf(delivery), attempts: attempts.map(attemptOf) };
  }

  /** Of one delivery, in the order of the log; null: there is no such delivery. @throws InvalidCursor */
  async attempts(
    deliveryId: string,
    { limit, cursor }: PageRequest,
  ): Promise<(Page<AttemptRecord> & { readonly endpointId: string }) | null> {
    const { session } = this.database;
    const after = placeIn(cursor);
    const [delivery]: { endpoint_id: string }[] = await session.query(
      'SELECT endpoint_id FROM deliveries WHERE delivery_id = $1',
      [deliveryId],
    );
    if (delivery === undefined) return null;
    const rows: AttemptRow[] = await session.query(selectAttemptsAfter, [deliveryId, ...after, limit + 1]);
    const page = toPage(rows, limit, (row) => ({
      at: row.started_at.getTime(),
      id: `${row.log_partition} ${row.log_offset}`,
    }));
    return { ...page, data: page.data.map(attemptOf), endpointId: delivery.endpoint_id };
  }

  /** Of every endpoint that has deliveries, by endpoint id. */
  async endpointStats({ tenantId }: { readonly tenantId?: string | undefined }): Promise<readonly EndpointStats[]> {
    const rows: StatsRow[] = await this.database.session.query(selectEndpointStats, [tenantId ?? null]);
    return rows.map(({ endpoint_id: endpointId, dead_lettered: deadLettered, latency, ...counts }) => ({
      endpointId,
      ...counts,
      deadLettered,
      latencyP50Ms: latency?.[0] ?? null,
      latencyP95Ms: latency?.[1] ?? null,
    }));
  }
}
