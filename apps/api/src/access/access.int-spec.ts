// Real: Nest, Fastify, PostgreSQL. Doubled: Kafka (InMemoryLog), the schema registry.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AccessWorld } from '../../test/access-world.js';
import { operatorKey, startApiOn } from '../../test/start-api.js';

let world: AccessWorld;

beforeAll(async () => {
  world = await AccessWorld.open();
});
afterAll(() => world?.close());

const post = (bearer: string, path: string, body: unknown) => world.call(bearer, 'POST', path, body);
const faults = (body: { readonly [name: string]: unknown }): unknown[] =>
  (body['errors'] as { pointer: string; code: string }[]).map((one) => [one.pointer, one.code]);

describe('keys', () => {
  it('are shown once, work, are named in lists by their begin, and cease to work at once', async () => {
    const created = await post(operatorKey, '/v1/keys', { name: 'CI', tenantId: 'acme', scopes: ['endpoints:read'] });
    expect(created.status).toBe(201);
    expect(created.headers['cache-control']).toBe('no-store');
    const { id, key } = created.body as unknown as { id: string; key: string };
    expect(key.startsWith(`${id}_`)).toBe(true);
    expect(created.body).toMatchObject({ createdBy: null, lastUsedAt: null, revokedAt: null, expiresAt: null });

    expect((await world.call(key, 'GET', '/v1/endpoints')).status).toBe(200);
    await expect
      .poll(async () => (await world.call(operatorKey, 'GET', `/v1/keys/${id}`)).body['lastUsedAt'])
      .toMatch(/Z$/);
    const listed = await world.call(operatorKey, 'GET', '/v1/keys?tenantId=acme');
    expect(listed.text).toContain(id);
    const dump = JSON.stringify([
      listed.text,
      await world.database.session.query('SELECT * FROM api_keys'),
      await world.database.session.query('SELECT * FROM audit_log'),
      world.api.log.recordsOf(`${world.api.config.topicPrefix}.audit`).map(({ value }) => value?.toString('latin1')),
    ]);
    expect(dump).not.toContain(key.slice(id.length + 1));

    expect((await world.call(operatorKey, 'DELETE', `/v1/keys/${id}`)).status).toBe(204);
    const refused = await world.call(key, 'GET', '/v1/endpoints');
    expect(refused).toMatchObject({ status: 401, body: { code: 'key-revoked' } });
    expect((await world.call(operatorKey, 'GET', `/v1/keys/${id}`)).body['revokedAt']).toMatch(/Z$/);
    expect((await world.call(operatorKey, 'DELETE', `/v1/keys/${id}`)).status).toBe(204);
  });

  it('refuse scopes that are none, or not for their kind, each by its place', async () => {
    const scopes = ['endpoints:read', 'endpoint:read', 'tenants:write', 'settings:*'];
    const ofTenant = await post(operatorKey, '/v1/keys', { name: 'x', tenantId: 'acme', scopes });
    expect(ofTenant.status).toBe(422);
    expect(faults(ofTenant.body)).toEqual(['/scopes/1', '/scopes/2', '/scopes/3'].map((one) => [one, 'not-one-of']));
    expect((await post(operatorKey, '/v1/keys', { name: 'x', scopes: ['tenants:write', 'settings:*'] })).status).toBe(
      201,
    );
    const past = { name: 'x', scopes: ['*'], expiresAt: '2020-01-01T00:00:00Z' };
    expect(faults((await post(operatorKey, '/v1/keys', past)).body)).toEqual([['/expiresAt', 'invalid']]);
    expect((await post(operatorKey, '/v1/keys', { name: 'x', scopes: ['*'], tenantId: 'nobody' })).body).toMatchObject({
      code: 'unknown-tenant',
    });
  });

  it('are made by a tenant for itself alone, with no more than it holds', async () => {
    const own = await world.key('acme', ['keys:write', 'endpoints:*']);
    const made = await post(own, '/v1/keys', { name: 'x', scopes: ['endpoints:read'] });
    expect(made.body).toMatchObject({ tenantId: 'acme', createdBy: own.slice(0, 16) });
    for (const tenantId of ['other', 'nobody', null])
      expect((await post(own, '/v1/keys', { name: 'x', tenantId, scopes: ['endpoints:read'] })).body).toMatchObject({
        code: 'unknown-tenant',
      });
    const more = await post(own, '/v1/keys', { name: 'x', scopes: ['endpoints:*', 'replays:read', '*'] });
    expect(more.status).toBe(403);
    expect(faults(more.body)).toEqual([
      ['/scopes/1', 'beyond-own'],
      ['/scopes/2', 'beyond-own'],
    ]);
  });
});

