// Real: Nest, Fastify, PostgreSQL, repositories, codec. Doubled: Kafka (InMemoryLog), the schema registry.
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openSecret, parseMasterKeys } from '#libs/core';
import { testCodec } from '../test/event-codec.js';
import { startApi, type TestApi } from '../test/start-api.js';

let api: TestApi;

beforeAll(async () => {
  api = await startApi({ POSTHORN_INGEST_TIMEOUT_MS: '300' });
  await api.call('POST', '/v1/tenants', { id: 'acme', name: 'Acme Ltd' });
});
afterEach(() => api.log.setAvailable(true));
afterAll(() => api.close());

const structured = { 'content-type': 'application/cloudevents+json' };
let next = 0;
const event = (changes: object = {}) => ({
  specversion: '1.0',
  id: `e${(next += 1)}`,
  source: '/notes',
  type: 'note.added',
  tenantid: 'acme',
  data: { text: 'hello' },
  ...changes,
});
const endpoint = (changes: object = {}) => ({
  tenantId: 'acme',
  url: 'https://example.com/hooks',
  eventTypes: ['note.*'],
  ...changes,
});
const faults = (errors: unknown): unknown[] =>
  (errors as { pointer?: string; parameter?: string; code: string }[]).map((e) => [e.pointer ?? e.parameter, e.code]);

describe('conventions', () => {
  it('asks for the key before anything else, also where there is no route', async () => {
    for (const path of ['/v1/tenants', '/v1/nothing', '/v1/events']) {
      const { status, headers, body } = await api.call('POST', path, '{', { authorization: 'Bearer wrong' });
      expect(status).toBe(401);
      expect(headers).toMatchObject({
        'content-type': 'application/problem+json',
        'www-authenticate': 'Bearer realm="posthorn", error="invalid_token"',
      });
      expect(body).toMatchObject({ code: 'unauthorised', status: 401, instance: path });
    }
  });

  it('asks for the key however the path is spelt', async () => {
    for (const path of ['/%761/tenants', '/v%31/tenants/acme', '/v1/tenants/%61cme', '/v1']) {
      expect((await api.call('GET', path, undefined, { authorization: '' })).status).toBe(401);
    }
  });

  it.each([
    ['GET', '/v1/nothing?x=1', undefined, {}, 404, 'unknown-route'],
    ['PUT', '/v1/tenants', {}, {}, 405, 'method-not-allowed'],
    ['GET', '/nothing', undefined, {}, 404, 'unknown-route'],
    ['POST', '/v1/tenants', '{"id":', {}, 400, 'malformed-json'],
    [
      'POST',
      '/v1/tenants',
      'a=b',
      { 'content-type': 'application/x-www-form-urlencoded' },
      415,
      'unsupported-content-type',
    ],
    ['POST', '/v1/tenants', 'x', { 'content-type': 'text/plain' }, 415, 'unsupported-content-type'],
    ['POST', '/v1/tenants', undefined, {}, 422, 'invalid-body'],
    // A body that may be missing is not null.
    ['POST', '/v1/endpoints/none/secrets/rotate', 'null', {}, 422, 'invalid-body'],
    ['POST', '/v1/deliveries/none/resend', 'null', {}, 422, 'invalid-body'],
    ['POST', '/v1/dead-letters/none/replay', 'null', {}, 422, 'invalid-body'],
    ['POST', '/v1/tenants', { id: 'x', name: 'y'.repeat(300_000) }, {}, 413, 'too-large'],
    ['GET', '/v1/tenants/%00', undefined, {}, 404, 'not-found'],
    ['GET', '/v1/endpoints?limit=0', undefined, {}, 400, 'invalid-parameter'],
    ['GET', '/v1/endpoints?cursor=zzz', undefined, {}, 400, 'invalid-parameter'],
    ['GET', '/v1/deliveries?status=maybe', undefined, {}, 400, 'invalid-parameter'],
    ['GET', '/v1/deliveries?nope=1', undefined, {}, 400, 'invalid-parameter'],
    ['GET', '/v1/deliveries/none', undefined, {}, 404, 'not-found'],
  ])('%s %s is a problem', async (method, path, body, headers, status, code) => {
    const answer = await api.call(method, path, body, headers as Record<string, string>);
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.body).toMatchObject({
      type: `urn:posthorn:problem:${code}`,
      title: expect.any(String),
      status,
      detail: expect.any(String),
      instance: path.split('?')[0],
      code,
    });
  });

  it.each([
    ['PUT', '/v1/tenants/acme', 'DELETE, GET'],
    ['HEAD', '/v1/tenants', 'GET, POST'],
    ['OPTIONS', '/v1/tenants/%61cme?x=1', 'DELETE, GET'],
    ['QUERY', '/v1/events', 'POST'],
    ['POST', '/healthz', 'GET'],
  ])('%s %s is told which methods there are', async (method, path, allow) => {
    const { status, headers, body } = await api.call(method, path, undefined, { origin: 'https://other.example' });
    expect([status, headers['allow']]).toEqual([405, allow]);
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    if (method !== 'HEAD') expect(body).toMatchObject({ status, code: 'method-not-allowed' });
    if (path.startsWith('/v1'))
      expect((await api.call(method, path, undefined, { authorization: '' })).status).toBe(401);
  });

  it('takes no event of which readers would make different things, and says where', async () => {
    const text = JSON.stringify([event(), event()]).replace('"text":"hello"}}]', '"text":"hello","text":"bye"}}]');
    const batch = { 'content-type': 'application/cloudevents-batch+json' };
    const { status, body } = await api.call('POST', '/v1/events', text, batch);
    expect([status, body['code']]).toEqual([400, 'malformed']);
    expect(body['errors']).toMatchObject([{ index: 1, pointer: '/1/data/text', code: 'duplicate-name' }]);
  });

  it('answers health without a key', async () => {
    const { authorization } = { authorization: '' };
    expect((await api.call('GET', '/healthz', undefined, { authorization })).status).toBe(200);
    const ready = await api.call('GET', '/readyz', undefined, { authorization });
    expect(ready.body).toEqual({ ready: true, checks: { kafka: 'ok', postgres: 'ok', outbox: 'ok', tenants: 'ok' } });
    expect((await api.call('GET', '/metrics', undefined, { authorization })).text).toContain(
      'posthorn_events_accepted_total',
    );
  });
});

