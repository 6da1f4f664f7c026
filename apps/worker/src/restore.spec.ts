// Real: the whole worker, several of them. Doubled: Kafka (in-memory log), HTTP (scripted), time (virtual). Facts: what is
// POSTed again after a change of owner, what stands in the log, which partitions stop.
import { beforeEach, describe, expect, it } from 'vitest';
import { decodeCommitMetadata, encodeCommitMetadata, scheduleOf } from '#libs/core';
import { WorkerWorld } from './testing/worker-world.js';

let world: WorkerWorld;
beforeEach(async () => {
  world = await WorkerWorld.open();
});

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const groupId = 'posthorn.worker';

const committed = async (partition: number) => {
  const at = { topic: world.topics.deliveries, partition };
  const [commit] = await world.log.administration().committed(groupId, [at]);
  return { offset: commit?.offset ?? -1, ...decodeCommitMetadata(commit?.metadata ?? '') };
};

describe('taking a partition over', () => {
  it('stops with an alarm where the group has no position', async () => {
    world = await WorkerWorld.open({ positions: false });
    const worker = await world.worker();
    const version = await world.endpoint('ep_1');
    await world.deliver('ep_1', version);
    await world.time.run(minute);
    expect(world.posts).toEqual([]);
    expect(worker.alarms[0]).toMatch(/no position: run `posthorn topics create`.*posthorn positions open/);
    expect(() => worker.consumer.check()).toThrow('4 partitions stopped with an alarm');
  });

  it('stops with an alarm behind a fence that is not below its own, as after a group that began anew', async () => {
    const first = await world.worker();
    await world.time.run(second);
    const value = world.codecs.fence.encode({
      era: 1,
      generation: 7,
      committed: 0,
      attemptsEnd: 0,
      workerId: 'another',
      at: 0,
    });
    await world.append(world.topics.retry[0]?.name ?? '', 1, '', value);
    await first.kill();
    const second_ = await world.worker();
    await world.time.run(minute);
    expect(second_.alarms.join()).toMatch(/fence of era 1, generation 7, not below the own 1, \d.*open a new era/);
    expect(() => second_.consumer.check()).toThrow('1 partitions stopped');
  });

  it('stops with an alarm where the commit knows of a fence that is not below its own', async () => {
    const id = world.idIn(1);
    const version = await world.endpoint(id);
    const { retries, ...rest } = await committed(1);
    const level = { era: 1, generation: 9 };
    const above = new Map([...retries].map(([delayMs, { position }]) => [delayMs, { position, level }]));
    const metadata = encodeCommitMetadata({ ...rest, retries: above });
    const at = { topic: world.topics.deliveries, partition: 1, offset: 0, metadata };
    await world.log.administration().setCommits(groupId, [at]);
    const worker = await world.worker();
    await world.deliver(id, version);
    await world.time.run(minute);
    expect(worker.alarms.join()).toMatch(/knows of a fence of era 1, generation 9/);
    expect(world.posts).toEqual([]);
  });

  it.each([
    ['of a partition', { partitionMaxOutstanding: 200 }],
    ['of a worker', { maxOutstanding: 200 }],
  ])(
    'reads no further than the bound %s while what it has read is outstanding, from take-over on',
    async (_, bound) => {
      const id = world.idIn(1);
      const version = await world.endpoint(id);
      world.reactions.set(id, () => ({ status: 500 }));
      for (let i = 0; i < 2_000; i += 1) await world.deliver(id, version);
      await world.worker({ ...bound, laneRecords: 50 });
      await world.time.run(20 * second);
      expect(world.told.mostOutstanding).toBeGreaterThan(100);
      expect(world.told.mostOutstanding).toBeLessThan(300);
    },
  );

  it('goes on in a new era, and takes what a former era appended late for void', async () => {
    const id = world.idIn(1);
    const version = await world.endpoint(id, { retry: scheduleOf([40 * second]) });
    world.reactions.set(id, (nth) => ({ status: nth === 1 ? 500 : 200 }));
    const first = await world.worker();
    const event = await world.deliver(id, version);
    await world.time.run(second);
    const [copy] = world.copies(1);
    await first.kill();
    const before = await committed(1);
    const metadata = encodeCommitMetadata({ ...before, era: 2 });
    const commits = [0, 1, 2, 3].map((partition) => ({ ...world.firstCommits()[partition]!, metadata }));
    await world.log.administration().setCommits(groupId, [{ ...commits[1]!, offset: before.offset }]);
    await world.worker();
    await world.time.run(second);
    // It would be the highest copy, and be sent at once.
    const late = world.codecs.delivery.encode({ ...copy!, hop: 5, dueAt: null });
    await world.append(world.topics.retry[0]?.name ?? '', 1, id, late);
    await world.time.run(20 * second);
    expect(world.posts).toHaveLength(1);
    await world.time.run(minute);
    expect(world.posts).toHaveLength(2);
    expect(world.outcomes().get(event)).toBe('delivered');
  });

  it('3. sends nothing again that has an acknowledged outcome, however long ago it was committed', async () => {
    const id = world.idIn(1);
    const version = await world.endpoint(id, { retry: scheduleOf([6 * hour]), maxInFlight: 16 });
    // The first one stays outstanding, so nothing behind it can be committed.
    world.reactions.set(id, (nth) => ({ status: nth === 1 ? 500 : 200 }));
    const first = await world.worker({ commitEveryMs: hour });
    for (let i = 0; i < 50; i += 1) await world.deliver(id, version);
    await world.time.run(minute);
    expect(world.posts).toHaveLength(50);
    await first.kill();
    await world.worker();
    await world.time.run(5 * hour);
    expect(world.posts).toHaveLength(50);
    await world.time.run(2 * hour);
    expect(world.posts).toHaveLength(51);
  });

  it('3. sends again what was in flight, and no more', async () => {
    const id = world.idIn(1);
    const version = await world.endpoint(id, { maxInFlight: 4 });
    world.reactions.set(id, () => ({ status: 200, afterMs: 300 }));
    const first = await world.worker();
    for (let i = 0; i < 20; i += 1) await world.deliver(id, version);
    await world.time.run(2 * 300 + 100);
    await first.kill();
    await world.worker();
    await world.time.run(minute);
    expect(world.outcomes().size).toBe(20);
    expect(world.posts).toHaveLength(24);
  });

  it('3. recognises what a dispatcher sends again, also after a change of owner', async () => {
    const id = world.idIn(1);
    const version = await world.endpoint(id);
    const first = await world.worker();
    for (const sourceOffset of [0, 1, 2]) await world.deliver(id, version, { sourceOffset });
    await world.time.run(second);
    await first.kill();
    await world.worker();
    for (const sourceOffset of [1, 2, 3]) await world.deliver(id, version, { sourceOffset });
    await world.deliver(id, version, { sourceOffset: 4, floor: 4 });
    await world.deliver(id, version, { sourceOffset: 2, floor: 0 });
    await world.time.run(second);
    expect(world.posts).toHaveLength(5);
    expect((await committed(1)).offset).toBe(8);
  });
});

