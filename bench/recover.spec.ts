import { describe, expect, it } from 'vitest';
import { excessOf, mostWithin } from './recover.js';

describe('receipts within a time', () => {
  it('counts the fullest window, wherever it begins', () => {
    expect(mostWithin([0, 900, 1_000, 1_500, 1_899, 5_000], 1_000)).toBe(4);
    expect(mostWithin([], 1_000)).toBe(0);
  });
});

describe('receipts beyond a rate', () => {
  it('is one for those that come evenly, whatever came long before', () => {
    expect(excessOf([0, 100, 200, 300], 10)).toBeCloseTo(1);
  });

  it('is the size of a burst, and what comes too soon after it', () => {
    expect(excessOf([0, 0, 0, 0], 10)).toBe(4);
    expect(excessOf([0, 0, 0, 0, 50, 100], 10)).toBeCloseTo(5);
    // The burst is worked off by then.
    expect(excessOf([0, 0, 0, 0, 5_000, 5_000], 10)).toBe(4);
  });
});
