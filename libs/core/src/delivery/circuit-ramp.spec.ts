import { describe, expect, it } from 'vitest';
import { CircuitRamp } from './circuit-ramp.js';

/** POSTs by half-second at an endpoint that answers after `answerMs`, until the ramp is through. */
function ramped(limit: number, answerMs: number): { perHalfSecond: number[]; throughAt: number; most: number } {
  const ramp = new CircuitRamp(0);
  const landings: number[] = [];
  const perHalfSecond: number[] = [];
  let most = 0;
  for (let now = 0; now < 60_000; now += 1) {
    while (landings[0] !== undefined && landings[0] <= now) {
      landings.shift();
      if (ramp.succeeded(limit, now)) return { perHalfSecond, throughAt: now, most };
    }
    while (landings.length < ramp.level && ramp.nextAt(now) <= now) {
      ramp.posted(now);
      landings.push(now + answerMs);
      most = Math.max(most, landings.length);
      const half = Math.floor(now / 500);
      perHalfSecond[half] = (perHalfSecond[half] ?? 0) + 1;
    }
  }
  return { perHalfSecond, throughAt: Infinity, most };
}

describe('CircuitRamp', () => {
  it('gives a quick endpoint its backlog over some seconds: twice as much each half second', () => {
    const { perHalfSecond, throughAt } = ramped(16, 1);
    expect(throughAt).toBeGreaterThan(2_500);
    expect(throughAt).toBeLessThan(3_000);
    for (const [nth, count] of perHalfSecond.slice(0, 5).entries()) {
      expect(count).toBeLessThanOrEqual(5 * 2 ** nth);
      expect(count).toBeGreaterThan(4 * 2 ** nth);
    }
  });

  it('gives a slow endpoint no more at once than its level, and takes the time of its answers', () => {
    const { throughAt, most } = ramped(4, 1_000);
    expect(most).toBe(4);
    expect(throughAt).toBeGreaterThan(3_000);
    expect(throughAt).toBeLessThan(7_000);
  });

  it('is through soon with an endpoint that takes one at a time', () => {
    expect(ramped(1, 10).throughAt).toBeLessThan(700);
  });
});
