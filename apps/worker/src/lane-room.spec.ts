import { describe, expect, it } from 'vitest';
import type { Entry } from './owned-partition.js';
import { LaneWorld } from './testing/lane-world.js';

const second = 1_000;
const minute = 60_000;
const bounds = (maxRecords: number, maxBytes = 1_000_000) => ({ bounds: { maxRecords, maxBytes } });
const hanging = { afterMs: 10 * minute, status: 'timeout' } as const;

const counts = <T extends string>(list: readonly T[]): Partial<Record<T, number>> => {
  const found: Partial<Record<T, number>> = {};
  for (const one of list) found[one] = (found[one] ?? 0) + 1;
  return found;
};

/** An endpoint with strict order, as ordering window and retry topics make it: what is spilled comes back. */
class StrictEndpoint {
  readonly outstanding: Entry[] = [];
  readonly away = new Set<Entry>();
  hops = 0;

  constructor(
    readonly world: LaneWorld,
    readonly id: string,
  ) {
    world.answered = (entry) => this.#done(entry);
  }

  send(): void {
    const entry = this.world.entry(this.id);
    this.outstanding.push(entry);
    if (this.outstanding[0] !== entry) this.world.blocked.add(entry);
    this.#offer(entry);
  }

  #offer(entry: Entry): void {
    const offered = this.world.lanes.offer(entry);
    if (offered !== 'taken') this.world.spilled.push({ entry, wait: offered });
    for (const { entry: one, wait } of this.world.spilled.splice(0)) this.#away(one, wait);
    this.world.lanes.pump();
  }

  #away(entry: Entry, wait: 'brief' | 'short' | 'minutes'): void {
    this.hops += 1;
    this.away.add(entry);
    const ms = wait === 'brief' ? 5 * second : wait === 'short' ? 30 * second : 5 * minute;
    this.world.schedule(ms, () => {
      this.away.delete(entry);
      this.#offer(entry);
    });
  }

  #done(entry: Entry): void {
    expect(this.outstanding.shift()).toBe(entry);
    const [next] = this.outstanding;
    if (next === undefined) return;
    this.world.blocked.delete(next);
    if (!this.away.has(next)) this.world.lanes.unblocked(next);
  }
}

