// Real: Nest, Fastify, PostgreSQL, repositories, codec, the sandbox. Doubled: Kafka (InMemoryLog), the schema registry.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testCodec } from '../../test/event-codec.js';
import { startApi, type TestApi } from '../../test/start-api.js';

let api: TestApi;

beforeAll(async () => {
  api = await startApi();
  for (const id of ['acme', 'other']) await api.call('POST', '/v1/tenants', { id, name: id });
});
afterAll(() => api.close());

const path = '/v1/transformations';
const code = 'function handler(webhook) {\n  webhook.payload.data.seen = true;\n  return webhook;\n}\n';
async function create(changes: object = {}): Promise<string> {
  const created = await api.call('POST', path, { tenantId: 'acme', name: 'Chat', code, ...changes });
  expect(created.status).toBe(201);
  return String(created.body['id']);
}
async function recordsOf(id: string): Promise<unknown[]> {
  const { codec } = await testCodec();
  return api.log
    .recordsOf(`${api.config.topicPrefix}.endpoints`)
    .filter(({ key }) => key?.toString() === `transformation:${id}`)
    .map(({ value }) => value && codec.platform.transformationConfig.decode(value));
}
const event = {
  specversion: '1.0',
  id: 'e-1',
  source: '/notes',
  type: 'note.added',
  time: '2026-03-04T05:06:07Z',
  tenantid: 'acme',
  data: { text: 'hello' },
};
const test = (body: object) => api.call('POST', `${path}/test`, body);

describe('a transformation', () => {
  it('is made, read, changed and deleted, and published each time', async () => {
    const id = await create();
    const { body } = await api.call('GET', `${path}/${id}`);
    expect(body).toEqual({
      id: expect.stringMatching(/^tr_[0-9a-f]{32}$/) as unknown,
      tenantId: 'acme',
      name: 'Chat',
      version: 1,
      code,
      createdAt: expect.any(String) as unknown,
      updatedAt: expect.any(String) as unknown,
    });
    const other = `${code}// changed`;
    const patched = await api.call('PATCH', `${path}/${id}`, { code: other });
    expect([patched.status, patched.body['version'], patched.body['code']]).toEqual([200, 2, other]);
    expect((await api.call('PATCH', `${path}/${id}`, { name: 'Notes' })).body).toMatchObject({
      name: 'Notes',
      version: 2,
    });
    expect((await api.call('DELETE', `${path}/${id}`)).status).toBe(204);
    expect((await api.call('GET', `${path}/${id}`)).status).toBe(404);
    const common = { transformationId: id, tenantId: 'acme' };
    expect(await recordsOf(id)).toMatchObject([
      { ...common, version: 1, code },
      { ...common, version: 2, code: other },
      null,
    ]);
  });

  it('has versions, of which one can be brought back', async () => {
    const id = await create();
    await api.call('PATCH', `${path}/${id}`, { code: `${code}// 2` });
    const restored = await api.call('POST', `${path}/${id}/versions/1/restore`);
    expect(restored.body).toMatchObject({ version: 3, code });
    const list = await api.call('GET', `${path}/${id}/versions`);
    expect(list.body).toMatchObject({
      data: [
        { version: 3, restoredFrom: 1 },
        { version: 2, restoredFrom: null },
        { version: 1, restoredFrom: null },
      ],
      nextCursor: null,
    });
    expect(list.text).not.toContain('handler');
    expect((await api.call('GET', `${path}/${id}/versions/2`)).body).toMatchObject({ version: 2, code: `${code}// 2` });
    for (const version of ['4', '0', '-1', 'x', '99999999999']) {
      expect((await api.call('GET', `${path}/${id}/versions/${version}`)).status).toBe(404);
      expect((await api.call('POST', `${path}/${id}/versions/${version}/restore`)).status).toBe(404);
    }
    expect((await api.call('GET', `${path}/tr_none/versions`)).status).toBe(404);
    expect((await api.call('GET', `${path}/${id}/versions?cursor=zzz`)).body['code']).toBe('invalid-parameter');
  });

  it('is listed by tenant, in pages, without code', async () => {
    const ids = [await create({ tenantId: 'other' }), await create({ tenantId: 'other' })];
    const first = await api.call('GET', `${path}?tenantId=other&limit=1`);
    const second = await api.call('GET', `${path}?tenantId=other&limit=1&cursor=${String(first.body['nextCursor'])}`);
    const listed = [first, second].flatMap(({ body }) => body['data'] as unknown as { id: string }[]);
    expect(listed.map(({ id }) => id)).toEqual(ids);
    expect(second.body['nextCursor']).toBeNull();
    expect(listed[0]).not.toHaveProperty('code');
  });

  it("is kept while endpoints name it; they name none that is not there or another tenant's", async () => {
    const id = await create();
    const foreign = await create({ tenantId: 'other' });
    const endpoint = (transformationId: string) =>
      api.call('POST', '/v1/endpoints', {
        tenantId: 'acme',
        url: 'https://example.com',
        eventTypes: ['*'],
        transformationId,
      });
    for (const unknown of ['tr_none', foreign]) {
      const refused = await endpoint(unknown);
      expect(refused.status).toBe(422);
      expect(refused.body).toMatchObject({
        code: 'unknown-transformation',
        errors: [{ pointer: '/transformationId' }],
      });
    }
    const named = `/v1/endpoints/${String((await endpoint(id)).body['id'])}`;
    expect((await api.call('PATCH', named, { transformationId: foreign })).body['code']).toBe('unknown-transformation');
    const refused = await api.call('DELETE', `${path}/${id}`);
    expect([refused.status, refused.body['code']]).toEqual([409, 'transformation-in-use']);
    await api.call('PATCH', named, { transformationId: null });
    expect((await api.call('DELETE', `${path}/${id}`)).status).toBe(204);
  });
});

