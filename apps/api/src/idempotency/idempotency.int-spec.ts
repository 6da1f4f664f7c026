// Real: Nest, Fastify, PostgreSQL. Doubled: Kafka (InMemoryLog), the schema registry.
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { AccessWorld } from '../../test/access-world.js';
import { operatorKey } from '../../test/start-api.js';
import { Endpoints } from '../endpoints/endpoints.js';
import { AppError } from '../problem/app-error.js';

let world: AccessWorld;

beforeAll(async () => {
  world = await AccessWorld.open();
});
afterAll(() => world?.close());

const endpoint = { tenantId: 'acme', url: 'https://example.com/', eventTypes: ['*'] };
const post = (key: string, body: unknown, path = '/v1/endpoints', bearer = operatorKey) =>
  world.call(bearer, 'POST', path, body, { 'idempotency-key': key });
const countEndpoints = async (): Promise<number> => {
  const [row]: { count: number }[] = await world.database.session.query('SELECT count(*)::integer FROM endpoints');
  return row?.count ?? 0;
};

it('gives the same answer to the same request, secret and all, and makes one endpoint', async () => {
  const before = await countEndpoints();
  const first = await post('one', endpoint);
  expect(first.status).toBe(201);
  expect(first.headers['idempotency-replayed']).toBeUndefined();
  // The order of members is no difference.
  const again = await post('one', Object.fromEntries(Object.entries(endpoint).reverse()));
  expect(again.status).toBe(201);
  expect(again.text).toBe(first.text);
  expect(again.headers['idempotency-replayed']).toBe('true');
  for (const name of ['content-type', 'cache-control']) expect(again.headers[name]).toBe(first.headers[name]);
  expect(await countEndpoints()).toBe(before + 1);
  const rows: unknown[] = await world.database.session.query('SELECT * FROM idempotency_keys');
  expect(JSON.stringify(rows)).not.toContain(String(first.body['secret']).slice(6));
});

it('refuses a key that was used for another body or path, and takes that of another caller', async () => {
  expect((await post('two', endpoint)).status).toBe(201);
  const other = await post('two', { ...endpoint, description: 'x' });
  expect(other).toMatchObject({ status: 409, body: { code: 'idempotency-key-reused' } });
  expect((await post('two', endpoint, '/v1/transformations')).body).toMatchObject({ code: 'idempotency-key-reused' });
  const stranger = await world.key('acme', ['*']);
  const own = await post('two', endpoint, '/v1/endpoints', stranger);
  expect(own.status).toBe(201);
  expect(own.headers['idempotency-replayed']).toBeUndefined();
});

it('lets one of many at once do it, and tells the others to try again', async () => {
  const before = await countEndpoints();
  const answers = await Promise.all(Array.from({ length: 10 }, () => post('three', endpoint)));
  expect(await countEndpoints()).toBe(before + 1);
  const waiting = answers.filter(({ status }) => status === 409);
  for (const { body, headers } of waiting) {
    expect(body).toMatchObject({ code: 'request-in-progress' });
    expect(headers['retry-after']).toBe('2');
  }
  const done = answers.filter(({ status }) => status === 201);
  expect(done.length + waiting.length).toBe(10);
  expect(new Set(done.map(({ text }) => text)).size).toBe(1);
  expect((await post('three', endpoint)).text).toBe(done[0]?.text);
});

it('keeps refusals, but not that something was away', async () => {
  const refused = await post('four', { ...endpoint, tenantId: 'fourth' });
  expect(refused).toMatchObject({ status: 422, body: { code: 'unknown-tenant' } });
  await world.call(operatorKey, 'POST', '/v1/tenants', { id: 'fourth', name: 'Fourth' });
  expect((await post('four', { ...endpoint, tenantId: 'fourth' })).text).toBe(refused.text);
  const create = vi.spyOn(world.api.app.get(Endpoints), 'create');
  create.mockRejectedValueOnce(new AppError('broker-unavailable', 'Try again.'));
  create.mockRejectedValueOnce(new Error('a bug'));
  expect((await post('five', endpoint)).status).toBe(503);
  expect((await post('five', endpoint)).status).toBe(500);
  expect((await post('five', endpoint)).status).toBe(201);
});

it.each(['', ' ', 'a b', 'é', 'x'.repeat(256)])('refuses the key %j', async (key) => {
  const { status, body } = await post(key, endpoint);
  expect(status).toBe(400);
  expect(body).toMatchObject({ code: 'invalid-parameter', errors: [{ header: 'idempotency-key' }] });
});

it('means nothing where it is not needed', async () => {
  const event = { specversion: '1.0', id: 'x', source: '/notes', type: 'note.added', tenantid: 'acme' };
  const headers = { 'idempotency-key': 'six', 'content-type': 'application/cloudevents+json' };
  const sent = { ...event, data: { text: 'hello' } };
  expect((await world.call(operatorKey, 'POST', '/v1/events', sent, headers)).status).toBe(202);
  expect((await world.call(operatorKey, 'GET', '/v1/endpoints', undefined, headers)).status).toBe(200);
  const rows: unknown[] = await world.database.session.query(`SELECT * FROM idempotency_keys WHERE key = 'six'`);
  expect(rows).toEqual([]);
});

it('does nothing before it is known who calls, and for whoever may not', async () => {
  expect((await post('seven', endpoint, '/v1/endpoints', 'wrong')).status).toBe(401);
  expect((await post('seven', endpoint, '/v1/endpoints', await world.key('acme', ['endpoints:read']))).status).toBe(
    403,
  );
  expect((await post('seven', endpoint, '/v1/nothing')).status).toBe(404);
  const rows: unknown[] = await world.database.session.query(`SELECT * FROM idempotency_keys WHERE key = 'seven'`);
  expect(rows).toEqual([]);
});
