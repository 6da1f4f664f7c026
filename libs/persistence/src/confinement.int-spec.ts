/** Invariant 9: a tenant can neither see nor touch another's anything, whichever repository forgets to ask. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { connectDatabase, type Database } from './database.js';
import * as persistence from './index.js';
import { migrate } from './migrate.js';
import { statsAndAccessTables } from './migrations/0025-stats-and-access.sql.js';
import { verificationTables } from './migrations/0023-endpoint-verification.sql.js';
import { confinedTables as firstTables, unconfinedTables } from './migrations/confined-tables.js';
import { aReplay, now } from './replays.fixture.js';
import { aSettledTry, createTenant, digestOf, endpointOf, forgetTenants } from './tenants.fixture.js';

const confinedTables = [...firstTables, ...statsAndAccessTables, ...verificationTables];

// Real: PostgreSQL, which everybody is let into as a superuser, as in the embedded runtime.
let test: TestDatabase;
let database: Database;

beforeAll(async () => {
  test = await createTestDatabase();
  await migrate(test.url);
  database = await connectDatabase(test.url);
});
afterAll(async () => {
  await database?.close();
  await test?.drop();
});

/** `mine` and `theirs`, who have one of everything. */
async function beginAnew(): Promise<void> {
  await forgetTenants(database);
  await database.session.query('INSERT INTO source_partitions VALUES (0, 7)');
  for (const tenantId of ['mine', 'theirs']) await createTenant(database, tenantId);
}

const as = <T>(tenantId: string, work: () => T, endpointIds: readonly string[] | null = null): T =>
  persistence.inScope(
    {
      confinement: { tenantId, endpointIds },
      actor: { kind: 'tenant', id: 'pht_1', name: 'test' },
      ip: null,
      requestId: null,
    },
    work,
  );

/** What is in the tables, all of it. */
async function everything(): Promise<string> {
  const tables = [...confinedTables.map(({ table }) => table), ...unconfinedTables];
  const parts = tables.map((table) => `SELECT '${table}' AS of, t::text AS row FROM ${table} t`);
  const rows: unknown[] = await database.session.query(`${parts.join(' UNION ALL ')} ORDER BY 1, 2`);
  return JSON.stringify(rows);
}

/** A refusal by the database is as good as nothing found. */
const outcome = async (call: () => unknown): Promise<string> => {
  try {
    const result: unknown = await call();
    return JSON.stringify(result instanceof Set || result instanceof Map ? [...result] : result) ?? 'undefined';
  } catch (error) {
    const { code } = (error as { driverError?: { code?: string } }).driverError ?? {};
    if (code === '42501') return 'refused';
    throw error;
  }
};

const page = { limit: 100 };
const later = now + 1_000;
const afterClaim = now + 61_000;

/** `reads`: whose rows it is gives away something. `changes`: it does something to them. */
type Call = readonly [effect: 'reads' | 'changes', call: (db: Database) => unknown];
/** Why a method is not confined, or not for requests at all. */
type Exempt = string;

const {
  ApiKeys,
  AuditLog,
  CursorRelocation,
  Cursors,
  DeadLetterExtents,
  DeadLetters,
  DeliveryLog,
  DeliveryStats,
  EndpointFaultLog,
  EndpointHistory,
  EndpointRepository,
  EndpointVerifications,
  HaltedKeys,
  PortalTokenRegister,
  ReplayParts,
  Replays,
  TenantRepository,
  TransformationRepository,
} = persistence;

const key = { id: 'pht_new', tenantId: 'theirs', name: 'x', scopes: [], expiresAt: null, createdBy: '' };

const code = { transformationId: 'tr_new', tenantId: 'theirs', name: 'x', code: 'x' };