describe('tenants', () => {
  it('are created once, listed with cursors, and deleted', async () => {
    const created = await api.call('POST', '/v1/tenants', { id: 'globex', name: 'Globex' });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({ id: 'globex', name: 'Globex', createdAt: expect.stringMatching(/Z$/) });
    expect((await api.call('POST', '/v1/tenants', { id: 'globex', name: 'Again' })).body).toMatchObject({
      status: 409,
      code: 'already-exists',
    });
    const first = await api.call('GET', '/v1/tenants?limit=1');
    expect(first.body).toMatchObject({ data: [{ id: 'acme' }], nextCursor: expect.any(String) });
    const second = await api.call('GET', `/v1/tenants?limit=1&cursor=${String(first.body['nextCursor'])}`);
    expect(second.body).toMatchObject({ data: [{ id: 'globex' }], nextCursor: null });
    expect((await api.call('DELETE', '/v1/tenants/globex')).status).toBe(204);
    expect((await api.call('GET', '/v1/tenants/globex')).status).toBe(404);
    const [put, tombstone] = api.log
      .recordsOf(`${api.config.topicPrefix}.endpoints`)
      .filter(({ key }) => key?.toString() === 'tenant:globex');
    expect([put?.value === null, tombstone?.value === null]).toEqual([false, true]);
  });

  it('list every fault of a body', async () => {
    const { status, body } = await api.call('POST', '/v1/tenants', { id: '../x', name: 'a\u0000', extra: 1 });
    expect(status).toBe(422);
    expect(faults(body['errors'])).toEqual([
      ['/id', 'invalid'],
      ['/name', 'invalid'],
      ['/extra', 'unknown-field'],
    ]);
  });
});

