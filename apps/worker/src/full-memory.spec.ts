// Real: the whole worker. Doubled: Kafka (in-memory log), HTTP (scripted), time (virtual). Facts: what becomes of deliveries
// when a worker's memory is full of others that wait for them.
import { expect, it } from 'vitest';
import { scheduleOf } from '#libs/core';
import { WorkerWorld } from './testing/worker-world.js';

const second = 1_000;
const minute = 60_000;

it('a head is taken up though the memory is full of what waits for it', async () => {
  const world = await WorkerWorld.open();
  const ids = [0, 1, 2].map((nth) => world.idIn(1, nth));
  let down = true;
  const versions = new Map<string, number>();
  for (const id of ids) {
    world.reactions.set(id, () => ({ status: down ? 400 : 200 }));
    versions.set(id, await world.endpoint(id, { ordering: 'endpoint', retry: scheduleOf([minute, minute]) }));
  }
  await world.worker({ backlog: { maxRecords: 12, maxBytes: 1_000_000 } });
  for (const id of ids) await world.deliver(id, versions.get(id) ?? 0, { ordering: 'endpoint' });
  await world.time.run(second);
  expect(world.posts).toHaveLength(3);
  for (let nth = 0; nth < 15; nth += 1)
    for (const id of ids) await world.deliver(id, versions.get(id) ?? 0, { ordering: 'endpoint' });
  down = false;
  await world.time.run(15 * minute);
  expect(world.outcomes().size).toBe(48);
  expect(new Set(world.outcomes().values())).toEqual(new Set(['delivered']));
});
