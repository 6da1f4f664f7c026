/** The first page of a filtered list is read by an index, however long the list is. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { ApiKeys } from './api-keys.js';
import { AuditLog } from './audit-log.js';
import { connectDatabase, type Database } from './database.js';
import { narrowEndpoints, type EndpointFilter } from './endpoint-filter.js';
import { endpointEntity } from './entities.js';
import { migrate } from './migrate.js';
import { Replays } from './replays.js';
import { DeliveryStats, type StatsQuery } from './stats.js';
import { TransformationRepository } from './transformations.js';

// Real: PostgreSQL.
let test: TestDatabase;
let database: Database;

const rows = `
INSERT INTO tenants SELECT 't_' || i, 'Tenant ' || i, now(), now() FROM generate_series(0, 49) AS i;
INSERT INTO endpoints (id, tenant_id, url, event_types, description, state, ordering, max_in_flight, timeout_ms, retry_delays_ms,
  retry_jitter, retry_max_delay_ms, revision, created_at, updated_at)
SELECT 'ep_' || i, 't_' || i % 50, 'https://host' || i || '.example/', ARRAY['type' || i % 2000 || '.*'], 'no. ' || i,
  CASE WHEN i % 1000 = 0 THEN 'disabled' ELSE 'active' END, 'none', 1, 1, '{}', 0, 1, 1, to_timestamp(i), to_timestamp(i)
FROM generate_series(1, 10000) AS i;
INSERT INTO transformations (id, tenant_id, name, version, created_at, updated_at)
SELECT 'tr_' || i, 't_' || i % 50, 'for customer' || i, 1, to_timestamp(i), to_timestamp(i) FROM generate_series(1, 10000) AS i;
INSERT INTO api_keys (id, tenant_id, name, digest, scopes, created_at, created_by)
SELECT 'pht_' || i, 't_' || i % 50, 'k', sha256(i::text::bytea), ARRAY[CASE WHEN i % 1000 = 0 THEN 'keys:write' ELSE 'events:write' END],
  to_timestamp(i), '' FROM generate_series(1, 10000) AS i;
INSERT INTO audit_log (tenant_id, seq, at, actor_kind, actor_id, actor_name, action, resource, prev_hash, hash, request_id)
SELECT 't_' || i % 50, i, to_timestamp(i), 'tenant', 'pht_' || i % 1000, '', 'action.' || i % 500, 'endpoint/ep_' || i, '', '', 'req_' || i
FROM generate_series(1, 20000) AS i;
INSERT INTO delivery_stats (tenant_id, endpoint_id, event_type, hour, attempts, failed, delivered, dead_lettered, dropped)
SELECT 't_' || e % 50, 'ep_' || e, 'a.b', to_timestamp(h * 3600), 1, 0, 1, 0, 0
FROM generate_series(1, 200) AS e, generate_series(1, 200) AS h;
ANALYZE;
`;

beforeAll(async () => {
  test = await createTestDatabase();
  await migrate(test.url);
  database = await connectDatabase(test.url);
  await database.session.query(rows);
});
afterAll(async () => {
  await database?.close();
  await test?.drop();
});

const planOf = async (statement: string, parameters: unknown[]): Promise<string> => {
  const lines: { 'QUERY PLAN': string }[] = await database.session.query(`EXPLAIN ${statement}`, parameters);
  return lines.map((line) => line['QUERY PLAN']).join('\n');
};
/** Of the statements that `call` makes. */
async function plansOf(call: (database: Database) => Promise<unknown>): Promise<string> {
  const plans: string[] = [];
  const query = async (statement: string, parameters: unknown[]): Promise<unknown> => {
    plans.push(await planOf(statement, parameters));
    return database.session.query(statement, parameters) as Promise<unknown>;
  };
  await call(Object.create(database, { session: { value: { query } } }) as Database);
  return plans.join('\n');
}
const whole = /Seq Scan on (endpoints|transformations|api_keys|audit_log|delivery_stats)/;
const page = { limit: 50 };
const hour = 3_600_000;

describe('endpoints', () => {
  const filters: EndpointFilter[] = [
    { state: 'disabled' },
    { eventType: 'type7.done' },
    { text: 'host77' },
    { text: 'host 4711', state: 'active' },
    { tenantId: 't_3' },
  ];
  it.each(filters)('%j', async (filter) => {
    const query = database.session
      .createQueryBuilder(endpointEntity, 'e')
      .orderBy('e.createdAt')
      .addOrderBy('e.id')
      .limit(51);
    narrowEndpoints(query, filter);
    const plan = await planOf(...(query.getQueryAndParameters() as [string, unknown[]]));
    expect(plan).not.toMatch(whole);
  });
});

it.each([
  ['keys by scope', (db: Database) => new ApiKeys(db).list({ ...page, scope: 'keys:write' }, 0)],
  ['transformations by name', (db: Database) => new TransformationRepository(db).list({ ...page, name: 'customer47' })],
  ['replays by endpoint', (db: Database) => new Replays(db).list({ ...page, endpointId: 'ep_1', state: 'running' }, 0)],
  ['audit log by tenant', (db: Database) => new AuditLog(db).list({ tenantId: 't_7' }, page)],
  ['audit log by actor', (db: Database) => new AuditLog(db).list({ actorId: 'pht_7' }, page)],
  ['audit log by action', (db: Database) => new AuditLog(db).list({ action: 'action.7' }, page)],
  ['audit log by resource', (db: Database) => new AuditLog(db).list({ resource: 'endpoint/ep_7' }, page)],
  ['audit log by request', (db: Database) => new AuditLog(db).list({ requestId: 'req_7' }, page)],
  ['audit log by time', (db: Database) => new AuditLog(db).list({ from: 0, to: 9_000 }, page)],
])('%s', async (_what, call) => {
  expect(await plansOf(call)).not.toMatch(whole);
});

describe('figures', () => {
  const range = { from: 100 * hour, to: 110 * hour, bucket: 'hour' } as const;
  const queries: StatsQuery[] = [
    range,
    { ...range, tenantId: 't_7' },
    { ...range, endpointId: 'ep_7', by: 'eventType' },
  ];
  it.each(queries)('%j', async (query) => {
    expect(await plansOf((db) => new DeliveryStats(db).list(query, page))).not.toMatch(whole);
  });
});
