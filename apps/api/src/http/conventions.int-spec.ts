// Real: the ApiModule on Fastify, PostgreSQL. Doubled: Kafka, the schema registry.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from '../../test/start-api.js';

let api: TestApi;
beforeAll(async () => {
  api = await startApi({ POSTHORN_ALLOW_HTTP: 'true' });
  await api.call('POST', '/v1/tenants', { id: 'acme', name: 'Acme' });
  await api.call('POST', '/v1/tenants', { id: 'other', name: 'Other' });
});
afterAll(() => api?.close());

describe('request ids', () => {
  it('are in the answer and in the problem: the one that was sent, if it is fit', async () => {
    const given = await api.call('GET', '/v1/tenants/nobody', undefined, { 'x-request-id': 'trace-17.a:b_C' });
    expect([given.headers['x-request-id'], given.body['requestId']]).toEqual(['trace-17.a:b_C', 'trace-17.a:b_C']);
    for (const unfit of ['a b', 'x'.repeat(101), 'ä', '{}', '']) {
      const { headers } = await api.call('GET', '/v1/tenants', undefined, { 'x-request-id': unfit });
      expect(headers['x-request-id']).toMatch(/^req_[0-9a-f]{32}$/);
    }
  });

  it('are in every answer, with a key or without, of a route or of none', async () => {
    const answers = [
      await api.call('GET', '/healthz'),
      await api.call('GET', '/nowhere'),
      await api.call('GET', '/v1/tenants', undefined, { authorization: '' }),
      await api.call('POST', '/v1/events', 'x', { 'content-type': 'application/cloudevents+json' }),
    ];
    const ids = answers.map(({ headers }) => headers['x-request-id']);
    expect(new Set(ids).size).toBe(4);
    expect(answers.slice(1).map(({ body }) => body['requestId'])).toEqual(ids.slice(1));
  });
});

describe('security headers', () => {
  it.each(['/healthz', '/v1/tenants', '/v1/tenants/nobody', '/nowhere'])('are on %s', async (path) => {
    expect((await api.call('GET', path)).headers).toMatchObject({
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-store',
    });
  });
});

describe('bodies', () => {
  it.each([
    ['a name twice', '{"id":"a","name":"A","id":"b"}', '/id', 'duplicate-name'],
    ['__proto__', '{"id":"a","name":"A","__proto__":{"admin":true}}', '/__proto__', 'forbidden-name'],
    ['a huge number', '{"id":"a","name":12345678901234567890}', '/name', 'number-too-large'],
    ['deep nesting', `{"id":${'['.repeat(300)}${']'.repeat(300)}}`, `/id${'/0'.repeat(255)}`, 'too-deep'],
  ])('with %s are refused with its place', async (_what, text, pointer, code) => {
    const { status, body } = await api.call('POST', '/v1/tenants', text);
    expect([status, body['code']]).toEqual([400, 'malformed-json']);
    expect(body['errors']).toMatchObject([{ pointer, code }]);
  });

  it('of a quarter of a MiB are taken, larger ones are not', async () => {
    const of = (bytes: number) => `{"id":"a","name":"${'x'.repeat(bytes - 20)}"}`;
    expect((await api.call('POST', '/v1/tenants', of(262_144))).status).toBe(422);
    expect((await api.call('POST', '/v1/tenants', of(262_145))).body).toMatchObject({ status: 413, code: 'too-large' });
  });

  it('of a fault of ours show nothing of it', async () => {
    const { text, body } = await api.call('POST', '/v1/tenants', '{"id":"a","name":');
    expect(body).toMatchObject({ code: 'malformed-json' });
    expect(text).not.toMatch(/ at |\.ts|\.js|node_modules/);
  });
});

describe('paths', () => {
  it.each(['/v1/tenants/%zz', `/v1/tenants/${'x'.repeat(1_001)}`, '/v1/tenants/%ff'])(
    'that lead nowhere get a problem: %s',
    async (path) => {
      const { status, body, headers } = await api.call('GET', path, undefined, { 'x-request-id': 'r-1' });
      expect([status, body['code'], body['requestId']]).toEqual([400, 'bad-request', 'r-1']);
      expect(headers).toMatchObject({
        'content-type': 'application/problem+json',
        'x-frame-options': 'DENY',
        'x-request-id': 'r-1',
      });
    },
  );

  it('may have ids and event types of 1,000 characters', async () => {
    const { body } = await api.call('GET', `/v1/event-types/${'x'.repeat(1_000)}`);
    expect(body).toMatchObject({ status: 404, code: 'not-found' });
  });
});

