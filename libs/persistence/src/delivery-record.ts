import type { AttemptError, AttemptOutcome, AttemptResponse, BatchPlace } from '#libs/contracts';

/**
 * `pending`: tried at least once, another try follows. `halted`: exhausted, and kept, with what follows it in order, until
 * someone releases or skips it.
 */
export type DeliveryStatus = 'pending' | 'halted' | 'delivered' | 'dead-lettered' | 'dropped';

/** A delivery as its attempts have left it. All times are Unix milliseconds. */
export interface DeliveryRecord {
  readonly deliveryId: string;
  readonly webhookId: string;
  readonly tenantId: string;
  readonly endpointId: string;
  readonly stream: string;
  readonly eventId: string;
  readonly eventSource: string;
  readonly eventType: string;
  readonly status: DeliveryStatus;
  /** POSTs so far. */
  readonly attempts: number;
  readonly acceptedAt: number;
  readonly dispatchedAt: number;
  readonly firstAttemptAt: number | null;
  readonly lastAttemptAt: number | null;
  readonly completedAt: number | null;
  readonly nextAttemptAt: number | null;
  /** When it was exhausted; null unless it is halted. */
  readonly haltedAt: number | null;
  /** HTTP status of the last answer; null when the last attempt had none. */
  readonly lastStatus: number | null;
  readonly lastError: AttemptError | null;
  readonly deadLetterReason: string | null;
  /** Null: the key shared by all that have none (or tried by an older version only). */
  readonly orderingKey: string | null;
}

export interface AttemptRecord {
  readonly number: number;
  readonly startedAt: number;
  readonly durationMs: number;
  readonly url: string;
  readonly requestHeaders: Readonly<Record<string, string>>;
  readonly response: AttemptResponse | null;
  readonly error: AttemptError | null;
  readonly outcome: AttemptOutcome;
  readonly final: boolean;
  readonly deadLetterReason: string | null;
  readonly dueAt: number | null;
  readonly workerId: string;
  readonly configVersion: number;
  /** The batch that it was POSTed in, and its place there from 0; null: alone. */
  readonly batch: BatchPlace | null;
}
