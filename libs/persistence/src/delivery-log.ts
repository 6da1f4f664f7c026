import { selectAttempts } from './attempts.sql.js';
import { Conditions } from './conditions.js';
import { decodeCursor, toPage } from './cursor.js';
import type { Database } from './database.js';
import { wantedWords } from './dead-letter-filter.js';
import type { AttemptRecord, DeliveryRecord, DeliveryStatus } from './delivery-record.js';
import { selectEndpointStats } from './deliveries.sql.js';
import { attemptOf, deliveryOf, type AttemptRow, type DeliveryRow, type StatsRow } from './delivery-rows.js';
import type { Page, PageRequest } from './page.js';

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

/** A message has words; of a kind, `connection-refused`, each part is one. */
const errorWords = `to_tsvector('simple', regexp_replace(
  coalesce(last_error_kind, '') || ' ' || coalesce(last_error_message, ''), '[^[:alnum:]]+', ' ', 'g'))`;

function deliveryConditions(filter: DeliveryFilter): Conditions {
  const conditions = new Conditions();
  conditions.equal('tenant_id', filter.tenantId);
  conditions.equal('endpoint_id', filter.endpointId);
  conditions.equal('status', filter.status);
  conditions.equal('event_type', filter.eventType);
  conditions.equal('event_id', filter.eventId);
  conditions.equal('event_source', filter.eventSource);
  conditions.equal('webhook_id', filter.webhookId);
  conditions.equal('ordering_key', filter.orderingKey);
  conditions.equal('last_error_kind', filter.errorKind);
  if (filter.lastStatus !== undefined) conditions.add((place) => `last_status = ${place}`, filter.lastStatus);
  if (filter.from !== undefined) conditions.add((place) => `accepted_at >= ${place}`, new Date(filter.from));
  if (filter.to !== undefined) conditions.add((place) => `accepted_at < ${place}`, new Date(filter.to));
  if (filter.error !== undefined) conditions.add((place) => `${errorWords} @@ ${wantedWords(place)}`, filter.error);
  return conditions;
}

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

/** What became of deliveries, as projected from the log. */
export class DeliveryLog {
  constructor(private readonly database: Database) {}

  /** Newest event first. @throws InvalidCursor */
  async list(filter: DeliveryFilter, { limit, cursor }: PageRequest): Promise<Page<DeliveryRecord>> {
    const conditions = deliveryConditions(filter);
    if (cursor !== undefined) {
      const { at, id } = decodeCursor(cursor);
      conditions.add((places) => `(accepted_at, delivery_id) < (${places})`, new Date(at), id);
    }
    const rows: DeliveryRow[] = await this.database.session.query(
      `SELECT * FROM deliveries ${conditions.where()}
       ORDER BY accepted_at DESC, delivery_id DESC LIMIT ${conditions.value(limit + 1)}`,
      conditions.parameters,
    );
    return toPage(rows.map(deliveryOf), limit, (row) => ({ at: row.acceptedAt, id: row.deliveryId }));
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
