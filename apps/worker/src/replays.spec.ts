// Real: the whole worker. Doubled: Kafka (in-memory log), HTTP (scripted), time (virtual). Facts: what becomes of the
// deliveries of a replay.
import { beforeEach, describe, expect, it } from 'vitest';
import { decodeCommitMetadata, scheduleOf } from '#libs/core';
import { WorkerWorld } from './testing/worker-world.js';

let world: WorkerWorld;
beforeEach(async () => {
  world = await WorkerWorld.open();
});

const second = 1_000;
const minute = 60_000;
const hour = 3_600_000;
const replay = 'replay:0b5e7c1e-8a51-4f0e-9a57-1f5f3b0f6a11';

async function deliverMany(count: number, id: string, version: number, stream = replay): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i += 1) ids.push(await world.deliver(id, version, { stream }));
  return ids;
}

const eventsTo = (id: string) =>
  world.postsTo(id).map(({ post }) => (JSON.parse(String(post.body)) as { id: string }).id);
const outcomesOf = (ids: readonly string[]) => new Set(ids.map((id) => world.outcomes().get(id)));

/** Most POSTs within any `ms`, both ends included. */
function mostWithin(id: string, ms: number): number {
  const times = world.postsTo(id).map(({ at }) => at);
  return Math.max(...times.map((to) => times.filter((at) => at <= to && at >= to - ms).length));
}

describe('a replay that is cancelled', () => {
  it('is dropped wherever it waits: for its rate, its order, a near time, hours', async () => {
    const [rated, ordered, failing] = [world.idIn(1, 0), world.idIn(1, 1), world.idIn(1, 2)];
    await world.endpoint(rated, { rateLimit: { limit: 1, per: 'hour', burst: 1 } });
    await world.endpoint(ordered, { ordering: 'endpoint', retry: scheduleOf([20 * second]) });
    await world.endpoint(failing, { retry: scheduleOf([13 * hour, 13 * hour]), circuit: null });
    const version = await world.replay(replay);
    await world.worker({ laneRecords: 20 });
    for (const id of [ordered, failing]) world.reactions.set(id, () => ({ status: 400 }));
    const ids = await deliverMany(60, rated, version);
    for (let i = 0; i < 60; i += 1) {
      ids.push(await world.deliver(ordered, version, { stream: replay, ordering: 'endpoint' }));
    }
    ids.push(...(await deliverMany(200, failing, version)));
    const live = await deliverMany(3, failing, version, 'live');
    await world.time.run(10 * second);
    const posted = world.posts.length;
    expect(posted).toBe(1 + 1 + 203);
    await world.replay(replay, { state: 'cancelled', revision: 2 });
    await world.time.run(5 * second);
    expect(outcomesOf(ids.slice(1))).toEqual(new Set(['dropped']));
    expect(outcomesOf(live)).toEqual(new Set([undefined]));
    await world.time.run(minute);
    expect(world.posts).toHaveLength(posted);
  });

  it('is dropped when its deliveries come only then, and by the next owner', async () => {
    const id = world.idIn(1);
    await world.endpoint(id);
    const version = await world.replay(replay, { state: 'paused' });
    const worker = await world.worker();
    const ids = await deliverMany(20, id, version);
    await world.time.run(3 * second);
    await worker.kill();
    const later = await world.replay(replay, { state: 'cancelled' });
    await world.worker();
    ids.push(...(await deliverMany(5, id, later)));
    await world.time.run(5 * second);
    expect(outcomesOf(ids)).toEqual(new Set(['dropped']));
    expect(world.posts).toEqual([]);
  });

  it('drops also what was halted', async () => {
    const id = world.idIn(1);
    await world.endpoint(id, { ordering: 'endpoint', onExhausted: 'halt', retry: scheduleOf([]) });
    const version = await world.replay(replay);
    world.reactions.set(id, () => ({ status: 400 }));
    await world.worker();
    const ids: string[] = [];
    for (let i = 0; i < 3; i += 1) {
      ids.push(await world.deliver(id, version, { stream: replay, ordering: 'endpoint' }));
    }
    await world.time.run(3 * second);
    expect(world.attempts().map(({ outcome }) => outcome)).toEqual(['halted']);
    await world.replay(replay, { state: 'cancelled' });
    await world.time.run(3 * second);
    expect(outcomesOf(ids)).toEqual(new Set(['dropped']));
  });
});

