import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { connectDatabase, type Database } from './database.js';
import { IdempotencyKeys, type Begun, type KeyedRequest } from './idempotency-keys.js';
import { migrate } from './migrate.js';

// Real: PostgreSQL.
let test: TestDatabase;
let database: Database;
let store: IdempotencyKeys;
const masterKeys = new Map([[1, randomBytes(32)]]);

beforeAll(async () => {
  test = await createTestDatabase();
  await migrate(test.url);
  database = await connectDatabase(test.url);
  store = new IdempotencyKeys(database, { masterKeys, randomBytes, newId: randomUUID });
});
afterAll(async () => {
  await database?.close();
  await test?.drop();
});
beforeEach(() => database.session.query('TRUNCATE idempotency_keys'));

const start = 1_800_000_000_000;
const day = 86_400_000;
const request: KeyedRequest = { caller: 'pht_1', key: 'k-1', digest: Buffer.alloc(32, 1) };
const other = { ...request, digest: Buffer.alloc(32, 2) };
const answer = { status: 201, answer: '{"secret":"whsec_abc"}' };
const runOf = (begun: Begun): string => (begun.outcome === 'first' ? begun.run : '');

it('lets one do it, tells the others to wait, and then gives all of them its answer', async () => {
  const begun = await Promise.all(Array.from({ length: 20 }, () => store.begin(request, start)));
  expect(begun.filter(({ outcome }) => outcome === 'first')).toHaveLength(1);
  expect(begun.filter(({ outcome }) => outcome === 'in-progress')).toHaveLength(19);
  expect(await store.begin(other, start)).toEqual({ outcome: 'other-request' });
  await store.finish(request, runOf(begun.find(({ outcome }) => outcome === 'first')!), answer);
  expect(await store.begin(request, start + day - 1)).toEqual({ outcome: 'answered', ...answer });
  expect(await store.begin(other, start + day - 1)).toEqual({ outcome: 'other-request' });
  expect(await store.begin({ ...other, caller: 'pht_2' }, start)).toMatchObject({ outcome: 'first' });
  const rows: unknown[] = await database.session.query('SELECT * FROM idempotency_keys');
  expect(JSON.stringify(rows)).not.toContain('whsec_abc');
});

it('keeps nothing that a body could be guessed by, and knows it again when there is another master key', async () => {
  const run = runOf(await store.begin(request, start));
  const [row]: { request: Buffer }[] = await database.session.query('SELECT request FROM idempotency_keys');
  expect(row?.request).toHaveLength(32);
  expect(row?.request.equals(request.digest)).toBe(false);
  const strange = new Map([[1, randomBytes(32)]]);
  for (const [keys, outcome] of [
    [new Map([...masterKeys, [2, randomBytes(32)] as const]), 'answered'],
    [strange, 'other-request'],
  ] as const) {
    await store.finish(request, run, answer);
    const rotated = new IdempotencyKeys(database, { masterKeys: keys, randomBytes, newId: randomUUID });
    expect(await rotated.begin(request, start)).toMatchObject({ outcome });
    expect(await rotated.begin(other, start)).toEqual({ outcome: 'other-request' });
  }
  // Also where its process has died.
  await database.session.query('UPDATE idempotency_keys SET status = NULL, answer = NULL');
  const later = new IdempotencyKeys(database, {
    masterKeys: new Map([...masterKeys, [2, randomBytes(32)]]),
    randomBytes,
    newId: randomUUID,
  });
  expect(await later.begin(request, start + 120_000)).toMatchObject({ outcome: 'first' });
});

it('opens an answer under its own key only', async () => {
  await store.finish(request, runOf(await store.begin(request, start)), answer);
  await database.session.query(`UPDATE idempotency_keys SET caller = 'pht_2'`);
  await expect(store.begin({ ...request, caller: 'pht_2' }, start)).rejects.toThrow();
});

it('is as if it was not there after a day, and when it was given up', async () => {
  await store.finish(request, runOf(await store.begin(request, start)), answer);
  const again = await store.begin(other, start + day);
  expect(again).toMatchObject({ outcome: 'first' });
  await store.abandon(other, runOf(again));
  expect(await store.begin(request, start + day)).toMatchObject({ outcome: 'first' });
});

it('is taken over from a process that died, which then has no say any more', async () => {
  const dead = runOf(await store.begin(request, start));
  expect(await store.begin(request, start + 119_999)).toEqual({ outcome: 'in-progress' });
  expect(await store.begin(other, start + 120_000)).toEqual({ outcome: 'other-request' });
  const alive = runOf(await store.begin(request, start + 120_000));
  expect(alive).not.toBe('');
  await store.abandon(request, dead);
  await store.finish(request, dead, { status: 500, answer: 'late' });
  expect(await store.begin(request, start + 120_001)).toEqual({ outcome: 'in-progress' });
  await store.finish(request, alive, answer);
  expect(await store.begin(request, start + 300_000)).toEqual({ outcome: 'answered', ...answer });
});

it('forgets what is older than a day, in steps, and nothing else', async () => {
  await database.session.query(`
    INSERT INTO idempotency_keys (caller, key, request, run, begun_at)
    SELECT 'c', i, '', '', to_timestamp(${start / 1_000}) + make_interval(secs => i) FROM generate_series(1, 2500) AS i`);
  const statements: string[] = [];
  const counting = Object.create(database, {
    unconfined: {
      value: {
        session: {
          query: (text: string, parameters: unknown[]) => {
            statements.push(text);
            return database.session.query(text, parameters) as Promise<unknown>;
          },
        },
      },
    },
  }) as Database;
  const own = new IdempotencyKeys(counting, { masterKeys, randomBytes, newId: randomUUID });
  expect(await own.forgetOld(start + day + 2_100_000)).toBe(2_100);
  expect(statements).toHaveLength(3);
  const [row]: { count: number }[] = await database.session.query('SELECT count(*)::integer FROM idempotency_keys');
  expect(row?.count).toBe(400);
});
