// Real: Nest, Fastify, PostgreSQL, repositories, Kafka. Doubled: the schema registry.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ReplayWorld } from '../../test/replay-world.js';

let world: ReplayWorld;
let endpoints: string[];

beforeAll(async () => {
  world = await ReplayWorld.start('dryruns', { events: 3, deliveries: 2 });
  await world.createTenants('acme', 'other');
  endpoints = [
    await world.createEndpoint('acme', 'note.*'),
    await world.createEndpoint('acme', 'note.added', 'task.updated'),
    await world.createEndpoint('other', '*'),
  ];
});
afterAll(() => world?.close());
beforeEach(() => world.beginAnew());

const dryRun = async (body: object) => {
  const { status, body: answer } = await world.replay({ dryRun: true, ...body });
  expect({ status, answer }).toMatchObject({ status: 200 });
  return answer as Record<string, unknown>;
};

describe('a dry run', () => {
  it('counts exactly what would be sent, and sends and keeps nothing', async () => {
    const { from, begins } = await world.here();
    const before = (await world.configurations()).length;
    await world.sender.send([
      world.anEvent(0, { id: 'a', subject: 's1' }),
      world.anEvent(0, { id: 'a', subject: 's1' }),
      world.anEvent(0, { tenant: 'other' }),
      world.anEvent(0, { type: 'task.updated' }),
      world.anEvent(0, { data: { text: 7 } }),
      world.anEvent(0, { subject: 's2' }),
      world.anEvent(1, { id: 'a' }),
      world.anEvent(1, { type: 'note.removed' }),
    ]);
    await world.sender.send([{ topic: world.names.events, partition: 1, key: 'acme', value: Buffer.from('junk') }]);
    const found = await dryRun({ from });
    const [first, second] = endpoints;
    const byEndpoint = (a: { endpointId: string }, b: { endpointId: string }) => (a.endpointId < b.endpointId ? -1 : 1);
    expect(found).toMatchObject({
      dryRun: true,
      partial: false,
      window: { from, to: null },
      partitions: [
        { partition: 0, from: begins[0], to: begins[0]! + 6 },
        { partition: 1, from: begins[1], to: begins[1]! + 3 },
      ],
      gap: null,
      records: { inWindow: 9, read: 9 },
      deliveries: 6,
      // note.removed and task.updated have no schema: a dispatcher would refuse them. So does it what is not of its type.
      counts: [first, second]
        .map((endpointId) => ({ endpointId: endpointId!, eventType: 'note.added', deliveries: 3 }))
        .sort(byEndpoint),
      repeats: 1,
      rejected: 3,
      estimate: { seconds: 1, basis: 'assumption', perSecond: 500 },
    });
    const samples = found['samples'] as unknown as {
      endpointId: string;
      partition: number;
      offset: number;
      event: object;
    }[];
    const places = samples.map(({ partition, offset }) => `${partition}:${offset - begins[partition]!}`);
    expect(places.sort()).toEqual(['0:0', '0:0', '0:5', '0:5', '1:0', '1:0']);
    expect(samples.find(({ partition }) => partition === 0)).toEqual({
      endpointId: endpoints.slice(0, 2).toSorted((a, b) => (a < b ? -1 : 1))[0],
      event: { id: 'a', source: '/notes', type: 'note.added', time: null },
      partition: 0,
      offset: begins[0],
      appendedAt: expect.stringMatching(/Z$/) as string,
    });
    expect(await dryRun({ from, filter: { exact: { subject: 's2' } } })).toMatchObject({ deliveries: 2 });
    expect(await dryRun({ from, endpointIds: [first] })).toMatchObject({ deliveries: 3 });
    expect(await dryRun({ from, eventTypes: ['task.*'] })).toMatchObject({ deliveries: 0, rejected: 1 });
    expect(await dryRun({ from, rateLimit: { limit: 1, per: 'minute' } })).toMatchObject({
      estimate: { seconds: 120, basis: 'rate-limit', perSecond: 1 / 60 },
    });
    expect((await world.api.call('GET', '/v1/replays')).body['data']).toEqual([]);
    expect(await world.configurations()).toHaveLength(before);
  });

  it('counts as configured then, when it is told to', async () => {
    const { body } = await world.api.call('POST', '/v1/endpoints', {
      tenantId: 'acme',
      url: 'https://x.example/',
      eventTypes: ['task.*'],
    });
    const id = body['id'] as unknown as string;
    const { from } = await world.here();
    await world.sender.send([world.anEvent(0)]);
    await world.here();
    await world.api.call('PATCH', `/v1/endpoints/${id}`, { eventTypes: ['note.added'] });
    await world.here();
    await world.sender.send([world.anEvent(0), world.anEvent(1)]);
    expect(await dryRun({ from, endpointIds: [id] })).toMatchObject({ deliveries: 3 });
    expect(await dryRun({ from, endpointIds: [id], asConfigured: 'then' })).toMatchObject({ deliveries: 2 });
    await world.api.call('DELETE', `/v1/endpoints/${id}`);
  });

  it('and the replay tell what retention has taken, by number where offsets tell, else by time', async () => {
    await world.sender.send([world.anEvent(2)]);
    const { from, begins } = await world.here();
    await world.sender.send(Array.from({ length: 6 }, () => world.anEvent(2)));
    await world.here();
    await world.sender.send([world.anEvent(2)]);
    const start = begins[2]! + 4;
    await world.deleteBefore(world.names.events, 2, start);
    const partitions = [{ partition: 2, from: begins[2]!, to: begins[2]! + 7 }];
    const gap = [{ partition: 2, records: 4, from: null, until: null }];
    expect(await dryRun({ partitions })).toMatchObject({ gap, records: { inWindow: 3 }, deliveries: 6 });
    const created = await world.replay({ partitions });
    expect(created.body).toMatchObject({ gap, window: { partitions }, partitions: [{ from: start }] });
    expect((await world.api.call('GET', `/v1/replays/${String(created.body['id'])}`)).body).toMatchObject({ gap });
    const byTime = await dryRun({ from });
    expect(byTime).toMatchObject({ gap: [{ partition: 2, records: null, from }], records: { inWindow: 3 } });
    const [{ until }] = byTime['gap'] as [{ until: string }];
    expect(Date.parse(until)).toBeGreaterThan(Date.parse(from));
    // After what is left begins there is nothing that could be missing.
    expect(await dryRun({ from: until })).toMatchObject({ gap: null, records: { inWindow: 3 } });
    const gone = await world.replay({ partitions: [{ partition: 2, from: begins[2]!, to: start }] });
    expect([gone.status, gone.body['code']]).toEqual([409, 'nothing-to-replay']);
    expect(String(gone.body['detail'])).toContain('retention');
  });
});
