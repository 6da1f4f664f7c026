import { expect, it } from 'vitest';
import { deviationOf } from './replay.js';

it('tells what is missing of an exact set from what is too much', () => {
  // Numbers 2 to 4 are wanted; 3 never came, 0 and 5 should not have.
  expect(deviationOf([7, 0, 1, 0, 2, 9], 2, 5)).toEqual({ missing: 1, surplus: 2 });
  expect(deviationOf([], 2, 5)).toEqual({ missing: 3, surplus: 0 });
  expect(deviationOf([0, 0, 1, 3, 2], 2, 5)).toEqual({ missing: 0, surplus: 0 });
});
