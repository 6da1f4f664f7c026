// Real: Nest, Fastify, PostgreSQL, repositories, codec, filters. Doubled: Kafka (InMemoryLog), the schema registry.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { plainContent, type EndpointConfig } from '#libs/contracts';
import { connectDatabase, EndpointFaultLog, EndpointRepository } from '#libs/persistence';
import { testCodec } from '../../test/event-codec.js';
import { startApi, type TestApi } from '../../test/start-api.js';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  await api.call('POST', '/v1/tenants', { id: 'acme', name: 'Acme Ltd' });
});
afterAll(() => api.close());

const create = (changes: object = {}) =>
  api.call('POST', '/v1/endpoints', { tenantId: 'acme', url: 'https://example.com/', eventTypes: ['x.*'], ...changes });
const faults = (body: { readonly [name: string]: unknown }): unknown[] =>
  (body['errors'] as { pointer: string; detail: string }[]).map(({ pointer, detail }) => [pointer, detail]);

async function published(id: unknown): Promise<EndpointConfig> {
  const records = api.log.recordsOf(`${api.config.topicPrefix}.endpoints`);
  const record = records.findLast(({ key }) => key?.toString() === id);
  const { codec } = await testCodec();
  return codec.platform.endpointConfig.decode(record?.value ?? Buffer.alloc(0));
}

describe('what an endpoint receives', () => {
  it('is each event as CloudEvents structured JSON unless it says otherwise', async () => {
    const { status, body } = await create();
    expect(status).toBe(201);
    const standard = { format: 'structured', compression: 'none', headers: {}, batch: null, transformationId: null };
    expect(body).toMatchObject({ ...standard, filters: [] });
    const { filters, format, headers, batch } = plainContent;
    expect(await published(body['id'])).toMatchObject({ filters, format, headers, batch });
  });

  it('is stored, answered and published as it was asked for', async () => {
    const asked = {
      filters: [{ prefix: { subject: 'task/' } }, { any: [{ cel: 'data.a == "b"' }, { not: { exact: { id: '1' } } }] }],
      format: 'standard',
      compression: 'gzip',
      headers: { 'X-Region': 'eu', authorization: 'Bearer public' },
      batch: { maxEvents: 10, maxWaitMs: 50 },
    };
    const { status, body } = await create(asked);
    expect(status).toBe(201);
    const stored = {
      ...asked,
      headers: { 'x-region': 'eu', authorization: 'Bearer public' },
      batch: { maxEvents: 10, maxBytes: 262_144, maxWaitMs: 50 },
    };
    expect(body).toMatchObject(stored);
    expect((await api.call('GET', `/v1/endpoints/${String(body['id'])}`)).body).toMatchObject(stored);
    expect(await published(body['id'])).toMatchObject({ ...stored, filters: JSON.stringify(asked.filters) });
  });

  it('is changed member by member, and given back its defaults by null', async () => {
    const { body } = await create({
      filters: [{ exact: { subject: 'a' } }],
      format: 'data',
      headers: { 'x-a': '1', 'x-b': '2' },
      batch: { maxEvents: 7 },
    });
    const path = `/v1/endpoints/${String(body['id'])}`;
    const patched = await api.call('PATCH', path, {
      headers: { 'X-A': null, 'x-c': '3' },
      batch: { maxWaitMs: 9 },
      compression: 'gzip',
    });
    expect(patched.body).toMatchObject({
      filters: [{ exact: { subject: 'a' } }],
      format: 'data',
      headers: { 'x-b': '2', 'x-c': '3' },
      batch: { maxEvents: 7, maxBytes: 262_144, maxWaitMs: 9 },
      compression: 'gzip',
    });
    const none = { filters: null, format: null, headers: null, batch: null, compression: null };
    expect((await api.call('PATCH', path, none)).body).toMatchObject({
      filters: [],
      format: 'structured',
      headers: {},
      batch: null,
      compression: 'none',
    });
  });

  it('is changed by two at once without either undoing the other', async () => {
    const { body } = await create({ format: 'data', headers: { 'x-a': '1' } });
    const path = `/v1/endpoints/${String(body['id'])}`;
    const database = await connectDatabase(api.databaseUrl);
    const repository = new EndpointRepository(database);
    const reads = vi.spyOn(EndpointRepository.prototype, 'get').mockImplementationOnce(async (id) => {
      const before = await repository.get(id);
      const other = { compression: 'gzip', batch: { maxEvents: 7 }, headers: { 'x-b': '2' }, format: 'standard' };
      expect((await api.call('PATCH', path, other)).status).toBe(200);
      return before;
    });
    const patched = await api.call('PATCH', path, { description: 'the first to read', timeoutMs: 5_000 });
    const readings = reads.mock.calls.length;
    reads.mockRestore();
    await database.close();
    // Its own twice, the other one's, and the test's.
    expect(readings).toBe(4);
    const both = {
      description: 'the first to read',
      timeoutMs: 5_000,
      compression: 'gzip',
      batch: { maxEvents: 7 },
      headers: { 'x-a': '1', 'x-b': '2' },
      format: 'standard',
    };
    expect(patched).toMatchObject({ status: 200, body: both });
    expect((await api.call('GET', path)).body).toMatchObject(both);
  });

  it('is refused with every fault where it stands', async () => {
    const { status, body } = await create({
      filters: [{ exact: { subject: 'a' } }, { all: [{ cel: 'data.a ==' }] }, { sql: 'x' }],
      headers: { 'webhook-id': 'x', 'x-a': 'a\r\nb' },
      format: 'xml',
      batch: { maxEvents: 0 },
    });
    expect(status).toBe(422);
    const pointers = faults(body).map((fault) => (fault as [string])[0]);
    expect(pointers).toEqual(expect.arrayContaining(['/filters/1/all/0/cel', '/format', '/batch/maxEvents']));
    const headers = await create({ headers: { 'webhook-id': 'x', 'x-a': 'a\r\nb' } });
    expect(faults(headers.body)).toEqual([
      ['/headers/webhook-id', expect.stringContaining('set by Posthorn')],
      ['/headers/x-a', expect.stringContaining('without line breaks')],
    ]);
  });

  it('shows what dispatchers counted of its filters and its transformation', async () => {
    const { body } = await create();
    const path = `/v1/endpoints/${String(body['id'])}`;
    expect((await api.call('GET', path)).body).toMatchObject({ faults: [] });
    const database = await connectDatabase(api.databaseUrl);
    const lastAt = Date.parse('2026-01-02T03:04:05.678Z');
    const fault = {
      endpointId: String(body['id']),
      kind: 'filter',
      count: 3,
      lastAt,
      lastDetail: 'no such key: a',
    } as const;
    await new EndpointFaultLog(database).addFaults([fault]);
    await database.close();
    expect((await api.call('GET', path)).body).toMatchObject({
      faults: [{ kind: 'filter', count: 3, lastAt: '2026-01-02T03:04:05.678Z', lastDetail: 'no such key: a' }],
    });
  });

  it('is no batch in binary mode, which has none, whichever of the two comes last', async () => {
    const refused = await create({ format: 'binary', batch: {} });
    expect(refused.status).toBe(422);
    expect(faults(refused.body)).toEqual([['/batch', expect.stringContaining('has no batches')]]);
    const { body } = await create({ format: 'binary' });
    const patched = await api.call('PATCH', `/v1/endpoints/${String(body['id'])}`, { batch: { maxEvents: 2 } });
    expect(patched.status).toBe(422);
  });
});