describe('fields', () => {
  it('narrow what a list answers, beside its filters', async () => {
    const { status, body } = await api.call('GET', '/v1/tenants?limit=1&fields=name,id');
    expect(status).toBe(200);
    expect(body['data']).toEqual([{ name: 'Acme', id: 'acme' }]);
    expect(body['nextCursor']).toEqual(expect.any(String));
  });

  it('narrow what one thing answers', async () => {
    expect((await api.call('GET', '/v1/tenants/acme?fields=name')).body).toEqual({ name: 'Acme' });
    expect((await api.call('GET', '/v1/tenants/acme?fields=name&fields=id')).body).toEqual({
      name: 'Acme',
      id: 'acme',
    });
  });

  it.each(['nope', 'id,', '__proto__', 'constructor', ''])('that are not there are refused: %s', async (fields) => {
    const { status, body } = await api.call('GET', `/v1/tenants?fields=${fields}`);
    expect([status, body['code']]).toEqual([400, 'invalid-parameter']);
    expect(body['errors']).toMatchObject([{ parameter: 'fields', code: 'unknown-field' }]);
  });
});

describe('entity tags', () => {
  const code = (n: number) => `function handler(webhook) { webhook.payload.n = ${n} }`;
  const make = async (path: string, body: object): Promise<{ path: string; etag: string }> => {
    const { status, body: made, headers } = await api.call('POST', path, body);
    expect(status).toBe(201);
    return { path: `${path}/${String(made['id'])}`, etag: String(headers['etag']) };
  };

  it.each([
    [
      'endpoints',
      { tenantId: 'acme', url: 'https://example.com/', eventTypes: ['*'] },
      { description: 'a' },
      { state: 'paused' },
    ],
    ['transformations', { tenantId: 'acme', name: 'a', code: code(1) }, { name: 'b' }, { code: code(2) }],
  ])('of %s name what it is: a change and a deletion of something else are refused', async (what, body, one, other) => {
    const { path, etag } = await make(`/v1/${what}`, body);
    expect((await api.call('GET', path)).headers['etag']).toBe(etag);
    const patch = (changes: object, match: string) => api.call('PATCH', path, changes, { 'if-match': match });
    const first = await patch(one, etag);
    const second = first.headers['etag'] as string;
    expect([first.status, second === etag]).toEqual([200, false]);
    const late = await patch(other, etag);
    expect(late.body).toMatchObject({ status: 412, code: 'precondition-failed', errors: [{ header: 'if-match' }] });
    expect(late.headers['etag']).toBe(second);
    expect((await api.call('GET', path)).headers['etag']).toBe(second);
    expect((await patch(other, `"x", ${second}`)).status).toBe(200);
    expect((await api.call('DELETE', path, undefined, { 'if-match': second })).status).toBe(412);
    expect((await patch(one, 'nonsense')).body).toMatchObject({ status: 400, code: 'invalid-parameter' });
    const { headers } = await api.call('GET', path);
    expect((await api.call('DELETE', path, undefined, { 'if-match': headers['etag'] as string })).status).toBe(204);
  });

  it.each([
    ['endpoints', { tenantId: 'acme', url: 'https://example.com/', eventTypes: ['*'] }, 'description'],
    ['transformations', { tenantId: 'acme', name: 'a', code: code(1) }, 'name'],
  ])('let one of many changes of the same %s through', async (what, body, field) => {
    const { path, etag } = await make(`/v1/${what}`, body);
    const changes = Array.from({ length: 8 }, (_, n) =>
      api.call('PATCH', path, { [field]: `no. ${n}` }, { 'if-match': etag }),
    );
    const statuses = (await Promise.all(changes)).map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, ...Array.from({ length: 7 }, () => 412)]);
  });

  it('of tenants tell one from a later one of the same id', async () => {
    const { path, etag } = await make('/v1/tenants', { id: 'short', name: 'Short' });
    expect((await api.call('DELETE', path, undefined, { 'if-match': '"1"' })).status).toBe(412);
    expect((await api.call('DELETE', path, undefined, { 'if-match': etag })).status).toBe(204);
    expect((await api.call('DELETE', path, undefined, { 'if-match': '*' })).status).toBe(404);
  });
});

describe('rate limits', () => {
  it('tell what is left, refuse beyond with Retry-After, and leave ingest, health and refused keys alone', async () => {
    const limited = await startApi({ POSTHORN_API_RATE_LIMIT: '3', POSTHORN_INGEST_RATE_LIMIT: '1' });
    try {
      for (let n = 0; n < 5; n += 1) await limited.call('GET', '/healthz');
      const { status, headers: none } = await limited.call('GET', '/v1/tenants', undefined, { authorization: '' });
      expect([status, none['ratelimit']]).toEqual([401, undefined]);
      // A minute may end meanwhile: then it begins anew.
      const answers = [];
      for (let n = 0; n < 8; n += 1) answers.push(await limited.call('GET', '/v1/tenants'));
      const refused = answers.find((answer) => answer.status === 429);
      expect(answers[0]?.headers['ratelimit-policy']).toBe('"management";q=3;w=60');
      expect(answers[0]?.headers['ratelimit']).toMatch(/^"management";r=2;t=\d+$/);
      expect(refused?.body).toMatchObject({ code: 'rate-limited', status: 429 });
      expect(refused?.headers['ratelimit']).toMatch(/^"management";r=0;t=\d+$/);
      expect(Number(refused?.headers['retry-after'])).toBeGreaterThan(0);
      const events = await limited.call('POST', '/v1/events', '[]', {
        'content-type': 'application/cloudevents-batch+json',
      });
      expect(events.status).toBe(202);
      expect(events.headers['ratelimit-policy']).toBe('"ingest";q=1;w=60');
      expect((await limited.call('GET', '/healthz')).status).toBe(200);
    } finally {
      await limited.close();
    }
  });
});

