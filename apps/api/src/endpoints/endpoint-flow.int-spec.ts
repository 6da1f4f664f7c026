// Real: Nest, Fastify, PostgreSQL, repositories, codec. Doubled: Kafka (InMemoryLog), the schema registry, the projector.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EndpointConfig } from '#libs/contracts';
import { defaultCircuit, defaultRetryPolicy, retryPreview } from '#libs/core';
import { connectDatabase, Projection, type DeliveryRecord } from '#libs/persistence';
import { testCodec } from '../../test/event-codec.js';
import { startApi, type TestApi } from '../../test/start-api.js';

let api: TestApi;

beforeAll(async () => {
  api = await startApi();
  await api.call('POST', '/v1/tenants', { id: 'acme', name: 'Acme Ltd' });
});
afterAll(() => api.close());

const create = (changes: object = {}) =>
  api.call('POST', '/v1/endpoints', {
    tenantId: 'acme',
    url: 'https://example.com/hooks',
    eventTypes: ['note.*'],
    ...changes,
  });
const pathOf = async (changes: object = {}): Promise<string> => {
  const { status, body } = await create(changes);
  expect(status).toBe(201);
  return `/v1/endpoints/${String(body['id'])}`;
};
const faults = (body: { readonly [name: string]: unknown }): unknown[] =>
  (body['errors'] as { pointer: string; code: string }[]).map((e) => [e.pointer, e.code]);

async function publishedConfig(path: string): Promise<EndpointConfig> {
  const id = path.split('/').at(-1);
  const records = api.log.recordsOf(`${api.config.topicPrefix}.endpoints`);
  const record = records.findLast(({ key }) => key?.toString() === id);
  const { codec } = await testCodec();
  return codec.platform.endpointConfig.decode(record?.value ?? Buffer.alloc(0));
}

const standardRetry = { ...defaultRetryPolicy, delaysMs: [...defaultRetryPolicy.delaysMs] };
const growing = {
  kind: 'exponential',
  delaysMs: [],
  baseMs: 5_000,
  factor: 3,
  maxAttempts: 15,
  jitterKind: 'proportional',
  jitter: 0.2,
  maxDelayMs: 86_400_000,
  maxTotalMs: null,
};

describe('an endpoint', () => {
  it('has defaults for all that is not named', async () => {
    expect((await create()).body).toMatchObject({
      ordering: 'none',
      onExhausted: 'skip',
      adaptiveConcurrency: true,
      rateLimit: null,
      circuit: null,
      retry: standardRetry,
    });
  });

  it('says the same in the answer, when read, and to the workers', async () => {
    const given = {
      ordering: 'key',
      onExhausted: 'halt',
      adaptiveConcurrency: false,
      rateLimit: { limit: 5, per: 'minute', burst: 3 },
      circuit: {
        consecutiveFailures: 3,
        failureShare: 0.9,
        minRequests: 5,
        windowMs: 5_000,
        openMs: 1_000,
        maxOpenMs: 2_000,
      },
      retry: { ...growing, jitterKind: 'equal', jitter: 0, maxTotalMs: 3_600_000 },
    };
    const created = await create(given);
    expect(created.body).toMatchObject(given);
    const path = `/v1/endpoints/${String(created.body['id'])}`;
    expect((await api.call('GET', path)).body).toMatchObject(given);
    expect(await publishedConfig(path)).toMatchObject({ ...given, resolutions: [] });
  });

  it('gives back each default for null', async () => {
    const path = await pathOf({
      ordering: 'endpoint',
      onExhausted: 'halt',
      adaptiveConcurrency: false,
      rateLimit: { limit: 1, per: 'hour' },
      circuit: { openMs: 1_000 },
      retry: { kind: 'exponential' },
    });
    const nothing = {
      ordering: null,
      onExhausted: null,
      adaptiveConcurrency: null,
      rateLimit: null,
      circuit: null,
      retry: null,
    };
    const { body } = await api.call('PATCH', path, nothing);
    expect(body).toMatchObject({
      ordering: 'none',
      onExhausted: 'skip',
      adaptiveConcurrency: true,
      rateLimit: null,
      circuit: null,
      retry: standardRetry,
    });
  });

  it('names everything that does not fit, where it stands', async () => {
    const { status, body } = await create({
      rateLimit: { limit: 0, per: 'second', burst: 1.5 },
      circuit: { failureShare: 2, openMs: 60_000, maxOpenMs: 10 },
      retry: { kind: 'exponential', delaysMs: [5_000], factor: 11, maxTotalMs: 1 },
    });
    expect(status).toBe(422);
    expect(faults(body)).toEqual([
      ['/retry/delaysMs', 'invalid'],
      ['/retry/factor', 'invalid'],
      ['/retry/maxTotalMs', 'invalid'],
      ['/rateLimit/limit', 'invalid'],
      ['/rateLimit/burst', 'invalid'],
      ['/circuit/failureShare', 'invalid'],
      ['/circuit/maxOpenMs', 'invalid'],
    ]);
    const types = await create({
      onExhausted: 'stop',
      rateLimit: { per: 'day' },
      circuit: { nope: 1 },
      retry: { kind: 'x' },
    });
    expect(faults(types.body)).toEqual([
      ['/onExhausted', 'not-one-of'],
      ['/rateLimit/per', 'not-one-of'],
      ['/circuit/nope', 'unknown-field'],
      ['/retry/kind', 'not-one-of'],
    ]);
  });
});

