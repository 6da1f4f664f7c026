import type { AttemptError, AttemptOutcome, AttemptResponse } from '#libs/contracts';

/** `pending`: tried at least once, another try follows. */
export type DeliveryStatus = 'pending' | 'delivered' | 'dead-lettered' | 'dropped';

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
  /** HTTP status of the last answer; null when the last attempt had none. */
  readonly lastStatus: number | null;
  readonly lastError: AttemptError | null;
  readonly deadLetterReason: string | null;
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
}
