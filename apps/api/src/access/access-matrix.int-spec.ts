/** Every route × every kind of caller: who may, who may not, and who leaves a trace. A new route needs a row here. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allows, allScopes, type Scope } from '#libs/core';
import { operatorKey } from '../../test/start-api.js';
import { AccessWorld, type Owned } from '../../test/access-world.js';
import { apiDocument } from '../index.js';

// Real: Nest, Fastify, PostgreSQL with its row-level security. Doubled: Kafka (InMemoryLog), the schema registry.
let world: AccessWorld;
const bearers: Record<string, string> = {};

beforeAll(async () => {
  world = await AccessWorld.open();
  bearers['owner'] = await world.key('acme', ['*']);
  bearers['stranger'] = await world.key('other', ['*']);
  bearers['stranger portal'] = world.token({ tenantId: 'other' });
  bearers['portal'] = world.token();
  bearers['revoked key'] = await world.revokedKey();
  bearers['expired key'] = await world.expiredKey();
  bearers['expired token'] = world.expiredToken();
  bearers['revoked token'] = await world.revokedToken();
  bearers['forged token'] = world.token({}, `1:${randomBytes(32).toString('base64')}`);
  bearers['unknown key'] = `pht_${'0'.repeat(12)}_${'A'.repeat(43)}`;
  for (const scope of allScopes) bearers[`platform ${scope}`] = await world.key(null, [scope]);
});
afterAll(() => world?.close());

interface Row {
  readonly route: string;
  /** Of the path, in their order. */
  readonly ids?: (owned: Owned) => readonly string[];
  readonly body?: (owned: Owned) => unknown;
  readonly query?: string;
  readonly contentType?: string;
  /** What the tenant's own key with all scopes is answered; the platform's, where no tenant may at all. */
  readonly owner: number;
  /** What another tenant's is. */
  readonly stranger: number;
  /** Why a change leaves no audit entry. */
  readonly noEntry?: string;
}

const endpoint = (owned: Owned) => [owned.endpointId];
const transformation = (owned: Owned) => [owned.transformationId];
const replay = (owned: Owned) => [owned.replayId];
const asks = 'it asks, and changes nothing';
// The log in memory counts its own time from 0.
const from = '1970-01-01T00:00:00Z';
const event = { specversion: '1.0', id: 'e2', source: '/notes', type: 'note.added', data: { text: 'hello' } };
const code = 'function handler(webhook) { return webhook; } // 2';

