// Real: Nest, Fastify, PostgreSQL, repositories. Doubled: Kafka (InMemoryLog), the schema registry, the projector.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Delivery } from '#libs/contracts';
import { connectDatabase, Projection, type Database, type DeliveryRecord } from '#libs/persistence';
import { startApi, type TestApi } from '../../test/start-api.js';

let api: TestApi;
let database: Database;
const at = Date.UTC(2026, 0, 1);

beforeAll(async () => {
  api = await startApi();
  database = await connectDatabase(api.databaseUrl);
});
afterAll(async () => {
  await database?.close();
  await api?.close();
});
beforeEach(async () => {
  await new Projection(database).drop();
  await database.session.query('TRUNCATE dead_letter_resolutions');
});

function aDelivery(deliveryId: string, changes: Partial<DeliveryRecord> = {}): DeliveryRecord {
  return {
    deliveryId,
    webhookId: 'msg_1',
    tenantId: 'acme',
    endpointId: 'ep_1',
    stream: 'live',
    eventId: 'e-1',
    eventSource: '/notes',
    eventType: 'note.added',
    status: 'dead-lettered',
    attempts: 3,
    acceptedAt: at,
    dispatchedAt: at,
    firstAttemptAt: at,
    lastAttemptAt: at + 900,
    completedAt: at + 1_000,
    nextAttemptAt: null,
    haltedAt: null,
    lastStatus: null,
    lastError: { kind: 'timeout', message: 'no answer' },
    deadLetterReason: 'exhausted',
    orderingKey: 'note-1',
    ...changes,
  };
}

async function project(...deliveries: DeliveryRecord[]): Promise<void> {
  await new Projection(database).apply({
    advances: [],
    attempts: [],
    disables: [],
    deliveries,
    deadLetters: deliveries.map(({ deliveryId, tenantId, endpointId, acceptedAt, lastError }, offset) => ({
      partition: 1,
      offset,
      loggedAt: at,
      deadLetter: {
        deliveryId,
        delivery: { tenantId, endpointId, acceptedAt } as Delivery,
        reason: 'exhausted',
        at,
        lastStatus: null,
        lastError: lastError && `${lastError.kind}: ${lastError.message}`,
      },
    })),
  });
}

const list = async (query = '') => {
  const { status, body } = await api.call('GET', `/v1/dead-letters${query}`);
  expect(status).toBe(200);
  return body['data'] as unknown as readonly { readonly deliveryId: string }[];
};
const ids = async (query = '') => (await list(query)).map(({ deliveryId }) => deliveryId);
const faults = (body: { readonly [name: string]: unknown }): unknown[] =>
  (body['errors'] as { pointer?: string; parameter?: string; code: string }[]).map((e) => [
    e.pointer ?? e.parameter,
    e.code,
  ]);

