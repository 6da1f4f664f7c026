import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { ApiKeys, type NewApiKey } from './api-keys.js';
import { AuditLog } from './audit-log.js';
import { connectDatabase, type Database } from './database.js';
import { migrate } from './migrate.js';
import { TenantRepository } from './tenant-repository.js';

// Real: PostgreSQL.
let test: TestDatabase;
let database: Database;
let keys: ApiKeys;

beforeAll(async () => {
  test = await createTestDatabase();
  await migrate(test.url);
  database = await connectDatabase(test.url);
  keys = new ApiKeys(database);
});
afterAll(async () => {
  await database?.close();
  await test?.drop();
});
beforeEach(async () => {
  await database.session.query('TRUNCATE tenants CASCADE');
  await new TenantRepository(database).create({ id: 'acme', name: 'Acme' }, start);
});

const start = 1_800_000_000_000;
const digest = (byte: number): Buffer => Buffer.alloc(32, byte);
/** The key that `aKey` makes of the number. */
const found = async (n: number) =>
  (await keys.find([digest(n).toString('hex')])).get(digest(n).toString('hex')) ?? null;
const aKey = (n: number, changes: Partial<NewApiKey> = {}): NewApiKey => ({
  id: `pht_${n}`,
  tenantId: 'acme',
  name: `no. ${n}`,
  digest: digest(n),
  scopes: ['endpoints:*', 'events:write'],
  expiresAt: start + 5_000,
  createdBy: 'phk_1',
  ...changes,
});

it('keeps a key without what makes it one, finds it by its digest, and says who made it', async () => {
  const created = await keys.create(aKey(1), start);
  const { digest: _, ...same } = aKey(1);
  expect(created).toEqual({ ...same, revokedAt: null, lastUsedAt: null, createdAt: start });
  expect(await found(1)).toEqual(created);
  expect(await keys.get('pht_1')).toEqual(created);
  expect(await found(2)).toBeNull();
  expect(await keys.get('pht_2')).toBeNull();
  const { data } = await new AuditLog(database).list({ resource: 'key/pht_1' }, { limit: 9 });
  expect(data).toMatchObject([{ action: 'key.created', tenantId: 'acme', after: { name: 'no. 1' } }]);
  expect(await keys.create(aKey(3, { tenantId: 'nobody' }), start)).toBeNull();
  await expect(keys.create(aKey(4, { digest: digest(1) }), start)).rejects.toThrow(/duplicate/);
});

it('revokes a key once and for all', async () => {
  await keys.create(aKey(1, { tenantId: null }), start);
  expect(await keys.revoke('pht_1', start + 10)).toMatchObject({ revokedAt: start + 10 });
  expect(await keys.revoke('pht_1', start + 20)).toMatchObject({ revokedAt: start + 10 });
  expect(await found(1)).toMatchObject({ revokedAt: start + 10 });
  expect(await keys.revoke('pht_2', start)).toBeNull();
  const { data } = await new AuditLog(database).list({ action: 'key.revoked' }, { limit: 9 });
  expect(data).toMatchObject([{ tenantId: '', before: { revokedAt: null }, after: { revokedAt: start + 10 } }]);
});

it('notes its use once a minute, whoever of many processes sees it', async () => {
  const created = await keys.create(aKey(1), start);
  const writes = async (): Promise<string> => {
    const [row]: { version: string }[] = await database.session.query(
      'SELECT xmin::text AS version FROM api_keys WHERE id = $1',
      ['pht_1'],
    );
    return row?.version ?? '';
  };
  await Promise.all(Array.from({ length: 5 }, () => keys.noteUse(created!, start + 1)));
  const used = await found(1);
  expect(used).toMatchObject({ lastUsedAt: start + 1 });
  const before = await writes();
  await keys.noteUse(created!, start + 60_000);
  await keys.noteUse(used!, start + 60_000);
  expect(await writes()).toBe(before);
  await keys.noteUse(used!, start + 60_001);
  expect(await writes()).not.toBe(before);
  expect(await found(1)).toMatchObject({ lastUsedAt: start + 60_001 });
});

it('lists in pages, of everybody or of a tenant, and forgets the keys of a tenant with it', async () => {
  for (let n = 1; n <= 4; n += 1) await keys.create(aKey(n, n === 2 ? { tenantId: null } : {}), start + (n >> 1));
  const first = await keys.list({ limit: 3 }, start);
  const rest = await keys.list({ limit: 3, cursor: first.nextCursor ?? '' }, start);
  expect([...first.data, ...rest.data].map(({ id }) => id)).toEqual(['pht_1', 'pht_2', 'pht_3', 'pht_4']);
  expect((await keys.list({ limit: 9, tenantId: 'acme' }, start)).data.map(({ id }) => id)).toEqual([
    'pht_1',
    'pht_3',
    'pht_4',
  ]);
  await new TenantRepository(database).delete('acme', start + 9);
  expect(await found(1)).toBeNull();
  expect(await found(2)).not.toBeNull();
});