describe('a rate limit', () => {
  it('has a burst of a second’s worth, of one with longer periods', async () => {
    expect((await create({ rateLimit: { limit: 10, per: 'second' } })).body['rateLimit']).toEqual({
      limit: 10,
      per: 'second',
      burst: 10,
    });
    expect((await create({ rateLimit: { limit: 10, per: 'minute' } })).body['rateLimit']).toEqual({
      limit: 10,
      per: 'minute',
      burst: 1,
    });
  });

  it('is merged with the one that is there', async () => {
    const path = await pathOf({ rateLimit: { limit: 10, per: 'second' } });
    const patched = async (rateLimit: object) => (await api.call('PATCH', path, { rateLimit })).body;
    expect(await patched({ limit: 4 })).toMatchObject({ rateLimit: { limit: 4, per: 'second', burst: 10 } });
    expect(await patched({ burst: null })).toMatchObject({ rateLimit: { limit: 4, per: 'second', burst: 4 } });
    expect(faults(await patched({ limit: null }))).toEqual([['/rateLimit/limit', 'required']]);
    expect(await patched({})).toMatchObject({ rateLimit: { limit: 4, per: 'second', burst: 4 } });
  });

  it('needs its limit and its period', async () => {
    const path = await pathOf();
    const { status, body } = await api.call('PATCH', path, { rateLimit: {} });
    expect(status).toBe(422);
    expect(faults(body)).toEqual([
      ['/rateLimit/limit', 'required'],
      ['/rateLimit/per', 'not-one-of'],
    ]);
  });
});

it('a circuit is merged with the one that is there, or with the default one', async () => {
  const path = await pathOf({ circuit: { openMs: 60_000 } });
  expect((await api.call('GET', path)).body['circuit']).toEqual({ ...defaultCircuit, openMs: 60_000 });
  const { body } = await api.call('PATCH', path, { circuit: { minRequests: 5, openMs: null } });
  expect(body['circuit']).toEqual({ ...defaultCircuit, minRequests: 5 });
});

describe('a retry policy', () => {
  const patched = async (path: string, retry: object) => (await api.call('PATCH', path, { retry })).body;

  it('changes its kind when the kind is named, and keeps what both kinds have', async () => {
    const path = await pathOf({ retry: { delaysMs: [1_000], jitter: 0, maxTotalMs: 60_000 } });
    const grown = await patched(path, { kind: 'exponential', baseMs: 2_000 });
    expect(grown['retry']).toEqual({ ...growing, baseMs: 2_000, jitter: 0, maxTotalMs: 60_000 });
    const back = await patched(path, { kind: 'schedule' });
    expect(back['retry']).toEqual({ ...standardRetry, jitter: 0, maxTotalMs: 60_000 });
    expect((await patched(path, { maxTotalMs: null }))['retry']).toMatchObject({ maxTotalMs: null });
  });

  it('changes its jitter likewise', async () => {
    const path = await pathOf({ retry: { jitter: 0.5 } });
    expect((await patched(path, { jitterKind: 'full' }))['retry']).toMatchObject({ jitterKind: 'full', jitter: 0 });
    expect((await patched(path, { jitterKind: null }))['retry']).toMatchObject({
      jitterKind: 'proportional',
      jitter: 0.2,
    });
  });

  it('refuses what belongs to the other kind while the kind is not named', async () => {
    const path = await pathOf();
    expect(faults(await patched(path, { baseMs: 1_000, maxAttempts: 3 }))).toEqual([
      ['/retry/baseMs', 'invalid'],
      ['/retry/maxAttempts', 'invalid'],
    ]);
    expect((await api.call('GET', path)).body).toMatchObject({ retry: standardRetry, revision: 1 });
  });

  it('is previewed, that of an endpoint and one that is not stored', async () => {
    const path = await pathOf({ retry: { delaysMs: [1_000, 4_000], jitter: 0.5, maxTotalMs: 4_000 } });
    const { status, body } = await api.call('GET', `${path}/retry-preview`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ retry: { delaysMs: [1_000, 4_000] } });
    expect(body['attempts']).toEqual([
      { number: 1, delayMs: { least: 0, mean: 0, most: 0 }, offsetMs: { least: 0, most: 0 }, certain: true },
      {
        number: 2,
        delayMs: { least: 500, mean: 1_000, most: 1_500 },
        offsetMs: { least: 500, most: 1_500 },
        certain: true,
      },
      {
        number: 3,
        delayMs: { least: 2_000, mean: 4_000, most: 6_000 },
        offsetMs: { least: 2_500, most: 4_000 },
        certain: false,
      },
    ]);
    const other = await api.call('POST', '/v1/retry-preview', { retry: {} });
    expect(other.status).toBe(200);
    expect(other.body['attempts']).toHaveLength(retryPreview(defaultRetryPolicy).length);
    expect(faults((await api.call('POST', '/v1/retry-preview', { retry: { jitter: 2 } })).body)).toEqual([
      ['/retry/jitter', 'invalid'],
    ]);
    expect((await api.call('GET', '/v1/endpoints/nobody/retry-preview')).status).toBe(404);
  });
});

