/**
 * Judges order by the events topic and the receivers' own records (invariant 2): per endpoint, source partition and, with
 * `key`, ordering key, first successes follow the log. What was given up has no first success, and is not missed here.
 */
import { wasAccepted, type Arrival } from './arrival.js';
import type { LoggedEvent } from './delivery-oracle.js';

/** An event and where it stands in the events topic. */
export interface PlacedEvent extends LoggedEvent {
  readonly partition: number;
  readonly offset: number;
  /** Its partitionkey, else its subject; empty: the key shared by all that have neither. */
  readonly orderingKey: string;
}

export interface OrderedEndpoint {
  readonly endpointId: string;
  readonly ordering: 'key' | 'endpoint';
}

export interface OrderVerdict {
  /** First successes that had one of the same endpoint and key before them: what could have been out of order. */
  readonly compared: number;
  readonly violations: readonly string[];
}

export function judgeOrder(evidence: {
  readonly events: readonly PlacedEvent[];
  readonly endpoints: readonly OrderedEndpoint[];
  readonly arrivals: readonly Arrival[];
}): OrderVerdict {
  const places = new Map<string, PlacedEvent>();
  for (const event of evidence.events) {
    const id = eventKey(event.source, event.id);
    const known = places.get(id);
    // One that was appended twice is delivered at its first place.
    if (known === undefined || event.offset < known.offset) places.set(id, event);
  }
  const orderings = new Map(evidence.endpoints.map(({ endpointId, ordering }) => [endpointId, ordering]));
  const seen = new Set<string>();
  const last = new Map<string, PlacedEvent>();
  const violations: string[] = [];
  let compared = 0;
  for (const arrival of evidence.arrivals.toSorted((a, b) => a.at - b.at)) {
    const ordering = orderings.get(arrival.endpointId);
    if (ordering === undefined || !wasAccepted(arrival)) continue;
    const event = places.get(eventKey(arrival.eventSource, arrival.eventId));
    if (event === undefined) {
      violations.push(`${arrival.endpointId} got ${arrival.eventId}, which is not in the log`);
      continue;
    }
    const first = `${arrival.endpointId}\0${eventKey(event.source, event.id)}`;
    if (seen.has(first)) continue;
    seen.add(first);
    const scope = `${arrival.endpointId}\0${event.partition}\0${ordering === 'key' ? event.orderingKey : ''}`;
    const before = last.get(scope);
    if (before !== undefined) {
      compared += 1;
      if (event.offset < before.offset) {
        violations.push(
          `${arrival.endpointId} (${ordering}) accepted ${event.id} at ${event.partition}:${event.offset} after ` +
            `${before.id} at ${before.partition}:${before.offset}`,
        );
        continue;
      }
    }
    last.set(scope, event);
  }
  return { compared, violations };
}

const eventKey = (source: string, id: string): string => `${source}\0${id}`;
