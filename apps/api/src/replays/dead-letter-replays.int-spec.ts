// Real: Nest, Fastify, PostgreSQL, repositories, Kafka. Doubled: the schema registry. Given by hand: what dispatchers, workers
// and the projector write.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Projection, ReplayParts, type DeliveryRecord } from '#libs/persistence';
import { aDelivery as givenUp, at, giveUp } from '../../test/given-up.js';
import { faults, ReplayWorld } from '../../test/replay-world.js';
import type { TestApi } from '../../test/start-api.js';

let world: ReplayWorld;
let endpoint: string;
let second: string;
let foreign: string;

beforeAll(async () => {
  world = await ReplayWorld.start('letters', { events: 2, deliveries: 3 });
  await world.createTenants('acme', 'other');
  endpoint = await world.createEndpoint('acme', 'note.*');
  second = await world.createEndpoint('acme', 'note.*');
  foreign = await world.createEndpoint('other', 'note.*');
});
afterAll(() => world?.close());
beforeEach(() => world.beginAnew());

const aDelivery = (deliveryId: string, changes: Partial<DeliveryRecord> = {}): DeliveryRecord =>
  givenUp(endpoint, deliveryId, changes);
const ids = async (state: string): Promise<string[]> => {
  const { body } = await world.api.call('GET', `/v1/dead-letters?state=${state}`);
  return (body['data'] as unknown as { deliveryId: string }[]).map(({ deliveryId }) => deliveryId).sort();
};
const outcome = ({ status, body }: Awaited<ReturnType<TestApi['call']>>) => [status, body['code']];

