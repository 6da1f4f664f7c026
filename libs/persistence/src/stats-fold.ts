import type { Attempt } from '#libs/contracts';
import { latencyBucket, latencyBuckets, liveStream } from '#libs/core';

/** A record of the attempts topic. */
export interface CountedAttempt {
  /** Append time, Unix milliseconds. */
  readonly loggedAt: number;
  readonly attempt: Attempt;
}

/** What was recorded in one hour about one endpoint and event type. */
export interface StatsRow {
  readonly tenantId: string;
  readonly endpointId: string;
  readonly eventType: string;
  /** Its begin, Unix milliseconds in UTC. */
  readonly hour: number;
  /** POSTs, and those of them that had no success. */
  attempts: number;
  failed: number;
  /** Deliveries that came to this end. */
  delivered: number;
  deadLettered: number;
  dropped: number;
  /** Of what is live, from the acceptance of the event to its success (libs/core, latency histogram); null: none. */
  latency: number[] | null;
}

/** How a delivery has ended so far. */
export type DeliveryEnd = 'delivered' | 'dead-lettered' | 'dropped';

const hourMs = 3_600_000;

/** Whether an attempt may end its delivery: of these the fold has to know how they stood before. */
export const mayEnd = ({ attempt }: CountedAttempt): boolean => endOf(attempt) !== null;

/**
 * Counts attempts, given in the order of the log, by the hour in which they were appended: of a log that has lost its begin,
 * the later hours are whole. Each record adds its own, so sums do not depend on where batches are cut (invariant 11). A
 * delivery is counted at its first end, and once more if it succeeds later; a POST that a crash has repeated is one more.
 * Test webhooks do not count.
 * @param ends how deliveries stood before the first of these attempts
 */
export function countAttempts(
  attempts: readonly CountedAttempt[],
  ends: ReadonlyMap<string, DeliveryEnd>,
): readonly StatsRow[] {
  const rows = new Map<string, StatsRow>();
  const now = new Map(ends);
  for (const { attempt, loggedAt } of attempts) {
    if (attempt.outcome === 'started' || attempt.stream.startsWith('test:')) continue;
    const row = rowOf(rows, attempt, Math.floor(loggedAt / hourMs) * hourMs);
    if (attempt.number > 0) row.attempts += 1;
    if (attempt.number > 0 && attempt.outcome !== 'delivered') row.failed += 1;
    const [before, end] = [now.get(attempt.deliveryId), endOf(attempt)];
    // As `supersedes` in the projector's fold: the first end stands, except that a success counts whenever it comes.
    if (end === null || before === 'delivered' || (before !== undefined && end !== 'delivered')) continue;
    now.set(attempt.deliveryId, end);
    if (end === 'dropped') row.dropped += 1;
    else if (end === 'dead-lettered') row.deadLettered += 1;
    else noteDelivered(row, attempt);
  }
  return [...rows.values()];
}

function rowOf(rows: Map<string, StatsRow>, attempt: Attempt, hour: number): StatsRow {
  const { tenantId, endpointId, eventType } = attempt;
  const name = JSON.stringify([hour, tenantId, endpointId, eventType]);
  let row = rows.get(name);
  if (row === undefined) {
    const none = { attempts: 0, failed: 0, delivered: 0, deadLettered: 0, dropped: 0, latency: null };
    row = { tenantId, endpointId, eventType, hour, ...none };
    rows.set(name, row);
  }
  return row;
}

function noteDelivered(row: StatsRow, { stream, startedAt, durationMs, acceptedAt }: Attempt): void {
  row.delivered += 1;
  // How long ago a replayed event was accepted says nothing about the endpoint.
  if (stream !== liveStream) return;
  row.latency ??= Array.from({ length: latencyBuckets }, () => 0);
  const bucket = latencyBucket(startedAt + durationMs - acceptedAt);
  row.latency[bucket] = (row.latency[bucket] ?? 0) + 1;
}

function endOf({ outcome, final }: Attempt): DeliveryEnd | null {
  if (!final) return null;
  switch (outcome) {
    case 'delivered':
    case 'dropped':
      return outcome;
    case 'deadLetter':
    case 'disable':
      return 'dead-lettered';
    case 'retry':
    case 'halted':
    case 'started':
      return null;
  }
}
