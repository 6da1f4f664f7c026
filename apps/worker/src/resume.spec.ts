// Real: the whole worker. Doubled: Kafka (in-memory log), HTTP (scripted), time (virtual). Facts: how soon, and in which
// order, what has waited for an endpoint is sent when it is there again.
import { beforeEach, describe, expect, it } from 'vitest';
import { scheduleOf } from '#libs/core';
import { WorkerWorld } from './testing/worker-world.js';

let world: WorkerWorld;
beforeEach(async () => {
  world = await WorkerWorld.open();
});

const second = 1_000;
const minute = 60_000;
const paused = { state: 'paused' } as const;
const few = { laneRecords: 50 };

const eventsTo = (id: string) =>
  world.postsTo(id).map(({ post }) => (JSON.parse(String(post.body)) as { id: string }).id);

async function deliverMany(count: number, id: string, version: number, ordering: 'none' | 'endpoint' = 'none') {
  const ids: string[] = [];
  for (let i = 0; i < count; i += 1) ids.push(await world.deliver(id, version, { ordering }));
  return ids;
}

describe('an endpoint that was paused', () => {
  for (const ordering of ['none', 'endpoint'] as const) {
    it(`gets what has waited within two seconds (ordering ${ordering})`, async () => {
      const id = world.idIn(1);
      const version = await world.endpoint(id, { ...paused, ordering });
      await world.worker(few);
      const ids = await deliverMany(400, id, version, ordering);
      // At no special time of the turns of its topic.
      await world.time.run(7 * minute + 13 * second);
      expect(world.posts).toEqual([]);
      await world.endpoint(id, { ordering });
      await world.time.run(second);
      const soon = eventsTo(id);
      expect(soon.length).toBeGreaterThan(30);
      await world.time.run(9 * second);
      const sent = eventsTo(id);
      expect(new Set(sent)).toEqual(new Set(ids));
      expect(sent).toHaveLength(400);
      if (ordering === 'endpoint') expect(sent).toEqual(ids);
    });
  }

  it('gets it also when it is active again before another worker takes over', async () => {
    const id = world.idIn(1);
    const version = await world.endpoint(id, { ...paused, ordering: 'endpoint' });
    const worker = await world.worker(few);
    const ids = await deliverMany(200, id, version, 'endpoint');
    await world.time.run(2 * minute);
    await worker.kill();
    await world.endpoint(id, { ordering: 'endpoint' });
    await world.worker(few);
    await world.time.run(8 * second);
    expect(eventsTo(id)).toEqual(ids);
  });
});

describe('an endpoint whose circuit was open', () => {
  it('gets what has waited for it, as fast as it is ramped, and without a pause', async () => {
    const id = world.idIn(1);
    const version = await world.endpoint(id, {
      maxInFlight: 16,
      ordering: 'none',
      retry: scheduleOf(Array<number>(40).fill(5 * second)),
    });
    let isDown = true;
    world.reactions.set(id, () => ({ status: isDown ? 503 : 200 }));
    await world.worker(few);
    await deliverMany(600, id, version);
    await world.time.run(8 * minute);
    const before = world.postsTo(id).length;
    isDown = false;
    await world.time.run(8 * minute);
    const after = world.postsTo(id).slice(before);
    const first = after[0]?.at ?? 0;
    expect(world.outcomes().size).toBe(600);
    // Ramped for some three seconds; then all that waited, without waiting for the turns of the 5 min topic.
    const last = Math.max(...after.map(({ at }) => at));
    expect(last - first).toBeLessThan(20 * second);
  });
});