describe('the end of a replay', () => {
  for (const state of ['running', 'cancelled'] as const) {
    it(`frees its spaces, one for each source partition, an hour of the log later (${state})`, async () => {
      const id = world.idIn(1);
      const live = await world.endpoint(id);
      const version = await world.replay(replay);
      await world.worker();
      const send = (sourcePartition: number, sourceOffset: number) =>
        world.deliver(id, version, { stream: replay, sourcePartition, sourceOffset });
      const restorePoint = async () => {
        const at = { topic: world.topics.deliveries, partition: 1 };
        const [commit] = await world.log.administration().committed('posthorn.worker', [at]);
        return [commit?.offset, decodeCommitMetadata(commit?.metadata ?? '').b];
      };
      for (let i = 0; i < 10; i += 1) await send(i % 3, i);
      await world.replay(replay, { state });
      for (let i = 10; i < 16; i += 1) await send(i % 3, i);
      const space = { endpointId: '', stream: replay, incarnation: 0, space: '' };
      for (const sourcePartition of [0, 1, 2]) {
        const end = world.codecs.endOfSpace.encode({ ...space, sourcePartition });
        await world.append(world.topics.deliveries, 1, replay, end);
      }
      // Of a dispatcher that did not know yet.
      for (let i = 14; i < 18; i += 1) await send(i % 3, i);
      await world.time.run(5 * second);
      const final = world.attempts().filter((attempt) => attempt.final);
      expect(final).toHaveLength(16);
      expect(await restorePoint()).toEqual([23, 16]);
      await world.time.run(hour);
      // The log's time passes with its records.
      await world.deliver(id, live);
      await world.time.run(5 * second);
      expect(await restorePoint()).toEqual([24, 23]);
    });
  }
});

describe('a replay that is paused', () => {
  it('waits without an attempt, holds up nothing else, and goes on within two seconds, in order', async () => {
    const id = world.idIn(1);
    await world.endpoint(id, { ordering: 'endpoint' });
    const version = await world.replay(replay, { state: 'paused' });
    await world.worker({ laneRecords: 50 });
    const ids: string[] = [];
    for (let i = 0; i < 300; i += 1) {
      ids.push(await world.deliver(id, version, { stream: replay, ordering: 'endpoint' }));
    }
    await world.time.run(20 * second);
    const live = await deliverMany(20, id, version, 'live');
    await world.time.run(second);
    expect(eventsTo(id)).toEqual(live);
    await world.time.run(11 * minute);
    expect(eventsTo(id)).toEqual(live);
    await world.replay(replay, { state: 'running', revision: 2 });
    await world.time.run(2 * second);
    expect(world.postsTo(id).length).toBeGreaterThan(20);
    await world.time.run(8 * second);
    expect(eventsTo(id)).toEqual([...live, ...ids]);
    expect(world.attempts().every(({ number }) => number === 1)).toBe(true);
  });

  it('is looked at in its record, when a delivery comes that was made with it', async () => {
    const id = world.idIn(1);
    const version = await world.endpoint(id);
    await world.worker();
    await deliverMany(1, id, version + 1);
    await world.time.run(3 * second);
    expect(world.posts).toEqual([]);
    await world.replay(replay, { state: 'paused' });
    await world.time.run(3 * second);
    expect(world.posts).toEqual([]);
    await world.replay(replay, { state: 'running' });
    await world.time.run(3 * second);
    expect(world.posts).toHaveLength(1);
  });

  it('tells with each Attempt the configuration of the endpoint, not the offset of its own record', async () => {
    const id = world.idIn(1);
    const version = await world.endpoint(id);
    const of = await world.replay(replay);
    await world.worker();
    await deliverMany(2, id, of);
    await world.deliver(id, of, { stream: replay, body: null, renderError: 'it failed' });
    await world.time.run(3 * second);
    await world.replay(replay, { state: 'cancelled' });
    await deliverMany(1, id, of);
    await world.time.run(3 * second);
    const told = world.attempts().map(({ outcome, configVersion }) => `${outcome} ${configVersion}`);
    expect(told.toSorted()).toEqual([
      `deadLetter ${version}`,
      `delivered ${version}`,
      `delivered ${version}`,
      `dropped ${version}`,
    ]);
  });
});