/** Every method of every repository, called upon the rows of `theirs`. */
const calls: Record<string, Record<string, Call | Exempt>> = {
  ApiKeys: {
    create: ['changes', (db) => new ApiKeys(db).create({ ...key, digest: Buffer.alloc(32) }, later)],
    find: 'looks up who is calling, before there is a scope',
    noteUse: 'of the caller’s own key',
    get: ['reads', (db) => new ApiKeys(db).get('pht_theirs')],
    list: ['reads', (db) => new ApiKeys(db).list(page, later)],
    revoke: ['changes', (db) => new ApiKeys(db).revoke('pht_theirs', later)],
  },
  AuditLog: {
    add: 'for operators, by the command line',
    list: ['reads', (db) => new AuditLog(db).list({}, page)],
    chains: ['reads', (db) => new AuditLog(db).chains()],
    hashes: 'for operators, by the command line',
    verify: 'for operators, by the command line',
  },
  CursorRelocation: {
    list: ['reads', (db) => new CursorRelocation(db).list()],
    relocate: 'for operators, by the command line',
  },
  Cursors: {
    ping: 'says nothing',
    takeOver: 'for dispatchers',
    write: 'for dispatchers',
    lookUp: ['reads', (db) => new Cursors(db).lookUp(0, 'ep_theirs')],
    existing: ['reads', (db) => new Cursors(db).existing(['ep_theirs'])],
    ofEndpoint: ['reads', (db) => new Cursors(db).ofEndpoint('ep_theirs')],
  },
  DeadLetterExtents: {
    find: ['reads', (db) => new DeadLetterExtents(db).find({})],
    countBelow: [
      'reads',
      async (db) => {
        const below = await new DeadLetterExtents(db).countBelow({}, [{ partition: 'theirs'.length, start: 9 }]);
        return below.size > 0 ? 'theirs' : '';
      },
    ],
    counts: ['reads', (db) => new DeadLetterExtents(db).counts({}, 100)],
  },
  DeadLetters: {
    list: ['reads', (db) => new DeadLetters(db).list({ error: 'pipe' }, page)],
    get: ['reads', (db) => new DeadLetters(db).get('dead_theirs')],
    discard: ['changes', (db) => new DeadLetters(db).discard('dead_theirs', { reason: 'x', now: later })],
    discardAll: [
      'changes',
      (db) => new DeadLetters(db).discardAll({ endpointId: 'ep_theirs' }, { reason: 'x', now: later }),
    ],
  },
  DeliveryLog: {
    list: ['reads', (db) => new DeliveryLog(db).list({}, page)],
    get: ['reads', (db) => new DeliveryLog(db).get('delivered_theirs')],
    attempts: ['reads', (db) => new DeliveryLog(db).attempts('delivered_theirs', page)],
    endpointStats: ['reads', (db) => new DeliveryLog(db).endpointStats({})],
  },
  DeliveryStats: {
    list: ['reads', (db) => new DeliveryStats(db).list({ from: 0, to: later * 2, bucket: 'hour', by: 'tenant' }, page)],
    expire: 'for projectors',
  },
  EndpointFaultLog: {
    addFaults: 'for dispatchers',
    of: ['reads', (db) => new EndpointFaultLog(db).of('ep_theirs')],
  },
  EndpointHistory: {
    list: ['reads', async (db) => ((await new EndpointHistory(db).list('ep_theirs', page)) === null ? '' : 'theirs')],
    notePublished: 'for the api’s reader of the endpoints topic',
    inForce: ['reads', (db) => new EndpointHistory(db).inForce('ep_theirs', [{ configVersion: 7, startedAt: later }])],
  },
  EndpointRepository: {
    create: ['changes', (db) => new EndpointRepository(db).create(endpointOf('theirs', { endpointId: 'ep_2' }), later)],
    get: ['reads', (db) => new EndpointRepository(db).get('ep_theirs')],
    list: ['reads', (db) => new EndpointRepository(db).list(page)],
    update: ['changes', (db) => new EndpointRepository(db).update('ep_theirs', { url: 'http://x/' }, { now: later })],
    delete: ['changes', (db) => new EndpointRepository(db).delete('ep_theirs', later)],
    disable: [
      'changes',
      (db) => new EndpointRepository(db).disable('ep_theirs', 'x', { now: later, decidedAt: later }),
    ],
    noteTest: [
      'changes',
      (db) =>
        new EndpointRepository(db).noteTest('ep_theirs', { deliveryId: 'd', webhookId: 'm', eventType: 't' }, later),
    ],
  },
  EndpointVerifications: {
    claim: ['changes', (db) => new EndpointVerifications(db).claim('ep_theirs', 'd', afterClaim)],
    claimDue: 'for the api’s own round',
    settle: ['changes', (db) => new EndpointVerifications(db).settle(aSettledTry('ep_theirs'), later)],
    release: 'of a claim that the caller has',
    allow: 'by a token that only the receiver has',
    get: ['reads', async (db) => ((await new EndpointVerifications(db).get('ep_theirs')) === null ? '' : 'theirs')],
  },
  HaltedKeys: {
    list: ['reads', (db) => new HaltedKeys(db).list('ep_theirs', page)],
    resolve: ['changes', (db) => new HaltedKeys(db).resolve('ep_theirs', 'halted_theirs', 'release', later)],
  },
  LogParts: { '*': 'for projectors' },
  IdempotencyKeys: { '*': 'by caller, whose tenant is part of it' },
  Outbox: { '*': 'publishes for everybody' },
  PortalTokenRegister: {
    states: 'looks up whether a caller’s token works, before there is a scope',
    generationOf: [
      'reads',
      async (db) => ((await new PortalTokenRegister(db).generationOf('theirs')) === 0 ? '' : 'theirs'),
    ],
    revoke: [
      'changes',
      (db) => new PortalTokenRegister(db).revoke({ tenantId: 'theirs', tokenId: 'ptk_theirs' }, later),
    ],
    revokeAll: ['changes', (db) => new PortalTokenRegister(db).revokeAll('theirs', later)],
    forgetRevoked: 'for the api’s own round',
  },
  Projection: {
    open: 'for projectors',
    apply: 'for projectors',
    write: 'part of apply',
    skip: 'for projectors',
    drop: 'for projectors',
  },
  RebuildStore: { '*': 'for operators, by the command line' },
  SecretSeals: { '*': 'for operators, by the command line' },
  ReplayParts: {
    parts: ['reads', (db) => new ReplayParts(db).parts(0)],
    checkpoint: 'for dispatchers',
    openDeadLetters: 'for dispatchers',
    pastSubscriptions: ['reads', (db) => new ReplayParts(db).pastSubscriptions(['ep_theirs'])],
  },
  Replays: {
    create: ['changes', (db) => new Replays(db).create(aReplay({ tenantId: 'theirs' }), later)],
    get: ['reads', (db) => new Replays(db).get('replay:theirs', later)],
    list: ['reads', (db) => new Replays(db).list(page, later)],
    pause: ['changes', (db) => new Replays(db).pause('replay:theirs', later)],
    resume: ['reads', (db) => new Replays(db).resume('replay:theirs', later)],
    cancel: ['changes', (db) => new Replays(db).cancel('replay:theirs', later)],
    setRate: [
      'changes',
      (db) => new Replays(db).setRate('replay:theirs', () => ({ limit: 1, per: 'second', burst: 1 }), later),
    ],
    finishEnded: 'for the api’s own round',
  },
  TenantRepository: {
    create: 'for the platform: its scope is no tenant’s',
    get: ['reads', (db) => new TenantRepository(db).get('theirs')],
    list: ['reads', (db) => new TenantRepository(db).list(page)],
    delete: 'for the platform: its scope is no tenant’s',
  },
  TransformationRepository: {
    create: ['changes', (db) => new TransformationRepository(db).create(code, later)],
    get: ['reads', (db) => new TransformationRepository(db).get('tr_theirs')],
    list: ['reads', (db) => new TransformationRepository(db).list(page)],
    update: ['changes', (db) => new TransformationRepository(db).update('tr_theirs', { code: 'x' }, later)],
    restore: ['reads', (db) => new TransformationRepository(db).restore('tr_theirs', 1, later)],
    delete: ['changes', (db) => new TransformationRepository(db).delete('tr_theirs', later)],
    versions: [
      'reads',
      async (db) => ((await new TransformationRepository(db).versions('tr_theirs', page)) === null ? '' : 'theirs'),
    ],
    version: ['reads', (db) => new TransformationRepository(db).version('tr_theirs', 1)],
  },
};

