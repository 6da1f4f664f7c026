// Real: Nest, Fastify, PostgreSQL, repositories, codec. Doubled: Kafka (InMemoryLog), the schema registry, dispatchers.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeSourcePosition } from '#libs/core';
import { connectDatabase, Cursors, type CursorChange, type Database } from '#libs/persistence';
import { testCodec } from '../../test/event-codec.js';
import { startApi, type TestApi } from '../../test/start-api.js';

let api: TestApi;
let database: Database;
let cursors: Cursors;
const epochs: number[] = [];

beforeAll(async () => {
  api = await startApi({ POSTHORN_EVENT_PARTITIONS: '2' });
  database = await connectDatabase(api.databaseUrl);
  cursors = new Cursors(database, () => Date.UTC(2026, 0, 1));
  for (const partition of [0, 1]) epochs.push((await cursors.takeOver(partition)).epoch);
  await api.call('POST', '/v1/tenants', { id: 'acme', name: 'Acme Ltd' });
  // Append times count all records: those of the tenant and of its audit entry have 0 and 1, so these are at 2 to 11 ms.
  const topic = `${api.config.topicPrefix}.events`;
  api.log.write(
    Array.from({ length: 10 }, (_, i) => ({ topic, partition: i % 2, key: 'acme', value: Buffer.from('e') })),
  );
  const metadata = encodeSourcePosition({ incarnation: 3, fingerprint: null });
  api.log.commitsOf(`${api.config.topicPrefix}.dispatcher`).set(`${topic}-1`, { offset: 2, metadata });
});
afterAll(async () => {
  await database?.close();
  await api?.close();
});

const create = (changes: object = {}) =>
  api.call('POST', '/v1/endpoints', { tenantId: 'acme', url: 'https://example.com/', eventTypes: ['*'], ...changes });
const idOf = async (changes: object = {}): Promise<string> => String((await create(changes)).body['id']);
const write = async (partition: number, ...changes: CursorChange[]): Promise<void> => {
  expect(await cursors.write(partition, epochs[partition] ?? -1, changes)).toBe(true);
};
const freeze = (endpointId: string, position: number): CursorChange => {
  return { kind: 'freeze', endpointId, run: 'f_1', reason: 'overflow', incarnation: 0, position };
};
const backlogOf = async (id: string) => (await api.call('GET', `/v1/endpoints/${id}/backlog`)).body;

async function publishedConfig(id: unknown) {
  const records = api.log.recordsOf(`${api.config.topicPrefix}.endpoints`);
  const record = records.findLast(({ key }) => key?.toString() === id);
  const { codec } = await testCodec();
  return codec.platform.endpointConfig.decode(record?.value ?? Buffer.alloc(0));
}

