// Real: the whole worker. Doubled: Kafka (in-memory log), HTTP (scripted), time (virtual). Facts: what it tells of endpoints.
import { beforeEach, describe, expect, it } from 'vitest';
import { scheduleOf } from '#libs/core';
import { WorkerWorld } from './testing/worker-world.js';

let world: WorkerWorld;
beforeEach(async () => {
  world = await WorkerWorld.open();
});

const second = 1_000;

const told = () =>
  world.log.recordsOf(world.topics.endpointStatus).map(({ key, value }) => ({
    key: key?.toString('utf8') ?? '',
    status: value === null ? null : world.codecs.endpointStatus.decode(value),
  }));

describe('what a worker tells of endpoints', () => {
  it('is how much is outstanding and how far it has read, and a tombstone when nothing is left to tell', async () => {
    const id = world.idIn(1);
    const version = await world.endpoint(id, { retry: scheduleOf([20 * second]) });
    await world.worker({ endpointMaxOutstanding: 120 });
    let down = true;
    world.reactions.set(id, () => ({ status: down ? 400 : 200 }));
    for (let i = 0; i < 150; i += 1) await world.deliver(id, version);
    await world.time.run(3 * second);
    const last = told().findLast(({ key }) => key === id)?.status;
    expect(last).toMatchObject({ partition: 1, outstanding: 150, overflow: true, circuitOpenUntil: null });
    expect(last?.streams).toEqual([{ stream: 'live', outstanding: 150 }]);
    expect(told().findLast(({ key }) => key === 'partition:1')?.status).toMatchObject({
      readTo: 150,
      outstanding: 150,
    });
    down = false;
    await world.time.run(30 * second);
    expect(told().findLast(({ key }) => key === id)?.status).toBeNull();
    expect(told().findLast(({ key }) => key === 'partition:1')?.status).toMatchObject({ readTo: 150, outstanding: 0 });
    // At most once a second for each.
    expect(told().filter(({ key }) => key === id).length).toBeLessThanOrEqual(33);
  });

  it('lists no stream that has ended', async () => {
    const id = world.idIn(1);
    const version = await world.endpoint(id);
    let nth = 0;
    world.reactions.set(id, () => ((nth += 1) === 1 ? 'hang' : { status: 200 }));
    await world.worker();
    await world.deliver(id, version);
    await world.time.run(second);
    for (let i = 0; i < 3; i += 1) await world.deliver(id, version, { stream: `test:${i}` });
    await world.deliver(id, version, { stream: 'replay-1' });
    nth = 0;
    await world.time.run(3 * second);
    const { streams = [] } = told().findLast(({ key, status }) => key === id && status !== null)?.status ?? {};
    expect(streams.every(({ outstanding }) => outstanding > 0)).toBe(true);
  });

  it('is an open circuit, and a stream of its own, however little is outstanding', async () => {
    const [down, replayed] = [world.idIn(1, 0), world.idIn(1, 1)];
    const version = await world.endpoint(down, { retry: scheduleOf([second]) });
    const also = await world.endpoint(replayed);
    await world.worker();
    world.reactions.set(down, () => ({ status: 500 }));
    world.reactions.set(replayed, () => 'hang');
    for (let i = 0; i < 12; i += 1) await world.deliver(down, version);
    await world.deliver(replayed, also, { stream: 'replay-1' });
    await world.time.run(3 * second);
    const openUntil = told().findLast(({ key }) => key === down)?.status?.circuitOpenUntil ?? 0;
    expect(openUntil).toBeGreaterThan(world.time.now());
    const { streams } = told().findLast(({ key }) => key === replayed)?.status ?? {};
    expect(streams).toEqual([{ stream: 'replay-1', outstanding: 1 }]);
  });
});