const classes = Object.values(persistence).flatMap((value: unknown): { name: string; prototype: object }[] => {
  const { prototype } = value as { prototype?: object };
  return typeof value !== 'function' || prototype === undefined || prototype instanceof Error
    ? []
    : [{ name: value.name, prototype }];
});
const methods = classes.flatMap(({ name, prototype }) =>
  Object.getOwnPropertyNames(prototype)
    .filter((method) => method !== 'constructor')
    .map((method) => [name, method] as const),
);
const called = methods.flatMap(([name, method]) => {
  const call = calls[name]?.[method];
  return Array.isArray(call) ? [[name, method, ...(call as Call)] as const] : [];
});

describe('every method of every repository', () => {
  it('has a row here', () => {
    expect(methods.length).toBeGreaterThan(50);
    expect(methods.filter(([name, method]) => (calls[name]?.[method] ?? calls[name]?.['*']) === undefined)).toEqual([]);
  });
});

describe('what reads', () => {
  beforeAll(beginAnew);

  it.each(called.filter(([, , effect]) => effect === 'reads'))(
    '%s.%s finds nothing of another tenant',
    async (_name, _method, _effect, call) => {
      expect(await outcome(() => call(database))).toContain('theirs');
      expect(await as('theirs', () => outcome(() => call(database)))).toContain('theirs');
      const before = await everything();
      expect(await as('mine', () => outcome(() => call(database)))).not.toContain('theirs');
      expect(await as('nobody', () => outcome(() => call(database)))).not.toMatch(/theirs|mine/);
      expect(await everything()).toBe(before);
    },
  );
});

