import { describe, expect, it } from 'vitest';
import { assumedPerSecond, estimateOf } from './replay-estimate.js';

const limit = (count: number, per: 'second' | 'minute' | 'hour', burst = 1) => ({ limit: count, per, burst });

describe('the time that a replay takes', () => {
  it('is that of the slowest endpoint, by the tightest of its limits', () => {
    const loads = [
      { deliveries: 100, limits: [limit(10, 'second'), limit(60, 'minute', 40)] },
      { deliveries: 1_000, limits: [limit(100, 'second'), null] },
    ];
    expect(estimateOf(loads)).toEqual({ seconds: 60, basis: 'rate-limit', perSecond: 1 });
  });

  it('is that of all of them by what is assumed, where limits ask for less', () => {
    const many = Array.from({ length: 100 }, () => ({ deliveries: 1_000, limits: [limit(1_000, 'second')] }));
    expect(estimateOf(many)).toEqual({
      seconds: 100_000 / assumedPerSecond,
      basis: 'assumption',
      perSecond: assumedPerSecond,
    });
    expect(estimateOf([{ deliveries: 3, limits: [limit(1, 'hour', 3)] }])).toMatchObject({
      seconds: 1,
      basis: 'assumption',
    });
    expect(estimateOf([])).toMatchObject({ seconds: 0 });
  });
});
