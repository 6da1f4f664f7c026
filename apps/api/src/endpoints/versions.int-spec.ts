// Real: Nest, Fastify, PostgreSQL, repositories, codec. Doubled: Kafka (InMemoryLog), the schema registry.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { noteAdded, testCodec } from '../../test/event-codec.js';
import { startApi, type TestApi } from '../../test/start-api.js';

let api: TestApi;

const noteRemoved = { ...noteAdded, name: 'removed', fields: [{ name: 'text', type: 'string' }] };
const more = (name: string, schema: typeof noteAdded) => ({
  ...schema,
  fields: [...schema.fields, { name, type: ['null', 'string'], default: null }],
});

beforeAll(async () => {
  api = await startApi();
  api.registry.register('note.added', more('color', noteAdded));
  api.registry.register('note.removed', noteRemoved);
  await api.call('POST', '/v1/tenants', { id: 'acme', name: 'Acme Ltd' });
});
afterEach(() => {
  api.registry.available = true;
});
afterAll(() => api.close());

const create = (changes: object = {}) =>
  api.call('POST', '/v1/endpoints', {
    tenantId: 'acme',
    url: 'https://x.example/',
    eventTypes: ['note.*'],
    ...changes,
  });
const pathOf = async (changes: object = {}): Promise<string> => {
  const { status, body } = await create(changes);
  expect(status).toBe(201);
  return `/v1/endpoints/${String(body['id'])}`;
};
const faults = (body: { readonly [name: string]: unknown }): unknown[] =>
  (body['errors'] as { pointer: string; code: string }[]).map(({ pointer, code }) => [pointer, code]);

async function published(path: string): Promise<object> {
  const id = path.split('/').at(-1);
  const records = api.log.recordsOf(`${api.config.topicPrefix}.endpoints`);
  const record = records.findLast(({ key }) => key?.toString() === id);
  const { codec } = await testCodec();
  const { versions, latestByDefault } = codec.platform.endpointConfig.decode(record?.value ?? Buffer.alloc(0));
  return { versions: { ...versions }, latestByDefault };
}

describe('event types', () => {
  it('cannot be told while the registry is away and was never asked, but go on being told when it was', async () => {
    api.registry.available = false;
    for (const path of ['', '/note.gone', '/note.gone/versions/1', '/asyncapi.json', '/openapi.json']) {
      const { status, body, headers } = await api.call('GET', `/v1/event-types${path}`);
      expect([status, body['code'], headers['retry-after']]).toEqual([503, 'registry-unavailable', '2']);
    }
    api.registry.available = true;
    expect((await api.call('GET', '/v1/event-types')).status).toBe(200);
    api.registry.available = false;
    for (const path of ['', '/note.added', '/note.added/versions/2', '/asyncapi.json', '/openapi.json'])
      expect((await api.call('GET', `/v1/event-types${path}`)).status).toBe(200);
  });
});

