/**
 * Judges what an endpoint was sent out of the log's past, by the events topic and the receiver's own records: exactly what
 * it was to get, each once, and within a source partition (with `key`: within a key of it) in the order of the log.
 */
import type { Arrival } from './arrival.js';
import type { PlacedEvent } from './order-oracle.js';

export interface WindowVerdict {
  /** Different events that came and were expected. */
  readonly came: number;
  /** What is wrong, one line each; empty when nothing is. */
  readonly violations: readonly string[];
}

/** Its receiver answers nothing with a failure that is tried again: whatever comes twice was sent twice. */
export function judgeWindow(evidence: {
  /** What was to come. An event that stands in the log twice counts at its first place. */
  readonly expected: readonly PlacedEvent[];
  /** Of one endpoint. */
  readonly arrivals: readonly Arrival[];
  readonly ordering: 'none' | 'key' | 'endpoint';
}): WindowVerdict {
  const { ordering, arrivals } = evidence;
  const missing = new Map<string, PlacedEvent>();
  for (const event of evidence.expected) {
    const known = missing.get(nameOf(event.source, event.id));
    if (known === undefined || event.offset < known.offset) missing.set(nameOf(event.source, event.id), event);
  }
  const came = new Set<string>();
  const last = new Map<string, PlacedEvent>();
  const violations: string[] = [];
  for (const { eventSource, eventId } of arrivals.toSorted((a, b) => a.at - b.at)) {
    const name = nameOf(eventSource, eventId);
    const event = missing.get(name);
    if (event === undefined) {
      violations.push(came.has(name) ? `${eventId} came again` : `${eventId} came, and was not to come`);
      continue;
    }
    missing.delete(name);
    came.add(name);
    if (ordering === 'none') continue;
    const scope = ordering === 'key' ? `${event.partition} ${event.orderingKey}` : `${event.partition}`;
    const before = last.get(scope);
    if (before !== undefined && event.offset < before.offset) {
      violations.push(`${eventId} at ${placeOf(event)} came after ${before.id} at ${placeOf(before)}`);
    } else last.set(scope, event);
  }
  for (const event of missing.values()) violations.push(`${event.id} at ${placeOf(event)} did not come`);
  return { came: came.size, violations };
}

const nameOf = (source: string, id: string): string => `${source}\0${id}`;
const placeOf = ({ partition, offset }: PlacedEvent): string => `${partition}:${offset}`;