describe('code is looked at before it is stored', () => {
  it.each([
    ['function handler( {', 'syntax', 1],
    ['\n\nconst x = ;', 'syntax', 3],
    ['const other = 1', 'no-handler', undefined],
    ['\nthrow new Error("no")', 'threw', 2],
    ['for (;;);', 'timeout', undefined],
    ['new ArrayBuffer(2 ** 28)', 'memory', 1],
    ['x'.repeat(65_537), 'too-big', undefined],
    ['function handler() {} // \0', 'invalid', undefined],
    ['', 'no-handler', undefined],
  ])('%#: %.30s', async (text, fault, line) => {
    const id = await create();
    for (const [method, there, rest] of [
      ['POST', path, { tenantId: 'acme', name: 'x' }],
      ['PATCH', `${path}/${id}`, {}],
    ] as const) {
      const { status, body } = await api.call(method, there, { ...rest, code: text });
      expect(status).toBe(422);
      const [error] = body['errors'] as unknown as Record<string, unknown>[];
      expect([error?.['pointer'], error?.['code'], error?.['line']]).toEqual(['/code', fault, line]);
    }
    expect((await api.call('GET', `${path}/${id}`)).body).toMatchObject({ version: 1, code });
  });

  it('names the tenant that is not there, and things that are not known', async () => {
    const unknown = await api.call('POST', path, { tenantId: 'nobody', name: 'x', code });
    expect([unknown.status, unknown.body['code']]).toEqual([422, 'unknown-tenant']);
    expect((await api.call('PATCH', `${path}/tr_none`, { code })).status).toBe(404);
    expect((await api.call('DELETE', `${path}/tr_none`)).status).toBe(404);
    expect((await api.call('POST', `${path}/tr_none/versions/1/restore`)).status).toBe(404);
    expect((await api.call('PATCH', `${path}/tr_none`, { version: 2 })).body['code']).toBe('invalid-body');
  });
});

