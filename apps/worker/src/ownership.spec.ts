// Hand-overs, leases, brokers that are away. Real and doubled as in deliver.spec.ts.
import { beforeEach, describe, expect, it } from 'vitest';
import { scheduleOf } from '#libs/core';
import { WorkerWorld } from './testing/worker-world.js';

let world: WorkerWorld;
beforeEach(async () => {
  world = await WorkerWorld.open();
});

const second = 1_000;
const minute = 60 * second;

/** Four endpoints, one in each partition. */
async function endpoints(): Promise<{ ids: string[]; version: number }> {
  const ids = [0, 1, 2, 3].map((partition) => world.idIn(partition));
  let version = 0;
  for (const id of ids) version = await world.endpoint(id);
  return { ids, version };
}

async function flood(ids: readonly string[], version: number, count: number): Promise<string[]> {
  const events: string[] = [];
  for (let i = 0; i < count; i += 1) events.push(await world.deliver(ids[i % ids.length] ?? '', version));
  return events;
}

const delivered = (): string[] =>
  [...world.outcomes()].filter(([, outcome]) => outcome === 'delivered').map(([event]) => event);

describe('ownership', () => {
  it('hands partitions over without loss and, where answers are quick, without a repeat', async () => {
    const { ids, version } = await endpoints();
    for (const id of ids) world.reactions.set(id, () => ({ status: 200, afterMs: 20 }));
    const first = await world.worker();
    const events = await flood(ids, version, 40);
    const second_ = await world.worker();
    await world.time.run(200);
    events.push(...(await flood(ids, version, 40)));
    await world.time.during(first.consumer.stop());
    events.push(...(await flood(ids, version, 40)));
    await world.time.run(minute);
    expect(delivered().toSorted()).toEqual(events.toSorted());
    expect(world.posts).toHaveLength(events.length);
    expect(new Set(world.posts.map((one) => one.worker)).size).toBe(2);
    expect([...first.alarms, ...second_.alarms]).toEqual([]);
  });

  it('sends nothing when its lease has ended, and what it had is delivered by the next owner', async () => {
    const { ids, version } = await endpoints();
    const zombie = await world.worker();
    for (const id of ids) world.reactions.set(id, () => ({ status: 200, afterMs: 3 * second }));
    const events = await flood(ids, version, 40);
    await world.time.run(100);
    const before = world.posts.length;
    zombie.membership.freeze();
    await world.time.run(7 * second);
    const atEnd = world.posts.length;
    expect(atEnd).toBeGreaterThan(before);
    await world.time.run(minute);
    expect(world.posts).toHaveLength(atEnd);
    const heir = await world.worker();
    const expired = zombie.membership.expire();
    await world.time.run(5 * minute);
    await expired;
    expect(delivered().toSorted()).toEqual(events.toSorted());
    const thawed = zombie.membership.thaw();
    await world.time.run(minute);
    await thawed;
    expect([...zombie.alarms, ...heir.alarms]).toEqual([]);
    // At most what was in flight when the lease ended was sent again.
    expect(world.posts.length - events.length).toBeLessThanOrEqual(16);
  });

  it('keeps a retry that is due in the retry topics over a change of owner, and its time', async () => {
    const id = world.idIn(2);
    const version = await world.endpoint(id, {
      retry: scheduleOf([2 * second, 40 * second], { maxDelayMs: minute }),
    });
    world.reactions.set(id, (nth) => ({ status: nth <= 2 ? 500 : 200 }));
    const first = await world.worker();
    const event = await world.deliver(id, version);
    await world.time.run(second);
    // Killed with the retry in a timer of its memory: the copy in the shortest topic brings it back.
    await first.kill();
    const heir = await world.worker();
    await world.time.run(10 * second);
    const retry = world.posts[1];
    expect(retry?.worker).toBe('worker-2');
    expect(retry!.at - world.posts[0]!.at).toBeGreaterThanOrEqual(2 * second);
    await world.time.during(heir.consumer.stop());
    await world.worker();
    await world.time.run(2 * minute);
    expect(world.posts[2]!.at - retry!.at).toBeGreaterThanOrEqual(40 * second);
    expect(world.posts[2]!.at - retry!.at).toBeLessThan(41 * second);
    expect(world.outcomes().get(event)).toBe('delivered');
    expect(world.posts.length).toBeLessThanOrEqual(4);
  });

  it('loses nothing when workers are killed again and again', async () => {
    const { ids, version } = await endpoints();
    const events: string[] = [];
    for (const id of ids)
      world.reactions.set(id, (nth) => (nth % 3 === 0 ? { status: 503 } : { status: 200, afterMs: 30 }));
    let alive = await world.worker();
    for (let round = 0; round < 12; round += 1) {
      events.push(...(await flood(ids, version, 20)));
      await world.time.run(round * 37);
      const next = await world.worker();
      await alive.kill();
      alive = next;
    }
    await world.time.run(10 * minute);
    expect([...world.outcomes().keys()].toSorted()).toEqual(events.toSorted());
    expect(alive.alarms).toEqual([]);
  });

  it('goes on by itself when the brokers come back, and starts no more POSTs than it may have unacknowledged', async () => {
    const id = world.idIn(0);
    const version = await world.endpoint(id, { maxInFlight: 2 });
    const { alarms } = await world.worker();
    const events = await flood([id], version, 95);
    world.log.setAvailable(false);
    await world.time.run(20 * second);
    const during = world.posts.length;
    world.log.setAvailable(true);
    await world.time.run(minute);
    expect(during).toBeLessThanOrEqual(2 * 4 + 64);
    expect(delivered().toSorted()).toEqual(events.toSorted());
    expect(world.posts).toHaveLength(95);
    expect(alarms).toEqual([]);
  });

  it('waits for POSTs in flight when it is stopped, and sends none of them again', async () => {
    const { ids, version } = await endpoints();
    for (const id of ids) world.reactions.set(id, () => ({ status: 200, afterMs: 5 * second }));
    const { consumer } = await world.worker();
    const events = await flood(ids, version, 32);
    await world.time.run(10);
    const sent = world.posts.length;
    await world.time.during(consumer.stop());
    expect(world.posts).toHaveLength(sent);
    expect(delivered()).toHaveLength(sent);
    await world.worker();
    await world.time.run(minute);
    expect(delivered().toSorted()).toEqual(events.toSorted());
    expect(world.posts).toHaveLength(events.length);
  });

  it('stops a partition whose commit lies outside of the log or is not readable', async () => {
    const { ids, version } = await endpoints();
    const first = await world.worker();
    const events = await flood(ids, version, 8);
    await world.time.run(second);
    await first.membership.commit([
      { topic: world.topics.deliveries, partition: 1, offset: 77, metadata: 'AQAA' },
      { topic: world.topics.deliveries, partition: 2, offset: 0, metadata: 'from a later version' },
    ]);
    await first.kill();
    const heir = await world.worker();
    await world.time.run(second);
    expect(heir.alarms).toHaveLength(2);
    expect(() => heir.consumer.check()).toThrow('2 partitions stopped with an alarm');
    expect(world.posts).toHaveLength(events.length);
  });
});
