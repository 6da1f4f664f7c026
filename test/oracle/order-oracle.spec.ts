import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Arrival } from './arrival.js';
import { judgeOrder, type PlacedEvent } from './order-oracle.js';

const event = (offset: number, orderingKey: string, partition = 0): PlacedEvent => ({
  tenantId: 't',
  id: `${partition}-${offset}`,
  source: '/s',
  type: 'task.updated',
  partition,
  offset,
  orderingKey,
});
const arrival = (of: PlacedEvent, at: number, status = 204): Arrival => ({
  endpointId: 'ep',
  webhookId: `msg-${of.id}`,
  eventId: of.id,
  eventSource: of.source,
  validSignature: true,
  status,
  at,
});
const [a0, b1, a2, a3] = [event(0, 'a'), event(1, 'b'), event(2, 'a'), event(3, 'a')] as const;
const events = [a0, b1, a2, a3];
const judged = (ordering: 'key' | 'endpoint', arrivals: readonly Arrival[], log = events) =>
  judgeOrder({ events: log, endpoints: [{ endpointId: 'ep', ordering }], arrivals });

describe('judgeOrder', () => {
  it('finds nothing where first successes follow the log', () => {
    const arrivals = events.map((one, at) => arrival(one, at));
    expect(judged('endpoint', arrivals)).toEqual({ compared: 3, violations: [] });
    expect(judged('key', arrivals)).toEqual({ compared: 2, violations: [] });
  });

  it('lets keys pass each other with `key`, and nothing with `endpoint`', () => {
    const arrivals = [arrival(b1, 1), arrival(a0, 2)];
    expect(judged('key', arrivals).violations).toEqual([]);
    expect(judged('endpoint', arrivals).violations).toHaveLength(1);
  });

  it('finds one that passed another of its key, and blames the late one only', () => {
    const { violations } = judged('key', [arrival(a2, 1), arrival(a0, 2), arrival(a3, 3)]);
    expect(violations).toEqual([expect.stringMatching(/accepted 0-0 .* after 0-2/)]);
  });

  it('goes by the time of arrival, not by the order of what it was given', () => {
    expect(judged('key', [arrival(a2, 2), arrival(a0, 1)]).violations).toEqual([]);
  });

  it('takes neither a refusal nor a repeat for a first success, and does not miss what never came', () => {
    const refusedThenPassed = [arrival(a0, 1, 503), arrival(a2, 2), arrival(a3, 3)];
    expect(judged('key', refusedThenPassed).violations).toEqual([]);
    expect(judged('key', [arrival(a0, 1), arrival(a2, 2), arrival(a0, 3)]).violations).toEqual([]);
    expect(judged('key', [arrival(a0, 1, 503), arrival(a2, 2), arrival(a0, 3)]).violations).toHaveLength(1);
  });

  it('compares within a source partition only, and by the first place of what was appended twice', () => {
    const elsewhere = event(0, 'a', 1);
    expect(judged('endpoint', [arrival(a2, 1), arrival(elsewhere, 2)], [...events, elsewhere]).violations).toEqual([]);
    const twice = [...events, { ...a0, offset: 9 }];
    expect(judged('key', [arrival(a0, 1), arrival(a2, 2)], twice).violations).toEqual([]);
  });

  it('finds what is not in the log at all', () => {
    expect(judged('key', [arrival(event(7, 'a'), 1)]).violations).toEqual([expect.stringContaining('not in the log')]);
  });

  it('agrees with sorting, for any order of arrival', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(events), (order) => {
        const { violations } = judged(
          'endpoint',
          order.map((one, at) => arrival(one, at)),
        );
        const inOrder = order.every((one, n) => n === 0 || one.offset > order[n - 1]!.offset);
        expect(violations.length === 0).toBe(inOrder);
      }),
    );
  });
});
