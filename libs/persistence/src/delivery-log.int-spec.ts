/**
 * The delivery log with a million rows: every filter that the api documents, alone and in the pairs that make sense, reads a
 * bounded part of it. By counts of what was read, since times are the machine's; `npm run bench -- delivery-log` has those.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, fillLongLog, longLog, type TestDatabase } from '#libs/testing';
import { connectDatabase, type Database } from './database.js';
import { DeliveryLog, type DeliveryFilter } from './delivery-log.js';
import { migrate } from './migrate.js';
import { inScope } from './work-scope.js';

// Real: PostgreSQL.
let test: TestDatabase;
let database: Database;

const day = 86_400_000;
const until = Date.now();
const rows = Number(process.env['TEST_LOG_ROWS'] ?? 1_000_000);
/** Of 8 KiB. A page has 51 rows, and a row may be in a block of its own; the rest is what the way to them may cost. */
const mostBlocks = 2_500;
/** Rows that were looked at and not wanted. */
const mostInVain = 4_000;

beforeAll(async () => {
  test = await createTestDatabase();
  await migrate(test.url);
  database = await connectDatabase(test.url, { poolSize: 2, statementTimeoutMs: 0 });
  await fillLongLog((sql, parameters) => database.session.query(sql, parameters), { rows, until, days: 30 });
  // Half a minute, if nobody else wants the processors.
}, 400_000);
afterAll(async () => {
  await database?.close();
  await test?.drop();
});

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly Plans?: readonly Plan[];
}
const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

/** Explains each statement that the log makes, and runs it. */
function explaining(plans: Plan[]): Database {
  const explainingSession = (of: Database) => ({
    query: async (statement: string, parameters: unknown[]): Promise<unknown> => {
      const [row]: { 'QUERY PLAN': [{ Plan: Plan }] }[] = await of.session.query(
        `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ${statement}`,
        parameters,
      );
      if (row !== undefined) plans.push(row['QUERY PLAN'][0].Plan);
      return of.session.query(statement, parameters);
    },
  });
  return Object.create(database, {
    session: { get: () => explainingSession(database) },
    unconfined: { get: () => ({ session: explainingSession(database.unconfined) }) },
  }) as Database;
}

const { largeTenant, tinyTenant, largeEndpoint, downEndpoint, foreignType, rareType, rareSource } = longLog;
const type = 'thing-3.changed';
const aDay = { from: until - 20 * day, to: until - 19 * day };

/** The filters of `GET /v1/deliveries`, with values that are frequent, rare, and not there. */
const filters: Readonly<Record<string, DeliveryFilter>> = {
  nothing: {},
  'a time range': aDay,
  'all before a time': { to: until - 25 * day },
  'a large endpoint': { endpointId: largeEndpoint },
  'an endpoint that is down': { endpointId: downEndpoint },
  delivered: { status: 'delivered' },
  pending: { status: 'pending' },
  halted: { status: 'halted' },
  'dead-lettered': { status: 'dead-lettered' },
  dropped: { status: 'dropped' },
  'a type': { eventType: type },
  'a rare type': { eventType: rareType },
  'a type that the large tenant lacks': { eventType: foreignType },
  'no type': { eventType: 'none' },
  'a source': { eventSource: '/service-3' },
  'a rare source': { eventSource: rareSource },
  'an event': { eventId: '' },
  'a webhook id': { webhookId: '' },
  'an ordering key': { orderingKey: '' },
  'the answer 200': { lastStatus: 200 },
  'the answer 204': { lastStatus: 204 },
  'the rare answer 202': { lastStatus: 202 },
  'the answer 503': { lastStatus: 503 },
  'the rare answer 410': { lastStatus: 410 },
  'no answer': { lastStatus: 418 },
  'a kind of error': { errorKind: 'timeout' },
  'a rare kind of error': { errorKind: 'tls' },
  'no kind of error': { errorKind: 'none' },
  'a frequent word': { error: 'timeout' },
  'rare words': { error: 'certificate exp' },
  'numbers of an address': { error: 'ECONNREFUSED 10 0 17' },
  'no word': { error: 'zebra' },
  'a word within a day': { error: 'econnrefused', ...aDay },
  'status and kind': { status: 'dead-lettered', errorKind: 'timeout' },
  'status and type': { status: 'dead-lettered', eventType: type },
  'status and a rare type': { status: 'dead-lettered', eventType: rareType },
  'type and a day': { eventType: type, ...aDay },
  'answer and a day': { lastStatus: 503, ...aDay },
  'endpoint and status': { endpointId: largeEndpoint, status: 'dead-lettered' },
  'endpoint and halted': { endpointId: largeEndpoint, status: 'halted' },
  'endpoint and a rare answer': { endpointId: largeEndpoint, lastStatus: 410 },
  'endpoint and a rare kind': { endpointId: largeEndpoint, errorKind: 'tls' },
  'endpoint and type': { endpointId: largeEndpoint, eventType: type },
  'endpoint and a rare type': { endpointId: largeEndpoint, eventType: rareType },
  'endpoint and a word': { endpointId: largeEndpoint, error: 'answered with an error' },
};
const callers: readonly (readonly [string, string | null])[] = [
  ['the operator', null],
  ['a tenant with 60 % of all rows', largeTenant],
  ['a tenant with 15,000', 't-5'],
  ['a tiny tenant', tinyTenant],
];

