import fc from 'fast-check';
import { expect, it } from 'vitest';
import { catchUpRoom, keepsUp } from './catch-up-room.js';

const room = (outstanding: number, unread: number, lately = 0, lane = 1_000): number =>
  catchUpRoom({ outstanding, unread, lately, lane });

it('is what is left of a lane, a trickle beside old retries, and nothing beyond the bound', () => {
  expect(room(0, 0)).toBe(50);
  expect(room(300, 680)).toBe(20);
  expect(room(0, 1_000)).toBe(0);
  expect(room(2_000, 0)).toBe(50);
  expect(room(2_000, 100)).toBe(0);
  expect(room(5_000, 0)).toBe(0);
});

it('is not more than a small lane holds, nor than the bound if the lane is large', () => {
  expect(room(250, 0, 0, 300)).toBe(50);
  expect(room(250, 20, 0, 300)).toBe(30);
  expect(room(250, 50, 0, 300)).toBe(0);
  expect(room(300, 0, 0, 10)).toBe(10);
  expect(room(4_900, 90, 0, 1_000_000)).toBe(10);
  expect(room(4_900, 100, 0, 1_000_000)).toBe(0);
});

it('is given out in slices', () => {
  expect(room(0, 30, 30)).toBe(20);
  expect(room(0, 50, 50)).toBe(0);
  expect(room(0, 80, 80)).toBe(0);
  expect(room(0, 999, 10)).toBe(1);
});

it('is not in slices for what must not wait', () => {
  expect(room(0, 40, 40)).toBe(10);
  expect(catchUpRoom({ outstanding: 0, unread: 40, lately: 40, lane: 1_000 }, false)).toBe(960);
});

it('is soon there again for an endpoint whose worker keeps up', () => {
  expect(keepsUp({ outstanding: 999, unread: 1_000, lately: 50, lane: 1_000 })).toBe(true);
  expect(keepsUp({ outstanding: 1_000, unread: 0, lately: 0, lane: 1_000 })).toBe(false);
  expect(keepsUp({ outstanding: 300, unread: 0, lately: 0, lane: 300 })).toBe(false);
});

it('never lets more be outstanding than the bound and one trickle', () => {
  const count = fc.nat({ max: 20_000 });
  fc.assert(
    fc.property(count, count, fc.nat({ max: 100 }), count, (outstanding, unread, lately, lane) => {
      const more = room(outstanding, unread, lately, lane);
      expect(more).toBeGreaterThanOrEqual(0);
      expect(outstanding + unread + more).toBeLessThan(more === 0 ? Infinity : 5_100);
    }),
  );
});
