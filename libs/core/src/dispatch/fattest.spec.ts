import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fattest } from './fattest.js';

const endpoints = fc.uniqueArray(
  fc.record({ endpointId: fc.string({ minLength: 1, maxLength: 3 }), outstanding: fc.nat({ max: 50 }) }),
  { selector: ({ endpointId }) => endpointId, maxLength: 8 },
);

it('is the fewest endpoints that hold the excess, and the fattest of them', () => {
  fc.assert(
    fc.property(endpoints, fc.integer({ min: 0, max: 300 }), (all, excess) => {
      const chosen = fattest(all, excess);
      const weights = all.map(({ outstanding }) => outstanding).sort((a, b) => b - a);
      const weightOf = (ids: readonly string[]): number =>
        all.filter(({ endpointId }) => ids.includes(endpointId)).reduce((sum, one) => sum + one.outstanding, 0);
      expect(weightOf(chosen)).toBe(weights.slice(0, chosen.length).reduce((sum, one) => sum + one, 0));
      if (chosen.length > 0) expect(weightOf(chosen.slice(0, -1))).toBeLessThan(excess);
      if (weightOf(chosen) < excess) expect(weightOf(chosen)).toBe(weightOf(all.map(({ endpointId }) => endpointId)));
    }),
  );
});

it('is chosen alike by everyone', () => {
  const alike = ['c', 'a', 'b'].map((endpointId) => ({ endpointId, outstanding: 5 }));
  expect(fattest(alike, 8)).toEqual(['a', 'b']);
});