describe('versions of an endpoint', () => {
  it('are those that are newest when it is created, and dispatchers are told', async () => {
    const path = await pathOf();
    const versions = { 'note.added': 2, 'note.removed': 1 };
    expect((await api.call('GET', path)).body['versions']).toEqual(versions);
    expect(await published(path)).toEqual({ versions, latestByDefault: false });
  });

  it('may be named, or follow the newest', async () => {
    const path = await pathOf({ versions: { 'note.added': 1, 'note.removed': 'latest', '*': 'latest' } });
    expect((await api.call('GET', path)).body['versions']).toEqual({
      'note.added': 1,
      'note.removed': 'latest',
      '*': 'latest',
    });
    expect(await published(path)).toEqual({ versions: { 'note.added': 1, 'note.removed': 0 }, latestByDefault: true });
  });

  it('are changed by a merge patch, which the history tells', async () => {
    const path = await pathOf({ eventTypes: ['note.added'], versions: { 'note.added': 1 } });
    const patched = await api.call('PATCH', path, { eventTypes: ['note.*'] });
    expect(patched.body['versions']).toEqual({ 'note.added': 1, 'note.removed': 1 });
    const upgraded = await api.call('PATCH', path, { versions: { 'note.added': null } });
    expect(upgraded.body['versions']).toEqual({ 'note.added': 2, 'note.removed': 1 });
    const following = await api.call('PATCH', path, { versions: { 'note.added': 'latest' } });
    expect(following.body['versions']).toMatchObject({ 'note.added': 'latest' });
    expect(await published(path)).toEqual({ versions: { 'note.added': 0, 'note.removed': 1 }, latestByDefault: false });
    const { data } = (await api.call('GET', `${path}/history`)).body as unknown as { data: { changes: object[] }[] };
    expect(data.map(({ changes }) => changes).slice(0, 2)).toEqual([
      [{ field: 'versions.note.added', from: 2, to: 'latest' }],
      [{ field: 'versions.note.added', from: 1, to: 2 }],
    ]);
    expect((await api.call('PATCH', path, { versions: null })).body['versions']).toEqual({
      'note.added': 2,
      'note.removed': 1,
    });
  });

  it('that do not exist are refused with their place', async () => {
    const { status, body } = await create({ versions: { 'note.added': 9, 'note.gone': 1 } });
    expect([status, body['code']]).toEqual([422, 'invalid-body']);
    expect(body['errors']).toEqual([
      {
        pointer: '/versions/note.added',
        code: 'unknown-version',
        detail: 'There is no version 9; there are: 1, 2.',
      },
      {
        pointer: '/versions/note.gone',
        code: 'unknown-event-type',
        detail: 'There is no such event type; `eventTypes` holds note.added, note.removed.',
      },
    ]);
    const malformed = await create({ versions: { 'note.added': 'newest', 'note.removed': 0, '*': 3 } });
    expect(faults(malformed.body).map((one) => (one as string[])[0])).toEqual([
      '/versions/note.added',
      '/versions/note.removed',
    ]);
    expect(faults((await create({ versions: { '*': 3 } })).body)).toEqual([['/versions/*', 'invalid']]);
    expect((await create({ versions: { 'note.added': null } })).status).toBe(422);
  });

  it('are not promised while the registry is away; what needs no promise works on', async () => {
    const path = await pathOf();
    api.registry.available = false;
    for (const [method, where, body] of [
      ['POST', '/v1/endpoints', { tenantId: 'acme', url: 'https://x.example/', eventTypes: ['note.*'] }],
      ['PATCH', path, { eventTypes: ['note.added'] }],
      ['PATCH', path, { versions: { 'note.added': 1 } }],
    ] as const) {
      const { status, body: answer, headers } = await api.call(method, where, body);
      expect([status, answer['code'], headers['retry-after']]).toEqual([503, 'registry-unavailable', '2']);
    }
    const patched = await api.call('PATCH', path, { description: 'x' });
    expect(patched.body).toMatchObject({ revision: 2, versions: { 'note.added': 2 } });
    // What follows the newest is pinned to nothing.
    const following = await pathOf({ versions: { '*': 'latest' } });
    for (const change of [
      { eventTypes: ['note.added', 'task.*'] },
      { versions: { '*': 'latest', 'note.added': null } },
    ])
      expect((await api.call('PATCH', following, change)).body['versions']).toEqual({ '*': 'latest' });
    for (const change of [{ versions: { '*': null } }, { versions: null }, { versions: { 'note.added': 'latest' } }])
      expect((await api.call('PATCH', following, change)).status).toBe(503);
  });

  it('are shown with what is newest and how it differs', async () => {
    const path = await pathOf({ versions: { 'note.added': 1, 'note.removed': 'latest' } });
    const { status, body } = await api.call('GET', `${path}/versions`);
    expect([status, body]).toEqual([
      200,
      {
        others: 'first',
        data: [
          {
            type: 'note.added',
            pinned: 1,
            version: 1,
            newest: 2,
            behind: 1,
            status: 'active',
            deprecated: null,
            difference: { from: 1, to: 2, changes: [{ path: 'color', change: 'added', detail: expect.any(String) }] },
          },
          {
            type: 'note.removed',
            pinned: 'latest',
            version: 1,
            newest: 1,
            behind: 0,
            status: 'active',
            deprecated: null,
            difference: null,
          },
        ],
      },
    ]);
    expect((await api.call('GET', '/v1/endpoints/none/versions')).status).toBe(404);
  });

  it('of a type that came after the endpoint is its first, until it is named', async () => {
    const path = await pathOf({ eventTypes: ['late.*'] });
    const late = { ...noteAdded, namespace: 'late' };
    api.registry.register('late.added', late);
    api.registry.register('late.added', more('color', late));
    // The list of types is 30 s old at most; the endpoint's own list is asked for by the patch.
    const patched = await api.call('PATCH', path, { eventTypes: ['late.*', 'note.removed'] });
    expect(patched.body['versions']).toEqual({ 'note.removed': 1 });
    const named = await api.call('PATCH', path, { versions: { 'late.added': null } });
    expect(named.body['versions']).toEqual({ 'late.added': 2, 'note.removed': 1 });
  });
});

describe('a preview of a version', () => {
  it('is refused for what the endpoint does not want, and for what is not there', async () => {
    const path = `${await pathOf({ eventTypes: ['note.added'] })}/versions/preview`;
    const refused = async (body: object) => {
      const answer = await api.call('POST', path, body);
      return [answer.status, ...faults(answer.body)];
    };
    expect(await refused({ type: 'note.gone', version: 1 })).toEqual([422, ['/type', 'unknown-event-type']]);
    expect(await refused({ type: 'note.removed', version: 1 })).toEqual([422, ['/type', 'not-subscribed']]);
    expect(await refused({ type: 'note.added', version: 3 })).toEqual([422, ['/version', 'unknown-version']]);
    expect(await refused({ type: 'note.added', version: 1, last: 51 })).toEqual([422, ['/last', 'too-big']]);
    expect((await api.call('POST', '/v1/endpoints/none/versions/preview', { type: 'a', version: 1 })).status).toBe(404);
    api.registry.available = false;
    expect((await api.call('POST', path, { type: 'note.added', version: 1 })).body['code']).toBe(
      'registry-unavailable',
    );
  });
});
