import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateLimiter, type RateLimitConfig } from '../delivery/index.js';
import { mostInAMinute, rateToAsk, rateWithin } from './allowed-rate.js';

const configs: fc.Arbitrary<RateLimitConfig> = fc.record({
  limit: fc.integer({ min: 1, max: 500 }),
  per: fc.constantFrom('second', 'minute', 'hour'),
  burst: fc.integer({ min: 1, max: 200 }),
});

/** Takes whenever it may. */
function greedy(config: RateLimitConfig, count: number): number[] {
  const limiter = new RateLimiter(config, 0);
  const taken: number[] = [];
  for (let now = 0; taken.length < count; now = limiter.nextAt(now)) while (limiter.take(now)) taken.push(now);
  return taken;
}

/** Rounding of the limiter, which may be early by a millionth of a millisecond each. */
const minuteMs = 60_000 - 1;
const mostSeen = (taken: readonly number[]): number =>
  Math.max(...taken.map((from) => taken.filter((at) => at >= from && at < from + minuteMs).length));

describe('the rate to keep', () => {
  it('is never more in a minute than the receiver allows, nor more than the endpoint’s own', () => {
    fc.assert(
      fc.property(fc.option(configs), fc.integer({ min: 1, max: 300 }), (own, allowed) => {
        const kept = rateWithin(own, allowed);
        expect(kept).not.toBeNull();
        if (kept === null) return;
        expect(mostInAMinute(kept)).toBeLessThanOrEqual(allowed);
        expect(mostSeen(greedy(kept, Math.min(400, allowed + 50)))).toBeLessThanOrEqual(allowed);
        if (own === null) return;
        // Slower or as slow in the long run, and no larger burst.
        expect(new RateLimiter(kept, 0).perMs).toBeLessThanOrEqual(new RateLimiter(own, 0).perMs);
        expect(kept.burst).toBeLessThanOrEqual(own.burst);
      }),
      { numRuns: 60 },
    );
  });

  it('is the endpoint’s own where the receiver allows that, or names no limit', () => {
    fc.assert(
      fc.property(configs, (own) => {
        expect(rateWithin(own, null)).toBe(own);
        expect(rateWithin(own, mostInAMinute(own))).toBe(own);
        expect(rateToAsk(own)).toBe(mostInAMinute(own));
      }),
    );
    expect(rateWithin(null, null)).toBeNull();
    expect(rateToAsk(null)).toBeNull();
  });

  it('uses all that is allowed where the endpoint has no limit', () => {
    expect(rateWithin(null, 120)).toEqual({ limit: 120, per: 'minute', burst: 1 });
    expect(rateWithin(null, 5_000_000)).toEqual({ limit: 1_000_000, per: 'minute', burst: 1 });
  });

  it('takes from the burst first', () => {
    expect(rateWithin({ limit: 10, per: 'hour', burst: 100 }, 60)).toEqual({ limit: 10, per: 'hour', burst: 60 });
    expect(rateWithin({ limit: 100, per: 'second', burst: 100 }, 60)).toEqual({ limit: 60, per: 'minute', burst: 1 });
  });
});