describe('Lanes, order', () => {
  it('never refuses a head because its followers fill the lane', () => {
    const world = new LaneWorld(bounds(10));
    expect(counts(world.offerMany(30, 'a', { pos: 100, blocked: true }))).toMatchObject({ taken: 10 });
    expect(world.offer('a', { pos: 1 })).toBe('taken');
    expect(world.posts.map((post) => post.pos)).toEqual([1]);
  });

  it('never refuses a head for want of bytes that its followers take', () => {
    const world = new LaneWorld(bounds(1_000, 500));
    world.offerMany(30, 'a', { pos: 100, blocked: true });
    expect(world.lanes.stats().blocked).toBe(5);
    expect(world.offer('a', { pos: 1, bytes: 5_000 })).toBe('taken');
  });

  it('lets go what is let go together in the order of its pos, and gives it a place beyond the bounds', () => {
    const world = new LaneWorld(bounds(5));
    world.configure('a', { maxInFlight: 1 });
    const blocked = [4, 2, 5, 1, 3].map((pos) => world.entry('a', { pos, blocked: true }));
    for (const entry of blocked) expect(world.lanes.offer(entry)).toBe('taken');
    for (let pos = 10; pos < 16; pos += 1) expect(world.offer('a', { pos })).toBe('taken');
    expect(world.lanes.stats()).toMatchObject({ ready: 5, blocked: 5 });
    world.unblock(...blocked);
    expect(world.lanes.stats()).toMatchObject({ ready: 10, blocked: 0 });
    world.run(second);
    expect(world.posts.map((post) => post.pos)).toEqual([10, 1, 2, 3, 4, 5, 11, 12, 13, 14, 15]);
  });

  it('lets the follower that is furthest behind give way to one before it', () => {
    const world = new LaneWorld(bounds(3));
    for (const pos of [10, 12, 14]) world.offer('a', { pos, blocked: true });
    expect(world.offer('a', { pos: 16, blocked: true })).not.toBe('taken');
    expect(world.spilled).toEqual([]);
    expect(world.offer('a', { pos: 11, blocked: true })).toBe('taken');
    expect(world.spilled.map(({ entry }) => entry.pos)).toEqual([14]);
    expect(world.lanes.stats().blocked).toBe(3);
  });

  it('keeps a strictly ordered endpoint busy, with far more spilled than its lane holds', () => {
    const world = new LaneWorld(bounds(60));
    world.reaction = () => ({ afterMs: 100, status: 200 });
    const strict = new StrictEndpoint(world, 'a');
    for (let nth = 0; nth < 1_500; nth += 1) world.schedule(nth * 4, () => strict.send());
    world.run(1_500 * 100 * 1.25);
    expect(world.posts).toHaveLength(1_500);
    expect(world.posts.every((post, index) => index === 0 || post.pos > world.posts[index - 1]!.pos)).toBe(true);
    // Those that are needed within the half minute come by every five seconds, the rest every thirty.
    expect(strict.hops / 1_500).toBeLessThan(8);
    expect(world.lanes.stats()).toMatchObject({ lanes: 0 });
  });

  it('forgets a blocked entry that ended elsewhere', () => {
    const world = new LaneWorld();
    const entry = world.entry('a', { blocked: true });
    world.lanes.offer(entry);
    expect(world.lanes.stats()).toMatchObject({ lanes: 1, blocked: 1 });
    world.lanes.release(entry);
    expect(world.lanes.stats()).toMatchObject({ lanes: 0, blocked: 0 });
    world.unblock(entry);
    expect(world.posts).toEqual([]);
  });
});

