// Real: the whole worker. Doubled: Kafka (in-memory log), HTTP (scripted), time (virtual). Facts: what an endpoint gets after
// it has answered 410.
import { beforeEach, describe, expect, it } from 'vitest';
import { scheduleOf } from '#libs/core';
import { WorkerWorld } from './testing/worker-world.js';

let world: WorkerWorld;
let id: string;
let version: number;
beforeEach(async () => {
  world = await WorkerWorld.open();
  id = world.idIn(1);
  version = await world.endpoint(id, { maxInFlight: 1, retry: scheduleOf([5_000]) });
  await world.time.run(second);
  world.reactions.set(id, (nth) => ({ status: nth === 1 ? 410 : 200 }));
});

const second = 1_000;
const minute = 60_000;

async function deliverMany(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i += 1) ids.push(await world.deliver(id, version));
  return ids;
}

describe('an endpoint that asks to be disabled (410)', () => {
  it('gets nothing more, though it stands as active until the projector has disabled it; then all when it is enabled', async () => {
    await world.worker();
    const [gone, ...waiting] = await deliverMany(20);
    await world.time.run(7 * minute);
    expect(world.postsTo(id)).toHaveLength(1);
    expect(world.outcomes()).toEqual(new Map([[gone, 'disable']]));
    const disabledAt = world.time.now();
    await world.endpoint(id, { state: 'disabled', updatedAt: disabledAt, revision: 2 });
    await world.time.run(7 * minute);
    expect(world.postsTo(id)).toHaveLength(1);
    await world.endpoint(id, { state: 'active', updatedAt: world.time.now(), revision: 3 });
    await world.time.run(3 * second);
    expect(world.postsTo(id)).toHaveLength(20);
    expect(new Set(waiting.map((one) => world.outcomes().get(one)))).toEqual(new Set(['delivered']));
    // They waited, and burnt no attempt.
    expect(world.attempts().every(({ number }) => number === 1)).toBe(true);
  });

  it('gets nothing for a change that was made before and is read after, and all for one that was made since', async () => {
    const before = world.time.now();
    await world.worker();
    await deliverMany(20);
    await world.time.run(5 * second);
    await world.endpoint(id, { updatedAt: before, revision: 2 });
    await world.time.run(5 * second);
    expect(world.postsTo(id)).toHaveLength(1);
    await world.endpoint(id, { updatedAt: world.time.now(), revision: 3 });
    await world.time.run(3 * second);
    expect(world.postsTo(id)).toHaveLength(20);
  });

  it('gets nothing from the next owner either, unless it was enabled meanwhile', async () => {
    const worker = await world.worker();
    await deliverMany(20);
    await world.time.run(5 * second);
    await worker.kill();
    const successor = await world.worker();
    await world.time.run(10 * second);
    expect(world.postsTo(id)).toHaveLength(1);
    await successor.kill();
    // Enabled by a clock that is behind.
    await world.endpoint(id, { updatedAt: 5, revision: 3 });
    await world.worker();
    await world.time.run(10 * second);
    expect(world.postsTo(id)).toHaveLength(20);
  });
});
