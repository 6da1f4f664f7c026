import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { connectDatabase, type Database } from './database.js';
import { DeadLetters } from './dead-letters.js';
import { DeliveryLog } from './delivery-log.js';
import type { DeliveryRecord } from './delivery-record.js';
import { LogInUse, LogParts, logTables } from './log-parts.js';
import { migrate } from './migrate.js';
import { migrations } from './migrations/index.js';
import { Projection } from './projection.js';
import { aDelivery } from './replays.fixture.js';

// Real: PostgreSQL. The log is there before it is in parts: the migration moves it.
let test: TestDatabase;
let database: Database;
let parts: LogParts;

const day = 86_400_000;
const now = Date.now();
const ids = ['older', 'first', 'second', 'newest'];
const daysAgo: Record<string, number> = { older: 120, first: 40, second: 20, newest: 0 };

beforeAll(async () => {
  test = await createTestDatabase();
  database = await connectDatabase(test.url);
  const { session } = database;
  await session.query(
    'CREATE TABLE migrations (number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz DEFAULT now())',
  );
  for (const { number, name, sql } of migrations.filter((one) => one.number < 24)) {
    await session.query(sql);
    await session.query('INSERT INTO migrations (number, name) VALUES ($1, $2)', [number, name]);
  }
  for (const id of ids) {
    const at = new Date(now - (daysAgo[id] ?? 0) * day);
    await session.query(
      `INSERT INTO deliveries (delivery_id, webhook_id, tenant_id, endpoint_id, stream, event_id, event_source, event_type, status,
         attempts, accepted_at, dispatched_at, completed_at, dead_letter_reason)
       VALUES ($1, 'm', 'acme', 'ep_1', 'live', 'e', '/', 't', 'dead-lettered', 1, $2, $2, $2, 'exhausted')`,
      [id, at],
    );
    await session.query(
      `INSERT INTO attempts (log_partition, log_offset, logged_at, delivery_id, number, config_version, started_at, duration_ms,
         url, request_headers, outcome, final, worker_id) VALUES (0, $3, $2, $1, 1, 1, $2, 1, 'https://x/', '{}', 'deadLetter', true, 'w')`,
      [id, at, ids.indexOf(id)],
    );
    await session.query(
      `INSERT INTO dead_letters (delivery_id, tenant_id, endpoint_id, reason, given_up_at, log_partition, log_offset, logged_at)
       VALUES ($1, 'acme', 'ep_1', 'exhausted', $2, 0, 0, $2)`,
      [id, at],
    );
  }
  expect(await migrate(test.url)).toContain('0024-log-partitions');
  parts = new LogParts(database);
});
afterAll(async () => {
  await database?.close();
  await test?.drop();
});

const namesOf = async (table: string): Promise<string[]> => {
  const rows: { name: string }[] = await database.session.query('SELECT name FROM posthorn_parts($1)', [table]);
  return rows.map(({ name }) => name);
};
const project = (...deliveries: DeliveryRecord[]): Promise<number> =>
  new Projection(database).apply({ advances: [], attempts: [], disables: [], deadLetters: [], deliveries });
const listed = async (): Promise<string[]> => {
  const { data } = await new DeliveryLog(database).list({}, { limit: 100 });
  return data.map(({ deliveryId }) => deliveryId);
};
/** Where each row is. */
const places = async (table = 'deliveries'): Promise<Record<string, string>> => {
  const rows: { id: string; part: string }[] = await database.session.query(
    `SELECT delivery_id AS id, (SELECT relname FROM pg_class WHERE oid = t.tableoid) AS part FROM ${table} t`,
  );
  return Object.fromEntries(rows.map(({ id, part }) => [id, part]));
};

describe('the migration of a log that is there', () => {
  it('keeps every row, in the part of its time', async () => {
    expect(await listed()).toEqual(['newest', 'second', 'first', 'older']);
    const { data } = await new DeadLetters(database).list({}, { limit: 9 });
    expect(data.map(({ delivery, place }) => [delivery.deliveryId, place])).toEqual(
      ['newest', 'second', 'first', 'older'].map((id) => [id, { partition: 0, offset: 0 }]),
    );
    expect((await new DeliveryLog(database).get('first'))?.attempts).toHaveLength(1);
    for (const table of logTables) {
      const found = await places(table);
      expect(new Set(Object.values(found)).size).toBe(4);
      const names = await namesOf(table);
      expect([names[0], names.at(-1)]).toEqual([`${table}_older`, `${table}_ahead`]);
      // Weeks since the oldest row, and two weeks ahead.
      expect(names.length).toBeGreaterThan(2 + 17 + 2);
    }
  });

  it('gives the parts to nobody', async () => {
    const rows: unknown[] = await database.session.query(
      `SELECT r.rolname FROM pg_roles r WHERE r.rolname LIKE 'posthorn\\_%' AND NOT r.rolsuper AND (
         has_schema_privilege(r.oid, 'posthorn_partitions', 'USAGE') OR EXISTS (
           SELECT FROM pg_class c WHERE c.relnamespace = 'posthorn_partitions'::regnamespace AND c.relkind = 'r'
             AND has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE')))
       AND r.rolname IN ('posthorn_app', 'posthorn_tenant', 'posthorn_endpoints')`,
    );
    expect(rows).toEqual([]);
  });
});