describe('filters of lists', () => {
  const made: Record<string, string> = {};
  const make = async (name: string, path: string, body: object): Promise<void> => {
    made[name] = String((await api.call('POST', path, body)).body['id']);
  };
  beforeAll(async () => {
    const code = 'function handler(webhook) { return webhook; }';
    await make('tr', '/v1/transformations', { tenantId: 'acme', name: 'Slack, for billing', code });
    await make('tr2', '/v1/transformations', { tenantId: 'other', name: 'Teams', code });
    const endpoint = (url: string, more: object) =>
      make(url, '/v1/endpoints', { tenantId: 'acme', url: `https://${url}/`, eventTypes: ['*'], ...more });
    await endpoint('billing.example', { eventTypes: ['task.comment.*'], transformationId: made['tr'] });
    await endpoint('other.example', { eventTypes: ['task.updated'], description: 'Of Billing', state: 'paused' });
    await endpoint('third.example', { tenantId: 'other' });
    await make('key', '/v1/keys', { name: 'a', tenantId: 'acme', scopes: ['endpoints:*'] });
    await make('key2', '/v1/keys', { name: 'b', scopes: ['stats:read'] });
    await api.call('DELETE', `/v1/keys/${made['key2']}`);
    await make('ops', '/v1/tenants', { id: 'ops', name: 'Operations Ltd (Oslo)' });
  });
  // Other tests have left some, too.
  const namesOf = (entries: readonly { id?: string; type?: string }[]): string[] =>
    entries.flatMap(({ id, type }) => type ?? Object.keys(made).find((name) => made[name] === id) ?? []);

  it.each([
    ['tenants?name=oslo%20oper', ['ops']],
    ['tenants?name=oslo%20acme', []],
    ['endpoints?eventType=task.updated', ['other.example', 'third.example']],
    ['endpoints?eventType=task.comment.added', ['billing.example', 'third.example']],
    ['endpoints?tenantId=acme&eventType=task', []],
    ['endpoints?state=paused', ['other.example']],
    ['endpoints?state=active&tenantId=acme', ['billing.example']],
    ['endpoints?text=BILL', ['billing.example', 'other.example']],
    ['endpoints?text=bill%20of', ['other.example']],
    ['endpoints?faulty=true', []],
    ['endpoints?faulty=false&tenantId=other', ['third.example']],
    ['keys?state=active', ['key']],
    ['keys?state=revoked', ['key2']],
    ['keys?state=expired', []],
    ['keys?scope=endpoints:write', ['key']],
    ['keys?scope=stats:read&state=revoked', ['key2']],
    ['transformations?name=sla', ['tr']],
    ['transformations?name=teams&tenantId=acme', []],
    ['event-types?text=note%20add', ['note.added']],
    ['event-types?text=task', []],
    ['event-types?owner=nobody', []],
  ])('%s', async (query, expected) => {
    const { status, body } = await api.call('GET', `/v1/${query}`);
    expect(status).toBe(200);
    const found = body['data'] as unknown as { id?: string; type?: string }[];
    expect(namesOf(found)).toEqual(expected);
  });

  it('by the transformation of an endpoint', async () => {
    const { body } = await api.call('GET', `/v1/endpoints?transformationId=${made['tr']}&fields=url`);
    expect(body['data']).toEqual([{ url: 'https://billing.example/' }]);
  });

  it('holds behind a cursor, whatever is made meanwhile', async () => {
    const first = await api.call('GET', '/v1/endpoints?text=billing&limit=1&fields=id');
    await api.call('POST', '/v1/endpoints', { tenantId: 'acme', url: 'https://late.example/', eventTypes: ['*'] });
    const path = `/v1/endpoints?text=billing&limit=1&fields=id&cursor=${String(first.body['nextCursor'])}`;
    const second = await api.call('GET', path);
    const ids = [first, second].flatMap(({ body }) => body['data'] as unknown as { id: string }[]);
    expect(namesOf(ids)).toEqual(['billing.example', 'other.example']);
    expect(second.body['nextCursor']).toBeNull();
  });

  it.each(['endpoints?state=gone', 'endpoints?text=%20-', 'keys?scope=no:such', 'replays?state=x', 'tenants?id=acme'])(
    'refuses %s',
    async (query) => {
      expect((await api.call('GET', `/v1/${query}`)).body).toMatchObject({ code: 'invalid-parameter' });
    },
  );
});

describe('GET /v1/settings', () => {
  it('tells what is in force, and nothing secret', async () => {
    const { body, text } = await api.call('GET', '/v1/settings');
    const all = body['data'] as unknown as { name: string; value: unknown }[];
    expect(all.find(({ name }) => name === 'POSTHORN_ALLOW_HTTP')).toMatchObject({ value: true, default: false });
    for (const secret of [api.config.operatorKey, api.config.masterKeys.slice(2), api.databaseUrl])
      expect(text).not.toContain(secret);
  });
});