/** In an order in which each finds what it needs. */
const rows: readonly Row[] = [
  {
    route: 'POST /v1/events',
    body: (o) => ({ ...event, tenantid: o.tenantId }),
    contentType: 'application/cloudevents+json',
    owner: 202,
    stranger: 422,
    noEntry: 'events are what the log is for',
  },

  { route: 'GET /v1/tenants', owner: 200, stranger: 200 },
  { route: 'GET /v1/tenants/:id', ids: (o) => [o.tenantId], owner: 200, stranger: 404 },
  { route: 'POST /v1/tenants', body: () => ({ id: 'third', name: 'Third' }), owner: 201, stranger: 403 },
  { route: 'DELETE /v1/tenants/:id', ids: () => ['third'], owner: 204, stranger: 403 },

  { route: 'GET /v1/keys', owner: 200, stranger: 200 },
  { route: 'GET /v1/keys/:id', ids: (o) => [o.keyId], owner: 200, stranger: 404 },
  {
    route: 'POST /v1/keys',
    body: (o) => ({ name: 'two', tenantId: o.tenantId, scopes: ['keys:write'] }),
    owner: 201,
    stranger: 422,
  },
  { route: 'DELETE /v1/keys/:id', ids: (o) => [o.keyId], owner: 204, stranger: 404 },
  {
    route: 'POST /v1/tenants/:id/portal-tokens',
    ids: (o) => [o.tenantId],
    body: () => ({ scopes: ['endpoints:read'] }),
    owner: 201,
    stranger: 404,
  },

  {
    route: 'DELETE /v1/tenants/:id/portal-tokens/:tokenId',
    ids: (o) => [o.tenantId, o.tokenId],
    owner: 204,
    stranger: 404,
  },
  { route: 'GET /v1/audit', owner: 200, stranger: 200 },
  { route: 'GET /v1/settings', owner: 200, stranger: 403 },
  { route: 'GET /v1/stats', owner: 200, stranger: 200 },
  { route: 'GET /v1/stats/endpoints', owner: 200, stranger: 200 },

  { route: 'GET /v1/event-types', owner: 200, stranger: 200 },
  { route: 'GET /v1/event-types/asyncapi.json', owner: 200, stranger: 200 },
  { route: 'GET /v1/event-types/openapi.json', owner: 200, stranger: 200 },
  { route: 'GET /v1/event-types/:type', ids: () => ['note.added'], owner: 200, stranger: 200 },
  { route: 'GET /v1/event-types/:type/versions/:version', ids: () => ['note.added', '1'], owner: 200, stranger: 200 },
  {
    route: 'GET /v1/event-types/:type/versions/:version/difference',
    ids: () => ['note.added', '1'],
    query: '?to=1',
    owner: 200,
    stranger: 200,
  },

  { route: 'GET /v1/endpoints', owner: 200, stranger: 200 },
  {
    route: 'POST /v1/endpoints',
    body: (o) => ({ tenantId: o.tenantId, url: 'https://example.com/', eventTypes: ['*'] }),
    owner: 201,
    stranger: 422,
  },
  { route: 'GET /v1/endpoints/:id', ids: endpoint, owner: 200, stranger: 404 },
  { route: 'PATCH /v1/endpoints/:id', ids: endpoint, body: () => ({ description: 'x' }), owner: 200, stranger: 404 },
  { route: 'POST /v1/endpoints/:id/pause', ids: endpoint, owner: 200, stranger: 404 },
  { route: 'POST /v1/endpoints/:id/disable', ids: endpoint, owner: 200, stranger: 404 },
  { route: 'POST /v1/endpoints/:id/enable', ids: endpoint, owner: 200, stranger: 404 },
  { route: 'POST /v1/endpoints/:id/resume', ids: endpoint, owner: 200, stranger: 404 },
  { route: 'GET /v1/endpoints/:id/history', ids: endpoint, owner: 200, stranger: 404 },
  { route: 'GET /v1/endpoints/:id/backlog', ids: endpoint, owner: 200, stranger: 404 },
  { route: 'GET /v1/endpoints/:id/verification', ids: endpoint, owner: 200, stranger: 404 },
  {
    route: 'POST /v1/endpoints/:id/verify',
    ids: endpoint,
    owner: 409,
    stranger: 404,
    noEntry: 'it need not be verified',
  },
  { route: 'GET /v1/endpoints/:id/retry-preview', ids: endpoint, owner: 200, stranger: 404 },
  { route: 'GET /v1/endpoints/:id/versions', ids: endpoint, owner: 200, stranger: 404 },
  {
    route: 'POST /v1/endpoints/:id/versions/preview',
    ids: endpoint,
    body: () => ({ type: 'note.added', version: 1 }),
    owner: 200,
    stranger: 404,
    noEntry: asks,
  },
  { route: 'POST /v1/retry-preview', body: () => ({ retry: {} }), owner: 200, stranger: 200, noEntry: asks },
  {
    route: 'POST /v1/filters/test',
    body: (o) => ({ filters: [], tenantId: o.tenantId, type: 'note.added', last: 1 }),
    owner: 200,
    stranger: 422,
    noEntry: asks,
  },
  // No worker is there to send it.
  { route: 'POST /v1/endpoints/:id/test', ids: endpoint, body: () => ({}), owner: 504, stranger: 404 },
  { route: 'GET /v1/endpoints/:id/secrets', ids: endpoint, owner: 200, stranger: 404 },
  { route: 'GET /v1/endpoints/:id/public-keys', ids: endpoint, owner: 200, stranger: 404 },
  { route: 'POST /v1/endpoints/:id/secrets/rotate', ids: endpoint, body: () => ({}), owner: 201, stranger: 404 },
  {
    route: 'DELETE /v1/endpoints/:id/secrets/:secretId',
    ids: (o) => [o.endpointId, o.secretId],
    owner: 204,
    stranger: 404,
  },
  { route: 'GET /v1/endpoints/:id/halted-keys', ids: endpoint, owner: 200, stranger: 404 },
  {
    route: 'POST /v1/endpoints/:id/halted-keys/:deliveryId/release',
    ids: (o) => [o.endpointId, o.haltedId],
    owner: 202,
    stranger: 404,
  },
  {
    route: 'POST /v1/endpoints/:id/halted-keys/:deliveryId/skip',
    ids: (o) => [o.endpointId, o.otherHaltedId],
    owner: 202,
    stranger: 404,
  },

  { route: 'GET /v1/deliveries', owner: 200, stranger: 200 },
  { route: 'GET /v1/deliveries/:id', ids: (o) => [o.deliveryId], owner: 200, stranger: 404 },
  { route: 'GET /v1/deliveries/:id/attempts', ids: (o) => [o.deliveryId], owner: 200, stranger: 404 },
  {
    route: 'POST /v1/deliveries/:id/resend',
    ids: (o) => [o.deliveryId],
    owner: 409,
    stranger: 404,
    noEntry: 'its event is not in the log',
  },

  { route: 'GET /v1/dead-letters', owner: 200, stranger: 200 },
  { route: 'GET /v1/dead-letters/:deliveryId', ids: (o) => [o.deadId], owner: 200, stranger: 404 },
  {
    route: 'POST /v1/dead-letters/replay',
    body: (o) => ({ filter: { endpointId: o.endpointId } }),
    owner: 202,
    stranger: 409,
  },
  { route: 'POST /v1/dead-letters/:deliveryId/replay', ids: (o) => [o.deadId], owner: 202, stranger: 404 },
  { route: 'POST /v1/endpoints/:id/recover', ids: endpoint, body: () => ({ since: from }), owner: 202, stranger: 404 },
  {
    route: 'POST /v1/dead-letters/:deliveryId/discard',
    ids: (o) => [o.deadId],
    body: () => ({ reason: 'x' }),
    owner: 200,
    stranger: 404,
  },
  {
    route: 'POST /v1/dead-letters/discard',
    body: (o) => ({ filter: { endpointId: o.endpointId }, reason: 'x' }),
    owner: 200,
    stranger: 200,
  },

  { route: 'GET /v1/replays', owner: 200, stranger: 200 },
  { route: 'POST /v1/replays', body: (o) => ({ tenantId: o.tenantId, from }), owner: 201, stranger: 422 },
  { route: 'GET /v1/replays/:id', ids: replay, owner: 200, stranger: 404 },
  {
    route: 'PATCH /v1/replays/:id',
    ids: replay,
    body: () => ({ rateLimit: { limit: 5, per: 'second' } }),
    owner: 200,
    stranger: 404,
  },
  { route: 'POST /v1/replays/:id/pause', ids: replay, owner: 200, stranger: 404 },
  { route: 'POST /v1/replays/:id/resume', ids: replay, owner: 200, stranger: 404 },
  { route: 'POST /v1/replays/:id/cancel', ids: replay, owner: 200, stranger: 404 },

  { route: 'GET /v1/transformations', owner: 200, stranger: 200 },
  {
    route: 'POST /v1/transformations',
    body: (o) => ({ tenantId: o.tenantId, name: 'two', code }),
    owner: 201,
    stranger: 422,
  },
  {
    route: 'POST /v1/transformations/test',
    body: (o) => ({ transformationId: o.transformationId, payload: {}, eventType: 'note.added' }),
    owner: 200,
    stranger: 404,
    noEntry: asks,
  },
  { route: 'GET /v1/transformations/:id', ids: transformation, owner: 200, stranger: 404 },
  { route: 'PATCH /v1/transformations/:id', ids: transformation, body: () => ({ code }), owner: 200, stranger: 404 },
  { route: 'GET /v1/transformations/:id/versions', ids: transformation, owner: 200, stranger: 404 },
  {
    route: 'GET /v1/transformations/:id/versions/:version',
    ids: (o) => [o.transformationId, '1'],
    owner: 200,
    stranger: 404,
  },
  {
    route: 'POST /v1/transformations/:id/versions/:version/restore',
    ids: (o) => [o.transformationId, '1'],
    owner: 200,
    stranger: 404,
  },
  { route: 'DELETE /v1/transformations/:id', ids: transformation, owner: 204, stranger: 404 },

  { route: 'DELETE /v1/endpoints/:id', ids: endpoint, owner: 204, stranger: 404 },
  // After it the token of these tests is void.
  { route: 'DELETE /v1/tenants/:id/portal-tokens', ids: (o) => [o.tenantId], owner: 204, stranger: 404 },
];