describe('a replay that is not known', () => {
  it('has ended: what is left of it is sent', async () => {
    const id = world.idIn(1);
    await world.endpoint(id);
    const version = await world.append(world.topics.endpoints, 0, replay, null);
    await world.worker();
    await deliverMany(3, id, version);
    await world.time.run(second);
    expect(world.posts).toHaveLength(3);
  });

  it('waits while its record cannot be read', async () => {
    const id = world.idIn(1);
    await world.endpoint(id);
    const version = await world.replay(replay, { rateLimit: { limit: 0, per: 'second', burst: 1 } });
    const { alarms } = await world.worker();
    await deliverMany(3, id, version);
    await world.time.run(second);
    expect(world.posts).toEqual([]);
    expect(alarms).toEqual(['a replay cannot be used: its deliveries wait']);
  });
});

describe('rate of a replay', () => {
  it('invariant 4: is what its receiver sees, retries included; live deliveries do not wait for it', async () => {
    const id = world.idIn(1);
    await world.endpoint(id, { retry: scheduleOf(Array<number>(9).fill(5 * second)) });
    const version = await world.replay(replay, { rateLimit: { limit: 5, per: 'second', burst: 2 } });
    world.reactions.set(id, (nth) => ({ status: nth % 3 === 0 ? 404 : 200 }));
    await world.worker({ laneRecords: 20 });
    const ids = await deliverMany(100, id, version);
    await world.time.run(10 * second);
    expect(mostWithin(id, second)).toBeLessThanOrEqual(2 + 5);
    expect(world.postsTo(id).length).toBeGreaterThan(45);
    const before = world.posts.length;
    const live = await deliverMany(30, id, version, 'live');
    await world.time.run(second);
    expect(world.posts.length - before).toBeGreaterThanOrEqual(30);
    await world.time.run(minute);
    expect(outcomesOf([...ids, ...live])).toEqual(new Set(['delivered']));
    // What was held by the rate burnt no attempt.
    const posts = world.attempts().filter(({ stream, number }) => stream === replay && number > 0);
    expect(posts).toHaveLength(ids.length + posts.filter(({ outcome }) => outcome === 'retry').length);
    for (const { startedAt } of posts) {
      const within = posts.filter((one) => one.startedAt >= startedAt - second && one.startedAt <= startedAt);
      expect(within.length).toBeLessThanOrEqual(2 + 5);
    }
  });

  it('invariant 4: a hand-over adds one burst at most', async () => {
    const id = world.idIn(1);
    await world.endpoint(id);
    const version = await world.replay(replay, { rateLimit: { limit: 5, per: 'second', burst: 4 } });
    const worker = await world.worker();
    await deliverMany(60, id, version);
    await world.time.run(3 * second);
    await worker.kill();
    await world.worker();
    await world.time.run(20 * second);
    expect(new Set(eventsTo(id)).size).toBe(60);
    expect(mostWithin(id, second)).toBeLessThanOrEqual(4 + 4 + 5);
  });
});