describe('what is revoked at one process of the api', () => {
  // Another process with the same database and log; what it remembers by itself it has learned before.
  const openOther = () =>
    startApiOn(
      world.api.log,
      { DATABASE_URL: world.api.databaseUrl, POSTHORN_MASTER_KEYS: world.api.config.masterKeys },
      () => Promise.resolve(),
    );
  const path = '/v1/tenants/acme/portal-tokens';
  const mint = async () =>
    (await post(operatorKey, path, { scopes: ['*'] })).body as unknown as { id: string; token: string };

  it('is refused by every other one from the answer on: a key, a portal token, all tokens of a tenant', async () => {
    const other = await openOther();
    try {
      const at = (bearer: string) =>
        other.call('GET', '/v1/endpoints', undefined, { authorization: `Bearer ${bearer}` });
      const event = { specversion: '1.0', id: 'late', source: '/notes', type: 'note.added', data: { text: 'x' } };
      const key = await world.key('acme', ['*']);
      const [one, all, later] = [await mint(), await mint(), mint];
      const revoke = async (bearer: string, what: string, code: string): Promise<void> => {
        for (let i = 0; i < 5; i += 1) expect((await at(bearer)).status).toBe(200);
        expect((await world.call(operatorKey, 'DELETE', what)).status).toBe(204);
        const answers = await Promise.all(Array.from({ length: 20 }, () => at(bearer)));
        expect(answers.map(({ body }) => body['code'])).toEqual(answers.map(() => code));
      };
      await revoke(key, `/v1/keys/${key.slice(0, 16)}`, 'key-revoked');
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/cloudevents+json' };
      expect((await other.call('POST', '/v1/events', event, headers)).body).toMatchObject({ code: 'key-revoked' });
      await revoke(one.token, `${path}/${one.id}`, 'token-revoked');
      await revoke(all.token, path, 'token-revoked');
      expect((await at((await later()).token)).status).toBe(200);
    } finally {
      await other.close();
    }
  });

  it('stays revoked for a tenant of the same name that comes later, and stands in the audit log', async () => {
    await post(operatorKey, '/v1/tenants', { id: 'fleeting', name: 'One' });
    const minted = await post(operatorKey, '/v1/tenants/fleeting/portal-tokens', { scopes: ['*'] });
    const token = String(minted.body['token']);
    expect((await world.call(token, 'GET', '/v1/endpoints')).status).toBe(200);
    await world.call(operatorKey, 'DELETE', '/v1/tenants/fleeting');
    await post(operatorKey, '/v1/tenants', { id: 'fleeting', name: 'Another' });
    expect((await world.call(token, 'GET', '/v1/endpoints')).body).toMatchObject({ code: 'token-revoked' });
    const own = `/v1/tenants/fleeting/portal-tokens`;
    expect((await world.call(operatorKey, 'DELETE', `${own}/ptk_${'0'.repeat(32)}`)).status).toBe(404);
    for (let i = 0; i < 2; i += 1)
      expect((await world.call(operatorKey, 'DELETE', `${own}/${String(minted.body['id'])}`)).status).toBe(204);
    await world.call(operatorKey, 'DELETE', own);
    const { body } = await world.call(operatorKey, 'GET', '/v1/audit?tenantId=fleeting&fields=action,before,after');
    expect((body['data'] as unknown as object[]).slice(0, 2)).toEqual([
      { action: 'portal-tokens.revoked', before: { generation: 1 }, after: { generation: 2 } },
      { action: 'portal-token.revoked', before: { id: minted.body['id'] }, after: null },
    ]);
  });
});

