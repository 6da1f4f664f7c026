// Real: the fold, the partition, the schema codec. Doubled: Kafka (in-memory log). Facts: what is known after it.
import { describe, expect, it } from 'vitest';
import type { Delivery } from '#libs/contracts';
import { deliveryIdOf, FenceLevels, OffsetTracker, SeenPositions } from '#libs/core';
import { OwnedPartition } from './owned-partition.js';
import { closeByAttempts } from './restore-attempts.js';
import { WorkerWorld } from './testing/worker-world.js';

describe('POSTs that began without an outcome', () => {
  it('count for a batch as for that of its members of which most began, whichever was announced last', async () => {
    const world = await WorkerWorld.open();
    const id = world.idIn(0);
    const version = await world.endpoint(id);
    for (let i = 0; i < 3; i += 1) await world.deliver(id, version);
    const deliveries = world.log
      .recordsOf(world.topics.deliveries)
      .map(({ value }) => world.codecs.delivery.decode(value ?? Buffer.alloc(0)));
    const worker = await world.worker();
    await world.time.run(1_000);
    await worker.kill();
    const attempts = world.attempts();
    const from = attempts.length;
    const began = async (nth: number) => {
      const one = attempts.find(({ pos }) => pos === nth) ?? expect.fail('no Attempt');
      const value = world.codecs.attempt.encode({ ...one, outcome: 'started', final: false });
      await world.append(world.topics.attempts, 0, id, value);
    };
    for (const nth of [1, 0, 1, 2]) await began(nth);

    const partition = new OwnedPartition({
      number: 0,
      writer: { era: 1, generation: 1 },
      deliveries: new OffsetTracker(3),
      retries: [new OffsetTracker(0)],
      retryPositions: [0],
      fences: [new FenceLevels(null)],
      seen: new SeenPositions(),
      a: from,
      attemptsEnd: from + 4,
      deliveriesEnd: 3,
    });
    const enter = (pos: number) => {
      const delivery: Delivery = deliveries[pos] ?? expect.fail('no delivery');
      return partition.enter(deliveryIdOf(delivery), pos, delivery);
    };
    const members = [enter(0), enter(1), enter(2)] as const;
    const [first] = deliveries;
    const batch = partition.enterBatch('batch', [...members], first ?? expect.fail('no delivery'));
    const range = { at: { topic: world.topics.attempts, partition: 0 }, from, to: from + 4, committed: 3 };
    const { codecs, log } = world;
    const settling = await closeByAttempts(partition, range, {
      reader: log.reader(),
      codecs,
      disableWish: () => undefined,
    });
    expect({ settling, started: batch.started }).toEqual({ settling: -1, started: 2 });
  });
});