let count = 0;
const call = async (caller: string | null, row: Row) => {
  const [method = '', pattern = ''] = row.route.split(' ');
  const ids = [...(row.ids?.(world.owned) ?? [])];
  const path = pattern.replaceAll(/:\w+/g, () => encodeURIComponent(ids.shift() ?? ''));
  const requestId = `matrix-${(count += 1)}`;
  const headers = { 'x-request-id': requestId, ...(row.contentType && { 'content-type': row.contentType }) };
  const bearer = caller === null ? null : (bearers[caller] ?? operatorKey);
  const answer = await world.call(bearer, method, path + (row.query ?? ''), row.body?.(world.owned), headers);
  return { ...answer, requestId };
};
/** By the OpenAPI document: the scope that each route names. */
const documented = new Map(
  Object.entries(apiDocument().paths)
    .filter(([path]) => path.startsWith('/v1/'))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]): [string, Scope | undefined] => [
        `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
        operation['x-scope'] as Scope | undefined,
      ]),
    ),
);
const needOf = (row: Row): Scope => {
  const needs = documented.get(row.route);
  if (needs === undefined) throw new Error(`the OpenAPI document does not say what ${row.route} needs`);
  return needs;
};
const isFor = (holder: 'tenant' | 'portal', row: Row): boolean => allows({ holder, scopes: ['*'] }, needOf(row));

it('has a row for every route of the OpenAPI document, which says what each asks for', () => {
  expect(rows.map(({ route }) => route).toSorted()).toEqual([...documented.keys()].toSorted());
  const asked = [...world.api.needs].map(([route, scope]) => [route.replace(/\/$/, ''), scope]);
  expect(new Map(asked as [string, Scope][])).toEqual(documented);
});

describe('nobody gets in', () => {
  it.each([
    [null, 'unauthorised'],
    ['unknown key', 'unauthorised'],
    ['forged token', 'unauthorised'],
    ['revoked key', 'key-revoked'],
    ['expired key', 'key-expired'],
    ['expired token', 'token-expired'],
    ['revoked token', 'token-revoked'],
  ])('with %s', async (caller, expected) => {
    for (const row of rows) {
      const { status, body } = await call(caller, row);
      expect({ route: row.route, status, code: body['code'] }).toEqual({
        route: row.route,
        status: 401,
        code: expected,
      });
    }
  });
});

describe('a scope', () => {
  it.each(allScopes)('%s opens its own routes and no other', async (scope) => {
    for (const row of rows.filter((one) => needOf(one) !== scope)) {
      const { status, body } = await call(`platform ${scope}`, row);
      expect({ route: row.route, status, code: body['code'] }).toEqual({
        route: row.route,
        status: 403,
        code: 'forbidden',
      });
    }
  });

  it('that only the platform, or no browser, holds is not opened by *', async () => {
    for (const [caller, holder] of [
      ['owner', 'tenant'],
      ['portal', 'portal'],
    ] as const)
      for (const row of rows.filter((one) => !isFor(holder, one)))
        expect({ route: row.route, status: (await call(caller, row)).status }).toEqual({
          route: row.route,
          status: 403,
        });
  });
});

describe('another tenant', () => {
  it.each(rows)('is told nothing by $route', async (row) => {
    const { owned } = world;
    for (const caller of ['stranger', 'stranger portal']) {
      const may = isFor(caller === 'stranger' ? 'tenant' : 'portal', row);
      const { status, text } = await call(caller, row);
      expect(status).toBe(may ? row.stranger : 403);
      // A refusal may repeat what was asked for; documents of event types have an example that is called as our tenant.
      if (status >= 300 || needOf(row) === 'event-types:read') continue;
      for (const id of Object.values(owned)) expect(text).not.toContain(id);
    }
  });
});

describe('whoever holds the scope', () => {
  it.each(rows)('gets through $route, and what is changed stands in the audit log', async (row) => {
    const caller = isFor('tenant', row) ? 'owner' : 'root';
    const { status, requestId, text } = await call(caller, row);
    expect({ status, text: status === row.owner ? '' : text }).toEqual({ status: row.owner, text: '' });
    const { body } = await world.call(operatorKey, 'GET', `/v1/audit?requestId=${requestId}`);
    const entries = body['data'] as unknown as { actor: { kind: string; id: string }; ip: string }[];
    if (row.route.startsWith('GET') || row.noEntry !== undefined) expect(entries).toEqual([]);
    else expect(entries).not.toEqual([]);
    for (const { actor, ip } of entries) {
      expect(ip).toBe('127.0.0.1');
      expect(actor).toMatchObject(
        caller === 'root' ? { kind: 'root' } : { kind: 'tenant', id: bearers['owner']?.slice(0, 16) },
      );
    }
    // With that scope alone, and as a browser, it is at least let in.
    const others = [`platform ${needOf(row)}`, ...(isFor('portal', row) ? ['portal'] : [])];
    for (const other of others) {
      const { status: own, body: refusal } = await call(other, row);
      // It cannot hand on what it does not hold: that is another refusal.
      if (own !== 403 || refusal['errors'] === undefined) expect([401, 403]).not.toContain(own);
    }
  });
});
