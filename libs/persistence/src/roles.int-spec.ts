/** The least that the database has to grant: docs/operations.md, "Roles of the database". */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connectDatabase, type Database } from './database.js';
import { DeadLetters } from './dead-letters.js';
import { DeliveryLog } from './delivery-log.js';
import { EndpointRepository } from './endpoint-repository.js';
import { IdempotencyKeys } from './idempotency-keys.js';
import { LogParts } from './log-parts.js';
import { migrate } from './migrate.js';
import { Outbox } from './outbox.js';
import { createTenant, endpointOf } from './tenants.fixture.js';
import { now } from './replays.fixture.js';
import { inScope } from './work-scope.js';

// Real: PostgreSQL, with an owner and a user for the apps, neither of them a superuser.
const name = `posthorn_roles_${randomBytes(6).toString('hex')}`;
const [owner, app] = [`${name}_owner`, `${name}_app`];
let server: pg.Client;
let asApp: Database;

const urlOf = (user: string): string => {
  const url = new URL(inject('databaseUrl'));
  [url.username, url.password, url.pathname] = [user, 'secret', `/${name}`];
  return url.href;
};

beforeAll(async () => {
  server = new pg.Client({ connectionString: inject('databaseUrl') });
  await server.connect();
  await server.query(`CREATE ROLE ${owner} LOGIN PASSWORD 'secret'`);
  await server.query(`CREATE ROLE ${app} LOGIN PASSWORD 'secret'`);
  await server.query(`CREATE DATABASE ${name} OWNER ${owner}`);
  for (const role of ['posthorn_tenant', 'posthorn_endpoints', 'posthorn_app'])
    await server.query(`DO $$ BEGIN CREATE ROLE ${role} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`);
});
afterAll(async () => {
  await asApp?.close();
  await server.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  for (const role of [owner, app]) await server.query(`DROP ROLE IF EXISTS ${role}`);
  await server.end();
});

const inTenant = <T>(tenantId: string, work: () => T): T =>
  inScope(
    {
      confinement: { tenantId, endpointIds: null },
      actor: { kind: 'tenant', id: 'pht_1', name: '' },
      ip: null,
      requestId: null,
    },
    work,
  );

describe('an owner who is no superuser', () => {
  it('is told which grant is missing', async () => {
    await expect(migrate(urlOf(owner))).rejects.toMatchObject({
      message: `${owner} may not become posthorn_tenant`,
      driverError: { hint: expect.stringContaining('GRANT posthorn_tenant TO') as string },
    });
  });

  it('migrates with it', async () => {
    await server.query(`GRANT posthorn_tenant, posthorn_endpoints TO ${owner}`);
    await server.query(`GRANT posthorn_tenant, posthorn_endpoints TO posthorn_app`);
    expect(await migrate(urlOf(owner))).toContain('0012-confinement');
  });
});

describe('a user of the apps, who has the role posthorn_app', () => {
  it('does all that the apps do', async () => {
    await server.query(`GRANT posthorn_app TO ${app}`);
    asApp = await connectDatabase(urlOf(app), { poolSize: 4 });
    for (const tenantId of ['mine', 'theirs']) await createTenant(asApp, tenantId);
    const published: string[] = [];
    await new Outbox(asApp).publishPending((changes) => {
      published.push(...changes.map(({ key }) => key));
      return Promise.resolve();
    });
    expect(published).toEqual(expect.arrayContaining(['ep_mine', 'ep_theirs', 'audit:1:mine']));
    const keys = new IdempotencyKeys(asApp, { masterKeys: new Map(), randomBytes, newId: () => 'run' });
    expect(await keys.begin({ caller: 'c', key: 'k', digest: Buffer.alloc(32) }, now)).toMatchObject({
      outcome: 'first',
    });
    expect((await new DeliveryLog(asApp).list({}, { limit: 9 })).data).toHaveLength(6);
    expect((await new DeadLetters(asApp).list({ error: 'pipe' }, { limit: 9 })).data).toHaveLength(2);
    // Without the right to change tables: by functions of their owner.
    const parts = new LogParts(asApp);
    expect(await parts.makeUpTo('attempts', Date.now() + 30 * 86_400_000, 7)).toBeGreaterThan(0);
    expect(await parts.dropOldest('attempts', Date.now() + 30 * 86_400_000)).toMatchObject({ kept: 0 });
    expect(await parts.expireOlder('attempts', Date.now() + 30 * 86_400_000, 9)).toBe(0);
  });

  it('is confined in a tenant’s scope', async () => {
    const endpoints = new EndpointRepository(asApp);
    await inTenant('mine', async () => {
      expect((await endpoints.list({ limit: 9 })).data.map(({ endpointId }) => endpointId)).toEqual(['ep_mine']);
      expect((await new DeadLetters(asApp).list({ error: 'pipe' }, { limit: 9 })).data).toHaveLength(1);
      expect(await endpoints.delete('ep_theirs', now)).toEqual({ outcome: 'not-found' });
      expect(await endpoints.create(endpointOf('mine', { endpointId: 'ep_2' }), now)).not.toBeNull();
      expect(await endpoints.create(endpointOf('theirs', { endpointId: 'ep_3' }), now)).toBeNull();
    });
    expect((await endpoints.list({ limit: 9 })).data).toHaveLength(3);
  });

  it.each([
    `UPDATE audit_log SET action = 'x'`,
    'DELETE FROM audit_log',
    'DELETE FROM audit_heads',
    'SELECT * FROM posthorn_partitions.deliveries_older',
    'DROP TABLE posthorn_partitions.deliveries_older',
    `SELECT posthorn_know_part('x')`,
    'TRUNCATE deliveries',
    'DROP TABLE deliveries',
    'ALTER TABLE endpoints DISABLE ROW LEVEL SECURITY',
    'DROP POLICY confined ON endpoints',
    `INSERT INTO migrations VALUES (99, 'x')`,
    'CREATE TABLE mine (id integer)',
  ])('may not %s', async (statement) => {
    await expect(asApp.session.query(statement)).rejects.toThrow(/permission denied|must be owner|append-only/);
  });
});
