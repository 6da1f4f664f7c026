import type { Attempt, AttemptOutcome } from '#libs/contracts';
import type { DeliveryRecord, DeliveryStatus, DisableWish } from '#libs/persistence';

/** What a stretch of the attempts topic amounts to. */
export interface Folded {
  /** One for each delivery, folded over this stretch alone. */
  readonly deliveries: readonly DeliveryRecord[];
  /** One for each endpoint that asked to be disabled. */
  readonly disables: readonly DisableWish[];
}

/**
 * Folds attempts, given in the order of the log. Pure; and `merge` is associative, so a delivery's row does not depend on
 * where the batches are cut (invariant 11).
 */
export function foldAttempts(attempts: readonly Attempt[]): Folded {
  const deliveries = new Map<string, DeliveryRecord>();
  const disables = new Map<string, DisableWish>();
  for (const attempt of attempts) {
    // Says only that a POST is about to be made: of its outcome, another one will tell.
    if (attempt.outcome === 'started') continue;
    const before = deliveries.get(attempt.deliveryId);
    const record = recordOf(attempt);
    deliveries.set(attempt.deliveryId, before === undefined ? record : merge(before, record));
    if (attempt.outcome !== 'disable') continue;
    const { endpointId, startedAt: decidedAt } = attempt;
    const earlier = disables.get(endpointId);
    // The latest one finds the configuration in force most often.
    if (earlier === undefined || earlier.decidedAt < decidedAt) {
      disables.set(endpointId, { endpointId, reason: attempt.deadLetterReason ?? 'gone', decidedAt });
    }
  }
  return { deliveries: [...deliveries.values()], disables: [...disables.values()] };
}

/**
 * What is known of a delivery (`before`) with what came later in the log. Numbers and times are maxima and minima, so that
 * an attempt which a crash has repeated counts once. The statement `upsertDeliveries` says the same in SQL.
 */
export function merge(before: DeliveryRecord, later: DeliveryRecord): DeliveryRecord {
  return {
    ...(supersedes(before, later) ? later : before),
    attempts: Math.max(before.attempts, later.attempts),
    firstAttemptAt: extreme(Math.min, before.firstAttemptAt, later.firstAttemptAt),
    lastAttemptAt: extreme(Math.max, before.lastAttemptAt, later.lastAttemptAt),
    // Attempts of an older version do not say it.
    orderingKey: later.orderingKey ?? before.orderingKey,
  };
}

/** The first final outcome stands, except that a success counts whenever it comes: the receiver has the event. */
function supersedes(before: DeliveryRecord, later: DeliveryRecord): boolean {
  const open = before.status === 'pending' || before.status === 'halted';
  return open || (later.status === 'delivered' && before.status !== 'delivered');
}

function recordOf(attempt: Attempt): DeliveryRecord {
  const { deliveryId, webhookId, tenantId, endpointId, stream, eventId, eventSource, eventType } = attempt;
  const status = statusOf(attempt.outcome, attempt.final);
  const open = status === 'pending' || status === 'halted';
  const endedAt = attempt.startedAt + attempt.durationMs;
  const postedAt = attempt.number > 0 ? attempt.startedAt : null;
  return {
    deliveryId,
    webhookId,
    tenantId,
    endpointId,
    stream,
    eventId,
    eventSource,
    eventType,
    status,
    attempts: attempt.number,
    acceptedAt: attempt.acceptedAt,
    dispatchedAt: attempt.dispatchedAt,
    firstAttemptAt: postedAt,
    lastAttemptAt: postedAt,
    completedAt: open ? null : endedAt,
    nextAttemptAt: open ? attempt.dueAt : null,
    haltedAt: status === 'halted' ? endedAt : null,
    lastStatus: attempt.response?.status ?? null,
    lastError: attempt.error === null ? null : { kind: attempt.error.kind, message: attempt.error.message },
    deadLetterReason: attempt.deadLetterReason,
    orderingKey: attempt.orderingKey,
  };
}

function statusOf(outcome: AttemptOutcome, final: boolean): DeliveryStatus {
  if (outcome === 'halted') return 'halted';
  if (!final) return 'pending';
  switch (outcome) {
    case 'delivered':
      return 'delivered';
    case 'dropped':
      return 'dropped';
    case 'deadLetter':
    case 'disable':
      return 'dead-lettered';
    case 'retry':
    case 'started':
      return 'pending';
  }
}

function extreme(choose: (a: number, b: number) => number, a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return choose(a, b);
}
