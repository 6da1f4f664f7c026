import { describe, expect, it } from 'vitest';
import { latenciesOf, mean, medianBy, percentile, rounded } from './statistics.js';

describe('percentile', () => {
  it('is the nearest rank, never a value in between', () => {
    const values = Array.from({ length: 100 }, (_, i) => i + 1);
    expect([0, 0.5, 0.95, 0.99, 1].map((share) => percentile(values, share))).toEqual([1, 50, 95, 99, 100]);
    expect(percentile([7], 0.99)).toBe(7);
    expect(percentile([1, 2, 3], 0.5)).toBe(2);
  });

  it('of nothing is not a number', () => {
    expect(percentile([], 0.5)).toBeNaN();
  });
});

describe('latenciesOf', () => {
  it('sorts by number, and leaves its input alone', () => {
    const values = [10, 9, 100.123];
    expect(latenciesOf(values)).toEqual({ p50Ms: 10, p95Ms: 100.12, p99Ms: 100.12, maxMs: 100.12 });
    expect(values).toEqual([10, 9, 100.123]);
  });
});

describe('medianBy', () => {
  it('gives the whole run of the median figure', () => {
    const runs = [{ perSecond: 30 }, { perSecond: 10 }, { perSecond: 20 }];
    expect(medianBy(runs, (run) => run.perSecond)).toBe(runs[2]);
    expect(medianBy(runs.slice(0, 2), (run) => run.perSecond)).toBe(runs[1]);
    expect(() => medianBy([], () => 0)).toThrow(RangeError);
  });
});

describe('mean and rounded', () => {
  it('are what they say', () => {
    expect(mean([1, 2, 6])).toBe(3);
    expect(rounded(1.2345, 2)).toBe(1.23);
  });
});
