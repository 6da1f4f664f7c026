import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { noCredentials, plainContent, withoutVerification } from '#libs/contracts';
import { defaultCircuit, defaultGrowth, scheduleOf } from '#libs/core';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { Cursors } from './cursors.js';
import { connectDatabase, type Database } from './database.js';
import { noEndpointCredentials } from './endpoint.js';
import { EndpointRepository, type NewEndpoint } from './endpoint-repository.js';
import { migrate } from './migrate.js';
import { migrations } from './migrations/index.js';
import { Outbox, type ConfigurationChange } from './outbox.js';
import { TenantRepository } from './tenant-repository.js';

// Real: PostgreSQL. Doubled: the sender of the outbox.
let test: TestDatabase;
let database: Database;
let tenants: TenantRepository;
let endpoints: EndpointRepository;
let outbox: Outbox;
let applied: string[][];

beforeAll(async () => {
  test = await createTestDatabase();
  applied = await Promise.all([migrate(test.url), migrate(test.url), migrate(test.url)]);
  database = await connectDatabase(test.url);
  tenants = new TenantRepository(database);
  endpoints = new EndpointRepository(database);
  outbox = new Outbox(database);
});
afterAll(async () => {
  await database?.close();
  await test?.drop();
});
beforeEach(async () => {
  await database.session.query(
    'TRUNCATE tenants, api_keys, transformations, transformation_versions, endpoints, endpoint_secrets, endpoint_verifications, endpoint_versions, halt_resolutions, outbox',
  );
  await tenants.create({ id: 'acme', name: 'Acme' }, 1_000);
});

const shared = { kind: 'hmac', publicKey: null, createdAt: 2_000 } as const;

const anEndpoint = (changes: Partial<NewEndpoint> = {}): NewEndpoint => ({
  endpointId: 'ep_1',
  tenantId: 'acme',
  url: 'http://127.0.0.1:1/hook',
  eventTypes: ['task.*', 'a"b,{c}'],
  description: 'hooks',
  state: 'active',
  ordering: 'none',
  secrets: [
    { ...shared, secretId: 'z', ciphertext: 'sealed-1', expiresAt: null },
    { ...shared, secretId: 'a', ciphertext: 'sealed-2', expiresAt: 5_000_123 },
  ],
  maxInFlight: 16,
  timeoutMs: 15_000,
  retry: {
    kind: 'schedule',
    delaysMs: [5_000, 86_400_000_000],
    baseMs: 0,
    factor: 1,
    maxAttempts: 0,
    jitterKind: 'proportional',
    jitter: 0.2,
    maxDelayMs: 86_400_000,
    maxTotalMs: null,
  },
  onExhausted: 'skip',
  rateLimit: null,
  adaptiveConcurrency: true,
  circuit: null,
  ...plainContent,
  ...changes,
});

/** Records of the endpoints topic. */
const publishAll = async (): Promise<ConfigurationChange[]> => {
  const published: ConfigurationChange[] = [];
  await outbox.publishPending((changes) => {
    published.push(...changes.filter(({ kind }) => kind !== 'audit'));
    return Promise.resolve();
  });
  return published;
};

describe('migrate', () => {
  it('applies each migration once, however many processes start at once', async () => {
    expect(applied.flat().sort()).toEqual(
      migrations.map(({ number, name }) => `${String(number).padStart(4, '0')}-${name}`),
    );
    expect(await migrate(test.url)).toEqual([]);
  });

  it('refuses a database of a newer version', async () => {
    await database.session.query(`INSERT INTO migrations (number, name) VALUES (999, 'future')`);
    await expect(migrate(test.url)).rejects.toThrow(/0999-future/);
    await database.session.query('DELETE FROM migrations WHERE number = 999');
  });
});

describe('TenantRepository', () => {
  it('creates once, reads, lists in pages, deletes', async () => {
    expect(await tenants.create({ id: 'acme', name: 'Other' }, 2_000)).toBeNull();
    for (let i = 0; i < 4; i += 1) await tenants.create({ id: `t${i}`, name: `T ${i}` }, 3_000);
    expect(await tenants.get('acme')).toEqual({ id: 'acme', name: 'Acme', createdAt: 1_000, updatedAt: 1_000 });
    expect(await tenants.get('nobody')).toBeNull();
    const first = await tenants.list({ limit: 3 });
    const second = await tenants.list({ limit: 3, cursor: first.nextCursor ?? '' });
    expect([...first.data, ...second.data].map(({ id }) => id)).toEqual(['acme', 't0', 't1', 't2', 't3']);
    expect(second.nextCursor).toBeNull();
    await endpoints.create(anEndpoint(), 4_000);
    expect(await tenants.delete('acme', 5_000)).toBe('has-endpoints');
    expect(await tenants.delete('t0', 5_000)).toBe('deleted');
    expect(await tenants.delete('t0', 5_000)).toBe('not-found');
  });
});

