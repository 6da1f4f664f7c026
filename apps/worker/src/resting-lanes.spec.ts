import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Entry } from './owned-partition.js';
import { LaneWorld } from './testing/lane-world.js';

const second = 1_000;
const minute = 60_000;
const bounds = (maxRecords: number) => ({ bounds: { maxRecords, maxBytes: 1_000_000 } });

describe('Lanes, memory', () => {
  it('leaves nothing behind of lanes that are idle and have nothing to remember', () => {
    const world = new LaneWorld();
    for (let nth = 0; nth < 100; nth += 1) world.offerMany(3, `endpoint-${nth}`);
    world.run(second);
    expect(world.posts).toHaveLength(300);
    expect(world.lanes.stats()).toEqual({ lanes: 0, ready: 0, blocked: 0, circuitsOpen: 0, rateLimited: 0 });
    expect(world.timers).toBe(0);
  });

  it('remembers a spent rate, an overload and failures no longer than they matter', () => {
    const world = new LaneWorld();
    world.configure('limited', { rateLimit: { limit: 2, per: 'minute', burst: 3 } });
    world.configure('overloaded', { adaptive: true });
    world.reaction = (id, nth) => ({ afterMs: 5, status: id === 'limited' || id === 'other' || nth > 0 ? 200 : 503 });
    for (const id of ['limited', 'overloaded', 'failing']) world.offerMany(2, id);
    world.configure('dead', {
      circuit: {
        consecutiveFailures: 1,
        failureShare: 1,
        minRequests: 9,
        windowMs: minute,
        openMs: second,
        maxOpenMs: 2 * minute,
      },
    });
    world.offerMany(1, 'dead');
    const lanesAfter = (ms: number) => {
      world.run(ms);
      world.offer('other');
      world.run(10);
      return world.lanes.stats().lanes;
    };
    expect(lanesAfter(second)).toBe(4);
    expect(lanesAfter(61 * second)).toBe(2);
    expect(lanesAfter(60 * second)).toBe(1);
    expect(lanesAfter(200 * second)).toBe(0);
    expect(world.timers).toBe(0);
  });

  it('forgets all of a partition that is lost, but for the slots that its POSTs still take', () => {
    const world = new LaneWorld({ maxInFlight: 12, ...bounds(50) });
    world.configure('limited', { rateLimit: { limit: 2, per: 'minute', burst: 3 } });
    world.reaction = (id) => (id === 'unread' ? 'unread' : { afterMs: 100, status: id === 'dead' ? 500 : 200 });
    world.offerMany(12, 'dead');
    world.run(second);
    world.offerMany(12, 'dead');
    for (const id of ['limited', 'unread', 'crowded']) world.offerMany(50, id);
    world.offerMany(5, 'blocked', { blocked: true });
    world.offerMany(3, 'other', { partition: 1 });
    expect(world.timers).toBeGreaterThan(0);
    const { inFlight } = world.lanes;
    expect(inFlight).toBeGreaterThan(3);
    world.lanes.drop(world.partition(0));
    expect(world.lanes.stats()).toMatchObject({ lanes: 1, blocked: 0, circuitsOpen: 0, rateLimited: 0 });
    expect([world.timers, world.lanes.isCrowded(0), world.lanes.inFlight]).toEqual([0, false, inFlight]);
    // It comes back, while answers of before are still on their way.
    world.offerMany(2, 'crowded');
    world.lanes.configurationRead();
    world.run(second);
    expect(world.lanes.inFlight).toBe(0);
    expect(world.lanes.stats()).toMatchObject({ lanes: 0, ready: 0 });
    expect([world.lanes.hasWork, world.lanes.freshWaits, world.timers]).toEqual([false, false, 0]);
    expect(world.postsTo('other')).toHaveLength(3);
  });

  it('learns nothing from answers that come when their partition is lost', () => {
    const world = new LaneWorld();
    world.configure('dead', { maxInFlight: 20 });
    world.reaction = () => ({ afterMs: 100, status: 500 });
    world.offerMany(20, 'dead');
    world.lanes.drop(world.partition(0));
    world.run(second);
    expect(world.lanes.stats()).toMatchObject({ lanes: 0, circuitsOpen: 0 });
    expect(world.lanes.inFlight).toBe(0);
  });

  it('leaves no timer behind when the process ends', () => {
    const world = new LaneWorld();
    world.configure('limited', { rateLimit: { limit: 1, per: 'hour', burst: 1 } });
    world.offerMany(5, 'limited');
    world.run(5);
    expect(world.timers).toBe(1);
    world.lanes.close();
    world.run(second);
    expect(world.timers).toBe(0);
  });

  it('loses nothing, sends nothing twice and forgets all, whatever happens when (model: the set of what was offered)', () => {
    const id = fc.constantFrom('a', 'b', 'c', 'd');
    const step = fc.oneof(
      fc.record({ offer: id, old: fc.boolean(), blocked: fc.boolean(), test: fc.boolean() }),
      fc.record({ run: fc.nat(3_000) }),
      fc.record({ unblock: fc.nat(20) }),
      fc.record({ settings: id, limit: fc.integer({ min: 1, max: 9 }), isLimited: fc.boolean() }),
      fc.record({ isLeased: fc.boolean() }),
      fc.record({ high: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.infiniteStream(fc.nat(9)), (steps, random) => {
        const world = new LaneWorld({ maxInFlight: 5, ...bounds(4) });
        world.reaction = () => {
          const { value } = random.next();
          if (value === 0) return 'diverted';
          if (value === 1) return { afterMs: 700, status: 'timeout' };
          return { afterMs: value * 10, status: value < 5 ? 503 : 200 };
        };
        const taken = new Set<Entry>();
        for (const one of steps) {
          if ('offer' in one) {
            const stream = one.test ? 'test:1' : 'live';
            const entry = world.entry(one.offer, { attempt: one.old ? 1 : 0, blocked: one.blocked, stream });
            if (world.lanes.offer(entry) === 'taken') taken.add(entry);
            world.lanes.pump();
          } else if ('run' in one) world.run(one.run);
          else if ('unblock' in one) world.unblock(...[...world.blocked].slice(0, one.unblock));
          else if ('settings' in one) {
            const rateLimit = one.isLimited ? { limit: one.limit, per: 'second' as const, burst: one.limit } : null;
            world.configure(one.settings, { maxInFlight: one.limit, adaptive: one.limit % 2 === 0, rateLimit });
            world.lanes.configurationRead();
          } else if ('isLeased' in one) {
            world.isLeased = one.isLeased;
            world.lanes.pump();
          } else world.backlog.isHigh = one.high;
          expect(world.lanes.inFlight).toBeLessThanOrEqual(5);
          const { ready, blocked } = world.lanes.stats();
          const gone = world.spilled.length + [...world.nth.values()].reduce((sum, nth) => sum + nth, 0);
          expect(ready + blocked + gone).toBe(taken.size);
        }
        world.reaction = () => ({ afterMs: 10, status: 200 });
        world.isLeased = true;
        world.unblock(...world.blocked);
        world.run(20 * minute);
        world.offer('other');
        world.run(second);
        expect(new Set(world.posts.map((post) => post.pos)).size).toBe(world.posts.length);
        const others = world.postsTo('other').length;
        const started = [...world.nth.values()].reduce((sum, nth) => sum + nth, 0) - others;
        expect(started + world.spilled.length).toBe(taken.size);
        expect(world.lanes.stats()).toEqual({ lanes: 0, ready: 0, blocked: 0, circuitsOpen: 0, rateLimited: 0 });
        expect([world.lanes.hasWork, world.lanes.freshWaits, world.lanes.inFlight, world.timers]).toEqual([
          false,
          false,
          0,
          0,
        ]);
      }),
      { numRuns: 200 },
    );
  });
});