describe('endpoints', () => {
  it('invariant 8: show their secret once; topic and database hold it sealed', async () => {
    const created = await api.call('POST', '/v1/endpoints', endpoint({ description: 'Billing' }));
    expect(created.status).toBe(201);
    const { id, secret } = created.body as unknown as { id: string; secret: string };
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(created.body).toMatchObject({ state: 'active', ordering: 'none', maxInFlight: 16, revision: 1 });

    const later = [
      await api.call('GET', `/v1/endpoints/${id}`),
      await api.call('GET', '/v1/endpoints?tenantId=acme'),
      await api.call('PATCH', `/v1/endpoints/${id}`, { description: null }),
    ];
    const bare = secret.slice('whsec_'.length);
    for (const { status, text } of later) {
      expect(status).toBe(200);
      expect(text).not.toContain(bare);
      expect(text).not.toContain('ciphertext');
    }
    const records = api.log.recordsOf(`${api.config.topicPrefix}.endpoints`);
    const { value } = records.findLast(({ key }) => key?.toString() === id)!;
    const { codec } = await testCodec();
    const config = codec.platform.endpointConfig.decode(value!);
    expect(config).toMatchObject({ endpointId: id, tenantId: 'acme', revision: 2, eventTypes: ['note.*'] });
    expect(openSecret(parseMasterKeys(api.config.masterKeys), config.secrets[0]!.ciphertext, id)).toBe(secret);
    for (const record of records) expect(record.value?.includes(bare) ?? false).toBe(false);

    const client = new pg.Client({ connectionString: api.databaseUrl });
    await client.connect();
    try {
      const { rows } = await client.query<{ name: string }>(
        `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`,
      );
      expect(rows.length).toBeGreaterThan(3);
      for (const { name } of rows) {
        const all = await client.query<{ text: string }>(`SELECT t::text AS text FROM "${name}" t`);
        for (const { text } of all.rows) expect(text).not.toContain(bare);
      }
    } finally {
      await client.end();
    }
  });

  it('are patched by merging; null gives back the default', async () => {
    const created = await api.call(
      'POST',
      '/v1/endpoints',
      endpoint({ maxInFlight: 3, retry: { delaysMs: [1_000, 2_000], jitter: 0 } }),
    );
    const path = `/v1/endpoints/${String(created.body['id'])}`;
    const patched = await api.call(
      'PATCH',
      path,
      { state: 'paused', maxInFlight: null, retry: { jitter: 0.5 } },
      { 'content-type': 'application/merge-patch+json' },
    );
    expect(patched.body).toMatchObject({
      state: 'paused',
      maxInFlight: 16,
      retry: { delaysMs: [1_000, 2_000], jitter: 0.5, maxDelayMs: 86_400_000 },
      revision: 2,
      url: 'https://example.com/hooks',
    });
    expect((await api.call('DELETE', path)).status).toBe(204);
    expect((await api.call('DELETE', path)).status).toBe(404);
    expect((await api.call('PATCH', path, {})).status).toBe(404);
    const last = api.log.recordsOf(`${api.config.topicPrefix}.endpoints`).at(-1)!;
    expect([last.key?.toString(), last.value]).toEqual([created.body['id'], null]);
  });

  it('list every fault of a body with its pointer', async () => {
    const { status, body } = await api.call(
      'POST',
      '/v1/endpoints',
      endpoint({
        url: 'https://u:p@example.com',
        eventTypes: ['a', '*b'],
        ordering: 'some',
        maxInFlight: '3',
        nope: 1,
      }),
    );
    expect(status).toBe(422);
    expect(faults(body['errors'])).toEqual([
      ['/url', 'invalid'],
      ['/eventTypes/1', 'invalid'],
      ['/ordering', 'not-one-of'],
      ['/maxInFlight', 'wrong-type'],
      ['/nope', 'unknown-field'],
    ]);
    const retry = await api.call('POST', '/v1/endpoints', endpoint({ retry: { delaysMs: [5_000, -1], jitter: 2 } }));
    expect(faults(retry.body['errors'])).toEqual([
      ['/retry/delaysMs/1', 'invalid'],
      ['/retry/jitter', 'invalid'],
    ]);
    const tenant = await api.call('POST', '/v1/endpoints', endpoint({ tenantId: 'nobody' }));
    expect(tenant.body).toMatchObject({ status: 422, code: 'unknown-tenant' });
    const array = await api.call('POST', '/v1/endpoints', []);
    expect(array.body).toMatchObject({ status: 422, code: 'invalid-body' });
  });

  it('keep their tenant', async () => {
    expect((await api.call('DELETE', '/v1/tenants/acme')).body).toMatchObject({
      status: 409,
      code: 'tenant-has-endpoints',
    });
  });
});

