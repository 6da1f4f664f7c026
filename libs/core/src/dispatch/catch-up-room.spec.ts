import fc from 'fast-check';
import { expect, it } from 'vitest';
import { catchUpRoom } from './catch-up-room.js';

it('is what is left of a lane, a trickle beside old retries, and nothing beyond the bound', () => {
  expect(catchUpRoom({ outstanding: 0, unread: 0 })).toBe(1_000);
  expect(catchUpRoom({ outstanding: 300, unread: 600 })).toBe(100);
  expect(catchUpRoom({ outstanding: 0, unread: 1_000 })).toBe(0);
  expect(catchUpRoom({ outstanding: 2_000, unread: 0 })).toBe(100);
  expect(catchUpRoom({ outstanding: 2_000, unread: 100 })).toBe(0);
  expect(catchUpRoom({ outstanding: 5_000, unread: 0 })).toBe(0);
});

it('never lets more be outstanding than the bound and one trickle', () => {
  const count = fc.nat({ max: 20_000 });
  fc.assert(
    fc.property(count, count, (outstanding, unread) => {
      const room = catchUpRoom({ outstanding, unread });
      expect(room).toBeGreaterThanOrEqual(0);
      expect(outstanding + unread + room).toBeLessThan(room === 0 ? Infinity : 5_100);
    }),
  );
});
