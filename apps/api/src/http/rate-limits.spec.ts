import { describe, expect, it } from 'vitest';
import { RequestCounts } from './rate-limits.js';

const minute = 60_000;

describe('RequestCounts', () => {
  it('allows as many as the limit in a window, and as many in the next', () => {
    const counts = new RequestCounts(2);
    expect(counts.spend('a', 0)).toEqual({ allowed: true, remaining: 1, reset: 60 });
    expect(counts.spend('a', 1_500)).toEqual({ allowed: true, remaining: 0, reset: 59 });
    expect(counts.spend('a', 59_999)).toEqual({ allowed: false, remaining: 0, reset: 1 });
    expect(counts.spend('a', minute)).toEqual({ allowed: true, remaining: 1, reset: 60 });
  });

  it('counts each key for itself', () => {
    const counts = new RequestCounts(1);
    expect([counts.spend('a', 0), counts.spend('b', 0), counts.spend('a', 0)].map(({ allowed }) => allowed)).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('never says that fewer than none are left', () => {
    const counts = new RequestCounts(1);
    for (let n = 0; n < 5; n += 1) counts.spend('a', 0);
    expect(counts.spend('a', 0).remaining).toBe(0);
  });
});
