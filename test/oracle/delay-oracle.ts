/**
 * Judges when retries came, by the Attempts in the log and the receivers' own timestamps (invariant 6): never before their
 * `dueAt`, and no later than 1 s + 10 % of their delay after it. For deliveries that nothing else holds.
 */
import type { Arrival } from './arrival.js';

/** An Attempt after which a retry was due. Times: Unix milliseconds. */
export interface RetriedAttempt {
  readonly webhookId: string;
  /** Which POST this was, from 1. */
  readonly number: number;
  readonly startedAt: number;
  readonly durationMs: number;
  readonly dueAt: number | null;
}

export interface DelayVerdict {
  /** Retries that were due, and judged. */
  readonly judged: number;
  readonly mostLateMs: number;
  readonly violations: readonly string[];
}

export function judgeDelays(attempts: readonly RetriedAttempt[], arrivals: readonly Arrival[]): DelayVerdict {
  const times = new Map<string, number[]>();
  for (const { webhookId, at } of arrivals.toSorted((a, b) => a.at - b.at))
    times.set(webhookId, [...(times.get(webhookId) ?? []), at]);
  const violations: string[] = [];
  let judged = 0;
  let mostLateMs = Number.NEGATIVE_INFINITY;
  for (const { webhookId, number, startedAt, durationMs, dueAt } of attempts) {
    if (dueAt === null) continue;
    judged += 1;
    const delay = dueAt - (startedAt + durationMs);
    const about = `POST ${number + 1} of ${webhookId}, after ${Math.round(delay)} ms,`;
    const at = times.get(webhookId)?.[number];
    if (at === undefined) {
      violations.push(`${about} never came`);
      continue;
    }
    const late = at - dueAt;
    mostLateMs = Math.max(mostLateMs, late);
    if (late < 0) violations.push(`${about} came ${-late} ms before it was due`);
    if (late > 1_000 + delay * 0.1) violations.push(`${about} came ${Math.round(late)} ms late`);
  }
  return { judged, mostLateMs, violations };
}
