import type { AttemptOutcome } from '#libs/contracts';
import type { AttemptRecord, DeliveryRecord, DeliveryStatus } from './delivery-record.js';

/** A row of `deliveries`. */
export interface DeliveryRow {
  delivery_id: string;
  webhook_id: string;
  tenant_id: string;
  endpoint_id: string;
  stream: string;
  event_id: string;
  event_source: string;
  event_type: string;
  status: DeliveryStatus;
  attempts: number;
  accepted_at: Date;
  dispatched_at: Date;
  first_attempt_at: Date | null;
  last_attempt_at: Date | null;
  completed_at: Date | null;
  next_attempt_at: Date | null;
  last_status: number | null;
  last_error_kind: string | null;
  last_error_message: string | null;
  dead_letter_reason: string | null;
  ordering_key: string | null;
  halted_at: Date | null;
}

/** A row of `attempts`. */
export interface AttemptRow {
  log_partition: number;
  log_offset: string;
  number: number;
  config_version: string;
  started_at: Date;
  duration_ms: number;
  url: string;
  request_headers: Record<string, string>;
  response_status: number | null;
  response_headers: Record<string, string> | null;
  response_body: Buffer | null;
  response_truncated: boolean | null;
  error_kind: string | null;
  error_message: string | null;
  outcome: AttemptOutcome;
  final: boolean;
  dead_letter_reason: string | null;
  due_at: Date | null;
  worker_id: string;
  batch_id: string | null;
  batch_size: number | null;
  batch_place: number | null;
}

/** A row of the statement `selectEndpointStats`. */
export interface StatsRow {
  endpoint_id: string;
  matched: number;
  delivered: number;
  retried: number;
  dead_lettered: number;
  dropped: number;
  pending: number;
  halted: number;
  latency: [number, number] | null;
}

const millis = (at: Date | null): number | null => at?.getTime() ?? null;
const errorOf = (kind: string | null, message: string | null) =>
  kind === null ? null : { kind, message: message ?? '' };

export function deliveryOf(row: DeliveryRow): DeliveryRecord {
  return {
    deliveryId: row.delivery_id,
    webhookId: row.webhook_id,
    tenantId: row.tenant_id,
    endpointId: row.endpoint_id,
    stream: row.stream,
    eventId: row.event_id,
    eventSource: row.event_source,
    eventType: row.event_type,
    status: row.status,
    attempts: row.attempts,
    acceptedAt: row.accepted_at.getTime(),
    dispatchedAt: row.dispatched_at.getTime(),
    firstAttemptAt: millis(row.first_attempt_at),
    lastAttemptAt: millis(row.last_attempt_at),
    completedAt: millis(row.completed_at),
    nextAttemptAt: millis(row.next_attempt_at),
    haltedAt: millis(row.halted_at),
    lastStatus: row.last_status,
    lastError: errorOf(row.last_error_kind, row.last_error_message),
    deadLetterReason: row.dead_letter_reason,
    orderingKey: row.ordering_key,
  };
}

export function attemptOf(row: AttemptRow): AttemptRecord {
  const { response_status: status, response_headers: headers, response_body: body } = row;
  return {
    number: row.number,
    startedAt: row.started_at.getTime(),
    durationMs: row.duration_ms,
    url: row.url,
    requestHeaders: row.request_headers,
    response:
      status === null
        ? null
        : { status, headers: headers ?? {}, body: body ?? Buffer.alloc(0), truncated: row.response_truncated === true },
    error: errorOf(row.error_kind, row.error_message),
    outcome: row.outcome,
    final: row.final,
    deadLetterReason: row.dead_letter_reason,
    dueAt: millis(row.due_at),
    workerId: row.worker_id,
    configVersion: Number(row.config_version),
    batch: row.batch_id === null ? null : { id: row.batch_id, size: row.batch_size ?? 0, place: row.batch_place ?? 0 },
  };
}