describe('POST /v1/events', () => {
  it('takes one event, a batch, and one in headers', async () => {
    const one = event();
    const answer = await api.call('POST', '/v1/events', one, structured);
    expect(answer.status).toBe(202);
    expect(answer.body).toEqual({ accepted: [{ id: one.id, source: '/notes', type: 'note.added' }] });

    const batch = await api.call('POST', '/v1/events', [event(), one], {
      'content-type': 'application/cloudevents-batch+json',
    });
    expect(batch.body).toMatchObject({ accepted: [{}, { id: one.id, repeat: true }] });

    const attributes = { 'ce-specversion': '1.0', 'ce-id': 'h1', 'ce-source': '/notes', 'ce-type': 'note.added' };
    const headers = { ...attributes, 'ce-tenantid': 'acme' };
    expect((await api.call('POST', '/v1/events', { text: 'hi' }, headers)).status).toBe(202);

    const { codec } = await testCodec();
    const data = { kind: 'json', value: { text: 'avro' } } as const;
    await codec.events.prepare([{ type: 'note.added', data }]);
    const encoded = codec.events.toAvro({ type: 'note.added', data });
    const bytes = encoded.ok ? encoded.bytes : Buffer.alloc(0);
    const avro = { ...headers, 'ce-id': 'h2', 'content-type': 'application/avro' };
    expect((await api.call('POST', '/v1/events', bytes, avro)).status).toBe(202);
    const broken = await api.call('POST', '/v1/events', bytes.subarray(0, 7), { ...avro, 'ce-id': 'h3' });
    expect(broken.body).toMatchObject({ status: 422, code: 'invalid-data' });
    const values = api.log
      .recordsOf(`${api.config.topicPrefix}.events`)
      .map(({ value }) => value?.subarray(6, -1).toString());
    expect(values).toEqual(['hello', 'hello', 'hi', 'avro']);
  });

  it.each([
    ['malformed JSON', '{"id":', structured, 400, 'malformed'],
    ['no JSON object', '[]', structured, 400, 'malformed'],
    ['wrong types', JSON.stringify(event({ data: { text: 1 } })), structured, 422, 'invalid-data'],
    ['an unknown event type', JSON.stringify(event({ type: 'no.such' })), structured, 422, 'unknown-event-type'],
    ['an unknown tenant', JSON.stringify(event({ tenantid: 'nobody' })), structured, 422, 'unknown-tenant'],
    ['no tenant', JSON.stringify(event({ tenantid: undefined })), structured, 422, 'missing-attribute'],
    [
      'an oversized event',
      JSON.stringify(event({ data: { text: 'x'.repeat(262_144) } })),
      structured,
      413,
      'too-large',
    ],
    ['an oversized body', 'x'.repeat(6_000_000), structured, 413, 'too-large'],
    ['no event at all', '{}', { 'content-type': 'application/json' }, 415, 'unsupported-content-type'],
    ['an empty body', '', structured, 400, 'malformed'],
  ])('refuses %s', async (_what, body, headers, status, code) => {
    const answer = await api.call('POST', '/v1/events', body, headers);
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.body).toMatchObject({ code, status, instance: '/v1/events' });
  });

  it('bounds a batch', async () => {
    const batch = Array.from({ length: 1_001 }, () => event());
    const headers = { 'content-type': 'application/cloudevents-batch+json' };
    expect((await api.call('POST', '/v1/events', batch, headers)).status).toBe(413);
    expect((await api.call('POST', '/v1/events', [], headers)).body).toEqual({ accepted: [] });
  });

  it('answers 503 with Retry-After when the brokers do not', async () => {
    api.log.setAvailable(false);
    const answer = await api.call('POST', '/v1/events', event(), structured);
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('2');
    expect(answer.body).toMatchObject({ code: 'broker-unavailable' });
  });
});
