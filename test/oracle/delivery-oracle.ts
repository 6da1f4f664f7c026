/**
 * Judges a run by what stands in the log and what receivers saw, never by Posthorn's own counters (invariant 1).
 * Pure: the tests of the oracle itself are in delivery-oracle.spec.ts.
 */

export interface LoggedEvent {
  readonly tenantId: string;
  readonly id: string;
  readonly source: string;
  readonly type: string;
}

export interface SubscribedEndpoint {
  readonly endpointId: string;
  readonly tenantId: string;
  /** Whether this event is for it, its tenant aside. */
  readonly wants: (event: LoggedEvent) => boolean;
}

interface LoggedAttempt {
  readonly deliveryId: string;
  readonly endpointId: string;
  readonly eventId: string;
  readonly eventSource: string;
  readonly webhookId: string;
  readonly outcome: string;
  readonly final: boolean;
}

export interface LoggedDeadLetter {
  readonly deliveryId: string;
}

/** A request as the receiver recorded it. */
export interface Receipt {
  readonly endpointId: string;
  readonly webhookId: string;
  readonly validSignature: boolean;
  readonly status: number;
}

export interface Evidence {
  readonly events: readonly LoggedEvent[];
  readonly endpoints: readonly SubscribedEndpoint[];
  readonly attempts: readonly LoggedAttempt[];
  readonly deadLetters: readonly LoggedDeadLetter[];
  readonly receipts: readonly Receipt[];
}

export interface Verdict {
  /** (event, endpoint) pairs that should have an end state. */
  readonly expected: number;
  readonly delivered: number;
  readonly deadLettered: number;
  /** Receipts of a `webhook-id` that had already been answered with 2xx. */
  readonly duplicates: number;
  /** What is wrong, one line each; empty when nothing is. */
  readonly violations: readonly string[];
}

const key = (endpointId: string, source: string, id: string): string => `${endpointId}\0${source}\0${id}`;

export function judge(evidence: Evidence): Verdict {
  const violations: string[] = [];
  const finals = new Map<string, LoggedAttempt[]>();
  for (const attempt of evidence.attempts) {
    if (!attempt.final) continue;
    const at = key(attempt.endpointId, attempt.eventSource, attempt.eventId);
    finals.set(at, [...(finals.get(at) ?? []), attempt]);
  }
  const deadLetters = new Set(evidence.deadLetters.map(({ deliveryId }) => deliveryId));
  const accepted = new Map<string, number>();
  let duplicates = 0;
  for (const receipt of evidence.receipts) {
    if (!receipt.validSignature) violations.push(`${receipt.endpointId} got ${receipt.webhookId} with a bad signature`);
    const earlier = accepted.get(receipt.webhookId) ?? 0;
    if (earlier > 0) duplicates += 1;
    if (receipt.status >= 200 && receipt.status < 300) accepted.set(receipt.webhookId, earlier + 1);
  }

  let expected = 0;
  let delivered = 0;
  let deadLettered = 0;
  const judged = new Set<string>();
  for (const event of evidence.events) {
    for (const endpoint of evidence.endpoints) {
      if (endpoint.tenantId !== event.tenantId || !endpoint.wants(event)) continue;
      const at = key(endpoint.endpointId, event.source, event.id);
      // An event that was appended twice is one event.
      if (judged.has(at)) continue;
      judged.add(at);
      expected += 1;
      const ends = finals.get(at) ?? [];
      const success = ends.find(({ outcome }) => outcome === 'delivered');
      const failure = ends.find(({ outcome }) => outcome === 'deadLetter' || outcome === 'disable');
      const about = `${event.type} ${event.id} for ${endpoint.endpointId}`;
      if (success) {
        delivered += 1;
        if (!accepted.has(success.webhookId))
          violations.push(`${about} counts as delivered, but its receiver never accepted it`);
      } else if (failure) {
        deadLettered += 1;
        if (!deadLetters.has(failure.deliveryId)) violations.push(`${about} was given up, but is not in dead letters`);
      } else {
        violations.push(`${about} has no end state`);
      }
    }
  }
  for (const at of finals.keys()) {
    if (!judged.has(at)) violations.push(`an end state for nothing that was expected: ${at.replaceAll('\0', ' ')}`);
  }
  return { expected, delivered, deadLettered, duplicates, violations };
}
