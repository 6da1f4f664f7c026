// Real: the ApiModule on Fastify, PostgreSQL. Doubled: Kafka, the schema registry. Deliveries are projected directly.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Attempt } from '#libs/contracts';
import { connectDatabase, Projection, type DeliveryRecord, type LoggedAttempt } from '#libs/persistence';
import { anAttempt } from '../../test/an-attempt.js';
import { aDelivery, at } from '../../test/given-up.js';
import { startApi, type TestApi } from '../../test/start-api.js';

let api: TestApi;
const hour = 3_600_000;
const timeout = { kind: 'timeout', message: 'no answer within 15000 ms' };
const tls = { kind: 'tls', message: 'certificate has expired' };
const deliveries: Record<string, Partial<DeliveryRecord>> = {
  a: { tenantId: 'acme', status: 'delivered', lastStatus: 200, eventId: 'e-a', acceptedAt: at },
  b: { tenantId: 'acme', lastStatus: 503, eventType: 'note.removed', acceptedAt: at + hour, webhookId: 'msg_b' },
  c: { tenantId: 'acme', lastStatus: null, lastError: timeout, orderingKey: 'k', acceptedAt: at + 2 * hour },
  d: { tenantId: 'other', lastStatus: null, lastError: tls, eventSource: '/tasks', acceptedAt: at + 3 * hour },
};

const tried = (hours: number, changes: Partial<Attempt>): LoggedAttempt => ({
  partition: 0,
  offset: hours * 100 + Number(changes.number ?? 1) + (changes.deliveryId?.length ?? 0),
  loggedAt: at + hours * hour + 500,
  attempt: anAttempt({
    stream: 'live',
    acceptedAt: at + hours * hour,
    startedAt: at + hours * hour + 90,
    durationMs: 10,
    ...changes,
  }),
});
const attempts = [
  tried(0, { deliveryId: 's1', outcome: 'retry', final: false }),
  tried(0, { deliveryId: 's1', number: 2 }),
  tried(1, { deliveryId: 's22', eventType: 'b.c' }),
  tried(1, { deliveryId: 's333', endpointId: 'ep_2', outcome: 'deadLetter', deadLetterReason: 'exhausted' }),
  tried(30, { deliveryId: 's4444', tenantId: 'other' }),
  tried(30, { deliveryId: 's55555', tenantId: 'other', stream: 'test:1' }),
];

beforeAll(async () => {
  api = await startApi();
  const database = await connectDatabase(api.databaseUrl);
  const rows = Object.entries(deliveries).map(([id, changes]) => aDelivery(`ep_${id}`, id, changes));
  const nothing = { advances: [], attempts: [], disables: [], deadLetters: [], deliveries: [] };
  await new Projection(database).apply({ ...nothing, deliveries: rows });
  await new Projection(database).apply({ ...nothing, attempts });
  await database.close();
});
afterAll(() => api?.close());

const idsOf = async (query: string): Promise<unknown[]> => {
  const { body } = await api.call('GET', `/v1/deliveries?fields=id&${query}`);
  return (body['data'] as unknown as { id: string }[]).map(({ id }) => id);
};
const iso = (hours: number): string => new Date(at + hours * hour).toISOString();

describe('GET /v1/deliveries', () => {
  it.each([
    ['', ['d', 'c', 'b', 'a']],
    ['tenantId=acme', ['c', 'b', 'a']],
    ['endpointId=ep_b', ['b']],
    ['status=delivered', ['a']],
    ['eventType=note.removed', ['b']],
    ['eventId=e-a', ['a']],
    ['eventSource=/tasks', ['d']],
    ['webhookId=msg_b', ['b']],
    ['orderingKey=k', ['c']],
    ['responseCode=503', ['b']],
    ['errorKind=tls', ['d']],
    ['error=expired', ['d']],
    ['error=Certif%20EXPIRED', ['d']],
    ['error=timeout', ['c']],
    ['error=expired%20timeout', []],
    [`from=${iso(1)}`, ['d', 'c', 'b']],
    [`to=${iso(1)}`, ['a']],
    [`from=${iso(1)}&to=${iso(3)}&tenantId=acme`, ['c', 'b']],
  ])('finds by %s', async (query, ids) => {
    expect(await idsOf(query)).toEqual(ids);
  });

  it('goes on with the same filter behind a cursor', async () => {
    const first = await api.call('GET', `/v1/deliveries?from=${iso(1)}&limit=2`);
    expect(await idsOf(`from=${iso(1)}&limit=2&cursor=${String(first.body['nextCursor'])}`)).toEqual(['b']);
  });

  it.each(['responseCode=99', 'responseCode=2xx', 'error=%20-%20', 'from=yesterday', 'eventId=', 'nope=1'])(
    'refuses %s',
    async (query) => {
      const { status, body } = await api.call('GET', `/v1/deliveries?${query}`);
      expect([status, body['code']]).toEqual([400, 'invalid-parameter']);
      expect(body['errors']).toMatchObject([{ parameter: query.split('=')[0] }]);
    },
  );
});