describe('EndpointRepository', () => {
  it('gives back what was created, secrets in their order', async () => {
    const created = await endpoints.create(anEndpoint(), 2_000);
    const begun = {
      revision: 1,
      createdAt: 2_000,
      updatedAt: 2_000,
      disabledReason: null,
      backfill: null,
      verification: null,
    };
    expect(created).toEqual({ ...noEndpointCredentials, ...anEndpoint(), ...begun });
    expect(await endpoints.get('ep_1')).toEqual(created);
    expect(await endpoints.create(anEndpoint({ endpointId: 'ep_2', tenantId: 'nobody' }), 2_000)).toBeNull();
  });

  it('creates an endpoint with its backfill, both or neither, and publishes the run', async () => {
    await database.session.query('TRUNCATE cursors');
    const cursors = new Cursors(database);
    const backfill = {
      run: 'b_1',
      cursors: [
        { partition: 0, incarnation: 0, position: 12 },
        { partition: 1, incarnation: 4, position: 0 },
      ],
    };
    expect(await endpoints.create(anEndpoint({ tenantId: 'nobody' }), 2_000, backfill)).toBeNull();
    expect(await cursors.ofEndpoint('ep_1')).toEqual([]);
    const created = await endpoints.create(anEndpoint(), 2_000, backfill);
    expect(created).toMatchObject({ backfill: 'b_1' });
    expect(await endpoints.get('ep_1')).toEqual(created);
    expect(await cursors.existing(['ep_1', 'ep_2'])).toEqual(new Set(['ep_1']));
    const row = {
      endpointId: 'ep_1',
      run: 'b_1',
      kind: 'backfill',
      reason: 'backfill',
      ended: false,
      createdAt: 2_000,
    };
    expect(await cursors.ofEndpoint('ep_1')).toEqual([
      { ...row, partition: 0, incarnation: 0, position: 12, startedAt: 12 },
      { ...row, partition: 1, incarnation: 4, position: 0, startedAt: 0 },
    ]);
    const repeated = endpoints.create(anEndpoint(), 2_000, { ...backfill, run: 'b_2' });
    await expect(repeated).rejects.toThrow(/duplicate/);
    expect(await cursors.lookUp(0, 'ep_1')).toMatchObject({ run: 'b_1' });
    await endpoints.update('ep_1', { url: 'http://x/' }, { now: 3_000 });
    expect(await publishAll()).toMatchObject([{ key: 'tenant:acme' }, { config: { backfill: 'b_1', revision: 2 } }]);
  });

  it('gives back flow control and a growing retry policy, and takes them away again', async () => {
    await endpoints.create(anEndpoint(), 2_000);
    const changes = {
      onExhausted: 'halt',
      adaptiveConcurrency: false,
      rateLimit: { limit: 5, per: 'minute', burst: 2 },
      circuit: { ...defaultCircuit, failureShare: 0.25 },
      retry: {
        ...scheduleOf([]),
        kind: 'exponential',
        ...defaultGrowth,
        jitterKind: 'full',
        maxTotalMs: 5_184_000_000,
      },
    } as const;
    await endpoints.update('ep_1', changes, { now: 3_000 });
    expect(await endpoints.get('ep_1')).toMatchObject(changes);
    await endpoints.update('ep_1', { rateLimit: null, circuit: null }, { now: 4_000 });
    expect(await endpoints.get('ep_1')).toMatchObject({ ...changes, rateLimit: null, circuit: null, revision: 3 });
  });

  it('lists by tenant in pages', async () => {
    await tenants.create({ id: 'other', name: 'Other' }, 1_000);
    for (let i = 0; i < 5; i += 1) {
      await endpoints.create(
        anEndpoint({ endpointId: `ep_${i}`, tenantId: i === 2 ? 'other' : 'acme' }),
        2_000 + (i >> 1),
      );
    }
    const first = await endpoints.list({ tenantId: 'acme', limit: 2 });
    const second = await endpoints.list({ tenantId: 'acme', limit: 2, cursor: first.nextCursor ?? '' });
    expect([...first.data, ...second.data].map(({ endpointId }) => endpointId)).toEqual([
      'ep_0',
      'ep_1',
      'ep_3',
      'ep_4',
    ]);
    expect(second.nextCursor).toBeNull();
    expect(first.data[0]?.secrets).toHaveLength(2);
  });

  it('changes what is named, counts revisions, and refuses a revision that is not the present one', async () => {
    await endpoints.create(anEndpoint(), 2_000);
    const changed = await endpoints.update(
      'ep_1',
      { url: 'http://x/', description: undefined },
      { now: 3_000, expectedRevision: 1 },
    );
    expect(changed).toMatchObject({
      outcome: 'updated',
      endpoint: {
        url: 'http://x/',
        description: 'hooks',
        revision: 2,
        updatedAt: 3_000,
        secrets: anEndpoint().secrets,
      },
    });
    const refused = await endpoints.update('ep_1', { url: 'http://y/' }, { now: 4_000, expectedRevision: 1 });
    expect(refused).toEqual({ outcome: 'conflict', revision: 2 });
    expect(await endpoints.update('ep_9', {}, { now: 4_000 })).toEqual({ outcome: 'not-found' });
    const pair = { kind: 'ed25519', publicKey: 'whpk_1', createdAt: 5_000 } as const;
    const secrets = [{ ...pair, secretId: 'new', ciphertext: 'sealed-3', expiresAt: null }];
    await endpoints.update('ep_1', { secrets }, { now: 5_000 });
    expect((await endpoints.get('ep_1'))?.secrets).toEqual(secrets);
  });

  it('loses no change of many at once', async () => {
    await endpoints.create(anEndpoint(), 2_000);
    await Promise.all(
      Array.from({ length: 12 }, (_, i) => endpoints.update('ep_1', { maxInFlight: i + 1 }, { now: 3_000 })),
    );
    expect((await endpoints.get('ep_1'))?.revision).toBe(13);
  });

  it('disables, unless it was changed since', async () => {
    await endpoints.create(anEndpoint(), 2_000);
    expect(await endpoints.disable('ep_1', 'gone', { now: 4_000, decidedAt: 3_000 })).toBe(true);
    expect(await endpoints.disable('ep_1', 'gone', { now: 4_000, decidedAt: 4_001 })).toBe(false);
    expect(await endpoints.get('ep_1')).toMatchObject({ state: 'disabled', disabledReason: 'gone', revision: 2 });
    await endpoints.update('ep_1', { state: 'active' }, { now: 5_000 });
    expect(await endpoints.disable('ep_1', 'gone', { now: 6_000, decidedAt: 3_000 })).toBe(false);
    expect(await endpoints.get('ep_1')).toMatchObject({ state: 'active', disabledReason: null, revision: 3 });
    expect(await endpoints.disable('ep_9', 'gone', { now: 6_000, decidedAt: 9_000 })).toBe(false);
  });
});

