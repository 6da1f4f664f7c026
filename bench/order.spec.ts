import { describe, expect, it } from 'vitest';
import { lateOnes } from './order.js';

describe('lateOnes', () => {
  it('counts what came before one of a lower number of its key', () => {
    // Keys 0 and 1 in turn; number 4 came before number 2, both of key 0.
    expect(lateOnes([1, 2, 8, 4, 5], 2)).toBe(1);
    expect(lateOnes([2, 1, 4, 3], 2)).toBe(0);
    expect(lateOnes([2, 1, 4, 3], 1)).toBe(2);
  });

  it('leaves out what never came', () => {
    expect(lateOnes([3, 0, 4], 1)).toBe(0);
  });
});
