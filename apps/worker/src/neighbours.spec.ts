// Real: the whole worker and the schema codec. Doubled: Kafka (in-memory log), HTTP (scripted), time (virtual). Facts: how
// much of one endpoint is worked on before another one gets its POST, counted by what is decoded.
import { beforeEach, expect, it, vi } from 'vitest';
import { partitionFor } from '#libs/core';
import { WorkerWorld } from './testing/worker-world.js';

const second = 1_000;
let world: WorkerWorld;
beforeEach(async () => {
  world = await WorkerWorld.open();
});

/** Of partition 0, which is read first, or of the last one. */
const endpointIn = (partition: number): string => {
  for (let n = 0; ; n += 1) if (partitionFor(`ep_${n}`, 4) === partition) return `ep_${n}`;
};

it('invariant 5: works on a burst for a dead endpoint in parts, so that another one gets its POST in between', async () => {
  const [dead, live] = [endpointIn(0), endpointIn(3)];
  const decoded = vi.spyOn(world.codecs.delivery, 'decode');
  let before = Infinity;
  world.reactions.set(dead, () => 'hang');
  world.reactions.set(live, () => {
    before = decoded.mock.calls.length;
    return { status: 200 };
  });
  const version = await world.endpoint(dead);
  for (let n = 0; n < 400; n += 1) await world.deliver(dead, version);
  await world.deliver(live, await world.endpoint(live));
  await world.worker({ laneRecords: 1_000 });
  await world.time.run(second);
  expect(decoded).toHaveBeenCalledTimes(401);
  expect(before).toBeLessThan(50);
});
