import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { plainContent } from '#libs/contracts';
import { defaultCircuit, defaultGrowth, scheduleOf } from '#libs/core';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { connectDatabase, type Database } from './database.js';
import { noEndpointCredentials } from './endpoint.js';
import { EndpointHistory, type EndpointVersion } from './endpoint-history.js';
import { EndpointRepository, type NewEndpoint } from './endpoint-repository.js';
import { rowOf } from './endpoint-rows.js';
import { snapshotOf } from './endpoint-version.js';
import { endpointEntity } from './entities.js';
import { HaltedKeys } from './halted-keys.js';
import { migrate } from './migrate.js';
import { migrations } from './migrations/index.js';
import { Projection } from './projection.js';
import { TenantRepository } from './tenant-repository.js';

// Real: PostgreSQL. Given by hand: what the endpoints topic would hold.
let test: TestDatabase;
let database: Database;
let endpoints: EndpointRepository;
let history: EndpointHistory;

beforeAll(async () => {
  test = await createTestDatabase();
  await migrate(test.url);
  database = await connectDatabase(test.url);
  endpoints = new EndpointRepository(database);
  history = new EndpointHistory(database);
});
afterAll(async () => {
  await database?.close();
  await test?.drop();
});
beforeEach(async () => {
  await database.session
    .query(`TRUNCATE tenants, api_keys, transformations, transformation_versions, endpoints, endpoint_secrets, endpoint_verifications, halt_resolutions, outbox,
    endpoint_versions, endpoint_publications, deliveries`);
  await new TenantRepository(database).create({ id: 'acme', name: 'Acme' }, 1_000);
});

const shared = { kind: 'hmac', publicKey: null, createdAt: 2_000 } as const;

const anEndpoint = (changes: Partial<NewEndpoint> = {}): NewEndpoint => ({
  endpointId: 'ep_1',
  tenantId: 'acme',
  url: 'http://127.0.0.1:1/a',
  eventTypes: ['task.*', 'a"b,{c}'],
  description: 'hooks',
  state: 'active',
  ordering: 'key',
  onExhausted: 'halt',
  secrets: [
    { ...shared, secretId: 'z', ciphertext: 'sealed-1', expiresAt: null },
    { ...shared, secretId: 'a', ciphertext: 'sealed-2', expiresAt: 5_000_123 },
  ],
  maxInFlight: 16,
  adaptiveConcurrency: false,
  rateLimit: { limit: 5, per: 'minute', burst: 2 },
  circuit: { ...defaultCircuit, failureShare: 0.1 },
  timeoutMs: 15_000,
  ...plainContent,
  retry: { ...scheduleOf([]), kind: 'exponential', ...defaultGrowth, jitter: 0.3, maxTotalMs: 5_184_000_000 },
  ...changes,
});

async function versions(endpointId = 'ep_1'): Promise<readonly EndpointVersion[]> {
  const page = await history.list(endpointId, { limit: 200 });
  return page?.data ?? [];
}
const newestFirst = async () => (await versions()).map(({ revision, change }) => [revision, change]);