describe('dead letters', () => {
  it('are listed, with where they stand in the log', async () => {
    await project(aDelivery('ep_1.live.0.0.1'), aDelivery('ep_1.live.0.0.2', { status: 'delivered' }));
    expect(await list()).toEqual([
      {
        deliveryId: 'ep_1.live.0.0.1',
        webhookId: 'msg_1',
        tenantId: 'acme',
        endpointId: 'ep_1',
        stream: 'live',
        event: { id: 'e-1', source: '/notes', type: 'note.added' },
        attemptCount: 3,
        acceptedAt: '2026-01-01T00:00:00.000Z',
        dispatchedAt: '2026-01-01T00:00:00.000Z',
        firstAttemptAt: '2026-01-01T00:00:00.000Z',
        lastAttemptAt: '2026-01-01T00:00:00.900Z',
        lastStatus: null,
        lastError: { kind: 'timeout', message: 'no answer' },
        orderingKey: 'note-1',
        reason: 'exhausted',
        deadLetteredAt: '2026-01-01T00:00:01.000Z',
        state: 'open',
        resolution: null,
        place: { topic: `${api.config.topicPrefix}.dead-letters`, partition: 1, offset: 0 },
      },
    ]);
  });

  it('are searched by each filter, in pages', async () => {
    await project(
      aDelivery('a', { tenantId: 'other' }),
      aDelivery('b', { endpointId: 'ep_2' }),
      aDelivery('c', { eventType: 'note.deleted' }),
      aDelivery('d', { deadLetterReason: 'gone' }),
      aDelivery('e', { completedAt: at + 5_000 }),
      aDelivery('f', { lastError: { kind: 'tls', message: 'certificate has expired' } }),
    );
    expect(await ids('?tenantId=other')).toEqual(['a']);
    expect(await ids('?endpointId=ep_2')).toEqual(['b']);
    expect(await ids('?eventType=note.deleted')).toEqual(['c']);
    expect(await ids('?reason=gone')).toEqual(['d']);
    expect(await ids('?from=2026-01-01T00:00:05Z')).toEqual(['e']);
    expect(await ids('?to=2026-01-01T01:00:05%2B01:00')).toEqual(['f', 'd', 'c', 'b', 'a']);
    expect(await ids('?error=certificate%20exp')).toEqual(['f']);
    expect(await ids('?state=discarded')).toEqual([]);
    const first = await api.call('GET', '/v1/dead-letters?limit=4');
    const second = await api.call('GET', `/v1/dead-letters?limit=4&cursor=${String(first.body['nextCursor'])}`);
    const both = [first, second].flatMap(({ body }) => body['data'] as unknown as { deliveryId: string }[]);
    expect(both.map(({ deliveryId }) => deliveryId)).toEqual(['e', 'f', 'd', 'c', 'b', 'a']);
    expect(second.body['nextCursor']).toBeNull();
  });

  it.each([
    ['?state=maybe', 'state'],
    ['?from=yesterday', 'from'],
    ['?error=%25', 'error'],
    ['?status=open', 'status'],
    ['?limit=201', 'limit'],
    ['?cursor=zzz', 'cursor'],
  ])('are not searched by %s', async (query, parameter) => {
    const { status, body } = await api.call('GET', `/v1/dead-letters${query}`);
    expect([status, body['code']]).toEqual([400, 'invalid-parameter']);
    expect(faults(body)).toMatchObject([[parameter, expect.anything()]]);
  });

  it('tell their whole story', async () => {
    const delivery = aDelivery('ep_1.live.0.0.1');
    await project(delivery, aDelivery('alive', { status: 'pending' }));
    const { deliveryId, webhookId, tenantId, endpointId, stream, eventId, eventSource, eventType } = delivery;
    const attempts = [1, 2, 3].map((number) => ({
      partition: 0,
      offset: number,
      loggedAt: at,
      attempt: {
        deliveryId,
        webhookId,
        tenantId,
        endpointId,
        stream,
        eventId,
        eventSource,
        eventType,
        pos: 1,
        configVersion: 7,
        acceptedAt: at,
        dispatchedAt: at,
        number,
        startedAt: at + number * 1_000,
        durationMs: 20,
        url: 'http://x/',
        requestHeaders: {},
        response: null,
        dueAt: null,
        workerId: 'w',
        error: { kind: 'timeout', message: 'no answer' },
        outcome: number === 3 ? ('deadLetter' as const) : ('retry' as const),
        final: number === 3,
        deadLetterReason: number === 3 ? 'exhausted' : null,
        orderingKey: 'note-1',
        batch: number === 2 ? { id: 'msg_batch', size: 5, place: 4 } : null,
      },
    }));
    await new Projection(database).apply({ advances: [], deadLetters: [], disables: [], deliveries: [], attempts });
    const { status, body } = await api.call('GET', `/v1/dead-letters/${deliveryId}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      deliveryId,
      reason: 'exhausted',
      place: { partition: 1, offset: 0 },
      attempts: [
        { number: 1, outcome: 'retry', configuration: null, error: { kind: 'timeout' }, batch: null },
        { number: 2, batch: { id: 'msg_batch', size: 5, place: 4 } },
        { number: 3, outcome: 'deadLetter', final: true, deadLetterReason: 'exhausted' },
      ],
    });
    for (const id of ['alive', 'nobody', '%00']) {
      expect((await api.call('GET', `/v1/dead-letters/${id}`)).body['code']).toBe('not-found');
    }
  });
});

describe('discarding', () => {
  it('takes one, with a reason, once', async () => {
    await project(aDelivery('a'), aDelivery('b'), aDelivery('alive', { status: 'delivered' }));
    const discard = (id: string, body: object) => api.call('POST', `/v1/dead-letters/${id}/discard`, body);
    const done = await discard('a', { reason: '  test data ' });
    expect(done.status).toBe(200);
    expect(done.body).toMatchObject({
      deliveryId: 'a',
      state: 'discarded',
      resolution: { reason: 'test data', at: expect.stringMatching(/Z$/) as string, actor: null, replayId: null },
    });
    expect(await list('?state=discarded')).toEqual([done.body]);
    expect(await ids('?state=open')).toEqual(['b']);
    expect((await api.call('GET', '/v1/dead-letters/a')).body).toMatchObject({ state: 'discarded' });
    const codeOf = async (id: string) => {
      const { status, body } = await discard(id, { reason: 'x' });
      return [status, body['code']];
    };
    expect(await codeOf('a')).toEqual([409, 'not-open']);
    expect(await codeOf('alive')).toEqual([409, 'not-open']);
    expect(await codeOf('nobody')).toEqual([404, 'not-found']);
    for (const body of [{}, { reason: '' }, { reason: '   ' }, { reason: 'a\nb' }, { reason: 'x', state: 'open' }]) {
      expect((await discard('b', body)).status).toBe(422);
    }
    expect(await ids('?state=open')).toEqual(['b']);
  });

  it('takes all that match, and says how many', async () => {
    await project(...['a', 'b', 'c'].map((id) => aDelivery(id)), aDelivery('d', { endpointId: 'ep_2' }));
    await api.call('POST', '/v1/dead-letters/c/discard', { reason: 'before' });
    const filter = { endpointId: 'ep_1', error: 'timeout', from: '2026-01-01T00:00:00Z' };
    const { status, body } = await api.call('POST', '/v1/dead-letters/discard', { filter, reason: 'flood' });
    expect([status, body]).toEqual([200, { discarded: 2 }]);
    expect(await ids('?state=open')).toEqual(['d']);
    expect(await list('?state=discarded')).toMatchObject([
      { deliveryId: 'c', resolution: { reason: 'before' } },
      { deliveryId: 'b', resolution: { reason: 'flood' } },
      { deliveryId: 'a', resolution: { reason: 'flood' } },
    ]);
  });

  it('never takes all there are by mistake', async () => {
    await project(aDelivery('a'));
    const refused = async (body: object) => faults((await api.call('POST', '/v1/dead-letters/discard', body)).body);
    expect(await refused({ reason: 'x' })).toEqual([['/filter', 'required']]);
    expect(await refused({ reason: 'x', filter: {} })).toEqual([['/filter', 'invalid']]);
    expect(await refused({ reason: 'x', filter: { tenant: 'acme', reason: 'gone' } })).toEqual([
      ['/filter/tenant', 'unknown-field'],
    ]);
    expect(await refused({ reason: 'x', filter: { tenantId: null } })).toEqual([['/filter/tenantId', 'wrong-type']]);
    expect(await refused({ filter: { tenantId: 'acme' } })).toEqual([['/reason', 'required']]);
    expect(await ids('?state=open')).toEqual(['a']);
  });
});