describe('parts of the log', () => {
  it('are made ahead, once, of the wanted width, and take what a clock has put there before', async () => {
    await project(aDelivery('early', { acceptedAt: now + 40 * day }));
    expect((await places())['early']).toBe('deliveries_ahead');
    const before = await namesOf('deliveries');
    expect(await parts.makeUpTo('deliveries', now + 42 * day, 7)).toBeGreaterThanOrEqual(3);
    expect(await parts.makeUpTo('deliveries', now + 42 * day, 7)).toBe(0);
    const weekly = await namesOf('deliveries');
    expect(weekly.length).toBeGreaterThan(before.length);
    expect((await places())['early']).toMatch(/^deliveries_\d{8}$/);
    const made = await Promise.all([1, 2].map(() => parts.makeUpTo('deliveries', now + 60 * day, 1)));
    const daily = await namesOf('deliveries');
    expect(daily.length - weekly.length).toBeGreaterThan(10);
    expect(daily.length - weekly.length).toBe(made.reduce((sum, one) => sum + one));
    await database.session.query(`DELETE FROM deliveries WHERE delivery_id = 'early'`);
  });

  it('take a row that is projected again for the same one', async () => {
    const again = aDelivery('second', { acceptedAt: now - 20 * day, attempts: 5 });
    await project(again);
    expect((await listed()).filter((id) => id === 'second')).toHaveLength(1);
    expect((await new DeliveryLog(database).get('second'))?.delivery.attempts).toBe(5);
  });
});