describe('portal tokens', () => {
  const mint = (body: object, bearer = operatorKey, tenantId = 'acme') =>
    post(bearer, `/v1/tenants/${tenantId}/portal-tokens`, body);

  it('see their tenant, or some of its endpoints, for as long as they live', async () => {
    const { endpointId } = world.owned;
    const second = { tenantId: 'acme', url: 'https://example.com/2', eventTypes: ['*'] };
    await post(operatorKey, '/v1/endpoints', second);
    const all = await mint({ scopes: ['endpoints:*', 'keys:read'].slice(0, 1) });
    expect(all).toMatchObject({ status: 201, body: { tenantId: 'acme', endpointIds: null } });
    expect(Date.parse(String(all.body['expiresAt'])) - Date.now()).toBeGreaterThan(3_500_000);
    const one = await mint({ scopes: ['endpoints:*'], endpointIds: [endpointId], expiresInSeconds: 60 });
    const count = async (token: unknown): Promise<number> => {
      const { body } = await world.call(String(token), 'GET', '/v1/endpoints');
      return (body['data'] as unknown as unknown[]).length;
    };
    expect([await count(all.body['token']), await count(one.body['token'])]).toEqual([2, 1]);
    // What it would make it could not see.
    expect((await post(String(one.body['token']), '/v1/endpoints', second)).status).toBe(403);
    expect((await world.call(String(one.body['token']), 'GET', '/v1/deliveries')).status).toBe(403);
  });

  it('send tests as events would come, through code of their tenant that they cannot read', async () => {
    const code = 'function handler(webhook) { return { ...webhook, cancel: true }; }';
    const { id: transformationId } = (
      await post(operatorKey, '/v1/transformations', { tenantId: 'acme', name: 'no', code })
    ).body;
    const made = { tenantId: 'acme', url: 'https://example.com/3', eventTypes: ['note.added'], transformationId };
    const endpointId = String((await post(operatorKey, '/v1/endpoints', made)).body['id']);
    const { body } = await mint({ scopes: ['*'], endpointIds: [endpointId] });
    const token = String(body['token']);
    expect((await world.call(token, 'GET', `/v1/transformations/${String(transformationId)}`)).status).toBe(404);
    const sent = await post(token, `/v1/endpoints/${endpointId}/test`, { type: 'note.added' });
    expect([sent.status, sent.body['outcome']]).toEqual([200, 'cancelled']);
  });

  it('are not minted for longer than a day, for scopes that are no browser’s, or for what the tenant does not have', async () => {
    expect(faults((await mint({ scopes: ['*'], expiresInSeconds: 86_401 })).body)).toEqual([
      ['/expiresInSeconds', 'too-big'],
    ]);
    expect(faults((await mint({ scopes: ['keys:read', 'events:write'] })).body)).toEqual([
      ['/scopes/0', 'not-one-of'],
      ['/scopes/1', 'not-one-of'],
    ]);
    const { endpointId } = world.owned;
    const foreign = await mint({ scopes: ['*'], endpointIds: [endpointId] }, operatorKey, 'other');
    expect(faults(foreign.body)).toEqual([['/endpointIds/0', 'unknown-endpoint']]);
    expect((await mint({ scopes: ['*'] }, operatorKey, 'nobody')).status).toBe(404);
    const weak = await world.key(null, ['portal-tokens:write', 'endpoints:read']);
    expect((await mint({ scopes: ['endpoints:read'] }, weak)).status).toBe(201);
    expect((await mint({ scopes: ['endpoints:write'] }, weak)).status).toBe(403);
  });

  it('stand in the audit log, without the token', async () => {
    const { body } = await mint({ scopes: ['endpoints:read'] });
    const { text } = await world.call(operatorKey, 'GET', `/v1/audit?resource=portal-token/${String(body['id'])}`);
    expect(text).toContain('portal-token.minted');
    expect(text).not.toContain(String(body['token']).split('.')[2]);
  });
});

describe('events', () => {
  const structured = { 'content-type': 'application/cloudevents+json' };
  let next = 0;
  const event = (tenantid?: string) => ({
    specversion: '1.0',
    id: `own-${(next += 1)}`,
    source: '/notes',
    type: 'note.added',
    ...(tenantid === undefined ? {} : { tenantid }),
    partitionkey: 'p',
    data: { text: 'hello' },
  });
  const topic = (): string => `${world.api.config.topicPrefix}.events`;

  it('of a tenant’s key are its own, also when they do not say so', async () => {
    const key = await world.key('acme', ['events:write']);
    const before = world.api.log.recordsOf(topic()).length;
    expect((await world.call(key, 'POST', '/v1/events', event(), structured)).status).toBe(202);
    expect((await world.call(key, 'POST', '/v1/events', event('acme'), structured)).status).toBe(202);
    const sent = world.api.log.recordsOf(topic()).slice(before);
    expect(sent.map(({ headers }) => String(headers['ce_tenantid']))).toEqual(['acme', 'acme']);
    for (const other of ['other', 'nobody']) {
      const refused = await world.call(key, 'POST', '/v1/events', event(other), structured);
      expect(refused).toMatchObject({ status: 422, body: { code: 'unknown-tenant' } });
    }
    // Whoever was refused has taught the api nothing about others' tenants.
    expect((await world.call(operatorKey, 'POST', '/v1/events', event('other'), structured)).status).toBe(202);
  });
});

describe('the audit log over REST', () => {
  it('tells who, from where, in which request, what was there and what became of it', async () => {
    const key = await world.key('acme', ['endpoints:write', 'audit:read']);
    const { endpointId } = world.owned;
    const headers = { 'x-request-id': 'my-request:1' };
    const patched = await world.call(key, 'PATCH', `/v1/endpoints/${endpointId}`, { description: 'new' }, headers);
    expect(patched.headers['x-request-id']).toBe('my-request:1');
    const { body } = await world.call(key, 'GET', `/v1/audit?resource=endpoint/${endpointId}&limit=1`);
    expect(body['data']).toMatchObject([
      {
        tenantId: 'acme',
        actor: { kind: 'tenant', id: key.slice(0, 16), name: 'test' },
        ip: '127.0.0.1',
        requestId: 'my-request:1',
        action: 'endpoint.updated',
        before: { description: '' },
        after: { description: 'new' },
        hash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      },
    ]);
    const none = await world.call(await world.key('other', ['audit:read']), 'GET', '/v1/audit?tenantId=acme');
    expect(none.body['data']).toEqual([]);
    const odd = await world.call(key, 'GET', '/v1/endpoints', undefined, { 'x-request-id': 'a b\u00e9' });
    expect(odd.headers['x-request-id']).toMatch(/^req_/);
    expect((await world.call(key, 'GET', '/v1/audit?cursor=MTox')).status).toBe(400);
  });
});
