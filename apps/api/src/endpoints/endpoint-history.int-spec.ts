// Real: Nest, Fastify, PostgreSQL, repositories, codec. Doubled: Kafka (InMemoryLog), the schema registry, the projector.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Attempt } from '#libs/contracts';
import { connectDatabase, Projection, type DeliveryRecord } from '#libs/persistence';
import { startApi, type TestApi } from '../../test/start-api.js';

let api: TestApi;

beforeAll(async () => {
  api = await startApi();
  await api.call('POST', '/v1/tenants', { id: 'acme', name: 'Acme Ltd' });
});
afterAll(() => api.close());

interface Version {
  readonly revision: number;
  readonly change: string;
  readonly configVersions: readonly number[];
  readonly changes: readonly object[];
  readonly configuration: { readonly secrets: readonly { readonly id: string }[] } | null;
}

async function create(changes: object = {}): Promise<{ id: string; path: string; secret: string }> {
  const body = { tenantId: 'acme', url: 'https://example.com/a', eventTypes: ['note.*'], ...changes };
  const created = await api.call('POST', '/v1/endpoints', body);
  expect(created.status).toBe(201);
  const id = String(created.body['id']);
  return { id, path: `/v1/endpoints/${id}`, secret: String(created.body['secret']) };
}
async function historyOf(path: string, query = ''): Promise<readonly Version[]> {
  const { status, body } = await api.call('GET', `${path}/history${query}`);
  expect(status).toBe(200);
  return body['data'] as unknown as readonly Version[];
}
const topic = (): string => `${api.config.topicPrefix}.endpoints`;
const offsetsOf = (id: string): number[] =>
  api.log
    .recordsOf(topic())
    .filter(({ key }) => key?.toString() === id)
    .map(({ offset }) => offset);