describe('replaying dead letters', () => {
  it('names one by its place in the log, and shows it as replayed once it is sent', async () => {
    const [, offset] = await giveUp(world, [aDelivery('a'), aDelivery('b'), aDelivery('c')]);
    const body = { rateLimit: { limit: 10, per: 'second' }, description: 'mended' };
    const { status, body: created } = await world.api.call('POST', '/v1/dead-letters/b/replay', body);
    expect(status).toBe(202);
    expect(created).toMatchObject({
      source: 'dead-letters',
      tenantId: 'acme',
      endpointIds: [endpoint],
      selection: { deliveryIds: ['b'], reasons: null, from: null, to: null, error: null },
      partitions: [{ partition: 1, from: offset, to: offset! + 1 }],
      rateLimit: { limit: 10, burst: 10 },
      description: 'mended',
      gap: null,
      state: 'running',
    });
    expect(await ids('open')).toEqual(['a', 'b', 'c']);
    const parts = new ReplayParts(world.database);
    const [part] = await parts.parts(1);
    expect([...(await parts.openDeadLetters(part!.replayId, ['a', 'b', 'c']))]).toEqual(['b']);
    await world.database.session.query('INSERT INTO source_partitions VALUES (1, 1)');
    const { replayId, partition, to: position } = part!;
    const sent = { scanned: 1, matched: 1, sent: 1, done: true, replayed: ['b'] };
    await parts.checkpoint(1, 1, { replayId, partition, position, ...sent });
    expect([await ids('open'), await ids('replayed')]).toEqual([['a', 'c'], ['b']]);
    expect((await world.api.call('GET', '/v1/dead-letters/b')).body).toMatchObject({
      state: 'replayed',
      resolution: { replayId, reason: null },
    });
    expect(outcome(await world.api.call('POST', '/v1/dead-letters/b/replay'))).toEqual([409, 'not-open']);
    expect(outcome(await world.api.call('POST', '/v1/dead-letters/none/replay'))).toEqual([404, 'not-found']);
  });

  it('takes those that are named, all of them open', async () => {
    const offsets = await giveUp(world, [aDelivery('a'), aDelivery('b'), aDelivery('c', { endpointId: second })]);
    const [other] = await giveUp(world, [aDelivery('d')], {}, 2);
    await world.api.call('POST', '/v1/dead-letters/b/discard', { reason: 'x' });
    const refused = await world.api.call('POST', '/v1/dead-letters/replay', { deliveryIds: ['a', 'b', 'none'] });
    expect([refused.status, faults(refused.body)]).toEqual([
      422,
      [
        ['/deliveryIds/1', 'not-open'],
        ['/deliveryIds/2', 'not-open'],
      ],
    ]);
    const { status, body } = await world.api.call('POST', '/v1/dead-letters/replay', {
      deliveryIds: ['a', 'c', 'd'],
      newIds: true,
    });
    expect(status).toBe(202);
    expect(body).toMatchObject({
      endpointIds: [endpoint, second].sort(),
      newIds: true,
      partitions: [
        { partition: 1, from: offsets[0], to: offsets[2]! + 1 },
        { partition: 2, from: other, to: other! + 1 },
      ],
    });
    // Partition 2 of dead letters is moved by the owner of partition 0 of events, of which there are two.
    expect(await new ReplayParts(world.database).parts(0)).toMatchObject([{ partition: 2, incarnation: 0 }]);
  });

  it('takes all that match the filter of the list, of one tenant', async () => {
    const offsets = await giveUp(world, [
      aDelivery('a'),
      aDelivery('b', { eventType: 'note.removed' }),
      aDelivery('c', { deadLetterReason: 'gone' }),
      aDelivery('d', { completedAt: at + 5_000 }),
      aDelivery('e', { tenantId: 'other', endpointId: foreign }),
    ]);
    const replay = async (filter: object) => {
      const answer = await world.api.call('POST', '/v1/dead-letters/replay', { filter });
      const { partitions } = answer.body as { partitions?: { from: number; to: number }[] };
      return partitions === undefined ? outcome(answer) : partitions.map(({ from, to }) => [from, to - from]);
    };
    expect(await replay({ endpointId: endpoint })).toEqual([[offsets[0], 4]]);
    expect(await replay({ eventType: 'note.removed' })).toEqual([[offsets[1], 1]]);
    expect(await replay({ reason: 'gone' })).toEqual([[offsets[2], 1]]);
    expect(await replay({ from: '2026-01-01T00:00:05Z' })).toEqual([[offsets[3], 1]]);
    expect(await replay({ tenantId: 'acme', to: '2026-01-01T00:00:05Z' })).toEqual([[offsets[0], 3]]);
    expect(await replay({ error: 'status' })).toEqual([422, 'invalid-body']);
    expect(await replay({ error: 'nowhere' })).toEqual([409, 'nothing-to-replay']);
    const parts = new ReplayParts(world.database);
    const [, ofType] = await parts.parts(1);
    expect(ofType).toMatchObject({ eventTypes: ['note.removed'], selection: null });
    for (const body of [
      {},
      { filter: {} },
      { filter: { tenantId: 'acme' }, deliveryIds: ['a'] },
      { deliveryIds: [] },
    ]) {
      expect((await world.api.call('POST', '/v1/dead-letters/replay', body)).status).toBe(422);
    }
  });

  it('is also a replay of a tenant, with a dry run that counts by the projection', async () => {
    const offsets = await giveUp(world, [aDelivery('a'), aDelivery('b'), aDelivery('c', { endpointId: second })]);
    await giveUp(world, [aDelivery('x', { tenantId: 'other', endpointId: foreign })]);
    const asked = { tenantId: 'acme', source: 'dead-letters', eventTypes: ['note.*'] };
    const found = await world.api.call('POST', '/v1/replays', {
      ...asked,
      dryRun: true,
      rateLimit: { limit: 1, per: 'minute' },
    });
    expect(found.status).toBe(200);
    expect(found.body).toMatchObject({
      source: 'dead-letters',
      partial: false,
      records: { inWindow: 3, read: 3 },
      deliveries: 3,
      counts: [
        { endpointId: endpoint, eventType: 'note.added', deliveries: 2 },
        { endpointId: second, eventType: 'note.added', deliveries: 1 },
      ],
      estimate: { seconds: 60, basis: 'rate-limit' },
    });
    expect(found.body['samples']).toHaveLength(3);
    expect((await world.api.call('GET', '/v1/replays')).body['data']).toEqual([]);
    const { status, body } = await world.api.call('POST', '/v1/replays', asked);
    expect([status, body['partitions']]).toMatchObject([201, [{ from: offsets[0], to: offsets[2]! + 1 }]]);
    const none = await world.api.call('POST', '/v1/replays', { ...asked, eventTypes: ['task.*'] });
    expect(outcome(none)).toEqual([409, 'nothing-to-replay']);
  });

  it('tells what the topic has lost, and what is not found in it', async () => {
    const offsets = await giveUp(world, [aDelivery('a'), aDelivery('b'), aDelivery('c')], {}, 0);
    await new Projection(world.database).apply({
      advances: [],
      attempts: [],
      disables: [],
      deadLetters: [],
      deliveries: [aDelivery('d')],
    });
    await world.deleteBefore(world.names.deadLetters, 0, offsets[2]!);
    const { body } = await world.api.call('POST', '/v1/dead-letters/replay', { filter: { endpointId: endpoint } });
    expect(body).toMatchObject({
      partitions: [{ partition: 0, from: offsets[2] }],
      gap: [
        { partition: 0, records: 2, from: null, until: null },
        { partition: null, records: 1, from: null, until: null },
      ],
    });
    const gone = await world.api.call('POST', '/v1/dead-letters/a/replay');
    expect(outcome(gone)).toEqual([409, 'nothing-to-replay']);
    expect(String(gone.body['detail'])).toContain('retention');
  });

  it('leaves out those of endpoints that are deleted', async () => {
    await giveUp(world, [aDelivery('a', { endpointId: 'ep_gone' })]);
    expect(outcome(await world.api.call('POST', '/v1/dead-letters/a/replay'))).toEqual([409, 'nothing-to-replay']);
  });
});

describe('recovering an endpoint', () => {
  it('takes what was given up from a time on', async () => {
    const offsets = await giveUp(world, [
      aDelivery('a'),
      aDelivery('b', { completedAt: at + 2_000 }),
      aDelivery('c', { completedAt: at + 3_000, acceptedAt: at - 86_400_000 }),
      aDelivery('d', { completedAt: at + 3_000, endpointId: second }),
    ]);
    const recover = (id: string, body: object) => world.api.call('POST', `/v1/endpoints/${id}/recover`, body);
    const since = '2026-01-01T00:00:02.000Z';
    const { status, body } = await recover(endpoint, { since, rateLimit: { limit: 1, per: 'minute', burst: 3 } });
    expect(status).toBe(202);
    expect(body).toMatchObject({
      endpointIds: [endpoint],
      selection: { deliveryIds: null, from: since },
      window: { from: since, to: null },
      rateLimit: { limit: 1, per: 'minute', burst: 3 },
      partitions: [{ from: offsets[1], to: offsets[2]! + 1 }],
    });
    expect(outcome(await recover(endpoint, { since: '2027-01-01T00:00:00Z' }))).toEqual([409, 'nothing-to-replay']);
    expect(outcome(await recover('ep_none', { since }))).toEqual([404, 'not-found']);
    expect(faults((await recover(endpoint, {})).body)).toEqual([['/since', 'required']]);
  });
});
