import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RateLimitConfig } from './rate-limit-config.js';
import { RateLimiter } from './rate-limiter.js';

const periodMs = { second: 1_000, minute: 60_000, hour: 3_600_000 };
const configs: fc.Arbitrary<RateLimitConfig> = fc.record({
  limit: fc.integer({ min: 1, max: 60 }),
  per: fc.constantFrom('second', 'minute', 'hour'),
  burst: fc.integer({ min: 1, max: 20 }),
});
/** Pauses in ms: mostly short of a take's interval, some far above it. */
const pauses = fc.array(fc.oneof(fc.nat(50), fc.nat(2_000), fc.nat(100_000)), { maxLength: 200 });

/** Times of the takes that went through when asked after each pause. */
function takesOf(limiter: RateLimiter, steps: readonly number[], start: number): number[] {
  const taken: number[] = [];
  let now = start;
  for (const pause of steps) {
    now += pause;
    if (limiter.take(now)) taken.push(now);
  }
  return taken;
}

describe('RateLimiter', () => {
  it('invariant 4: in no window are there more takes than the burst and what the window gives', () => {
    fc.assert(
      fc.property(configs, pauses, fc.double({ min: 0, max: 1e7, noNaN: true }), (config, steps, start) => {
        const taken = takesOf(new RateLimiter(config, start), steps, start);
        for (const [first, from] of taken.entries()) {
          for (let last = first; last < taken.length; last += 1) {
            const length = taken[last]! - from;
            const most = config.burst + (config.limit * length) / periodMs[config.per];
            expect(last - first + 1).toBeLessThanOrEqual(most + 1e-6);
          }
        }
      }),
    );
  });

  it('refuses nothing else (model: a bucket of tokens in whole numbers)', () => {
    fc.assert(
      fc.property(configs, pauses, (config, steps) => {
        const limiter = new RateLimiter(config, 0);
        const period = periodMs[config.per];
        // In units of 1 / period of a token, of which a millisecond brings `limit`.
        const full = config.burst * period;
        let tokens = full;
        let now = 0;
        for (const pause of steps) {
          now += pause;
          tokens = Math.min(full, tokens + pause * config.limit);
          expect(limiter.isAtRest(now + 1e-6)).toBe(tokens === full);
          const missing = Math.max(0, period - tokens) / config.limit;
          expect(limiter.nextAt(now)).toBeCloseTo(now + missing, 5);
          expect(limiter.take(now)).toBe(tokens >= period);
          if (tokens >= period) tokens -= period;
        }
      }),
    );
  });

  it('gives the next one at the time that it names', () => {
    fc.assert(
      fc.property(configs, fc.double({ min: 0, max: 1e7, noNaN: true }), fc.nat(60), (config, start, takes) => {
        const limiter = new RateLimiter(config, start);
        let now = start;
        for (let nth = 0; nth < takes; nth += 1) {
          const at = limiter.nextAt(now);
          if (at > now) expect(limiter.take(now)).toBe(false);
          now = at;
          expect(limiter.take(now)).toBe(true);
        }
      }),
    );
  });

  it('keeps what was spent when its settings change: neither side of it is a burst given twice', () => {
    fc.assert(
      fc.property(configs, configs, pauses, pauses, (before, after, early, late) => {
        const limiter = new RateLimiter(before, 0);
        const first = takesOf(limiter, early, 0);
        const changedAt = early.reduce((sum, pause) => sum + pause, 0);
        const ready = readyOf(limiter, changedAt, before.burst);
        limiter.change(after, changedAt);
        // As many as were free before are free now, as far as the new burst has room for them and no more than that.
        const spent = before.burst - ready;
        expect(readyOf(limiter, changedAt, after.burst)).toBeLessThanOrEqual(Math.max(0, after.burst - spent + 1));
        const second = takesOf(limiter, late, changedAt);
        for (const [index, at] of second.entries()) {
          const most = after.burst + (after.limit * (at - changedAt)) / periodMs[after.per];
          expect(index + 1).toBeLessThanOrEqual(most + 1e-6);
        }
        expect(first.length).toBeLessThanOrEqual(
          before.burst + (before.limit * changedAt) / periodMs[before.per] + 1e-6,
        );
      }),
    );
  });

  it('does not wait for ages when a large debt meets a slow rate', () => {
    const limiter = new RateLimiter({ limit: 1_000, per: 'second', burst: 1_000 }, 0);
    for (let nth = 0; nth < 1_000; nth += 1) limiter.take(0);
    limiter.change({ limit: 1, per: 'minute', burst: 1 }, 0);
    expect(limiter.nextAt(0)).toBe(60_000);
  });

  it('counts from when it was used, where that was later', () => {
    const limiter = new RateLimiter({ limit: 4, per: 'second', burst: 1 }, 0);
    expect(limiter.take(0)).toBe(true);
    limiter.postpone(6);
    expect([limiter.take(250), limiter.nextAt(250), limiter.take(256)]).toEqual([false, 256, true]);
  });

  it('is the same after a change to the same', () => {
    const limiter = new RateLimiter({ limit: 3, per: 'second', burst: 2 }, 0.1);
    limiter.take(0.1);
    const at = limiter.nextAt(0.1);
    limiter.change({ limit: 3, per: 'second', burst: 2 }, 0.1);
    expect(limiter.nextAt(0.1)).toBe(at);
  });
});

/** Takes that would go through at `now`, without taking them: told by the time at which all will be there again. */
function readyOf(limiter: RateLimiter, now: number, burst: number): number {
  const intervalMs = 1 / limiter.perMs;
  for (let ready = burst; ready > 0; ready -= 1) {
    if (limiter.isAtRest(now + (burst - ready) * intervalMs + 1e-6)) return ready;
  }
  return 0;
}