describe('an endpoint with `since`', () => {
  it('begins at that time in every partition, and dispatchers are told of it', async () => {
    const { status, body } = await create({ since: '1970-01-01T00:00:00.006Z' });
    expect(status).toBe(201);
    expect(body['backfill']).toEqual({ since: '1970-01-01T00:00:00.006Z', gap: null });
    const { backfill } = await publishedConfig(body['id']);
    expect(backfill).toMatch(/^b_/);
    const common = { kind: 'backfill', reason: 'backfill', run: backfill, ended: false };
    expect(await cursors.ofEndpoint(String(body['id']))).toMatchObject([
      { ...common, partition: 0, incarnation: 0, position: 2 },
      { ...common, partition: 1, incarnation: 3, position: 2 },
    ]);
    expect(await backlogOf(String(body['id']))).toMatchObject({
      state: 'catching-up',
      partitions: [
        { partition: 0, position: 2, end: 5, behind: 3, reason: 'backfill', run: backfill },
        { partition: 1, position: 2, end: 5, behind: 3, reason: 'backfill', run: backfill },
      ],
    });
  });

  it('may begin at the beginning, and is told what of it is gone', async () => {
    expect((await create({ since: 'beginning' })).body['backfill']).toEqual({ since: 'beginning', gap: null });
    const position = { topic: `${api.config.topicPrefix}.events`, partition: 1, offset: 1 };
    await api.log.administration().deleteRecordsBefore([position]);
    const { body } = await create({ since: '1970-01-01T00:00:00Z' });
    const gap = { partitions: [1], from: '1970-01-01T00:00:00.005Z' };
    expect(body['backfill']).toEqual({ since: '1970-01-01T00:00:00.000Z', gap });
    expect(await cursors.lookUp(1, String(body['id']))).toMatchObject({ position: 1 });
  });

  it('without it begins live', async () => {
    const { body } = await create();
    expect(body['backfill']).toBeNull();
    expect(await publishedConfig(body['id'])).toMatchObject({ backfill: null });
    expect(await backlogOf(String(body['id']))).toEqual({ state: 'live', partitions: [] });
  });

  it.each(['2999-01-01T00:00:00Z', 'yesterday', '2026-01-01', '2026-13-01T00:00:00Z', ''])(
    'is refused for %j, with nothing left behind',
    async (since) => {
      const { status, body } = await create({ since, description: 'refused' });
      expect([status, body['code']]).toEqual([422, 'invalid-body']);
      expect(body['errors']).toMatchObject([{ pointer: '/since', code: 'invalid' }]);
      const { body: list } = await api.call('GET', '/v1/endpoints?limit=200');
      expect(JSON.stringify(list)).not.toContain('refused');
    },
  );

  it('leaves no cursors where the tenant is unknown', async () => {
    const count = async () => (await database.session.query('SELECT FROM cursors')) as unknown[];
    const before = (await count()).length;
    expect((await create({ since: 'beginning', tenantId: 'nobody' })).body['code']).toBe('unknown-tenant');
    expect(await count()).toHaveLength(before);
  });
});

describe('the backlog', () => {
  it('follows an endpoint that is paused, resumed and caught up', async () => {
    const id = await idOf();
    const call = async (verb: string) => {
      const { status, body } = await api.call('POST', `/v1/endpoints/${id}/${verb}`);
      return [status, body['state']];
    };
    const state = async () => (await backlogOf(id))['state'];
    expect(await call('pause')).toEqual([200, 'paused']);
    expect(await state()).toBe('pausing');
    await write(0, freeze(id, 1));
    expect(await backlogOf(id)).toEqual({
      state: 'pausing',
      partitions: [
        {
          partition: 0,
          position: 1,
          end: 5,
          behind: 4,
          reason: 'overflow',
          since: '2026-01-01T00:00:00.000Z',
          run: 'f_1',
        },
      ],
    });
    await write(1, freeze(id, 4));
    expect(await state()).toBe('paused');
    expect(await call('disable')).toEqual([200, 'disabled']);
    expect(await state()).toBe('disabled');
    expect(await call('enable')).toEqual([200, 'active']);
    expect(await state()).toBe('frozen');
    await write(0, { kind: 'move', endpointId: id, run: 'f_1', position: 3 });
    expect(await backlogOf(id)).toMatchObject({ state: 'catching-up', partitions: [{ behind: 2 }, { behind: 1 }] });
    for (const partition of [0, 1]) await write(partition, { kind: 'end', endpointId: id, run: 'f_1' });
    expect(await backlogOf(id)).toEqual({ state: 'live', partitions: [] });
    expect(await call('pause')).toEqual([200, 'paused']);
    expect(await call('resume')).toEqual([200, 'active']);
    expect(await publishedConfig(id)).toMatchObject({ state: 'active', revision: 6 });
  });

  it('is not there for an endpoint that is not', async () => {
    expect((await api.call('GET', '/v1/endpoints/nobody/backlog')).status).toBe(404);
    for (const verb of ['pause', 'resume', 'enable', 'disable'])
      expect((await api.call('POST', `/v1/endpoints/nobody/${verb}`)).status).toBe(404);
  });
});