describe('what is settled', () => {
  it('is deleted below the restore points, and nothing above', async () => {
    const id = world.idIn(1);
    const version = await world.endpoint(id, { retry: scheduleOf([10 * minute]) });
    world.reactions.set(id, (nth) => ({ status: nth === 5 ? 500 : 200 }));
    await world.worker({ trimEveryMs: minute });
    for (let i = 0; i < 10; i += 1) await world.deliver(id, version, { floor: i, sourceOffset: i });
    await world.time.run(3 * minute);
    const boundsOf = (topic: string) => world.log.boundsOf({ topic, partition: 1 });
    const { deliveries, retry } = world.topics;
    // The last one is remembered, so that a repeat of it is recognised.
    expect(boundsOf(deliveries)).toEqual({ start: 9, end: 10 });
    const fiveMinutes = boundsOf(retry[2]?.name ?? '');
    expect(fiveMinutes.end - fiveMinutes.start).toBe(1);
    await world.time.run(20 * minute);
    for (const { name } of retry) expect([name, boundsOf(name).end - boundsOf(name).start]).toEqual([name, 0]);
    const heir = await world.worker();
    await world.time.run(minute);
    expect(heir.alarms).toEqual([]);
    expect(world.posts).toHaveLength(11);
  });

  it('is deleted also where a source partition fell silent: its floor is learnt from the dispatchers', async () => {
    const id = world.idIn(1);
    const version = await world.endpoint(id);
    await world.worker({ trimEveryMs: minute, idleSpacesEveryMs: 10 * second });
    for (let i = 0; i < 10; i += 1) await world.deliver(id, version, { sourceOffset: i });
    await world.time.run(minute);
    expect(await committed(1)).toMatchObject({ offset: 10, b: 0, floors: [] });
    const at = { topic: world.topics.events, partition: 0, offset: 10, metadata: '1;0;-' };
    await world.log.administration().setCommits('posthorn.dispatcher', [at]);
    await world.time.run(3 * minute);
    const floor = { incarnation: 0, sourcePartition: 0, floor: 10 };
    expect(await committed(1)).toMatchObject({ offset: 10, b: 10, floors: [floor] });
    expect(world.log.boundsOf({ topic: world.topics.deliveries, partition: 1 }).start).toBe(10);
    await world.worker();
    await world.deliver(id, version, { sourceOffset: 9 });
    await world.time.run(second);
    expect(world.posts).toHaveLength(10);
  });
});