describe('the history of an endpoint', () => {
  it('keeps what was in force after each change, whoever made it', async () => {
    await endpoints.create(anEndpoint(), 2_000);
    await endpoints.update('ep_1', { url: 'http://127.0.0.1:1/b' }, { now: 3_000 });
    await endpoints.disable('ep_1', 'gone', { now: 5_000, decidedAt: 4_000 });
    await endpoints.update('ep_1', { state: 'active' }, { now: 6_000 });
    await endpoints.delete('ep_1', 7_000);
    expect(await newestFirst()).toEqual([
      [5, 'deleted'],
      [4, 'updated'],
      [3, 'disabled'],
      [2, 'updated'],
      [1, 'created'],
    ]);
    const [deleted, active, disabled, moved, created] = await versions();
    expect(created?.config).toMatchObject({ url: 'http://127.0.0.1:1/a', state: 'active' });
    expect(created).toMatchObject({ before: null, changedAt: 2_000, actor: null });
    expect(moved?.config).toEqual({ ...created?.config, url: 'http://127.0.0.1:1/b' });
    expect(moved?.before).toEqual(created?.config);
    expect(disabled?.config).toMatchObject({ state: 'disabled', disabledReason: 'gone', url: 'http://127.0.0.1:1/b' });
    expect(active?.config).toEqual(moved?.config);
    expect(deleted).toMatchObject({ config: active?.config, changedAt: 7_000 });
  });

  it('keeps everything but what is secret', async () => {
    const created = await endpoints.create(anEndpoint(), 2_000);
    const [version] = await versions();
    expect(created && version?.config).toEqual(created && snapshotOf(created));
    expect(version?.config.secrets).toEqual([
      { secretId: 'z', expiresAt: null },
      { secretId: 'a', expiresAt: 5_000_123 },
    ]);
    const stored: unknown = await database.session.query('SELECT * FROM endpoint_versions');
    expect(JSON.stringify(stored)).not.toContain('sealed');
  });

  it('tells what was decided of a halted delivery', async () => {
    await endpoints.create(anEndpoint(), 2_000);
    await database.session.query(`
      INSERT INTO deliveries (delivery_id, webhook_id, tenant_id, endpoint_id, stream, event_id, event_source, event_type,
        status, attempts, accepted_at, dispatched_at, halted_at)
      VALUES ('d1', 'm', 'acme', 'ep_1', 'live', 'e', '/s', 't', 'halted', 3, now(), now(), now())`);
    await new HaltedKeys(database).resolve('ep_1', 'd1', 'skip', 3_000);
    const [resolved, created] = await versions();
    expect(resolved).toMatchObject({
      revision: 2,
      change: 'resolved',
      changedAt: 3_000,
      resolution: { deliveryId: 'd1', action: 'skip' },
      config: created?.config,
    });
    expect((await endpoints.get('ep_1'))?.revision).toBe(2);
  });

  it('has one version for each of many changes at once, in order, none lost', async () => {
    await endpoints.create(anEndpoint(), 2_000);
    const limits = Array.from({ length: 12 }, (_, i) => i + 1);
    await Promise.all(limits.map((maxInFlight) => endpoints.update('ep_1', { maxInFlight }, { now: 3_000 })));
    const all = await versions();
    expect(all.map(({ revision }) => revision)).toEqual(Array.from({ length: 13 }, (_, i) => 13 - i));
    expect(all.slice(0, 12).map(({ config }) => config.maxInFlight)).toHaveLength(12);
    expect(new Set(all.slice(0, 12).map(({ config }) => config.maxInFlight))).toEqual(new Set(limits));
    expect(all[0]?.config.maxInFlight).toBe((await endpoints.get('ep_1'))?.maxInFlight);
  });

  it('has no version of a change that was not made', async () => {
    await endpoints.create(anEndpoint(), 2_000);
    await endpoints.update('ep_1', { url: 'http://x/' }, { now: 3_000, expectedRevision: 9 });
    await expect(endpoints.update('ep_1', { maxInFlight: -1 }, { now: 3_000 })).rejects.toThrow(/max_in_flight/);
    await expect(endpoints.create(anEndpoint(), 2_000)).rejects.toThrow();
    await endpoints.delete('ep_9', 3_000);
    expect(await newestFirst()).toEqual([[1, 'created']]);
  });

  it('comes in pages, each version with what was before it, and is known of unknown endpoints', async () => {
    await endpoints.create(anEndpoint(), 2_000);
    for (let i = 1; i < 5; i += 1) await endpoints.update('ep_1', { maxInFlight: i }, { now: 3_000 });
    const first = await history.list('ep_1', { limit: 2 });
    const second = await history.list('ep_1', { limit: 2, cursor: first?.nextCursor ?? '' });
    const third = await history.list('ep_1', { limit: 2, cursor: second?.nextCursor ?? '' });
    const found = [first, second, third].flatMap((page) => page?.data ?? []);
    expect(found.map(({ revision }) => revision)).toEqual([5, 4, 3, 2, 1]);
    expect(found.map(({ before }) => before?.maxInFlight)).toEqual([3, 2, 1, 16, undefined]);
    expect(third?.nextCursor).toBeNull();
    expect(await history.list('ep_9', { limit: 2 })).toBeNull();
    const foreign = Buffer.from('1:ep_1').toString('base64url');
    await expect(history.list('ep_1', { limit: 2, cursor: foreign })).rejects.toThrow(
      expect.objectContaining({ name: 'InvalidCursor' }),
    );
  });
});

