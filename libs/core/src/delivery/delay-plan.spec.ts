import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placementOf, takeUpAt, topicFor, waitsInMemory } from './delay-plan.js';

const delays = [5_000, 30_000, 300_000, 1_800_000, 7_200_000, 43_200_000];
const remaining = fc.integer({ min: 0, max: 30 * 86_400_000 });

describe('delay plan', () => {
  it('chooses the longest delay not above what remains, the shortest if there is none', () => {
    fc.assert(
      fc.property(remaining, (ms) => {
        const fitting = delays.filter((delay) => delay <= ms);
        expect(delays[topicFor(delays, ms)]).toBe(fitting.at(-1) ?? delays[0]);
      }),
    );
  });

  it('brings any delay to its time: never before it, and by at most 30 days / 12 h + 6 hops', () => {
    fc.assert(
      fc.property(remaining, fc.nat(40), (ms, lagMs) => {
        const dueAt = ms;
        let now = 0;
        let hops = 0;
        let inTimer = 0;
        let takenUpEarly = true;
        for (;;) {
          const placement = placementOf(delays, dueAt, now);
          if (placement.kind === 'now') break;
          if (placement.kind === 'timer') {
            inTimer = placement.dueAt - now;
            now = placement.dueAt;
            break;
          }
          const delay = delays[placement.topic] ?? 0;
          takenUpEarly &&= takeUpAt(now, delay) <= dueAt;
          now = takeUpAt(now, delay) + lagMs;
          hops += 1;
        }
        expect(takenUpEarly).toBe(true);
        expect(inTimer).toBeLessThan(5_000);
        expect(now).toBeGreaterThanOrEqual(dueAt);
        expect(now - dueAt).toBeLessThanOrEqual(lagMs);
        expect(hops).toBeLessThanOrEqual(60 + 5 * 6);
      }),
    );
  });

  it('keeps in memory what its topic would give back too late, and sends at once what waits for nothing', () => {
    expect(waitsInMemory(delays, 4_999)).toBe(true);
    expect(waitsInMemory(delays, 5_000)).toBe(false);
    expect(placementOf(delays, null, 7)).toEqual({ kind: 'now' });
    expect(placementOf(delays, 7, 7)).toEqual({ kind: 'now' });
  });
});