describe('a configuration that does not exist', () => {
  it('is an alarm: this is not the log that the delivery was made in', async () => {
    const id = world.idIn(1);
    await world.endpoint(id);
    const worker = await world.worker();
    await world.deliver(id, 1_000);
    await world.time.run(30 * second);
    expect(worker.alarms).toEqual([]);
    await world.time.run(minute);
    expect(worker.alarms).toHaveLength(1);
    expect(() => worker.consumer.check()).toThrow('1 partitions stopped');
  });
});

describe('a delivery that ends its worker', () => {
  const isStarted = ({ topic, value }: { topic: string; value: Buffer | null }): boolean =>
    topic === world.topics.attempts && value !== null && world.codecs.attempt.decode(value).outcome === 'started';

  /** A worker that ends so long after it has POSTed to the endpoint. */
  async function dies(id: string, afterMs: number): Promise<void> {
    const before = world.posts.length;
    let poster = '';
    world.reactions.set(id, () => {
      poster = world.posts.at(-1)?.worker ?? '';
      if (afterMs === 0) world.end(poster);
      return 'hang';
    });
    const worker = await world.worker();
    for (let i = 0; i < 100 && poster === ''; i += 1) await world.time.run(10);
    expect(world.posts.length).toBeGreaterThan(before);
    await world.time.run(afterMs);
    world.end(poster);
    await worker.kill();
  }

  // At once, or after it has committed what there was to commit.
  it.each([0, 600])(
    'becomes a dead letter after it has done so three times, announced, and the others are delivered (%i ms)',
    async (afterMs) => {
      const [poison, other] = [world.idIn(1, 0), world.idIn(1, 1)];
      const version = await world.endpoint(poison, { timeoutMs: hour });
      const also = await world.endpoint(other);
      const event = await world.deliver(poison, version);
      for (let nth = 0; nth < 2; nth += 1) await dies(poison, afterMs);
      // From now on its owners are careful: each POST is announced.
      expect(world.attempts()).toEqual([]);
      for (let nth = 0; nth < 3; nth += 1) await dies(poison, afterMs);
      const fine = await world.deliver(other, also);
      await world.worker();
      await world.time.run(minute);
      const started = world.attempts().filter((one) => one.outcome === 'started' && one.eventId === event);
      expect(started).toHaveLength(3);
      expect(world.deadLetters()).toMatchObject([{ reason: 'poison', delivery: { eventId: event } }]);
      expect(world.outcomes().get(fine)).toBe('delivered');
    },
  );

  it('is found among others that are delivered', async () => {
    const [poison, other] = [world.idIn(1, 0), world.idIn(1, 1)];
    const version = await world.endpoint(poison, { timeoutMs: hour });
    const also = await world.endpoint(other);
    await world.deliver(poison, version);
    for (let i = 0; i < 5; i += 1) await world.deliver(other, also);
    for (let nth = 0; nth < 8 && !world.attempts().some(({ outcome }) => outcome === 'started'); nth += 1)
      await dies(poison, 600);
    expect(world.attempts().some(({ outcome }) => outcome === 'started')).toBe(true);
  });

  it('is not suspected because a take-over needed several tries', async () => {
    const id = world.idIn(1);
    const version = await world.endpoint(id, { maxInFlight: 16 });
    for (let i = 0; i < 50; i += 1) await world.deliver(id, version);
    world.reactions.set(id, () => ({ status: 200, afterMs: 100 }));
    world.failingReads = 8;
    await world.worker();
    await world.time.run(5 * second);
    expect(world.attempts().filter(({ outcome }) => outcome === 'started')).toEqual([]);
    expect(world.outcomes().size).toBe(50);
  });

  it('takes no slot for good when its partition is lost before the announcement is durable', async () => {
    const id = world.idIn(1);
    const version = await world.endpoint(id, { timeoutMs: hour });
    await world.deliver(id, version);
    for (let nth = 0; nth < 2; nth += 1) await dies(id, 0);
    world.reactions.set(id, () => ({ status: 200 }));
    let isAnnounced = false;
    world.appendDelay = (records) => {
      if (!records.some(isStarted)) return 0;
      isAnnounced = true;
      return Infinity;
    };
    const worker = await world.worker();
    for (let i = 0; i < 100 && !isAnnounced; i += 1) await world.time.run(10);
    world.appendDelay = () => 0;
    worker.membership.freeze();
    await world.time.during(worker.membership.expire());
    await world.time.during(worker.membership.thaw());
    await world.time.run(10 * minute);
    expect(isAnnounced).toBe(true);
    expect(world.told.inFlight.get('worker-3')).toBe(0);
    expect([...world.outcomes().values()]).toEqual(['delivered']);
  });

  it('invariant 4: keeps the rate of its endpoint among others that are not announced', async () => {
    const id = world.idIn(1);
    const version = await world.endpoint(id, { timeoutMs: hour, rateLimit: { limit: 5, per: 'second', burst: 1 } });
    await world.deliver(id, version);
    for (let nth = 0; nth < 2; nth += 1) await dies(id, 0);
    world.reactions.set(id, () => ({ status: 200 }));
    world.appendDelay = (records) => (records.some(isStarted) ? 369 : 0);
    const before = world.posts.length;
    await world.worker();
    for (let i = 0; i < 5; i += 1) await world.deliver(id, version);
    await world.time.run(5 * second);
    const times = world.posts.slice(before).map(({ at }) => at);
    expect(times).toHaveLength(6);
    expect(times.slice(1).every((at, index) => at - (times[index] ?? 0) >= 200)).toBe(true);
  });

  it('is not sent when its endpoint was deleted while it was announced', async () => {
    const id = world.idIn(1);
    const version = await world.endpoint(id, { timeoutMs: hour });
    await world.deliver(id, version);
    for (let nth = 0; nth < 2; nth += 1) await dies(id, 0);
    let isAnnounced = false;
    world.appendDelay = (records) => {
      if (!records.some(isStarted)) return 0;
      isAnnounced = true;
      return 2 * second;
    };
    await world.worker();
    for (let i = 0; i < 100 && !isAnnounced; i += 1) await world.time.run(10);
    await world.deleteEndpoint(id);
    const before = world.posts.length;
    await world.time.run(5 * second);
    expect(world.posts).toHaveLength(before);
    expect([...world.outcomes().values()]).toEqual(['dropped']);
  });
});