describe('GET /v1/deliveries/{id}/attempts', () => {
  it('lists them in the order of the log, in pages', async () => {
    const { deliveryId } = aDelivery('ep_a', 'a');
    const database = await connectDatabase(api.databaseUrl);
    await database.session.query(
      `INSERT INTO attempts (log_partition, log_offset, logged_at, delivery_id, number, config_version, started_at,
         duration_ms, url, request_headers, outcome, final, worker_id)
       SELECT 3, 5 - n, now() - n * interval '40 days', $1, 6 - n, 1, now(), 1, 'https://x/', '{}', 'retry', false, 'w'
       FROM generate_series(1, 5) AS n`,
      [deliveryId],
    );
    await database.close();
    const numbers: unknown[] = [];
    for (let cursor = ''; ;) {
      const { status, body } = await api.call(
        'GET',
        `/v1/deliveries/${deliveryId}/attempts?limit=2&fields=number${cursor}`,
      );
      expect(status).toBe(200);
      numbers.push(...(body['data'] as unknown as { number: number }[]).map((one) => one.number));
      if (body['nextCursor'] === null) break;
      cursor = `&cursor=${String(body['nextCursor'])}`;
    }
    expect(numbers).toEqual([1, 2, 3, 4, 5]);
    const { body } = await api.call('GET', `/v1/deliveries/${deliveryId}`);
    const [first] = (await api.call('GET', `/v1/deliveries/${deliveryId}/attempts`)).body[
      'data'
    ] as unknown as object[];
    expect([first]).toEqual((body['attempts'] as unknown as object[]).slice(0, 1));
  });

  it('knows its cursors and its deliveries', async () => {
    const { body } = await api.call('GET', '/v1/deliveries?limit=1');
    const foreign = await api.call('GET', `/v1/deliveries/a/attempts?cursor=${String(body['nextCursor'])}`);
    expect([foreign.status, foreign.body['code']]).toEqual([400, 'invalid-parameter']);
    expect((await api.call('GET', '/v1/deliveries/nobody/attempts')).status).toBe(404);
  });
});

describe('GET /v1/stats', () => {
  const range = `from=${iso(0)}&to=${iso(31)}`;
  const stats = async (query: string): Promise<unknown[]> => {
    const { status, body } = await api.call('GET', `/v1/stats?${range}&${query}`);
    expect(status).toBe(200);
    return body['data'] as unknown as unknown[];
  };

  it('counts by the hour, with percentiles from buckets', async () => {
    expect(await stats('fields=start,key,attempts,failed,delivered,deadLettered,dropped')).toEqual([
      { start: iso(0), key: null, attempts: 2, failed: 1, delivered: 1, deadLettered: 0, dropped: 0 },
      { start: iso(1), key: null, attempts: 2, failed: 1, delivered: 1, deadLettered: 1, dropped: 0 },
      { start: iso(30), key: null, attempts: 1, failed: 0, delivered: 1, deadLettered: 0, dropped: 0 },
    ]);
    const [first] = (await stats('')) as { latencyP50Ms: number; latencyP95Ms: number }[];
    // It took 100 ms.
    for (const told of [first!.latencyP50Ms, first!.latencyP95Ms]) {
      expect(told).toBeGreaterThan(100 / Math.SQRT2);
      expect(told).toBeLessThan(100 * Math.SQRT2);
    }
  });

  it.each([
    ['bucket=all', [['', 5]]],
    [
      'bucket=all&by=tenant',
      [
        ['acme', 4],
        ['other', 1],
      ],
    ],
    [
      'bucket=all&by=endpoint',
      [
        ['ep_1', 4],
        ['ep_2', 1],
      ],
    ],
    [
      'bucket=all&by=eventType&tenantId=acme',
      [
        ['b.c', 1],
        [anAttempt({}).eventType, 3],
      ],
    ],
    ['bucket=all&endpointId=ep_2', [['', 1]]],
    ['bucket=all&eventType=b.c', [['', 1]]],
    [
      'bucket=day',
      [
        ['', 4],
        ['', 1],
      ],
    ],
    ['bucket=hour&by=endpoint&tenantId=other', [['ep_1', 1]]],
    ['tenantId=nobody', []],
  ])('%s', async (query, expected) => {
    const found = (await stats(query)) as { key: string | null; attempts: number }[];
    expect(found.map(({ key, attempts: count }) => [key ?? '', count])).toEqual(expected);
  });

  it('goes on behind a cursor', async () => {
    const first = await api.call('GET', `/v1/stats?${range}&by=endpoint&limit=2&fields=key`);
    const rest = await api.call(
      'GET',
      `/v1/stats?${range}&by=endpoint&fields=key&cursor=${String(first.body['nextCursor'])}`,
    );
    const keys = [first, rest].flatMap(({ body }) => body['data'] as unknown as { key: string }[]);
    expect(keys.map(({ key }) => key)).toEqual(['ep_1', 'ep_1', 'ep_2', 'ep_1']);
  });

  it('goes on behind a cursor, also when the one bucket begins later by then', async () => {
    const query = `to=${iso(48)}&bucket=all&by=endpoint&fields=key`;
    const first = await api.call('GET', `/v1/stats?from=${iso(0)}&${query}&limit=1`);
    const cursor = String(first.body['nextCursor']);
    const rest = await api.call('GET', `/v1/stats?from=${iso(1)}&${query}&cursor=${cursor}`);
    const keys = [first, rest].flatMap(({ body }) => body['data'] as unknown as { key: string }[]);
    expect(keys.map(({ key }) => key)).toEqual(['ep_1', 'ep_2']);
  });

  it('refuses a time that it cannot read at once, or that is none', async () => {
    for (const query of [`from=${iso(0)}&to=${iso(0)}`, `from=${iso(0)}&to=${iso(24 * 40)}`])
      expect((await api.call('GET', `/v1/stats?${query}`)).body).toMatchObject({ code: 'invalid-parameter' });
  });

  it('by default tells of the last day', async () => {
    const { body } = await api.call('GET', '/v1/stats');
    expect(Date.parse(String(body['to'])) - Date.parse(String(body['from']))).toBeGreaterThanOrEqual(24 * hour);
  });
});