describe('Outbox', () => {
  it('publishes the newest state of each key once, then tombstones', async () => {
    await endpoints.create(anEndpoint(), 2_000);
    await endpoints.update('ep_1', { url: 'http://x/' }, { now: 3_000 });
    const published = await publishAll();
    const { description: _, secrets: all, ...config } = anEndpoint({ url: 'http://x/' });
    const secrets = all.map(({ secretId, ciphertext, expiresAt }) => ({ secretId, ciphertext, expiresAt }));
    expect(published).toEqual([
      { kind: 'tenant', key: 'tenant:acme', config: { tenantId: 'acme', name: 'Acme', updatedAt: 1_000 } },
      {
        kind: 'endpoint',
        key: 'ep_1',
        config: {
          ...noCredentials,
          ...withoutVerification,
          ...config,
          secrets,
          backfill: null,
          resolutions: [],
          revision: 2,
          updatedAt: 3_000,
        },
      },
    ]);
    expect(await publishAll()).toEqual([]);
    await endpoints.delete('ep_1', 4_000);
    expect(await endpoints.delete('ep_1', 4_000)).toEqual({ outcome: 'not-found' });
    await tenants.delete('acme', 4_000);
    expect(await publishAll()).toEqual([
      { kind: 'endpoint', key: 'ep_1', config: null },
      { kind: 'tenant', key: 'tenant:acme', config: null },
    ]);
  });

  it('keeps what could not be published, and grows by nothing', async () => {
    const failing = () => Promise.reject(new Error('no broker'));
    await expect(outbox.publishPending(failing)).rejects.toThrow('no broker');
    await expect(outbox.publishPending(failing)).rejects.toThrow('no broker');
    const rows: unknown[] = await database.session.query(`SELECT * FROM outbox WHERE key NOT LIKE 'audit:%'`);
    expect(rows).toHaveLength(1);
    expect(await publishAll()).toHaveLength(1);
  });

  it('publishes a key again when the connection broke while it was being published', async () => {
    const killer = new pg.Client({ connectionString: test.url });
    await killer.connect();
    const broken = outbox.publishPending(async () => {
      await killer.query(`
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND state = 'idle in transaction'`);
    });
    await expect(broken).rejects.toThrow(/terminat|released/i);
    await killer.end();
    expect(await publishAll()).toMatchObject([{ key: 'tenant:acme' }]);
  });

  it('never lets a key go back to an older state, with several publishers and writers', async () => {
    await endpoints.create(anEndpoint(), 2_000);
    const topic: number[] = [];
    let writing = true;
    const publisher = async (other: Outbox) => {
      for (let quiet = 0; quiet < 2;) {
        const result = await other.publishPending(async (changes) => {
          await pause(3);
          for (const { kind, config } of changes)
            if (kind === 'endpoint' && config !== null) topic.push(config.revision);
        });
        quiet = writing || result.outcome === 'busy' || result.changes > 0 ? 0 : quiet + 1;
        await pause(1);
      }
    };
    const publishers = Promise.all([1, 2, 3].map(() => publisher(new Outbox(database))));
    for (let i = 0; i < 30; i += 1) await endpoints.update('ep_1', { maxInFlight: i + 1 }, { now: 3_000 + i });
    writing = false;
    await publishers;
    expect(topic).toEqual(topic.toSorted((a, b) => a - b));
    expect(topic.at(-1)).toBe(31);
  });
});