describe('old parts', () => {
  const dropAll = async (table: (typeof logTables)[number], horizon: number): Promise<(string | number | null)[][]> => {
    const dropped = [];
    for (;;) {
      const one = await parts.dropOldest(table, horizon);
      if (one === null) return dropped;
      dropped.push([one.name, one.kept]);
    }
  };
  const oldWeek = 100 * day;

  beforeEach(async () => {
    const at = {
      acceptedAt: now - oldWeek,
      dispatchedAt: now - oldWeek,
      firstAttemptAt: null,
      lastAttemptAt: now - oldWeek,
    };
    await project(
      aDelivery('ancient', { ...at, acceptedAt: now - 500 * day, completedAt: now - 95 * day }),
      aDelivery('done', { ...at, completedAt: now - oldWeek }),
      aDelivery('open', { ...at, status: 'pending', completedAt: null }),
      aDelivery('halted', { ...at, status: 'halted', completedAt: null, haltedAt: now - oldWeek }),
      aDelivery('late', { ...at, completedAt: now - day }),
      aDelivery('replayed', {
        ...at,
        stream: 'replay:1',
        dispatchedAt: now - day,
        lastAttemptAt: now,
        completedAt: now,
      }),
    );
  });

  it('wait for whoever reads for long, while rows are written, and go when he is done', async () => {
    const reader = await connectDatabase(test.url, { poolSize: 1 });
    const held = Promise.withResolvers<void>();
    const began = Promise.withResolvers<void>();
    const reading = reader.transaction(async (session) => {
      await session.query('SELECT count(*) FROM deliveries');
      began.resolve();
      await held.promise;
    });
    await began.promise;
    const before = await namesOf('deliveries');
    const dropping = parts.dropOldest('deliveries', now - 90 * day).catch((error: unknown) => error);
    // Written, and read, while it waits or after it has given up: in any case before the reader is done.
    await project(aDelivery('meanwhile', { acceptedAt: now }));
    expect(await listed()).toContain('meanwhile');
    expect(await dropping).toBeInstanceOf(LogInUse);
    expect(await parts.makeUpTo('deliveries', now + 90 * day, 7).catch((error: unknown) => error)).toBeInstanceOf(
      LogInUse,
    );
    expect(await namesOf('deliveries')).toEqual(before);
    held.resolve();
    await reading;
    await reader.close();
    expect(await parts.dropOldest('deliveries', now - 90 * day)).toMatchObject({ name: before[1], kept: 0 });
    await database.session.query(`DELETE FROM deliveries WHERE delivery_id = 'meanwhile'`);
  });

  it('go whole; what is open, or was sent or settled lately, lives on until it is old too', async () => {
    const dropped = await dropAll('deliveries', now - 90 * day);
    expect(dropped.length).toBeGreaterThan(1);
    expect(dropped.filter(([, kept]) => kept !== 0)).toMatchObject([[expect.stringMatching(/^deliveries_\d{8}$/), 4]]);
    expect(await places()).toMatchObject(
      Object.fromEntries(['open', 'halted', 'late', 'replayed', 'ancient'].map((id) => [id, 'deliveries_older'])),
    );
    expect(await places()).not.toHaveProperty('done');
    expect((await listed()).slice(0, 3)).toEqual(['newest', 'second', 'first']);
    // What is done and old among the older ones is deleted by rows, as many at a time as one says.
    expect(await parts.expireOlder('deliveries', now - 90 * day, 1)).toBe(1);
    expect(await parts.expireOlder('deliveries', now - 90 * day, 10)).toBe(0);
    expect(Object.keys(await places())).not.toContain('ancient');
    const settled = { acceptedAt: now - oldWeek, completedAt: now - 95 * day, lastAttemptAt: now - 95 * day };
    await project(aDelivery('open', { ...settled, status: 'delivered', dispatchedAt: now - oldWeek }));
    expect(await parts.expireOlder('deliveries', now - 90 * day, 10)).toBe(1);
    expect(await parts.expireOlder('deliveries', now + day, 10)).toBe(2);
    expect(Object.keys(await places()).toSorted()).toEqual(['first', 'halted', 'newest', 'second']);
  });

  it('of attempts are dropped without being read', async () => {
    const undo = new Error('undo');
    const read: unknown[] = [];
    const dropping = database.transaction(async (session) => {
      for (const table of ['attempts', 'deliveries']) {
        const oldest = `(SELECT c.oid FROM posthorn_parts($1) p JOIN pg_class c ON c.relname = p.name
          WHERE p.since > '-infinity' AND EXISTS (SELECT FROM ${table} t WHERE t.tableoid = c.oid) ORDER BY p.since LIMIT 1)`;
        const [part]: { oid: string }[] = await session.query(`SELECT ${oldest}::text AS oid`, [table]);
        const scans = async (): Promise<number> => {
          const [row]: { n: number }[] = await session.query(
            'SELECT pg_stat_get_xact_tuples_returned($1::oid)::integer AS n',
            [part?.oid],
          );
          return row?.n ?? 0;
        };
        const before = await scans();
        let name: string | null = '';
        for (let left = '1'; left !== '0' && name !== null;) {
          [{ name }] = await session.query('SELECT name FROM posthorn_drop_part($1, $2, 100)', [
            table,
            new Date(now - 30 * day),
          ]);
          [{ left }] = await session.query('SELECT count(*)::text AS left FROM pg_class WHERE oid = $1', [part?.oid]);
        }
        read.push([table, name === null ? 'kept' : 'gone', (await scans()) > before]);
      }
      throw undo;
    });
    await expect(dropping).rejects.toBe(undo);
    expect(read).toEqual([
      ['attempts', 'gone', false],
      ['deliveries', 'gone', true],
    ]);
  });

  it('of dead letters go with their deliveries, of attempts by their age', async () => {
    await dropAll('deliveries', now - 30 * day);
    await parts.expireOlder('deliveries', now - 30 * day, 10);
    expect((await dropAll('dead_letters', now - 30 * day)).length).toBeGreaterThan(10);
    expect((await dropAll('attempts', now - 30 * day)).length).toBeGreaterThan(10);
    for (const table of ['dead_letters', 'attempts'] as const) await parts.expireOlder(table, now - 30 * day, 10);
    for (const table of ['dead_letters', 'attempts'])
      expect(Object.keys(await places(table)).toSorted()).toEqual(['newest', 'second']);
  });

  it('stay where too much of them lives', async () => {
    await database.session.query('DELETE FROM deliveries');
    const name = (await namesOf('deliveries'))[1];
    const [row]: unknown[] = await database.session.query(
      `WITH inserted AS (
         INSERT INTO deliveries SELECT 'd' || i, 'm', 'acme', 'ep_1', 'live', 'e', '/', 't', 'pending', 1, since, since
         FROM posthorn_parts('deliveries'), generate_series(1, 3) AS i WHERE name = $1 RETURNING 1
       ) SELECT count(*)::integer AS count FROM inserted`,
      [name],
    );
    expect(row).toEqual({ count: 3 });
    const drop = (most: number): Promise<unknown> =>
      database.session.query('SELECT * FROM posthorn_drop_part($1, $2, $3)', [
        'deliveries',
        new Date(now + 20 * day),
        most,
      ]);
    expect(await drop(2)).toEqual([{ name, kept: -1 }]);
    expect(await drop(3)).toEqual([{ name, kept: 3 }]);
    expect(await listed()).toHaveLength(3);
  });
});