describe('what changes', () => {
  beforeEach(beginAnew);

  it.each(called.filter(([, , effect]) => effect === 'changes'))(
    '%s.%s changes nothing of another tenant',
    async (_name, _method, _effect, call) => {
      const before = await everything();
      await as('mine', () => outcome(() => call(database)));
      expect(await everything()).toBe(before);
      await as('theirs', () => outcome(() => call(database)));
      expect(await everything()).not.toBe(before);
    },
  );
});

describe('a confined scope', () => {
  beforeEach(beginAnew);

  it('holds in transactions and in what is started from them, and ends with them', async () => {
    const count = 'SELECT count(*)::integer AS count FROM endpoints';
    const seen = await as('mine', async () => {
      const inside = await database.transaction((session) => session.query(count) as Promise<unknown>);
      await new Promise((resolve) => setTimeout(resolve, 1));
      return [inside, await database.session.query(count), await database.unconfined.session.query(count)];
    });
    expect(seen).toEqual([[{ count: 1 }], [{ count: 1 }], [{ count: 2 }]]);
    expect(await database.asTenant('theirs', (session) => session.query('SELECT id FROM endpoints'))).toEqual([
      { id: 'ep_theirs' },
    ]);
    const after = await Promise.all(Array.from({ length: 12 }, () => database.session.query(count)));
    expect(after).toEqual(Array.from({ length: 12 }, () => [{ count: 2 }]));
  });

  it('is never mixed up with that of others who work at the same time', async () => {
    const own = await Promise.all(
      Array.from({ length: 60 }, async (_, i) => {
        const tenantId = i % 2 === 0 ? 'mine' : 'theirs';
        const { data } = await as(tenantId, () => new EndpointRepository(database).list(page));
        return data.map((endpoint) => endpoint.tenantId === tenantId);
      }),
    );
    expect(own).toEqual(Array.from({ length: 60 }, () => [true]));
  });

  it('may be narrowed to some endpoints, and is never of nobody', async () => {
    await as('mine', () => new EndpointRepository(database).create(endpointOf('mine', { endpointId: 'ep_2' }), now));
    const ids = async (endpointIds: readonly string[] | null): Promise<string[]> => {
      const { data } = await as('mine', () => new EndpointRepository(database).list(page), endpointIds);
      return data.map(({ endpointId }) => endpointId).toSorted();
    };
    expect(await ids(null)).toEqual(['ep_2', 'ep_mine']);
    expect(await ids(['ep_2', 'ep_theirs'])).toEqual(['ep_2']);
    const only2 = async <T>(work: () => Promise<T>): Promise<T> => as('mine', work, ['ep_2']);
    expect(await only2(() => new DeliveryLog(database).list({}, page))).toMatchObject({ data: [] });
    expect(await only2(() => new Replays(database).get('replay:mine', now))).toBeNull();
    expect(await only2(() => new ApiKeys(database).list(page, now))).toMatchObject({ data: [] });
    expect(await only2(() => new AuditLog(database).list({}, page))).toMatchObject({ data: [] });
    expect(await only2(() => new EndpointRepository(database).update('ep_mine', {}, { now }))).toEqual({
      outcome: 'not-found',
    });
    const changed = await only2(() => new EndpointRepository(database).update('ep_2', { url: 'https://x/' }, { now }));
    expect(changed).toMatchObject({ outcome: 'updated' });
    await expect(ids([])).rejects.toThrow('confinement to nobody');
    await expect(as('', () => new EndpointRepository(database).list(page))).rejects.toThrow('confinement to nobody');
  });

  it('takes no transaction from a session, which would not be confined', async () => {
    const begin = as('mine', () => database.session.transaction(() => Promise.resolve()));
    await expect(begin).rejects.toThrow('take Database.transaction');
  });

  it('leaves an audit entry of its own tenant only', async () => {
    const note = { tenantId: 'theirs', at: now, action: 'a', resource: 'r', before: null, after: null };
    const noted = as('mine', () => database.transaction((session) => persistence.noteAudit(session, note)));
    await expect(noted).rejects.toThrow(/row-level security/);
  });

  it('finds a key by its digest, whoever calls: that is how it is known who does', async () => {
    const digest = digestOf('theirs').toString('hex');
    const found = await as('mine', () => new ApiKeys(database).find([digest]));
    expect(found.get(digest)).toMatchObject({ tenantId: 'theirs' });
  });
});

