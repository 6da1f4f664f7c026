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
    for (let i = 0; i < 3; i += 1) await world.deliver(id, version, { stream: `replay-${i + 2}` });
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
    // A test is nothing to dispatchers.
    await world.deliver(replayed, also, { stream: 'test:1' });
    await world.time.run(3 * second);
    const openUntil = told().findLast(({ key }) => key === down)?.status?.circuitOpenUntil ?? 0;
    expect(openUntil).toBeGreaterThan(world.time.now());
    const { streams } = told().findLast(({ key }) => key === replayed)?.status ?? {};
    expect(streams).toEqual([{ stream: 'replay-1', outstanding: 1 }]);
  });

  it('is told of an endpoint before how far was read, so that who knows this knows that', async () => {
    const [one, other] = [world.idIn(1, 0), world.idIn(1, 1)];
    const version = await world.endpoint(one, { state: 'paused' });
    await world.endpoint(other, { state: 'paused' });
    await world.worker();
    let nth = 0;
    let lost = 0;
    world.appendDelay = (records) => {
      if (!records.some(({ topic }) => topic === world.topics.endpointStatus)) return 0;
      nth += 1;
      if (nth % 3 === 0) return 1_500;
      if (nth % 3 !== 1) return 0;
      lost += 1;
      throw new Error('no broker answers, as scripted');
    };
    const send = async (id: string, count: number) => {
      for (let i = 0; i < count; i += 1) await world.deliver(id, version, { stream: 'replay:1' });
      await world.time.run(second);
    };
    for (let i = 0; i < 40; i += 1) await send(i % 7 < 4 ? one : other, 3);
    expect(lost).toBeGreaterThan(10);
    world.appendDelay = () => 0;
    await world.time.run(3 * second);
    const known = new Map<string, number>();
    let words = 0;
    for (const { key, status } of told()) {
      if (!key.startsWith('partition:')) known.set(key, status?.outstanding ?? 0);
      if (key !== 'partition:1') continue;
      words += 1;
      // All of them are outstanding, and nothing else is.
      expect((known.get(one) ?? 0) + (known.get(other) ?? 0)).toBe(status?.readTo);
    }
    expect(words).toBeGreaterThan(5);
    expect(known.get(one)! + known.get(other)!).toBe(120);
  });

  it('is told anew by the next owner, or taken back when there is nothing to tell any more', async () => {
    const [replayed, busy] = [world.idIn(1, 0), world.idIn(1, 1)];
    const version = await world.endpoint(replayed, { state: 'paused' });
    await world.endpoint(busy, { retry: scheduleOf([40 * second]) });
    world.reactions.set(busy, (nth) => ({ status: nth > 150 ? 200 : 400 }));
    const worker = await world.worker();
    await world.deliver(replayed, version, { stream: 'replay:1' });
    for (let i = 0; i < 150; i += 1) await world.deliver(busy, version);
    await world.time.run(5 * second);
    expect(told().findLast(({ key }) => key === busy)?.status?.outstanding).toBe(150);
    await worker.kill();
    const before = told().length;
    await world.deleteEndpoint(busy);
    await world.worker();
    await world.time.run(5 * second);
    const since = told().slice(before);
    expect(since.find(({ key }) => key === replayed)?.status).toMatchObject({
      streams: [{ stream: 'replay:1', outstanding: 1 }],
    });
    await world.time.run(60 * second);
    expect(told().findLast(({ key }) => key === busy)?.status).toBeNull();
    expect(told().findLast(({ key }) => key === replayed)?.status?.outstanding).toBe(1);
  });

  it('is taken back by the next owner though that has nothing to tell of it', async () => {
    const id = world.idIn(1);
    const stale = { partition: 1, era: 0, generation: 0, at: 1, readTo: 1, outstanding: 500, streams: [] };
    const status = { key: id, ...stale, circuitOpenUntil: null, overflow: true };
    await world.append(world.topics.endpointStatus, 1, id, world.codecs.endpointStatus.encode(status));
    await world.worker();
    await world.time.run(3 * second);
    expect(told().findLast(({ key }) => key === id)?.status).toBeNull();
  });

  it('is an overflow of the partition from half of what it can know, and of all partitions alike', async () => {
    const [one, other] = [world.idIn(1, 0), world.idIn(2, 0)];
    const version = await world.endpoint(one, { state: 'paused' });
    await world.endpoint(other, { state: 'paused' });
    await world.worker({ partitionMaxOutstanding: 40, maxOutstanding: 60 });
    const overflows = () =>
      [1, 2, 3].map((n) => told().findLast(({ key }) => key === `partition:${n}`)?.status?.overflow);
    for (let i = 0; i < 20; i += 1) await world.deliver(one, version);
    await world.time.run(2 * second);
    expect(overflows()).toEqual([false, false, false]);
    await world.deliver(one, version);
    await world.time.run(2 * second);
    expect(overflows()).toEqual([true, false, false]);
    // 31 of 60, and 10 is more than an even share of four partitions.
    for (let i = 0; i < 10; i += 1) await world.deliver(other, version);
    await world.time.run(2 * second);
    expect(overflows()).toEqual([true, true, false]);
  });

  it('is one open circuit from the failures that opened it to the end of its ramp, whatever is probed between', async () => {
    const id = world.idIn(1);
    const version = await world.endpoint(id, { maxInFlight: 8, retry: scheduleOf(Array<number>(60).fill(5 * second)) });
    let isDown = true;
    // Alive for a moment, now and then: a probe succeeds, the ramp fails.
    world.reactions.set(id, (nth) => ({ status: isDown && ![14, 17].includes(nth) ? 503 : 200, afterMs: 1_500 }));
    await world.worker();
    for (let i = 0; i < 200; i += 1) await world.deliver(id, version);
    await world.time.run(900 * second);
    isDown = false;
    await world.time.run(600 * second);
    const words = told().filter(({ key, status }) => key === id && status !== null);
    const isOpen = words.map(({ status }) => status?.circuitOpenUntil !== null);
    const from = isOpen.indexOf(true);
    const to = isOpen.lastIndexOf(true);
    expect(isOpen.slice(from, to + 1)).not.toContain(false);
    const probes = world.postsTo(id).filter(({ at }) => at > words[from]!.status!.at + 60 * second);
    expect(words[to]!.status!.at).toBeGreaterThan(probes[0]!.at);
    expect(world.outcomes().size).toBe(200);
    expect(told().findLast(({ key }) => key === id)?.status).toBeNull();
  });

  it('is an open circuit also with nothing outstanding, until it could be probed', async () => {
    const id = world.idIn(1);
    const version = await world.endpoint(id, { retry: scheduleOf([]) });
    world.reactions.set(id, () => ({ status: 503 }));
    await world.worker();
    for (let i = 0; i < 10; i += 1) await world.deliver(id, version);
    await world.time.run(25 * second);
    const last = () => told().findLast(({ key }) => key === id)?.status;
    expect(last()).toMatchObject({ outstanding: 0, overflow: false });
    expect(last()?.circuitOpenUntil).toBeGreaterThan(world.time.now());
    await world.time.run(10 * second);
    // Whoever sends something now has it probed.
    expect(last()).toBeNull();
  });
});