const as = <T>(tenantId: string | null, work: () => T): T =>
  tenantId === null
    ? work()
    : inScope(
        {
          confinement: { tenantId, endpointIds: null },
          actor: { kind: 'tenant', id: 'pht_1', name: '' },
          ip: null,
          requestId: null,
        },
        work,
      );

describe('a million deliveries', () => {
  let one: DeliveryFilter;

  beforeAll(async () => {
    const [row]: { event_id: string; webhook_id: string; ordering_key: string }[] = await database.session.query(
      `SELECT event_id, webhook_id, ordering_key FROM deliveries WHERE tenant_id = $1 AND ordering_key IS NOT NULL
       AND accepted_at < $2 ORDER BY accepted_at DESC LIMIT 1`,
      [largeTenant, new Date(until - 12 * day)],
    );
    one = { eventId: row?.event_id, webhookId: row?.webhook_id, orderingKey: row?.ordering_key };
  });

  it.each(callers)('are narrowed by %s without reading much in vain', async (_caller, tenantId) => {
    const faults: string[] = [];
    let found = 0;
    for (const [name, given] of Object.entries(filters)) {
      const filter = Object.fromEntries(
        Object.entries(given).map(([key, value]) => [key, value === '' ? one[key as keyof DeliveryFilter] : value]),
      );
      const plans: Plan[] = [];
      const { data } = await as(tenantId, () => new DeliveryLog(explaining(plans)).list(filter, { limit: 50 }));
      found += data.length;
      const nodes = plans.flatMap(nodesOf);
      const blocks = plans.reduce((sum, plan) => sum + plan['Shared Hit Blocks'] + plan['Shared Read Blocks'], 0);
      const inVain = nodes.reduce((sum, node) => sum + (node['Rows Removed by Filter'] ?? 0) * node['Actual Loops'], 0);
      const whole = nodes.filter(
        (node) =>
          node['Node Type'] === 'Seq Scan' &&
          node['Relation Name']?.startsWith('deliveries') === true &&
          node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0) > 0,
      );
      if (blocks > mostBlocks || inVain > mostInVain || whole.length > 0)
        faults.push(`${name}: ${blocks} blocks, ${inVain} rows in vain, ${whole.length} parts read as a whole`);
    }
    expect(faults).toEqual([]);
    expect(found).toBeGreaterThan(0);
  });

  it('are read on behind a cursor as cheaply, in one order', async () => {
    for (const [tenantId, filter] of [
      [null, {}],
      [largeTenant, {}],
      [largeTenant, { error: 'timeout' }],
    ] as const) {
      const plans: Plan[] = [];
      const log = new DeliveryLog(explaining(plans));
      const page = (cursor?: string) => as(tenantId, () => log.list(filter, { limit: 50, cursor }));
      const whole = await as(tenantId, () => new DeliveryLog(database).list(filter, { limit: 150 }));
      const first = await page();
      const second = await page(first.nextCursor ?? '');
      const third = await page(second.nextCursor ?? '');
      expect([...first.data, ...second.data, ...third.data]).toEqual(whole.data);
      for (const plan of plans) expect(plan['Shared Hit Blocks'] + plan['Shared Read Blocks']).toBeLessThan(mostBlocks);
    }
  });

  it('give away nothing of another tenant’s, and nothing is read for it', async () => {
    const plans: Plan[] = [];
    const log = new DeliveryLog(explaining(plans));
    const list = (filter: DeliveryFilter) => as('t-5', () => log.list(filter, { limit: 50 }));
    expect(await list({ endpointId: largeEndpoint })).toEqual({ data: [], nextCursor: null });
    expect(plans.reduce((sum, plan) => sum + plan['Shared Hit Blocks'] + plan['Shared Read Blocks'], 0)).toBeLessThan(
      10,
    );
    plans.length = 0;
    expect((await list({ endpointId: largeEndpoint, error: 'answered' })).data).toEqual([]);
    expect(plans.reduce((sum, plan) => sum + plan['Shared Hit Blocks'] + plan['Shared Read Blocks'], 0)).toBeLessThan(
      20,
    );
    expect((await list({ tenantId: largeTenant, error: 'timeout' })).data).toEqual([]);
    const { data } = await list({ error: 'timeout' });
    expect(new Set(data.map(({ tenantId }) => tenantId))).toEqual(new Set(['t-5']));
    const inOne = await inScope(
      {
        confinement: { tenantId: 't-5', endpointIds: ['ep-5-0', 'ep-6-0'] },
        actor: { kind: 'tenant', id: 'pht_1', name: '' },
        ip: null,
        requestId: null,
      },
      () => new DeliveryLog(database).list({ error: 'answered' }, { limit: 50 }),
    );
    expect(new Set(inOne.data.map(({ endpointId }) => endpointId))).toEqual(new Set(['ep-5-0']));
  });
});
