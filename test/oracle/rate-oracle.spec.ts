import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeRate, type Rate } from './rate-oracle.js';

const tenPerSecond: Rate = { limit: 10, periodMs: 1_000, burst: 10 };
const strict = { handOvers: [], handOverMs: 0, slackMs: 0 };
const steady = (count: number, everyMs: number, from = 0): number[] =>
  Array.from({ length: count }, (_, n) => from + n * everyMs);

describe('judgeRate', () => {
  it('lets pass a burst and then the limit, to the millisecond', () => {
    const times = [...steady(10, 0), ...steady(50, 100, 100)];
    expect(judgeRate(times, tenPerSecond, strict)).toEqual({ mostInPeriod: 20, margin: 0, violations: [] });
  });

  it('finds one too many in a burst, and one that came too early', () => {
    expect(judgeRate(steady(11, 0), tenPerSecond, strict).violations).toEqual([
      '11 arrivals within 0 ms, 0 hand-overs: at most 10',
    ]);
    expect(judgeRate([...steady(10, 0), 99], tenPerSecond, strict).violations).toHaveLength(1);
  });

  it('finds a rate that is a little too high only in the long run', () => {
    const times = steady(200, 95);
    expect(judgeRate(times.slice(0, 100), tenPerSecond, strict).violations).toEqual([]);
    expect(judgeRate(times, tenPerSecond, { ...strict, slackMs: 100 }).violations).toEqual([]);
    expect(judgeRate(steady(400, 95), tenPerSecond, strict).violations).toHaveLength(1);
  });

  it('gives a hand-over one burst, at its time only', () => {
    const times = [...steady(10, 0), ...steady(10, 0, 50)];
    const at = (handOver: number) => judgeRate(times, tenPerSecond, { ...strict, handOvers: [handOver] }).violations;
    expect(at(30)).toEqual([]);
    expect(at(60)).toHaveLength(1);
    const before = { handOvers: [-100], slackMs: 0 };
    expect(judgeRate(times, tenPerSecond, { ...before, handOverMs: 99 }).violations).toHaveLength(1);
    expect(judgeRate(times, tenPerSecond, { ...before, handOverMs: 120 }).violations).toEqual([]);
    // One burst, not two.
    expect(judgeRate([...times, ...steady(10, 0, 60)], tenPerSecond, { ...strict, handOvers: [30] }).margin).toBe(-10);
  });

  it('accepts whatever a bucket lets through, and nothing that is one more', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 60 }), (gaps) => {
        const taken: number[] = [];
        let now = 0;
        // In hundredths, which come back one per millisecond: whole numbers, so that nothing is rounded.
        let tokens = tenPerSecond.burst * 100;
        let at = 0;
        let refused: number | undefined;
        for (const gap of gaps) {
          now += gap;
          tokens = Math.min(tenPerSecond.burst * 100, tokens + (now - at));
          at = now;
          if (tokens >= 100) {
            tokens -= 100;
            taken.push(now);
          } else refused ??= now;
        }
        expect(judgeRate(taken, tenPerSecond, strict).violations).toEqual([]);
        if (refused !== undefined) {
          const upTo = taken.filter((time) => time <= refused);
          expect(judgeRate([...upTo, refused], tenPerSecond, strict).violations).toHaveLength(1);
        }
      }),
    );
  });
});