describe('a test', () => {
  it('answers what code makes of an event, and the difference', async () => {
    const { status, body } = await test({ code: `${code}console.log('loaded')`, event });
    expect(status).toBe(200);
    const payload = { ...event, datacontenttype: 'application/json' };
    expect(body).toEqual({
      outcome: 'done',
      cancelled: false,
      input: { payload, headers: {} },
      payload: { ...payload, data: { text: 'hello', seen: true } },
      headers: {},
      diff: [{ op: 'add', path: '/data/seen', value: true }],
      logs: ['loaded'],
      cpuMs: expect.any(Number) as unknown,
    });
  });

  it('gives it each format, with its headers, and the time of the event', async () => {
    const shown = 'function handler(webhook) { webhook.headers.at = new Date().toISOString(); return webhook }';
    const ask = async (format: string) => (await test({ code: shown, event, format })).body;
    expect(await ask('data')).toMatchObject({ input: { payload: { text: 'hello' }, headers: {} }, diff: [] });
    expect(await ask('standard')).toMatchObject({
      input: { payload: { type: 'note.added', timestamp: event.time, data: event.data } },
      headers: { at: '2026-03-04T05:06:07.000Z' },
    });
    expect(await ask('binary')).toMatchObject({
      input: { payload: { text: 'hello' }, headers: { 'ce-id': 'e-1', 'ce-tenantid': 'acme' } },
      headers: { 'ce-id': 'e-1', at: '2026-03-04T05:06:07.000Z' },
    });
  });

  it('takes a payload as it is', async () => {
    const shout = 'function handler(webhook) { return { payload: [webhook.eventType, webhook.payload] } }';
    const { body } = await test({ code: shout, payload: null, eventType: 'a.b' });
    expect(body).toMatchObject({ payload: ['a.b', null], diff: [{ op: 'replace', path: '', value: ['a.b', null] }] });
  });

  it('runs what is stored, in whichever version', async () => {
    const id = await create();
    await api.call('PATCH', `${path}/${id}`, { code: 'function handler() { return { cancel: true } }' });
    expect((await test({ transformationId: id, event })).body).toMatchObject({
      outcome: 'done',
      cancelled: true,
      diff: [],
    });
    expect((await test({ transformationId: id, version: 1, event })).body).toMatchObject({ cancelled: false });
    expect((await test({ transformationId: id, version: 3, event })).status).toBe(404);
    expect((await test({ transformationId: 'tr_none', event })).status).toBe(404);
  });

  it('answers a failure with its code and line', async () => {
    const { status, body } = await test({ code: 'function handler() {\n  console.log(1);\n  null.x;\n}', event });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      outcome: 'failed',
      error: { code: 'threw', message: "TypeError: cannot read property 'x' of null", line: 3 },
      logs: ['1'],
      input: { headers: {} },
    });
    const hanging = await test({ code: 'function handler() { for (;;); }', event });
    expect(hanging.body).toMatchObject({ outcome: 'failed', error: { code: 'timeout', line: null } });
    expect((await test({ code: 'function handler( {', event })).body).toMatchObject({
      error: { code: 'syntax', line: 1 },
    });
  });

  it.each([
    [{ event }, '/code'],
    [{ code, transformationId: 'tr_1', event }, '/code'],
    [{ code, version: 1, event }, '/version'],
    [{ code }, '/event'],
    [{ code, event, payload: 1 }, '/event'],
    [{ code, payload: 1 }, '/eventType'],
    [{ code, payload: 1, eventType: 'a', format: 'data' }, '/format'],
    [{ code, event: { ...event, id: '' } }, '/event/id'],
    [{ code, event: { ...event, data: undefined, data_base64: 'AAAA' } }, '/event/data_base64'],
    [{ code, payload: JSON.parse(`${'['.repeat(220)}${']'.repeat(220)}`) as unknown, eventType: 'a' }, '/payload'],
  ])('refuses what does not fit: %#', async (body, pointer) => {
    const { status, body: problem } = await test(body);
    expect(status).toBe(422);
    expect((problem['errors'] as unknown as { pointer: string }[]).map((one) => one.pointer)).toContain(pointer);
  });

  it('refuses what is nested more deeply than anything could read', async () => {
    const deep = `{"code":${JSON.stringify(code)},"eventType":"a","payload":${'['.repeat(60_000)}${']'.repeat(60_000)}}`;
    expect((await test(deep as unknown as object)).body).toMatchObject({ code: 'malformed-json', status: 400 });
  });
});