describe('the tables', () => {
  it('are each in one of the two lists', async () => {
    const rows: { name: string }[] = await database.session.query(
      `SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1`,
    );
    const listed = [...confinedTables.map(({ table }) => table), ...unconfinedTables];
    expect(listed.toSorted()).toEqual(rows.map(({ name }) => name));
  });

  it.each(['posthorn_tenant', 'posthorn_endpoints'])(
    'give %s nothing beyond their list, and nobody’s rows without a tenant',
    async (role) => {
      const rows: { name: string; rls: boolean; may: boolean }[] = await database.session.query(
        `SELECT relname AS name, relrowsecurity AS rls, has_any_column_privilege($1, oid, 'SELECT, INSERT, UPDATE')
         OR has_table_privilege($1, oid, 'DELETE, TRUNCATE') AS may
       FROM pg_class WHERE relkind IN ('r', 'p')
         AND relnamespace::regnamespace::text IN ('public', 'posthorn_rebuild', 'posthorn_partitions')`,
        [role],
      );
      const reachable = rows.filter(({ may }) => may);
      expect(reachable.map(({ name }) => name).toSorted()).toEqual(confinedTables.map(({ table }) => table).toSorted());
      expect(reachable.filter(({ rls }) => !rls)).toEqual([]);
      const counts = await database.transaction(async (session) => {
        await session.query(`SET LOCAL ROLE ${role}`);
        const readable = confinedTables.filter(({ table }) => table !== 'outbox');
        const each = readable.map(({ table }) => `SELECT count(*)::integer AS count FROM ${table}`);
        return session.query(each.join(' UNION ')) as Promise<unknown>;
      });
      expect(counts).toEqual([{ count: 0 }]);
    },
  );
});

