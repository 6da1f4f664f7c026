import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RateLimitConfig } from '#libs/core';
import { LaneWorld, type Posted } from './testing/lane-world.js';

const second = 1_000;
const minute = 60_000;
const [a, b, c] = ['replay:a', 'replay:b', 'replay:c'];
const perSecond = (limit: number, burst: number): RateLimitConfig => ({ limit, per: 'second', burst });
const of = (posts: readonly Posted[], stream: string) => posts.filter((post) => post.stream === stream);

/** Most POSTs within any `ms`, both ends included. */
function mostWithin(posts: readonly Posted[], ms: number): number {
  let most = 0;
  let from = 0;
  for (const [to, { at }] of posts.entries()) {
    while (at - (posts[from]?.at ?? 0) > ms) from += 1;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

describe('streams of a lane', () => {
  it('share what old work gets: half for retries of live deliveries, the rest evenly among replays', () => {
    const world = new LaneWorld();
    world.configure('a', { maxInFlight: 1 });
    for (const stream of [a, b]) world.offerMany(300, 'a', { stream });
    world.offerMany(300, 'a', { attempt: 1 });
    world.offerMany(900, 'a');
    world.run(8 * second);
    const posts = world.posts.slice(0, 640);
    const counts = [a, b].map((stream) => of(posts, stream).length);
    const retries = of(posts, 'live').filter((post) => post.isOld).length;
    expect(counts).toEqual([40, 40].map((count) => expect.closeTo(count, -0.5)));
    expect(retries).toBeGreaterThan(75);
    expect(retries).toBeLessThan(85);
    world.run(12 * second);
    expect(world.posts).toHaveLength(1_800);
  });

  it('go in the order of their pos, each for itself', () => {
    const world = new LaneWorld();
    world.configure('a', { maxInFlight: 1 });
    for (let pos = 60; pos > 0; pos -= 1) world.lanes.offer(world.entry('a', { pos, stream: pos % 2 === 0 ? a : b }));
    world.lanes.pump();
    world.run(second);
    for (const stream of [a, b]) {
      const sent = of(world.posts, stream).map((post) => post.pos);
      expect(sent).toEqual(sent.toSorted((one, other) => one - other));
    }
  });

  it('have room apart from live work, and shares of it: a flood of one keeps out no other', () => {
    const world = new LaneWorld({ bounds: { maxRecords: 20, maxBytes: 1_000_000 } });
    world.reaction = () => ({ afterMs: minute, status: 200 });
    world.configure('a', { maxInFlight: 1 });
    for (const blocked of [false, true]) {
      world.offerMany(100, 'a', { stream: a, blocked });
      const before = world.spilled.length;
      expect(world.offerMany(100, 'a', { stream: b, blocked }).filter((one) => one === 'taken').length).toBeGreaterThan(
        9,
      );
      expect(world.offerMany(20, 'a', { blocked }).every((one) => one === 'taken')).toBe(true);
      // Those of the first that gave way.
      expect(world.spilled.length - before).toBeLessThanOrEqual(blocked ? 200 : 11);
      expect(world.spilled.every(({ wait }) => wait === 'short')).toBe(true);
    }
  });

  it('do not make others wait for them', () => {
    const world = new LaneWorld({ bounds: { maxRecords: 20, maxBytes: 1_000_000 } });
    world.configure('a', { maxInFlight: 1 });
    world.offerMany(40, 'a', { stream: a });
    expect(world.lanes.isCrowded(0)).toBe(false);
    expect([world.lanes.hasEnoughOf('a', a), world.lanes.hasEnoughOf('a', b)]).toEqual([true, false]);
    world.offerMany(19, 'a');
    expect(world.lanes.isCrowded(0)).toBe(true);
  });

  describe('rate of a replay', () => {
    it('invariant 4: holds for first attempts and retries together, and holds back no other stream', () => {
      const world = new LaneWorld();
      world.replay(a, { rateLimit: perSecond(10, 3) });
      world.replay(b, { rateLimit: { limit: 2, per: 'minute', burst: 1 } });
      world.replay(c, {});
      for (const stream of [a, b, c]) world.offerMany(150, 'a', { stream });
      world.offerMany(150, 'a', { stream: a, attempt: 2 });
      world.offerMany(150, 'a');
      world.run(10 * second);
      expect([of(world.posts, c).length, of(world.posts, 'live').length]).toEqual([150, 150]);
      expect(of(world.posts, a)).toHaveLength(3 + 100);
      expect(of(world.posts, b)).toHaveLength(1);
      expect(mostWithin(of(world.posts, a), second)).toBe(3 + 10);
      world.run(2 * minute);
      expect(of(world.posts, a)).toHaveLength(300);
      expect(of(world.posts, b)).toHaveLength(1 + 4);
    });

    it('is of each endpoint, within the endpoint’s own', () => {
      const world = new LaneWorld();
      world.replay(a, { rateLimit: perSecond(10, 1) });
      world.configure('slow', { rateLimit: perSecond(4, 1) });
      for (const id of ['slow', 'x', 'y']) world.offerMany(200, id, { stream: a });
      world.run(10 * second);
      expect(['slow', 'x', 'y'].map((id) => world.postsTo(id).length)).toEqual([41, 101, 101]);
    });

    it('follows a change at once, without a burst for it; so it does when it pauses and goes on', () => {
      const world = new LaneWorld();
      world.replay(a, { rateLimit: { limit: 1, per: 'hour', burst: 5 } });
      world.offerMany(200, 'a', { stream: a });
      world.run(second);
      expect(world.posts).toHaveLength(5);
      world.replay(a, { rateLimit: perSecond(10, 5) });
      expect(world.posts).toHaveLength(5);
      world.run(second);
      expect(world.posts).toHaveLength(15);
      const { reaction } = world;
      world.reaction = () => 'unread';
      world.replay(a, { rateLimit: perSecond(10, 5), state: 'paused' });
      world.run(10);
      world.reaction = reaction;
      world.replay(a, { rateLimit: perSecond(10, 5) });
      expect(world.posts.length).toBeLessThanOrEqual(16);
      world.replay(a, { rateLimit: null });
      world.run(second);
      expect(world.posts).toHaveLength(200);
    });

    it('is remembered while the lane is idle', () => {
      const world = new LaneWorld();
      world.replay(a, { rateLimit: { limit: 6, per: 'minute', burst: 1 } });
      for (let at = 0; at < 2 * minute; at += second) {
        world.schedule(at, () => {
          if (world.lanes.stats().ready === 0) world.offer('a', { stream: a });
        });
      }
      world.run(2 * minute);
      expect(mostWithin(world.posts, minute - 1)).toBeLessThanOrEqual(1 + 6);
      expect(world.posts.length).toBeGreaterThanOrEqual(12);
      world.run(minute);
      world.offer('b');
      world.run(10 * second);
      // Nothing is left to remember of any.
      expect([world.lanes.stats().lanes, world.timers]).toEqual([0, 0]);
    });

    it('invariant 4: whatever is offered, and however often the rate changes between two, no window holds more (property)', () => {
      const step = fc.record({ ms: fc.nat(400), count: fc.nat(8), attempt: fc.nat(1), rate: fc.nat(6) });
      fc.assert(
        fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
          const world = new LaneWorld();
          const rates = [perSecond(20, 4), perSecond(10, 4)];
          world.replay(a, { rateLimit: perSecond(20, 4) });
          for (const { ms, count, attempt, rate } of steps) {
            world.offerMany(count, 'a', { stream: a, attempt });
            world.offerMany(1, 'a');
            const next = rates[rate];
            if (next !== undefined) world.replay(a, { rateLimit: next });
            world.run(ms);
          }
          const sent = of(world.posts, a);
          for (const ms of [50, 200, second]) {
            expect(mostWithin(sent, ms)).toBeLessThanOrEqual(4 + Math.floor((20 * ms) / second));
          }
        }),
      );
    });
  });

  it('drops what waits of a replay that is cancelled, whatever holds it', () => {
    const world = new LaneWorld();
    world.replay(a, { rateLimit: { limit: 1, per: 'hour', burst: 1 } });
    world.offerMany(20, 'a', { stream: a });
    world.offerMany(20, 'a', { stream: a, blocked: true });
    world.offerMany(5, 'a', { stream: b, blocked: true });
    world.run(second);
    world.replay(a, { state: 'cancelled' });
    expect(world.dropped).toHaveLength(19 + 20);
    expect(world.lanes.stats()).toMatchObject({ ready: 0, blocked: 5 });
    world.run(minute);
    expect(world.posts).toHaveLength(1);
  });
});
