import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Arrival } from './arrival.js';
import type { PlacedEvent } from './order-oracle.js';
import { judgeWindow } from './window-oracle.js';

const event = (offset: number, orderingKey: string, partition = 0): PlacedEvent => ({
  tenantId: 't',
  id: `${partition}-${offset}`,
  source: '/s',
  type: 'task.updated',
  partition,
  offset,
  orderingKey,
});
const arrival = (of: PlacedEvent, at: number): Arrival => ({
  endpointId: 'ep',
  webhookId: `msg-${of.id}`,
  eventId: of.id,
  eventSource: of.source,
  validSignature: true,
  status: 204,
  at,
});
const [a0, b1, a2] = [event(0, 'a'), event(1, 'b'), event(2, 'a')] as const;
const window = [a0, b1, a2];
const judged = (
  came: readonly PlacedEvent[],
  ordering: 'none' | 'key' | 'endpoint' = 'endpoint',
  expected: readonly PlacedEvent[] = window,
) => judgeWindow({ expected, ordering, arrivals: came.map((one, at) => arrival(one, at)) });

describe('judgeWindow', () => {
  it('finds nothing where all came, once, in the order of the log', () => {
    expect(judged(window)).toEqual({ came: 3, violations: [] });
  });

  it('finds a gap, in the middle and at the end', () => {
    expect(judged([a0, a2])).toEqual({ came: 2, violations: ['0-1 at 0:1 did not come'] });
    expect(judged([a0, b1]).violations).toEqual(['0-2 at 0:2 did not come']);
    expect(judged([]).violations).toHaveLength(3);
  });

  it('finds what came again, and what was not to come', () => {
    expect(judged([a0, b1, b1, a2])).toEqual({ came: 3, violations: ['0-1 came again'] });
    expect(judged([a0, b1, a2, event(3, 'a')]).violations).toEqual(['0-3 came, and was not to come']);
    expect(judged([a0], 'endpoint', []).violations).toEqual(['0-0 came, and was not to come']);
  });

  it('lets keys pass each other with `key`, and all with `none`', () => {
    expect(judged([b1, a0, a2], 'key').violations).toEqual([]);
    expect(judged([b1, a0, a2]).violations).toEqual(['0-0 at 0:0 came after 0-1 at 0:1']);
    expect(judged([b1, a2, a0], 'key').violations).toEqual(['0-0 at 0:0 came after 0-2 at 0:2']);
    expect(judged([a2, b1, a0], 'none').violations).toEqual([]);
  });

  it('goes by the time of arrival, within a partition, and by the first place of what was appended twice', () => {
    const shuffled = [arrival(a2, 2), arrival(a0, 0), arrival(b1, 1)];
    expect(judgeWindow({ expected: window, arrivals: shuffled, ordering: 'endpoint' }).violations).toEqual([]);
    const elsewhere = event(0, 'a', 1);
    expect(judged([...window, elsewhere], 'endpoint', [...window, elsewhere]).violations).toEqual([]);
    expect(judged(window, 'endpoint', [{ ...a0, offset: 9 }, ...window]).violations).toEqual([]);
  });

  it('agrees with comparing lists, whatever came', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...window), { maxLength: 4 }), (came) => {
        const isExact = came.length === 3 && came.every((one, n) => one === window[n]);
        expect(judged(came).violations.length === 0).toBe(isExact);
      }),
    );
  });
});