describe('confined lists of a long log', () => {
  beforeAll(beginAnew);

  it('are read by their indexes', async () => {
    await database.session.query(`
      INSERT INTO deliveries (delivery_id, webhook_id, tenant_id, endpoint_id, stream, event_id, event_source, event_type,
        status, attempts, accepted_at, dispatched_at, completed_at, dead_letter_reason)
      SELECT 'd_' || i, 'm_' || i, CASE WHEN i % 10 = 0 THEN 'mine' ELSE 't_' || i % 50 END,
        CASE WHEN i % 10 = 0 THEN 'ep_mine' ELSE 'ep_' || i % 50 END, 'live', 'e', '/', 'task.updated',
        CASE WHEN i % 20 = 0 THEN 'dead-lettered' ELSE 'delivered' END, 1,
        to_timestamp(1700000000 + i), to_timestamp(1700000000 + i), to_timestamp(1700000000 + i), 'exhausted'
      FROM generate_series(1, 60000) AS i`);
    await database.session.query(`
      INSERT INTO dead_letters (delivery_id, tenant_id, endpoint_id, reason, given_up_at, last_error, log_partition,
        log_offset, logged_at, accepted_at)
      SELECT delivery_id, tenant_id, endpoint_id, 'exhausted', completed_at, 'timeout no. ' || right(delivery_id, 3), 0, 1,
        completed_at, accepted_at
      FROM deliveries WHERE delivery_id LIKE 'd!_%' ESCAPE '!' AND status = 'dead-lettered'`);
    await database.session.query(`
      INSERT INTO attempts (log_partition, log_offset, logged_at, delivery_id, number, config_version, started_at,
        duration_ms, url, request_headers, outcome, final, worker_id)
      SELECT 0, i, now(), 'd_' || i, 1, 1, now(), 1, 'https://x/', '{}', 'delivered', true, 'w'
      FROM generate_series(1, 5000) AS i`);
    await database.session.query('ANALYZE deliveries, dead_letters, attempts, dead_letter_resolutions');
    const plans: string[] = [];
    const explaining = Object.create(database, {
      session: {
        value: {
          query: async (statement: string, parameters: unknown[]) => {
            const { session } = database;
            const rows: { 'QUERY PLAN': string }[] = await session.query(`EXPLAIN ${statement}`, parameters);
            plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
            return session.query(statement, parameters) as Promise<unknown>;
          },
        },
      },
    }) as Database;
    const first = { limit: 50 };
    await as('mine', async () => {
      const log = new DeliveryLog(explaining);
      expect((await log.list({}, first)).data).toHaveLength(50);
      expect((await log.list({ tenantId: 'mine' }, first)).data).toHaveLength(50);
      expect((await log.list({ endpointId: 'ep_mine' }, first)).data).toHaveLength(50);
      expect((await log.list({ status: 'dead-lettered' }, first)).data).toHaveLength(50);
      // Read in their order, and not sorted: the planner knows how many there are.
      for (const plan of plans.slice(0, 3)) expect(plan).not.toMatch(/(?<!Incremental )Sort  \(/);
      await log.get('d_10');
      const deadLetters = new DeadLetters(explaining);
      expect((await deadLetters.list({}, first)).data).toHaveLength(50);
      expect((await deadLetters.list({ error: 'timeout 020' }, first)).data).not.toHaveLength(0);
      await deadLetters.get('d_20');
    });
    expect(plans).toHaveLength(10);
    expect(plans.filter((plan) => /Seq Scan on \w+_(older|\d{8}) \w+  \(cost=0\.00\.\.\d{3}/.test(plan))).toEqual([]);
  });
});
