import fc from 'fast-check';
import { expect, it } from 'vitest';
import { catchUpRoom } from './catch-up-room.js';

const room = (outstanding: number, unread: number, lately = 0): number => catchUpRoom({ outstanding, unread, lately });

it('is what is left of a lane, a trickle beside old retries, and nothing beyond the bound', () => {
  expect(room(0, 0)).toBe(50);
  expect(room(300, 680)).toBe(20);
  expect(room(0, 1_000)).toBe(0);
  expect(room(2_000, 0)).toBe(50);
  expect(room(2_000, 100)).toBe(0);
  expect(room(5_000, 0)).toBe(0);
});

it('is given out in slices', () => {
  expect(room(0, 30, 30)).toBe(20);
  expect(room(0, 50, 50)).toBe(0);
  expect(room(0, 80, 80)).toBe(0);
  expect(room(0, 999, 10)).toBe(1);
});

it('never lets more be outstanding than the bound and one trickle', () => {
  const count = fc.nat({ max: 20_000 });
  fc.assert(
    fc.property(count, count, fc.nat({ max: 100 }), (outstanding, unread, lately) => {
      const more = room(outstanding, unread, lately);
      expect(more).toBeGreaterThanOrEqual(0);
      expect(outstanding + unread + more).toBeLessThan(more === 0 ? Infinity : 5_100);
    }),
  );
});