describe('what was published', () => {
  const published = (offset: number, revision: number | null, appendedAt = 1_000) => ({
    endpointId: 'ep_1',
    offset,
    appendedAt,
    revision,
  });
  const revisionAt = async (configVersion: number, startedAt = 9_000, endpointId = 'ep_1') => {
    const [found] = await history.inForce(endpointId, [{ configVersion, startedAt }]);
    return found?.revision ?? null;
  };

  beforeEach(async () => {
    await endpoints.create(anEndpoint(), 2_000);
    for (const path of ['b', 'c', 'd']) await endpoints.update('ep_1', { url: `http://x/${path}` }, { now: 3_000 });
  });

  it('maps each offset to its revision, also where one was merged into a later or published twice', async () => {
    await history.notePublished([published(7, 1), published(11, 3), published(12, 3)]);
    await history.notePublished([published(11, 3), published(15, 4)]);
    expect(await Promise.all([7, 11, 12, 15].map((offset) => revisionAt(offset)))).toEqual([1, 3, 3, 4]);
    // Between them are records of others.
    expect(await Promise.all([6, 8, 13, 16].map((offset) => revisionAt(offset)))).toEqual([null, null, null, null]);
    expect(await revisionAt(7, 9_000, 'ep_2')).toBeNull();
    expect((await versions()).map(({ revision, offsets }) => [revision, offsets])).toEqual([
      [4, [15]],
      [3, [11, 12]],
      [2, []],
      [1, [7]],
    ]);
  });

  it('answers for many uses in their order, with what was in force', async () => {
    await history.notePublished([published(7, 1), published(11, 4)]);
    const uses = [11, 7, 99, 7].map((configVersion) => ({ configVersion, startedAt: 9_000 }));
    const found = await history.inForce('ep_1', uses);
    expect(found.map((one) => one?.config.url ?? null)).toEqual([
      'http://x/d',
      'http://127.0.0.1:1/a',
      null,
      'http://127.0.0.1:1/a',
    ]);
    expect(await history.inForce('ep_1', [])).toEqual([]);
  });

  it('counts a tombstone as the deletion, and forgets one of an endpoint that it does not know', async () => {
    await endpoints.delete('ep_1', 4_000);
    await history.notePublished([published(20, null), { ...published(21, null), endpointId: 'ep_9' }]);
    expect((await versions())[0]).toMatchObject({ change: 'deleted', revision: 5, offsets: [20] });
    expect(await revisionAt(21, 9_000, 'ep_9')).toBeNull();
  });

  it('does not know of a revision that has no version', async () => {
    await history.notePublished([published(7, 77)]);
    expect(await revisionAt(7)).toBeNull();
  });

  it('tells two logs with the same offsets apart by time', async () => {
    await history.notePublished([published(7, 1, 10_000), published(7, 4, 50_000)]);
    await history.notePublished([{ ...published(7, 2, 55_000), endpointId: 'ep_2' }]);
    expect(await revisionAt(7, 20_000)).toBe(1);
    expect(await revisionAt(7, 60_000)).toBe(4);
    expect(await revisionAt(7, 9_999)).toBe(1);
  });
});