describe('Lanes, room', () => {
  it('says how long what finds no room is to wait: seconds for a lane that moves, half a minute for one that does not', () => {
    const world = new LaneWorld(bounds(50));
    world.reaction = (id) => (id === 'moves' ? { afterMs: 50, status: 200 } : hanging);
    for (const id of ['moves', 'hangs']) world.offerMany(10, id);
    world.run(second);
    world.offerMany(5, 'moves');
    world.run(2 * second);
    for (let at = 0; at < 5 * second; at += 10) world.schedule(at, () => world.offer('moves'));
    world.run(5 * second);
    const offered = counts(world.offerMany(100, 'moves'));
    expect(offered.taken ?? 0).toBeLessThan(10);
    expect((offered.taken ?? 0) + (offered.brief ?? 0)).toBe(100);
    expect(counts(world.offerMany(100, 'hangs'))).toEqual({ taken: 44, short: 56 });
  });

  it('wants back soon no more than a slow lane will be through with in half a minute', () => {
    const world = new LaneWorld(bounds(50));
    world.configure('a', { maxInFlight: 1 });
    world.reaction = () => ({ afterMs: 200, status: 200 });
    for (let at = 0; at < 10 * second; at += 190) world.schedule(at, () => world.offer('a'));
    world.run(10 * second);
    const found = counts(world.offerMany(1_000, 'a'));
    // Five a second for thirty seconds, of which up to fifty wait in the lane.
    expect(found.brief).toBeGreaterThan(80);
    expect(found.brief).toBeLessThan(200);
    expect(found.short).toBeGreaterThan(700);
  });

  it('sends what waits for a circuit that stays open for minutes away for minutes', () => {
    const world = new LaneWorld(bounds(20));
    world.reaction = () => ({ afterMs: 5, status: 500 });
    world.offerMany(20, 'a');
    world.run(second);
    world.offerMany(20, 'a');
    expect(counts(world.offerMany(5, 'a'))).toEqual({ short: 5 });
    world.run(95 * second);
    expect(world.lanes.circuitOpenMs('a')).toBeGreaterThan(minute);
    expect(counts(world.offerMany(10, 'a'))).toEqual({ taken: 2, minutes: 8 });
  });

  it('lets a partition wait for a lane that is crowded and quick, and for no other', () => {
    const world = new LaneWorld(bounds(100));
    world.configure('limited', { rateLimit: { limit: 5, per: 'minute', burst: 5 } });
    world.reaction = (id) => (id === 'hangs' ? hanging : { afterMs: 20, status: id === 'dead' ? 500 : 200 });
    for (const [partition, id] of ['quick', 'hangs', 'limited', 'dead'].entries()) {
      for (let nth = 0; nth < 90; nth += 1) world.lanes.offer(world.entry(id, { partition }));
    }
    const crowded = () => [0, 1, 2, 3].map((partition) => world.lanes.isCrowded(partition));
    // At first they have the benefit of the doubt; a rate is known.
    expect(crowded()).toEqual([true, true, false, true]);
    world.lanes.pump();
    world.run(200);
    expect(crowded()).toEqual([true, true, false, false]);
    world.run(400);
    expect(crowded()).toEqual([false, false, false, false]);
    expect(world.postsTo('quick')).toHaveLength(90);
  });

  it('lets a partition wait for an ordered lane that is crowded and quick', () => {
    const world = new LaneWorld(bounds(100));
    const strict = new StrictEndpoint(world, 'a');
    for (let nth = 0; nth < 60; nth += 1) strict.send();
    world.run(100);
    expect(world.lanes.isCrowded(0)).toBe(true);
    world.run(500);
    expect(world.lanes.isCrowded(0)).toBe(false);
  });

  describe('with the memory nearly full', () => {
    const high = (world: LaneWorld) => {
      world.backlog.isHigh = true;
    };

    it('keeps one for a lane that can start nothing, and a few for another', () => {
      const world = new LaneWorld({ ...bounds(100), maxInFlight: 2 });
      world.configure('stuck', { maxInFlight: 1 });
      world.reaction = () => hanging;
      world.offerMany(2, 'stuck');
      world.run(3 * second);
      high(world);
      expect(world.offer('stuck')).toBe('short');
      world.offerMany(1, 'other');
      expect(counts(world.offerMany(40, 'other'))).toMatchObject({ taken: 16 });
      expect(counts(world.offerMany(40, 'ordered', { blocked: true }))).toMatchObject({ taken: 16 });
    });

    it('takes nothing from an ordered lane that holds more than it would be given now', () => {
      const world = new LaneWorld(bounds(100));
      world.offerMany(50, 'a', { pos: 10, blocked: true });
      high(world);
      expect(world.offer('a', { pos: 100, blocked: true })).not.toBe('taken');
      expect(world.spilled).toEqual([]);
      expect(world.offer('a', { pos: 1, blocked: true })).toBe('taken');
      expect(world.spilled).toHaveLength(1);
      expect(world.lanes.stats().blocked).toBe(50);
    });

    it('makes room where a circuit is open, but for one that can probe', () => {
      const world = new LaneWorld(bounds(100));
      world.reaction = (id) => ({ afterMs: 5, status: id === 'dead' ? 500 : 200 });
      world.offerMany(90, 'dead');
      world.offerMany(30, 'dead', { attempt: 1 });
      world.run(second);
      const waiting = world.lanes.stats().ready;
      high(world);
      world.offerMany(20, 'live');
      expect(world.lanes.stats()).toMatchObject({ ready: 1 + 12, circuitsOpen: 1 });
      expect(world.spilled).toHaveLength(waiting - 1);
      expect(world.spilled.every(({ entry, wait }) => entry.endpointId === 'dead' && wait === 'minutes')).toBe(true);
      expect(world.offer('dead')).toBe('minutes');
    });
  });
});
