import type { AttributeFilter } from '../event/attribute-filter.js';
import type { EventEnvelope } from '../event/cloud-event.js';
import { typeMatcher } from './event-pattern.js';
import { SubscriptionIndex } from './subscription-index.js';
import type { Subscription } from './subscription.js';

/** What an endpoint subscribed to from a time on. */
export interface PastPatterns {
  readonly endpointId: string;
  /** Unix ms. */
  readonly since: number;
  /** Null: nothing, it was not active. */
  readonly eventTypes: readonly string[] | null;
}

export interface ReplayWish {
  readonly tenantId: string;
  /** Patterns; null: whatever the endpoint wants. */
  readonly eventTypes: readonly string[] | null;
  /** Null: every event. */
  readonly filter: AttributeFilter | null;
  /** As they are now, or as they were when an event was appended (by endpoint, then by time). */
  readonly subscriptions:
    | { readonly asOf: 'now'; readonly endpoints: readonly Subscription[] }
    | { readonly asOf: 'then'; readonly past: readonly PastPatterns[] };
}

type Wants = (type: string, at: number) => readonly string[];

/**
 * Who gets an event of the log by a replay: what the replay asks for, and what its endpoints subscribe to. A dry run and the
 * replay itself ask the same. Throws a `RangeError` on an invalid pattern.
 */
export class ReplaySelection {
  readonly #tenantId: string;
  readonly #hasType: (type: string) => boolean;
  readonly #filter: AttributeFilter | null;
  readonly #wants: Wants;

  constructor({ tenantId, eventTypes, filter, subscriptions }: ReplayWish) {
    this.#tenantId = tenantId;
    this.#hasType = typeMatcher(eventTypes ?? ['*']);
    this.#filter = filter;
    this.#wants =
      subscriptions.asOf === 'now' ? wantedNow(tenantId, subscriptions.endpoints) : wantedThen(subscriptions.past);
  }

  /**
   * Endpoint ids, ascending.
   * @param tenantId of the event (`tenantOf`)
   * @param at when it was appended, Unix ms
   */
  endpointsFor(tenantId: string, event: EventEnvelope, at: number): readonly string[] {
    if (tenantId !== this.#tenantId || !this.#hasType(event.type)) return [];
    const endpoints = this.#wants(event.type, at);
    return endpoints.length === 0 || this.#filter?.(event) === false ? [] : endpoints;
  }
}

function wantedNow(tenantId: string, endpoints: readonly Subscription[]): Wants {
  const index = new SubscriptionIndex<Subscription>();
  for (const endpoint of endpoints) index.set(endpoint);
  return (type) => index.match(tenantId, type).map(({ endpointId }) => endpointId);
}

interface Version {
  readonly since: number;
  readonly wants: (type: string) => boolean;
}

function wantedThen(past: readonly PastPatterns[]): Wants {
  const versions = new Map<string, Version[]>();
  for (const { endpointId, since, eventTypes } of past) {
    const of = versions.get(endpointId) ?? [];
    of.push({ since, wants: typeMatcher(eventTypes ?? []) });
    versions.set(endpointId, of);
  }
  const ids = [...versions.keys()].sort((a, b) => (a < b ? -1 : 1));
  // An endpoint has few versions, and a replay walks forward in time: the last ones are the most likely.
  return (type, at) =>
    ids.filter(
      (id) =>
        versions
          .get(id)
          ?.findLast(({ since }) => since <= at)
          ?.wants(type) === true,
    );
}
