/**
 * Judges repeats (invariant 3): whether each had a cause that may repeat something, whether its outcome was not yet in the
 * log when that cause came, and whether there were no more than could be in flight.
 */
import { wasAccepted, type Arrival } from './arrival.js';

export type Fault = 'kill' | 'freeze' | 'thaw' | 'leave' | 'join';

/** Something that was done to a process. */
export interface Disruption {
  readonly app: string;
  readonly fault: Fault;
  /** Just before it was done: Unix time in milliseconds. */
  readonly at: number;
}

/** The first Attempt that says `delivered`, as it stands in the log. */
interface LoggedSuccess {
  readonly webhookId: string;
  /** The broker's append time: Unix milliseconds. */
  readonly loggedAt: number;
}

export interface RepeatsEvidence {
  readonly arrivals: readonly Arrival[];
  readonly successes: readonly LoggedSuccess[];
  readonly disruptions: readonly Disruption[];
  /** Per endpoint: the most that can be in flight, started and its outcome not yet acknowledged, when its owner ends. */
  readonly inFlightBound: ReadonlyMap<string, number>;
}

export interface RepeatsVerdict {
  /** Deliveries that came again after they had been answered with 2xx. */
  readonly repeats: number;
  /** Kills and freezes of workers: what may repeat something. */
  readonly causes: number;
  /** The most that these may repeat, over all endpoints. */
  readonly allowed: number;
  readonly violations: readonly string[];
}

export function judgeRepeats(evidence: RepeatsEvidence): RepeatsVerdict {
  const { disruptions, inFlightBound } = evidence;
  const violations: string[] = [];
  const loggedAt = new Map<string, number>();
  for (const success of evidence.successes) {
    const known = loggedAt.get(success.webhookId) ?? Number.POSITIVE_INFINITY;
    loggedAt.set(success.webhookId, Math.min(known, success.loggedAt));
  }
  const causes = disruptions.filter(endsWork);
  const moves = disruptions.filter(({ app }) => app === 'worker');
  const accepted = new Set<string>();
  const repeated = new Map<string, Set<string>>();
  for (const arrival of evidence.arrivals.toSorted((a, b) => a.at - b.at)) {
    const { endpointId, webhookId, at } = arrival;
    if (accepted.has(webhookId)) {
      // One that was in flight may be refused when it comes again, and so come more often than twice.
      const ids = repeated.get(endpointId) ?? new Set();
      repeated.set(endpointId, ids.add(webhookId));
      const about = `${endpointId} got ${arrival.eventId} again`;
      const logged = loggedAt.get(webhookId);
      const before = lastBefore(moves, at);
      if (lastBefore(causes, at) === undefined) violations.push(`${about}, and no worker had been killed or frozen`);
      // What stood in the log by then was there to be read by whoever took over.
      else if (logged !== undefined && before !== undefined && logged < before.at)
        violations.push(`${about}, though its outcome was in the log ${before.at - logged} ms before the last fault`);
    }
    if (wasAccepted(arrival)) accepted.add(webhookId);
  }
  for (const [endpointId, { size }] of repeated) {
    const bound = (inFlightBound.get(endpointId) ?? 0) * causes.length;
    if (size > bound) violations.push(`${endpointId} got ${size} again: no more than ${bound} were in flight`);
  }
  const repeats = [...repeated.values()].reduce((sum, { size }) => sum + size, 0);
  const allowed = [...inFlightBound.values()].reduce((sum, bound) => sum + bound, 0) * causes.length;
  return { repeats, causes: causes.length, allowed, violations };
}

const endsWork = ({ app, fault }: Disruption): boolean => app === 'worker' && (fault === 'kill' || fault === 'freeze');

function lastBefore(disruptions: readonly Disruption[], at: number): Disruption | undefined {
  let last: Disruption | undefined;
  for (const one of disruptions) if (one.at < at && (last === undefined || one.at > last.at)) last = one;
  return last;
}

/**
 * What one lane may have under way: its worker starts nothing more while four times its in-flight limit and 64 deliveries
 * lack the acknowledgement of their outcome (apps/worker, lanes).
 */
export const laneBound = (maxInFlight: number): number => maxInFlight * 4 + 64;
