import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { latencyBucket, latencyBuckets, latencyPercentile } from './latency-histogram.js';

const countsOf = (latencies: readonly number[]): number[] => {
  const counts = Array.from({ length: latencyBuckets }, () => 0);
  for (const ms of latencies) counts[latencyBucket(ms)]! += 1;
  return counts;
};

describe('latency histogram', () => {
  it('has a bucket for whatever a clock says', () => {
    expect([-5, 0, 1, 1.2, 2, 2.1, 1_000, 2 ** 28, 1e15].map(latencyBucket)).toEqual([0, 0, 0, 1, 2, 3, 20, 56, 56]);
    expect(latencyBuckets).toBe(57);
  });

  it('tells nothing of nothing', () => {
    expect(latencyPercentile(countsOf([]), 0.5)).toBeNull();
  });

  it('tells what is longer than it can count as its longest', () => {
    const told = latencyPercentile(countsOf([1e12]), 0.5);
    expect(told).toBeGreaterThan(2 ** 27.5);
    expect(told).toBeLessThanOrEqual(2 ** 28);
  });

  it('is at most a factor of √2 from the true percentile, and a millisecond of rounding', () => {
    const latency = fc.oneof(fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 1, max: 2 ** 28 }));
    fc.assert(
      fc.property(fc.array(latency, { minLength: 1, maxLength: 200 }), fc.constantFrom(0.5, 0.95), (drawn, share) => {
        const sorted = drawn.toSorted((a, b) => a - b);
        const exact = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
        const told = latencyPercentile(countsOf(drawn), share)!;
        expect(told).toBeGreaterThanOrEqual(exact / Math.SQRT2 - 1);
        expect(told).toBeLessThanOrEqual(exact * Math.SQRT2 + 1);
      }),
    );
  });
});