describe('the history of an endpoint', () => {
  it('shows it changing, also after it was deleted', async () => {
    const { path, id, secret } = await create({ rateLimit: { limit: 10, per: 'second' } });
    await api.call('PATCH', path, { url: 'https://example.com/b', retry: { maxTotalMs: 3_600_000 }, description: 'B' });
    await api.call('PATCH', path, { rateLimit: null, eventTypes: ['*'] });
    await api.call('PATCH', path, {});
    await api.call('DELETE', path);
    expect((await api.call('GET', path)).status).toBe(404);
    const versions = await historyOf(path);
    expect(versions).toMatchObject([
      { revision: 5, change: 'deleted', changes: [], configuration: null },
      { revision: 4, change: 'updated', changes: [] },
      {
        revision: 3,
        change: 'updated',
        changes: [
          { field: 'eventTypes', from: ['note.*'], to: ['*'] },
          { field: 'rateLimit', from: { limit: 10, per: 'second', burst: 10 }, to: null },
        ],
      },
      {
        revision: 2,
        change: 'updated',
        actor: null,
        changes: [
          { field: 'description', from: null, to: 'B' },
          { field: 'retry.maxTotalMs', from: null, to: 3_600_000 },
          { field: 'url', from: 'https://example.com/a', to: 'https://example.com/b' },
        ],
        configuration: { url: 'https://example.com/b', eventTypes: ['note.*'], state: 'active', ordering: 'none' },
      },
      { revision: 1, change: 'created', changes: [], configuration: { description: null } },
    ]);
    expect(versions[4]?.configuration?.secrets).toMatchObject([{ expiresAt: null }]);
    const text = JSON.stringify(versions);
    expect(text).not.toContain(secret);
    expect(text).not.toContain('ciphertext');
    // Each was awaited, so each was published by a record of its own, the deletion too.
    const published = async () => (await historyOf(path)).flatMap(({ configVersions }) => configVersions);
    await expect.poll(published).toEqual(offsetsOf(id).toReversed());
    expect(offsetsOf(id)).toHaveLength(5);
  });

  it('has pages, and refuses what is none of its own', async () => {
    const { path } = await create();
    for (let i = 1; i <= 4; i += 1) await api.call('PATCH', path, { maxInFlight: i });
    const first = await api.call('GET', `${path}/history?limit=2`);
    const second = await api.call('GET', `${path}/history?limit=2&cursor=${String(first.body['nextCursor'])}`);
    const both = [first, second].flatMap(({ body }) => body['data'] as unknown as Version[]);
    expect(both.map(({ revision }) => revision)).toEqual([5, 4, 3, 2]);
    expect(both.map(({ changes }) => changes)).toEqual(
      [4, 3, 2, 1].map((to) => [{ field: 'maxInFlight', from: to === 1 ? 16 : to - 1, to }]),
    );
    expect((await api.call('GET', `${path}/history?cursor=zzz`)).body['code']).toBe('invalid-parameter');
    expect((await api.call('GET', `${path}/history?limit=0`)).status).toBe(400);
    expect((await api.call('GET', '/v1/endpoints/ep_nobody/history')).status).toBe(404);
  });

  it('has both of two patches at once, one after the other', async () => {
    const { path } = await create();
    const patches = [{ description: 'one' }, { maxInFlight: 7 }];
    const answers = await Promise.all(patches.map((patch) => api.call('PATCH', path, patch)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    const versions = await historyOf(path);
    expect(versions.map(({ revision }) => revision)).toEqual([3, 2, 1]);
    const fields = versions.flatMap(({ changes }) => changes.map((change) => (change as { field: string }).field));
    expect(fields.toSorted()).toEqual(['description', 'maxInFlight']);
  });
});

describe('an attempt', () => {
  const at = Date.now();

  async function project(delivery: DeliveryRecord, attempts: readonly Partial<Attempt>[]): Promise<void> {
    const database = await connectDatabase(api.databaseUrl);
    await new Projection(database).apply({
      advances: [],
      deadLetters: [],
      disables: [],
      deliveries: [delivery],
      attempts: attempts.map((changes, i) => ({
        partition: 0,
        offset: i,
        loggedAt: at,
        attempt: { ...anAttempt(delivery), number: i + 1, ...changes },
      })),
    });
    await database.close();
  }

  const aDelivery = (endpointId: string): DeliveryRecord => ({
    deliveryId: `${endpointId}.live.0.0.1`,
    webhookId: 'msg_1',
    tenantId: 'acme',
    endpointId,
    stream: 'live',
    eventId: 'e-1',
    eventSource: '/notes',
    eventType: 'note.added',
    status: 'delivered',
    attempts: 4,
    acceptedAt: at,
    dispatchedAt: at,
    firstAttemptAt: at,
    lastAttemptAt: at,
    completedAt: at,
    nextAttemptAt: null,
    haltedAt: null,
    lastStatus: 200,
    lastError: null,
    deadLetterReason: null,
    orderingKey: null,
  });

  const anAttempt = (delivery: DeliveryRecord): Attempt => ({
    deliveryId: delivery.deliveryId,
    webhookId: delivery.webhookId,
    tenantId: delivery.tenantId,
    endpointId: delivery.endpointId,
    stream: delivery.stream,
    pos: 1,
    eventId: delivery.eventId,
    eventSource: delivery.eventSource,
    eventType: delivery.eventType,
    configVersion: 0,
    acceptedAt: at,
    dispatchedAt: at,
    number: 1,
    startedAt: at,
    durationMs: 1,
    url: '',
    requestHeaders: {},
    response: null,
    error: null,
    outcome: 'retry',
    final: false,
    deadLetterReason: null,
    dueAt: null,
    workerId: 'w',
    orderingKey: null,
    batch: null,
  });

  it('tells the configuration that was in force, by the record that the worker had read', async () => {
    const { path, id } = await create({ retry: { delaysMs: [1_000] } });
    await api.call('PATCH', path, { url: 'https://example.com/b', ordering: 'key' });
    const [first = -1, second = -1] = offsetsOf(id);
    // The outbox repeats a record after a crash.
    const repeated = api.log.recordsOf(topic())[second];
    const again = { topic: topic(), partition: 0, key: id, value: repeated?.value ?? null };
    const [third] = await api.log.sender().send([again]);
    const delivery = aDelivery(id);
    const versions = [first, second, third?.offset ?? -1, 99_999];
    await project(
      delivery,
      versions.map((configVersion) => ({ configVersion })),
    );
    const secretIds = (await historyOf(path))[0]?.configuration?.secrets.map((secret) => secret.id);
    expect(secretIds).toEqual([expect.stringMatching(/^sec_/)]);
    const shown = async () => (await api.call('GET', `/v1/deliveries/${delivery.deliveryId}`)).body['attempts'];
    const before = { revision: 1, url: 'https://example.com/a', ordering: 'none', secretIds };
    const after = { revision: 2, url: 'https://example.com/b', ordering: 'key', secretIds };
    await expect.poll(shown).toMatchObject([
      { number: 1, configVersion: first, configuration: { ...before, retry: { delaysMs: [1_000] } } },
      { number: 2, configuration: after },
      { number: 3, configuration: after },
      { number: 4, configuration: null },
    ]);
  });

  it('names the secrets that signed, not those that had expired', async () => {
    const { path, id } = await create();
    const database = await connectDatabase(api.databaseUrl);
    await database.session.query(
      `UPDATE endpoint_versions SET config = jsonb_set(config, '{secrets}', $2) WHERE endpoint_id = $1`,
      [
        id,
        JSON.stringify([
          { secretId: 'new', expiresAt: null },
          { secretId: 'old', expiresAt: at + 50 },
        ]),
      ],
    );
    await database.close();
    const delivery = aDelivery(id);
    const [configVersion = -1] = offsetsOf(id);
    await expect.poll(async () => (await historyOf(path))[0]?.configVersions).toEqual([configVersion]);
    await project(delivery, []);
    const database2 = await connectDatabase(api.databaseUrl);
    const attempts = [at + 49, at + 50].map((startedAt, i) => ({
      partition: 1,
      offset: i,
      loggedAt: at,
      attempt: { ...anAttempt(delivery), configVersion, startedAt },
    }));
    await new Projection(database2).apply({ advances: [], deadLetters: [], disables: [], deliveries: [], attempts });
    await database2.close();
    const { body } = await api.call('GET', `/v1/deliveries/${delivery.deliveryId}`);
    expect(body['attempts']).toMatchObject([
      { configuration: { secretIds: ['new', 'old'] } },
      { configuration: { secretIds: ['new'] } },
    ]);
  });
});
