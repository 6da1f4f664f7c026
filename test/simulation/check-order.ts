import { committedDeliveries, isSuccess } from './check-loss.js';
import type { DeliveryFact, Evidence, PostFact, Violation } from './evidence.js';

/**
 * Invariant 2. Of two deliveries that are ordered to each other, the later one reaches its receiver with its first success
 * only after the receiver has answered the first success of the earlier one. Earlier is the lower `pos` of their first
 * copies. Those that ended as dead letters or were dropped hold nobody. In one POST, the earlier one stands first.
 */
export function checkOrder(evidence: Evidence): Violation[] {
  return [...outOfPosition(evidence), ...outOfSource(evidence)];
}

/**
 * Positions follow the source: of what one source partition holds of a key, the earlier event stands first. Not so for an
 * endpoint that was configured meanwhile: a dispatcher that takes over may match for it what the one before did not.
 */
function outOfSource(evidence: Evidence): Violation[] {
  const violations: Violation[] = [];
  const stable = new Set(evidence.endpoints.filter((one) => one.stable).map(({ endpointId }) => endpointId));
  const last = new Map<string, DeliveryFact>();
  for (const delivery of firstCopies(evidence)) {
    if (delivery.ordering === 'none' || !stable.has(delivery.endpointId)) continue;
    const { endpointId, stream, sourcePartition, orderingKey, ordering } = delivery;
    const key = ordering === 'endpoint' ? '' : ` ${orderingKey}`;
    const place = `${endpointId} ${stream} ${sourcePartition}${key}`;
    const before = last.get(place);
    if (before !== undefined && before.sourceOffset > delivery.sourceOffset)
      violations.push({
        kind: 'order',
        text: `${endpointId}: ${delivery.id} stands at ${delivery.pos}, behind ${before.id} at ${before.pos}`,
      });
    last.set(place, delivery);
  }
  return violations;
}

function firstCopies({ deliveries }: Evidence): Iterable<DeliveryFact> {
  const firsts = new Map<string, DeliveryFact>();
  for (const delivery of deliveries) if (!firsts.has(delivery.id)) firsts.set(delivery.id, delivery);
  return firsts.values();
}

function outOfPosition(evidence: Evidence): Violation[] {
  const { attempts, posts } = evidence;
  const given = new Set(attempts.filter(({ final, outcome }) => final && outcome !== 'delivered').map(({ id }) => id));
  const committed = new Set([...committedDeliveries(evidence)].map(({ id }) => id));
  const success = firstSuccesses(posts);
  const violations: Violation[] = [];
  const byEndpoint = Map.groupBy(firstCopies(evidence), ({ endpointId, stream }) => `${endpointId} ${stream}`);
  for (const all of byEndpoint.values()) {
    const sorted = all.filter(({ id }) => !given.has(id)).toSorted((a, b) => a.pos - b.pos);
    sorted.forEach((later, at) => {
      const second = success.get(later.webhookId);
      if (second === undefined) return;
      for (const earlier of sorted.slice(0, at)) {
        if (!areOrdered(earlier, later)) continue;
        const first = success.get(earlier.webhookId);
        // What no dispatcher has committed may be settled as a repeat, and holds nobody then.
        if (first === undefined && !committed.has(earlier.id)) continue;
        if (first !== undefined && first.post === second.post && first.place < second.place) continue;
        if (first === undefined || second.arrivedAt < first.answeredAt)
          violations.push({
            kind: 'order',
            text:
              `${later.endpointId}: ${later.id} (pos ${later.pos}) succeeded at ${second.answeredAt}, arrived ` +
              `${second.arrivedAt}, before ${earlier.id} (pos ${earlier.pos}): ${first?.answeredAt ?? 'never'}`,
          });
      }
    });
  }
  return violations;
}

interface Success {
  arrivedAt: number;
  answeredAt: number;
  /** In which it arrived first, and where in it. */
  post: PostFact;
  place: number;
}

/** By the webhook-id of the event. */
function firstSuccesses(posts: readonly PostFact[]): ReadonlyMap<string, Success> {
  const success = new Map<string, Success>();
  for (const post of posts) {
    const { carries, status, arrivedAt, answeredAt } = post;
    if (!isSuccess(status) || arrivedAt === null || answeredAt === null) continue;
    for (const [place, webhookId] of carries.entries()) {
      const known = success.get(webhookId);
      if (known === undefined || arrivedAt < known.arrivedAt)
        success.set(webhookId, {
          arrivedAt,
          answeredAt: Math.min(answeredAt, known?.answeredAt ?? Infinity),
          post,
          place,
        });
      else known.answeredAt = Math.min(known.answeredAt, answeredAt);
    }
  }
  return success;
}

/** By the stricter of the settings that they were made with. */
function areOrdered(a: DeliveryFact, b: DeliveryFact): boolean {
  if (a.ordering === 'endpoint' || b.ordering === 'endpoint') return true;
  return (a.ordering === 'key' || b.ordering === 'key') && a.orderingKey === b.orderingKey;
}
