import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { connectDatabase, type Database } from './database.js';
import { EndpointFaultLog } from './endpoint-faults.js';
import { migrate } from './migrate.js';

// Real: PostgreSQL.
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

const start = 1_800_000_000_000;

it('adds what several dispatchers counted, and keeps the latest of what went wrong', async () => {
  const log = new EndpointFaultLog(database);
  const fault = {
    endpointId: 'ep_1',
    kind: 'filter',
    count: 3,
    lastAt: start + 9,
    lastDetail: 'no\0 such key',
  } as const;
  await Promise.all([
    log.addFaults([fault, { ...fault, endpointId: 'ep_2', count: 1 }]),
    log.addFaults([
      { ...fault, endpointId: 'ep_2', count: 1 },
      { ...fault, count: 4, lastAt: start + 2, lastDetail: 'older' },
    ]),
  ]);
  await log.addFaults([{ ...fault, kind: 'transformation', count: 1, lastDetail: 'threw: no' }]);
  await log.addFaults([]);
  expect(await log.of('ep_1')).toEqual([
    { endpointId: 'ep_1', kind: 'filter', count: 7, lastAt: start + 9, lastDetail: 'no\u{fffd} such key' },
    { endpointId: 'ep_1', kind: 'transformation', count: 1, lastAt: start + 9, lastDetail: 'threw: no' },
  ]);
  expect(await log.of('ep_2')).toMatchObject([{ count: 2 }]);
  expect(await log.of('ep_3')).toEqual([]);
});