it('begins, at the migration, with what is there, as if it had been kept before', async () => {
  const old = await createTestDatabase();
  const earlier = await connectDatabase(old.url);
  try {
    await earlier.session.query(
      'CREATE TABLE migrations (number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz DEFAULT now())',
    );
    for (const { number, name, sql } of migrations.filter((one) => one.number < 4)) {
      await earlier.session.query(sql);
      await earlier.session.query('INSERT INTO migrations (number, name) VALUES ($1, $2)', [number, name]);
    }
    await earlier.session.query(`INSERT INTO tenants VALUES ('acme', 'Acme', now(), now())`);
    const given = [
      anEndpoint(),
      anEndpoint({ endpointId: 'ep_2', rateLimit: null, circuit: null, secrets: [], retry: scheduleOf([5_000]) }),
    ];
    // The entity has columns of later migrations too.
    const later = ['backfill text', 'filters text', 'versions jsonb', 'latest_by_default boolean', 'format text'];
    later.push('headers jsonb', 'compression text', 'batch jsonb', 'transformation_id text');
    later.push('sealed_authentication text', 'authentication jsonb', 'sealed_client_certificate text');
    later.push('client_certificate jsonb', 'ca_pem text', 'ca_certificates jsonb');
    later.push('verification jsonb');
    await earlier.session.query(`ALTER TABLE endpoints ${later.map((one) => `ADD COLUMN ${one}`).join(', ')}`);
    const insertSecret =
      'INSERT INTO endpoint_secrets (endpoint_id, id, place, ciphertext, expires_at) VALUES ($1, $2, $3, $4, $5)';
    for (const endpoint of given) {
      const row = {
        ...noEndpointCredentials,
        ...endpoint,
        verification: null,
        disabledReason: null,
        backfill: null,
        revision: 4,
        createdAt: 2_000,
        updatedAt: 3_000,
      };
      await earlier.session.insert(endpointEntity, rowOf(row));
      for (const [place, { secretId, ciphertext, expiresAt }] of endpoint.secrets.entries()) {
        const expires = expiresAt === null ? null : new Date(expiresAt);
        await earlier.session.query(insertSecret, [endpoint.endpointId, secretId, place, ciphertext, expires]);
      }
    }
    const dropped = later.map((one) => `DROP COLUMN ${one.split(' ')[0]}`).join(', ');
    await earlier.session.query(`ALTER TABLE endpoints ${dropped}`);
    expect(await migrate(old.url)).toContain('0004-history-and-dead-letters');
    for (const { endpointId } of given) {
      const now = await new EndpointRepository(earlier).get(endpointId);
      const page = await new EndpointHistory(earlier).list(endpointId, { limit: 9 });
      expect(page?.data).toMatchObject([{ revision: 4, change: 'found', changedAt: 3_000, before: null }]);
      expect(now && page?.data[0]?.config).toEqual(now && snapshotOf(now));
      // A secret came with its endpoint.
      for (const one of now?.secrets ?? []) expect(one).toMatchObject(shared);
    }
    await new EndpointRepository(earlier).update('ep_1', {}, { now: 4_000 });
    const page = await new EndpointHistory(earlier).list('ep_1', { limit: 9 });
    expect(page?.data[0]).toMatchObject({ revision: 5, change: 'updated', before: page?.data[1]?.config });
    expect(page?.data[0]?.config).toEqual(page?.data[1]?.config);
  } finally {
    await earlier.close();
    await old.drop();
  }
});

it('is kept for an endpoint that the projector disables with its rows', async () => {
  await endpoints.create(anEndpoint(), 2_000);
  const disables = [{ endpointId: 'ep_1', reason: 'gone', decidedAt: 3_000 }];
  const projection = new Projection(database, () => 4_000);
  await projection.apply({ advances: [], attempts: [], deliveries: [], deadLetters: [], disables });
  expect(await newestFirst()).toEqual([
    [2, 'disabled'],
    [1, 'created'],
  ]);
});
