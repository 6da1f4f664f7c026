import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TransformationBreaker } from './transformation-breaker.js';

const refused = 'not run: it exceeded its limits 3 times in a row';
const limits = { inARow: 3, firstPauseMs: 1_000, longestPauseMs: 4_000, remembered: 5 };
function paused(): TransformationBreaker {
  const breaker = new TransformationBreaker(limits);
  for (let i = 0; i < 3; i += 1) breaker.ran('tr_1', 1, true, 0);
  return breaker;
}

describe('TransformationBreaker', () => {
  it('refuses after three excesses in a row, not before, and not others', () => {
    const breaker = new TransformationBreaker(limits);
    for (const exceeded of [true, true, false, true, true]) breaker.ran('tr_1', 1, exceeded, 0);
    expect(breaker.refusal('tr_1', 1, 0)).toBeNull();
    breaker.ran('tr_1', 1, true, 0);
    expect(breaker.refusal('tr_1', 1, 999)).toBe(refused);
    expect(breaker.refusal('tr_2', 1, 999)).toBeNull();
  });

  it('lets one run try after the pause, and then all, if that is well', () => {
    const breaker = paused();
    expect(breaker.refusal('tr_1', 1, 1_000)).toBeNull();
    expect(breaker.refusal('tr_1', 1, 1_001)).toBe(refused);
    breaker.ran('tr_1', 1, false, 1_002);
    expect(breaker.refusal('tr_1', 1, 1_003)).toBeNull();
    expect(breaker.remembered).toBe(0);
  });

  it('pauses twice as long each time, up to the longest', () => {
    const breaker = paused();
    let now = 0;
    for (const pauseMs of [1_000, 2_000, 4_000, 4_000]) {
      expect(breaker.refusal('tr_1', 1, now + pauseMs - 1)).toBe(refused);
      now += pauseMs;
      expect(breaker.refusal('tr_1', 1, now)).toBeNull();
      breaker.ran('tr_1', 1, true, now);
    }
  });

  it('lets another one try when the first was not heard of', () => {
    const breaker = paused();
    expect([1_000, 1_999, 2_000].map((now) => breaker.refusal('tr_1', 1, now))).toEqual([null, refused, null]);
  });

  it('takes no notice of what was begun before the pause', () => {
    const breaker = paused();
    for (let i = 0; i < 10; i += 1) breaker.ran('tr_1', 1, true, 500);
    expect(breaker.refusal('tr_1', 1, 1_000)).toBeNull();
  });

  it('starts afresh with a new version, and does not go back to an older one', () => {
    const breaker = paused();
    expect(breaker.refusal('tr_1', 2, 1)).toBeNull();
    breaker.ran('tr_1', 2, true, 1);
    for (let i = 0; i < 3; i += 1) breaker.ran('tr_1', 1, true, 2);
    breaker.ran('tr_1', 1, false, 2);
    breaker.ran('tr_1', 2, true, 3);
    expect(breaker.refusal('tr_1', 2, 3)).toBeNull();
    breaker.ran('tr_1', 2, true, 3);
    expect(breaker.refusal('tr_1', 2, 4)).toBe(refused);
  });

  it('remembers a bounded number, and never refuses what did not exceed in its last three runs', () => {
    const run = fc.record({ id: fc.nat(9), exceeded: fc.boolean(), afterMs: fc.nat(1_500) });
    fc.assert(
      fc.property(fc.array(run, { maxLength: 300 }), (runs) => {
        const breaker = new TransformationBreaker(limits);
        const last = new Map<number, boolean[]>();
        let now = 0;
        for (const { id, exceeded, afterMs } of runs) {
          now += afterMs;
          const outcomes = last.get(id) ?? [];
          const refusal = breaker.refusal(`tr_${id}`, 1, now);
          if (refusal !== null) {
            expect(outcomes.slice(-3)).toEqual([true, true, true]);
            continue;
          }
          breaker.ran(`tr_${id}`, 1, exceeded, now);
          last.set(id, [...outcomes, exceeded]);
          expect(breaker.remembered).toBeLessThanOrEqual(limits.remembered);
        }
        for (const id of last.keys()) expect(breaker.refusal(`tr_${id}`, 1, now + limits.longestPauseMs)).toBeNull();
      }),
    );
  });
});