describe('halted keys', () => {
  const at = Date.UTC(2026, 0, 1);
  const aDelivery = (
    endpointId: string,
    deliveryId: string,
    changes: Partial<DeliveryRecord> = {},
  ): DeliveryRecord => ({
    deliveryId,
    webhookId: 'msg_1',
    tenantId: 'acme',
    endpointId,
    stream: 'live',
    eventId: 'e-1',
    eventSource: '/notes',
    eventType: 'note.added',
    status: 'halted',
    attempts: 3,
    acceptedAt: at,
    dispatchedAt: at,
    firstAttemptAt: at,
    lastAttemptAt: at,
    completedAt: null,
    nextAttemptAt: null,
    haltedAt: at,
    lastStatus: null,
    lastError: { kind: 'refused', message: 'nobody there' },
    deadLetterReason: null,
    orderingKey: 'task-1',
    ...changes,
  });

  async function project(...deliveries: DeliveryRecord[]): Promise<void> {
    const database = await connectDatabase(api.databaseUrl);
    const projection = new Projection(database, Date.now);
    await projection.apply({ advances: [], attempts: [], deadLetters: [], disables: [], deliveries });
    await database.close();
  }

  it('are shown, released and skipped; workers learn of it', async () => {
    const path = await pathOf({ ordering: 'key', onExhausted: 'halt' });
    const id = path.split('/').at(-1) ?? '';
    const [first, second] = [`${id}.live.0.0.1`, `${id}.live.0.0.2`];
    await project(aDelivery(id, first), aDelivery(id, second, { orderingKey: null, acceptedAt: at + 1 }));
    const shown = await api.call('GET', `${path}/halted-keys`);
    expect(shown.body).toMatchObject({
      data: [
        {
          deliveryId: first,
          orderingKey: 'task-1',
          event: { id: 'e-1', source: '/notes', type: 'note.added' },
          attemptCount: 3,
          haltedAt: '2026-01-01T00:00:00.000Z',
          lastError: { kind: 'refused', message: 'nobody there' },
          resolution: null,
        },
        { deliveryId: second, orderingKey: null },
      ],
      nextCursor: null,
    });
    const released = await api.call('POST', `${path}/halted-keys/${first}/release`);
    expect(released.status).toBe(202);
    expect(released.body).toMatchObject({ deliveryId: first, action: 'release' });
    expect((await api.call('POST', `${path}/halted-keys/${second}/skip`)).status).toBe(202);
    const config = await publishedConfig(path);
    expect(config.revision).toBe(3);
    expect(new Map(config.resolutions.map(({ deliveryId, action }) => [deliveryId, action]))).toEqual(
      new Map([
        [first, 'release'],
        [second, 'skip'],
      ]),
    );
    expect((await api.call('GET', `${path}/halted-keys`)).body['data']).toMatchObject([
      { resolution: { action: 'release', at: released.body['at'] } },
      { resolution: { action: 'skip' } },
    ]);
    expect((await api.call('GET', `/v1/deliveries?status=halted&endpointId=${id}`)).body['data']).toHaveLength(2);
  });

  it('are refused where there is none', async () => {
    const path = await pathOf();
    const id = path.split('/').at(-1) ?? '';
    await project(
      aDelivery(id, 'delivered', { status: 'delivered', haltedAt: null }),
      aDelivery('ep_other', 'foreign'),
    );
    const resolve = async (endpoint: string, delivery: string) => {
      const { status, body } = await api.call('POST', `${endpoint}/halted-keys/${delivery}/skip`);
      return [status, body['code']];
    };
    expect(await resolve(path, 'delivered')).toEqual([409, 'not-halted']);
    expect(await resolve(path, 'foreign')).toEqual([404, 'not-found']);
    expect(await resolve(path, 'nothing')).toEqual([404, 'not-found']);
    expect(await resolve('/v1/endpoints/ep_other', 'foreign')).toEqual([404, 'not-found']);
    expect((await api.call('GET', '/v1/endpoints/ep_other/halted-keys')).status).toBe(404);
    expect((await api.call('GET', `${path}/halted-keys?limit=0`)).status).toBe(400);
    expect((await api.call('GET', path)).body['revision']).toBe(1);
  });
});
