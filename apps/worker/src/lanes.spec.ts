import { describe, expect, it } from 'vitest';
import type { Posted } from './testing/lane-world.js';
import { LaneWorld } from './testing/lane-world.js';

const second = 1_000;
const minute = 60_000;
const bounds = (maxRecords: number) => ({ bounds: { maxRecords, maxBytes: 1_000_000 } });

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

const count = <T>(list: readonly T[], one: T): number => list.filter((other) => other === one).length;

describe('Lanes', () => {
  it('serves lanes in turn', () => {
    const world = new LaneWorld({ maxInFlight: 1 });
    for (const id of ['a', 'b', 'c']) for (let nth = 0; nth < 20; nth += 1) world.lanes.offer(world.entry(id));
    world.lanes.pump();
    world.run(second);
    expect(world.posts.map((post) => post.endpointId).join('')).toBe('abc'.repeat(20));
  });

  it('has no more POSTs on their way than the endpoint and the worker allow', () => {
    const world = new LaneWorld({ maxInFlight: 5 });
    for (const id of ['a', 'b']) world.configure(id, { maxInFlight: 3 });
    for (const id of ['a', 'b']) world.offerMany(50, id);
    expect(world.lanes.inFlight).toBe(5);
    expect(['a', 'b'].map((id) => world.postsTo(id).length)).toEqual([3, 2]);
    world.run(second);
    expect(world.posts).toHaveLength(100);
    expect(world.lanes.inFlight).toBe(0);
  });

  it('invariant 5: an endpoint that hangs costs its neighbours nothing', () => {
    const run = (withHanging: boolean) => {
      const world = new LaneWorld({ maxInFlight: 10, ...bounds(100) });
      world.reaction = (id) =>
        id === 'hanging' ? { afterMs: 15 * second, status: 'timeout' } : { afterMs: 20, status: 200 };
      for (let nth = 0; nth < 3_000; nth += 1) {
        world.schedule(nth * 10, () => {
          if (withHanging) world.offer('hanging');
          world.offer(`neighbour-${nth % 7}`, { pos: nth * 2 });
        });
      }
      world.run(30 * second);
      return { world, neighbours: world.posts.filter((post) => post.endpointId !== 'hanging') };
    };
    const [alone, beside] = [run(false), run(true)];
    expect(alone.neighbours).toHaveLength(3_000);
    expect(beside.neighbours.map((post) => post.at)).toEqual(alone.neighbours.map((post) => post.at));
    expect(beside.world.postsTo('hanging').length).toBeGreaterThanOrEqual(4);
  });

  it('starts nothing without the lease, and goes on with it', () => {
    const world = new LaneWorld();
    world.isLeased = false;
    world.offerMany(3, 'a');
    expect(world.lanes.hasWork).toBe(true);
    expect(world.posts).toEqual([]);
    world.isLeased = true;
    world.lanes.pump();
    expect(world.posts).toHaveLength(3);
  });

  it('stops at what is not acknowledged: a kill would send it again', () => {
    const world = new LaneWorld();
    world.configure('a', { maxInFlight: 2 });
    // Acknowledgements that never come: the lane counts them as outstanding.
    world.reaction = () => ({ afterMs: 1, status: 200 });
    const release = world.lanes.release.bind(world.lanes);
    world.lanes.release = () => undefined;
    world.offerMany(500, 'a');
    world.run(10 * second);
    expect(world.posts).toHaveLength(2 * 4 + 64);
    world.lanes.release = release;
  });

  it('holds a lane whose configuration is not read, and no other, until it is', () => {
    const world = new LaneWorld();
    let isRead = false;
    world.reaction = (id) => (id === 'a' && !isRead ? 'unread' : { afterMs: 10, status: 200 });
    world.offerMany(3, 'a');
    world.offerMany(3, 'b');
    world.run(second);
    expect([world.postsTo('a').length, world.postsTo('b').length]).toEqual([0, 3]);
    isRead = true;
    world.lanes.configurationRead();
    world.lanes.pump();
    world.run(second);
    expect(world.postsTo('a').map((post) => post.pos)).toEqual([0, 1, 2]);
  });

  it('takes a test first, also into a full lane, and within the rate', () => {
    const world = new LaneWorld(bounds(5));
    world.configure('a', { maxInFlight: 1, rateLimit: { limit: 1, per: 'second', burst: 1 } });
    for (let nth = 0; nth < 6; nth += 1) expect(world.offer('a')).toBe('taken');
    expect(world.offer('a')).not.toBe('taken');
    expect(world.offer('a', { stream: 'test:1', pos: 100 })).toBe('taken');
    world.run(3 * second);
    expect(world.posts.map((post) => post.pos)).toEqual([0, 100, 1, 2]);
    expect(mostWithin(world.posts, second - 1)).toBe(1);
    expect(count(world.offerMany(100, 'a', { stream: 'test:1' }), 'taken')).toBeLessThan(30);
  });

  describe('fresh before old', () => {
    it('gives retries and replays a quarter while first attempts wait, and everything when none waits', () => {
      const world = new LaneWorld();
      world.configure('a', { maxInFlight: 1 });
      world.offerMany(200, 'a', { attempt: 2 });
      world.offerMany(200, 'a', { stream: 'replay-1' });
      world.offerMany(300, 'a');
      world.run(10 * second);
      expect(world.posts).toHaveLength(700);
      const lastFresh = world.posts.findLastIndex((post) => !post.isOld);
      let old = 0;
      for (const [index, post] of world.posts.slice(1, lastFresh + 1).entries()) {
        if (post.isOld) old += 1;
        expect(old).toBeLessThanOrEqual(Math.ceil((index + 1) / 4));
      }
      expect(old).toBe(99);
      expect(world.posts.slice(lastFresh + 1).every((post) => post.isOld)).toBe(true);
    });

    it('lets a flood of one keep out nothing of the other', () => {
      const world = new LaneWorld(bounds(20));
      world.reaction = () => ({ afterMs: minute, status: 200 });
      expect(count(world.offerMany(100, 'a'), 'taken')).toBe(20);
      expect(count(world.offerMany(100, 'a', { attempt: 1 }), 'taken')).toBe(20);
    });

    it('knows whether a first attempt waits for a slot', () => {
      const world = new LaneWorld({ maxInFlight: 1 });
      expect(world.lanes.freshWaits).toBe(false);
      world.offerMany(2, 'a', { attempt: 1 });
      expect([world.lanes.hasWork, world.lanes.freshWaits]).toEqual([true, false]);
      world.offerMany(1, 'b');
      expect(world.lanes.freshWaits).toBe(true);
      world.run(second);
      expect(world.lanes.freshWaits).toBe(false);
      // Held by its rate: no slot would help it.
      world.configure('c', { rateLimit: { limit: 1, per: 'hour', burst: 1 } });
      world.offerMany(2, 'c');
      world.run(second);
      expect([world.lanes.stats().ready, world.lanes.freshWaits]).toEqual([1, false]);
    });
  });

  describe('rate', () => {
    it('invariant 4: 10 a second and 5 a minute under a flood are never more than that and the burst, nor less', () => {
      const world = new LaneWorld();
      world.configure('ten', { rateLimit: { limit: 10, per: 'second', burst: 10 } });
      world.configure('five', { rateLimit: { limit: 5, per: 'minute', burst: 2 } });
      for (const id of ['ten', 'five', 'free']) world.offerMany(900, id);
      world.run(minute);
      for (const [ms, most] of [
        [100, 10 + 1],
        [second, 10 + 10],
        [10 * second, 10 + 100],
      ] as const) {
        expect(mostWithin(world.postsTo('ten'), ms)).toBe(most);
      }
      expect(world.postsTo('ten')).toHaveLength(10 + 600);
      expect(world.postsTo('five')).toHaveLength(2 + 5);
      expect(world.postsTo('free')).toHaveLength(900);
      expect(world.lanes.stats()).toMatchObject({ rateLimited: 2, circuitsOpen: 0 });
      world.run(9 * minute);
      expect(world.postsTo('five')).toHaveLength(2 + 50);
      expect(mostWithin(world.postsTo('five'), minute)).toBe(2 + 5);
    });

    it('invariant 4: counts over times at which the lane is idle and other lanes come and go', () => {
      const world = new LaneWorld();
      world.configure('a', { rateLimit: { limit: 5, per: 'minute', burst: 1 } });
      // One at a time, each when the one before is done with: the lane is idle in between.
      for (let at = 0; at < 5 * minute; at += second) {
        world.schedule(at, () => {
          if (world.lanes.stats().ready === 0) world.offer('a');
          world.offer(`other-${at}`);
        });
      }
      world.run(5 * minute);
      expect(mostWithin(world.postsTo('a'), minute)).toBe(1 + 5);
      expect(world.postsTo('a')).toHaveLength(1 + 25);
    });

    it('costs nothing where nothing is sent', () => {
      const world = new LaneWorld();
      world.configure('a', { rateLimit: { limit: 1, per: 'hour', burst: 1 } });
      world.reaction = (_, nth) => (nth < 100 ? 'diverted' : { afterMs: 1, status: 200 });
      world.offerMany(102, 'a');
      world.run(second);
      expect(world.nth.get('a')).toBe(101);
      expect(world.posts).toHaveLength(1);
    });

    it('follows a change of the configuration at once, and gives no burst for it', () => {
      const world = new LaneWorld();
      world.configure('a', { rateLimit: { limit: 1, per: 'hour', burst: 5 } });
      world.offerMany(100, 'a');
      world.run(second);
      expect(world.posts).toHaveLength(5);
      world.configure('a', { rateLimit: { limit: 10, per: 'second', burst: 5 } });
      world.lanes.configurationRead();
      world.lanes.pump();
      expect(world.posts).toHaveLength(5);
      world.run(second);
      expect(world.posts).toHaveLength(15);
      world.configure('a', { rateLimit: null });
      world.lanes.configurationRead();
      world.lanes.pump();
      world.run(second);
      expect(world.posts).toHaveLength(100);
    });
  });

  describe('circuit', () => {
    it('burns no attempts on a dead endpoint, probes alone, ramps when it lives again', () => {
      const world = new LaneWorld();
      let isAlive = false;
      world.reaction = () => (isAlive ? { afterMs: 5, status: 200 } : { afterMs: 5, status: 503 });
      world.configure('a', { maxInFlight: 16 });
      world.offerMany(900, 'a');
      world.run(29 * second);
      // Ten in a row open it; each of the first nine let another one go.
      expect(world.posts).toHaveLength(16 + 9);
      expect(world.lanes.stats()).toMatchObject({ circuitsOpen: 1, rateLimited: 0 });
      expect(world.lanes.circuitOpenMs('a')).toBeGreaterThan(0);
      expect(world.lanes.freshWaits).toBe(false);
      world.run(2 * second);
      expect(world.posts).toHaveLength(26);
      expect(world.lanes.circuitOpenMs('a')).toBeGreaterThan(55 * second);
      isAlive = true;
      world.run(2 * minute);
      const back = world.posts.slice(26);
      const since = back[0]!.at;
      const within = (from: number, to: number) =>
        back.filter(({ at }) => at - since >= from && at - since < to).length;
      expect(world.posts).toHaveLength(900);
      expect(within(0, 500)).toBeLessThanOrEqual(6);
      expect(within(500, 1_000)).toBeLessThanOrEqual(10);
      expect(within(0, 2_500)).toBeGreaterThan(100);
      expect(within(0, 2_500)).toBeLessThan(160);
      expect(world.lanes.circuitOpenMs('a')).toBeNull();
      expect(world.lanes.stats().circuitsOpen).toBe(0);
    });

    it('spends its probe on a POST only', () => {
      const world = new LaneWorld();
      world.reaction = (_, nth) => (nth >= 10 && nth < 15 ? 'diverted' : { afterMs: 5, status: nth < 10 ? 500 : 200 });
      world.configure('a', { maxInFlight: 1 });
      world.offerMany(20, 'a');
      world.run(31 * second);
      expect(world.posts.length).toBeGreaterThan(10);
      expect(world.nth.get('a')).toBe(20);
    });

    it('costs the neighbours nothing while it is open, and its endpoint nothing when others fail', () => {
      const world = new LaneWorld({ maxInFlight: 16 });
      world.reaction = (id) => ({ afterMs: 5, status: id === 'dead' ? 500 : 200 });
      world.offerMany(100, 'dead');
      world.offerMany(500, 'live');
      world.run(2 * second);
      expect(world.postsTo('live')).toHaveLength(500);
      expect(world.lanes.circuitOpenMs('live')).toBeNull();
      expect(world.lanes.circuitOpenMs('unknown')).toBeNull();
    });

    it('is remembered while its endpoint has no work, so that the next delivery is not burnt', () => {
      const world = new LaneWorld();
      world.reaction = () => ({ afterMs: 5, status: 500 });
      world.offerMany(10, 'a');
      world.run(5 * second);
      expect(world.lanes.stats()).toMatchObject({ lanes: 1, ready: 0, circuitsOpen: 1 });
      world.offerMany(1, 'a');
      world.run(5 * second);
      expect(world.posts).toHaveLength(10);
    });
  });

  it('halves what an overloaded endpoint gets at once, and creeps up again', () => {
    const world = new LaneWorld();
    world.configure('a', { maxInFlight: 16, adaptive: true });
    world.configure('fixed', { maxInFlight: 16 });
    world.reaction = (_, nth) => ({ afterMs: 100, status: nth < 4 ? 429 : 200 });
    world.offerMany(600, 'a');
    world.offerMany(600, 'fixed');
    const perRound = (id: string) =>
      Array.from(
        { length: 10 },
        (_, round) => world.postsTo(id).filter((post) => post.at === 1_000 + round * 100).length,
      );
    world.run(second);
    // Twelve of the first sixteen succeed; those were on their way when it halved.
    expect(perRound('a')).toEqual([16, 8, 8, 9, 10, 11, 12, 13, 14, 15].map((most) => expect.closeTo(most, -0.5)));
    expect(perRound('fixed')).toEqual(Array(10).fill(16));
  });
});
