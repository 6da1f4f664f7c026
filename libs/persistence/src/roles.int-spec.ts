/** The least that the database has to grant: docs/operations.md, "Roles of the database". */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Attempt } from '#libs/contracts';
import { Cursors, type CursorChange } from './cursors.js';
import { connectDatabase, type Database } from './database.js';
import { DeadLetters } from './dead-letters.js';
import { DeliveryLog } from './delivery-log.js';
import { DeliveryStats } from './stats.js';
import { EndpointFaultLog } from './endpoint-faults.js';
import { EndpointRepository } from './endpoint-repository.js';
import { IdempotencyKeys } from './idempotency-keys.js';
import { LogParts } from './log-parts.js';
import { migrate } from './migrate.js';
import { Outbox } from './outbox.js';
import { createTenant, endpointOf } from './tenants.fixture.js';
import { Projection } from './projection.js';
import { ReplayParts } from './replay-parts.js';
import { aDelivery, now } from './replays.fixture.js';
import { inScope } from './work-scope.js';

// Real: PostgreSQL, with an owner and a user for the apps, neither of them a superuser.
const name = `posthorn_roles_${randomBytes(6).toString('hex')}`;
const [owner, app] = [`${name}_owner`, `${name}_app`];
const appRoles = ['posthorn_api', 'posthorn_dispatcher', 'posthorn_projector'];
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
  for (const role of ['posthorn_tenant', 'posthorn_endpoints', 'posthorn_app', ...appRoles])
    await server.query(`DO $$ BEGIN CREATE ROLE ${role} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`);
});
afterAll(async () => {
  await asApp?.close();
  await server.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  for (const role of [owner, app, ...appRoles.map((one) => `${name}_${one}`)])
    await server.query(`DROP ROLE IF EXISTS ${role}`);
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
    await server.query(`GRANT posthorn_tenant, posthorn_endpoints TO posthorn_app, posthorn_api`);
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
    const keys = new IdempotencyKeys(asApp, {
      masterKeys: new Map([[1, randomBytes(32)]]),
      randomBytes,
      newId: () => 'run',
    });
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

/** Logs in as a user of the app's role. */
async function asUserOf(role: string): Promise<Database> {
  const user = `${name}_${role}`;
  await server.query(`CREATE ROLE ${user} LOGIN PASSWORD 'secret' IN ROLE ${role}`);
  return connectDatabase(urlOf(user), { poolSize: 2 });
}
const cannot = async (database: Database, statements: readonly string[]): Promise<void> => {
  for (const statement of statements)
    await expect(database.session.query(statement)).rejects.toThrow(/permission denied|must be owner|append-only/);
};

const anAttempt = {
  deliveryId: 'd_new',
  stream: 'live',
  eventType: 'task.updated',
  number: 1,
  outcome: 'delivered',
  final: true,
  acceptedAt: now,
  startedAt: now,
  durationMs: 5,
  configVersion: 1,
  url: 'https://x/',
  requestHeaders: {},
  response: null,
  error: null,
  deadLetterReason: null,
  dueAt: null,
  workerId: 'w',
  batch: null,
} as Partial<Attempt> as Attempt;

describe('each app, as a user of its own role', () => {
  it('owns nothing, and is above nothing', async () => {
    const { rows } = await server.query<{ rolname: string }>(
      `SELECT rolname FROM pg_roles WHERE rolname LIKE 'posthorn\\_%' AND rolname = ANY($1)
         AND NOT (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication OR rolcanlogin)`,
      [['posthorn_app', 'posthorn_tenant', 'posthorn_endpoints', ...appRoles]],
    );
    expect(rows).toHaveLength(6);
    const owned: unknown[] = await asApp.session.query(
      `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
         AND pg_get_userbyid(relowner) <> $1`,
      [owner],
    );
    expect(owned).toEqual([]);
  });

  it('the api reads every table, and writes none that is made from the log; its tests all run with this role', async () => {
    const database = await asUserOf('posthorn_api');
    try {
      // A migration that comes later has to say what the apps may do with its tables.
      const unreadable: unknown[] = await database.session.query(
        `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
           AND NOT relispartition AND NOT has_table_privilege(oid, 'SELECT')`,
      );
      expect(unreadable).toEqual([]);
      await inTenant('mine', async () => {
        expect((await new EndpointRepository(database).list({ limit: 9 })).data).not.toHaveLength(0);
      });
      await cannot(database, [
        `UPDATE deliveries SET status = 'delivered'`,
        'DELETE FROM attempts',
        'INSERT INTO delivery_stats DEFAULT VALUES',
        'DELETE FROM projection_positions',
        `UPDATE audit_log SET action = 'x'`,
        'DELETE FROM audit_heads',
        'DROP TABLE endpoints',
        'TRUNCATE endpoints',
        `SET ROLE ${owner}`,
      ]);
    } finally {
      await database.close();
    }
  });

  it('the projector writes what it makes from the log, and disables an endpoint that is gone', async () => {
    const database = await asUserOf('posthorn_projector');
    try {
      const projection = new Projection(database);
      await projection.open([{ topic: 'a', partition: 0, start: 0 }]);
      const attempt = { ...anAttempt, endpointId: 'ep_theirs', tenantId: 'theirs' };
      const disabled = await projection.apply({
        advances: [{ topic: 'a', partition: 0, from: 0, to: 1 }],
        attempts: [{ partition: 0, offset: 0, loggedAt: now, attempt }],
        deliveries: [aDelivery('d_new', { endpointId: 'ep_theirs', tenantId: 'theirs' })],
        deadLetters: [],
        disables: [{ endpointId: 'ep_theirs', reason: 'gone', decidedAt: now + 1_000 }],
      });
      expect(disabled).toBe(1);
      const parts = new LogParts(database);
      expect(await parts.makeUpTo('deliveries', Date.now() + 60 * 86_400_000, 7)).toBeGreaterThan(0);
      expect(await parts.dropOldest('attempts', 0)).toBeNull();
      expect(await parts.expireOlder('dead_letters', 0, 10)).toBe(0);
      const stats = new DeliveryStats(database);
      const whole = { from: 0, to: now + 7_200_000, bucket: 'hour' } as const;
      const [first] = (await stats.list(whole, { limit: 9 })).data;
      expect(await stats.expire(first?.start ?? -1, 10)).toBe(0);
      expect(await stats.expire(now + 7_200_000, 1)).toBe(1);
      await cannot(database, [
        'SELECT * FROM api_keys',
        'SELECT * FROM idempotency_keys',
        'DELETE FROM endpoints',
        `UPDATE audit_log SET action = 'x'`,
        'SELECT * FROM transformations',
        'UPDATE cursors SET ended = true',
        'SET ROLE posthorn_tenant',
      ]);
    } finally {
      await database.close();
    }
  });

  it('the dispatcher moves its cursors and replays, and counts faults', async () => {
    const database = await asUserOf('posthorn_dispatcher');
    try {
      const cursors = new Cursors(database);
      const { epoch } = await cursors.takeOver(3);
      const run = { endpointId: 'ep_mine', run: 'r_1' };
      const freeze = { kind: 'freeze', ...run, reason: 'paused', incarnation: 0, position: 7 } as const;
      const changes = [
        freeze,
        { kind: 'move', ...run, position: 8 },
        { kind: 'end', ...run },
        { kind: 'forget', ...run },
      ];
      expect(await cursors.write(3, epoch, changes as readonly CursorChange[])).toBe(true);
      await cursors.lookUp(3, 'ep_mine');
      await cursors.existing(['ep_mine']);
      const fault = { endpointId: 'ep_mine', kind: 'filter', count: 1, lastAt: now, lastDetail: 'x' } as const;
      await new EndpointFaultLog(database).addFaults([fault]);
      const parts = new ReplayParts(database);
      await cursors.takeOver(0);
      expect(await parts.parts(0)).not.toHaveLength(0);
      await parts.pastSubscriptions(['ep_mine']);
      expect(await parts.openDeadLetters('replay:mine', ['dead_mine'])).toEqual(new Set(['dead_mine']));
      const done = { partition: 0, position: 1, scanned: 1, matched: 1, sent: 1, done: true, replayed: ['dead_mine'] };
      const own = await cursors.takeOver(0);
      expect(await parts.checkpoint(0, own.epoch, { replayId: 'replay:mine', ...done })).toBe(true);
      await cannot(database, [
        'SELECT * FROM api_keys',
        'SELECT * FROM endpoint_secrets',
        'SELECT * FROM audit_log',
        `UPDATE endpoints SET url = 'https://x/'`,
        'DELETE FROM deliveries',
        'INSERT INTO outbox (key) VALUES (1)',
        'SET ROLE posthorn_tenant',
      ]);
    } finally {
      await database.close();
    }
  });
});
