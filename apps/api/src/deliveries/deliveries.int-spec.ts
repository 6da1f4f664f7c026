// Real: the ApiModule on Fastify, PostgreSQL. Doubled: Kafka, the schema registry. Deliveries are projected directly.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectDatabase, Projection, type DeliveryRecord } from '#libs/persistence';
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

beforeAll(async () => {
  api = await startApi();
  const database = await connectDatabase(api.databaseUrl);
  const rows = Object.entries(deliveries).map(([id, changes]) => aDelivery(`ep_${id}`, id, changes));
  await new Projection(database).apply({ advances: [], attempts: [], disables: [], deadLetters: [], deliveries: rows });
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
