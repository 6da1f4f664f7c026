import type {
  AttemptRecord,
  ConfigurationInForce,
  DeliveryLog,
  DeliveryRecord,
  DeliveryStatus,
  EndpointHistory,
  EndpointStats,
} from '#libs/persistence';
import { checkId, dateTime, dateTimeOrNull, listed } from '../http/list-query.js';
import { notFound } from '../problem/app-error.js';
import type { ListAttemptsQuery, ListDeliveriesQuery } from './delivery.dto.js';

export interface DeliveryAnswer {
  readonly id: string;
  readonly webhookId: string;
  readonly tenantId: string;
  readonly endpointId: string;
  readonly stream: string;
  readonly event: { readonly id: string; readonly source: string; readonly type: string };
  readonly status: DeliveryStatus;
  /** POSTs so far. */
  readonly attemptCount: number;
  readonly acceptedAt: string;
  readonly dispatchedAt: string;
  readonly firstAttemptAt: string | null;
  readonly lastAttemptAt: string | null;
  readonly completedAt: string | null;
  readonly nextAttemptAt: string | null;
  readonly haltedAt: string | null;
  readonly lastStatus: number | null;
  readonly lastError: { readonly kind: string; readonly message: string } | null;
  readonly deadLetterReason: string | null;
  readonly orderingKey: string | null;
}

/** What an attempt was made with. */
interface UsedConfiguration extends Pick<ConfigurationInForce['config'], 'url' | 'ordering' | 'retry'> {
  readonly revision: number;
  /** Those that signed. */
  readonly secretIds: readonly string[];
}

export interface AttemptAnswer {
  readonly number: number;
  readonly startedAt: string;
  readonly durationMs: number;
  readonly url: string;
  readonly requestHeaders: Readonly<Record<string, string>>;
  readonly response: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    /** First 4 KiB, as UTF-8; what is not UTF-8 is replaced. */
    readonly body: string;
    readonly truncated: boolean;
  } | null;
  readonly error: { readonly kind: string; readonly message: string } | null;
  readonly outcome: string;
  readonly final: boolean;
  readonly deadLetterReason: string | null;
  readonly dueAt: string | null;
  readonly workerId: string;
  readonly configVersion: number;
  /** The POST's `webhook-id`, how many events were in it, and which of them this was, from 0; null: it went alone. */
  readonly batch: { readonly id: string; readonly size: number; readonly place: number } | null;
  /** Null: not known, as with attempts that are older than the endpoint's history. */
  readonly configuration: UsedConfiguration | null;
}

export interface DeliveryWithAttempts extends DeliveryAnswer {
  readonly attempts: readonly AttemptAnswer[];
}

export type EndpointStatsAnswer = EndpointStats;

/** The delivery log, for reading. */
export class Deliveries {
  constructor(
    private readonly log: DeliveryLog,
    private readonly history: Pick<EndpointHistory, 'inForce'>,
  ) {}

  async list(query: ListDeliveriesQuery): Promise<{ data: DeliveryAnswer[]; nextCursor: string | null }> {
    const { limit, cursor, responseCode: lastStatus, ...filter } = query;
    const { data, nextCursor } = await listed(() => this.log.list({ ...filter, lastStatus }, { limit, cursor }));
    return { data: data.map(answerOf), nextCursor };
  }

  async get(id: string): Promise<DeliveryWithAttempts> {
    const found = await this.log.get(checkId('delivery', id));
    if (found === null) throw notFound('delivery', id);
    const { delivery, attempts } = found;
    const inForce = await this.history.inForce(delivery.endpointId, attempts);
    return { ...answerOf(delivery), attempts: attempts.map((attempt, i) => attemptOf(attempt, inForce[i] ?? null)) };
  }

  /** In the order of the log. */
  async attempts(
    id: string,
    { limit, cursor }: ListAttemptsQuery,
  ): Promise<{ data: AttemptAnswer[]; nextCursor: string | null }> {
    const page = await listed(() => this.log.attempts(checkId('delivery', id), { limit, cursor }));
    if (page === null) throw notFound('delivery', id);
    const { data, nextCursor, endpointId } = page;
    const inForce = await this.history.inForce(endpointId, data);
    return { data: data.map((attempt, i) => attemptOf(attempt, inForce[i] ?? null)), nextCursor };
  }

  stats(tenantId: string | undefined): Promise<readonly EndpointStatsAnswer[]> {
    return this.log.endpointStats({ tenantId });
  }
}

export const answerOf = (d: DeliveryRecord): DeliveryAnswer => ({
  id: d.deliveryId,
  webhookId: d.webhookId,
  tenantId: d.tenantId,
  endpointId: d.endpointId,
  stream: d.stream,
  event: { id: d.eventId, source: d.eventSource, type: d.eventType },
  status: d.status,
  attemptCount: d.attempts,
  acceptedAt: dateTime(d.acceptedAt),
  dispatchedAt: dateTime(d.dispatchedAt),
  firstAttemptAt: dateTimeOrNull(d.firstAttemptAt),
  lastAttemptAt: dateTimeOrNull(d.lastAttemptAt),
  completedAt: dateTimeOrNull(d.completedAt),
  nextAttemptAt: dateTimeOrNull(d.nextAttemptAt),
  haltedAt: dateTimeOrNull(d.haltedAt),
  lastStatus: d.lastStatus,
  lastError: d.lastError,
  deadLetterReason: d.deadLetterReason,
  orderingKey: d.orderingKey,
});

function attemptOf(attempt: AttemptRecord, inForce: ConfigurationInForce | null): AttemptAnswer {
  const { startedAt, dueAt, response, ...same } = attempt;
  return {
    ...same,
    startedAt: dateTime(startedAt),
    dueAt: dateTimeOrNull(dueAt),
    response: response === null ? null : { ...response, body: response.body.toString('utf8') },
    configuration: inForce && usedOf(inForce, startedAt),
  };
}

function usedOf({ revision, config }: ConfigurationInForce, at: number): UsedConfiguration {
  const { url, ordering, retry, secrets } = config;
  const inForce = secrets.filter(({ expiresAt }) => expiresAt === null || expiresAt > at);
  return { revision, url, ordering, retry, secretIds: inForce.map(({ secretId }) => secretId) };
}
