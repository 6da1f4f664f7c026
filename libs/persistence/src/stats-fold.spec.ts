import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Attempt } from '#libs/contracts';
import { countAttempts, type CountedAttempt, type DeliveryEnd, type StatsRow } from './stats-fold.js';

const hour = 3_600_000;
const begin = 500_000 * hour;

function attemptOf(changes: Partial<Attempt>): Attempt {
  const base = { deliveryId: 'd', tenantId: 'acme', endpointId: 'ep_1', eventType: 'a.b', stream: 'live', number: 1 };
  const times = { acceptedAt: begin, startedAt: begin + 90, durationMs: 10 };
  return { ...base, ...times, outcome: 'delivered', final: true, ...changes } as Attempt;
}
const logged = (changes: Partial<Attempt> = {}, loggedAt = begin + 100): CountedAttempt => ({
  loggedAt,
  attempt: attemptOf(changes),
});
const failed = { outcome: 'retry', final: false } as const;
const dead = { outcome: 'deadLetter' } as const;
const count = (attempts: readonly CountedAttempt[], ends: [string, DeliveryEnd][] = []): readonly StatsRow[] =>
  countAttempts(attempts, new Map(ends));

describe('countAttempts', () => {
  it('counts POSTs and what became of deliveries, with the time that live ones took', () => {
    const [row, ...others] = count([
      logged(failed),
      logged({ number: 2 }),
      logged({ ...dead, deliveryId: 'e' }),
      logged({ outcome: 'dropped', number: 0, deliveryId: 'f' }),
      logged({ outcome: 'started', final: false, number: 3 }),
      logged({ stream: 'replay:1', deliveryId: 'g' }),
    ]);
    expect(others).toEqual([]);
    expect(row).toMatchObject({ attempts: 4, failed: 2, delivered: 2, deadLettered: 1, dropped: 1, hour: begin });
    // 100 ms: over 2^6.5 (90.5), up to 2^7.
    expect(row?.latency?.flatMap((n, bucket) => (n > 0 ? [[bucket, n]] : []))).toEqual([[14, 1]]);
  });

  it('divides by endpoint, event type, tenant and hour of the record', () => {
    const rows = count([
      logged(),
      logged({ deliveryId: 'e', eventType: 'c' }),
      logged({ deliveryId: 'f', endpointId: 'ep_2' }),
      logged({ deliveryId: 'g' }, begin + hour),
      logged({ deliveryId: 'h', tenantId: 'other' }),
    ]);
    expect(rows).toHaveLength(5);
    expect(rows.map((row) => row.delivered)).toEqual([1, 1, 1, 1, 1]);
    expect(rows[3]?.hour).toBe(begin + hour);
  });

  it('counts a delivery once, though an attempt was repeated; and again if it succeeds after it was given up', () => {
    expect(count([logged(), logged()])).toMatchObject([{ attempts: 2, delivered: 1 }]);
    expect(count([logged()], [['d', 'delivered']])).toMatchObject([{ attempts: 1, delivered: 0, latency: null }]);
    expect(count([logged(dead), logged(dead), logged()])).toMatchObject([{ deadLettered: 1, delivered: 1 }]);
    expect(count([logged(dead)], [['d', 'dropped']])).toMatchObject([{ deadLettered: 0 }]);
  });

  it('leaves test webhooks out', () => {
    expect(count([logged({ stream: 'test:1' })])).toEqual([]);
  });

  it('invariant 11: gives the same sums wherever batches are cut', () => {
    const drawn = fc.record({
      deliveryId: fc.constantFrom('d', 'e', 'f'),
      outcome: fc.constantFrom('delivered' as const, 'deadLetter' as const, 'dropped' as const),
      final: fc.boolean(),
      late: fc.nat({ max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(drawn, { maxLength: 30 }), fc.array(fc.nat({ max: 30 })), (attempts, cuts) => {
        const log = attempts.map(({ late, ...one }) => logged(one, begin + late * hour));
        const ends = new Map<string, DeliveryEnd>();
        const sums = new Map<number, number[]>();
        const places = [0, ...cuts.sort((a, b) => a - b), log.length];
        for (const [i, place] of places.entries()) {
          const batch = log.slice(place, places[i + 1]);
          for (const row of countAttempts(batch, ends)) add(sums, row);
          for (const { attempt } of batch) note(ends, attempt);
        }
        const atOnce = new Map<number, number[]>();
        for (const row of countAttempts(log, new Map())) add(atOnce, row);
        expect(sums).toEqual(atOnce);
      }),
    );
  });
});

function add(sums: Map<number, number[]>, row: StatsRow): void {
  const values = [row.attempts, row.failed, row.delivered, row.deadLettered, row.dropped, ...(row.latency ?? [])];
  const before = sums.get(row.hour) ?? [];
  sums.set(
    row.hour,
    Array.from({ length: Math.max(values.length, before.length) }, (_, i) => (values[i] ?? 0) + (before[i] ?? 0)),
  );
}

/** As rows of the delivery log do. */
function note(ends: Map<string, DeliveryEnd>, { deliveryId, final, outcome }: Attempt): void {
  if (!final) return;
  if (outcome === 'delivered') ends.set(deliveryId, 'delivered');
  else if (!ends.has(deliveryId)) ends.set(deliveryId, outcome === 'dropped' ? 'dropped' : 'dead-lettered');
}
