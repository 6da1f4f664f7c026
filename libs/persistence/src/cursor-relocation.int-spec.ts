import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { CursorRelocation, type CursorPlace } from './cursor-relocation.js';
import { Cursors } from './cursors.js';
import { connectDatabase, type Database } from './database.js';
import { migrate } from './migrate.js';

// Real: PostgreSQL.
let test: TestDatabase;
let database: Database;
let cursors: Cursors;
let relocation: CursorRelocation;

beforeAll(async () => {
  test = await createTestDatabase();
  await migrate(test.url);
  database = await connectDatabase(test.url);
  [cursors, relocation] = [new Cursors(database), new CursorRelocation(database)];
});
afterAll(async () => {
  await database?.close();
  await test?.drop();
});
beforeEach(async () => {
  await database.session.query('TRUNCATE source_partitions, cursors');
  for (const partition of [0, 1]) {
    const { epoch } = await cursors.takeOver(partition);
    const frozen = { kind: 'freeze', reason: 'paused', incarnation: 3, position: 50 + partition } as const;
    await cursors.write(partition, epoch, [
      { ...frozen, endpointId: 'a', run: 'f1' },
      { kind: 'move', endpointId: 'a', run: 'f1', position: 60 + partition },
      { ...frozen, endpointId: 'b', run: 'f2' },
      { kind: 'end', endpointId: 'b', run: 'f2' },
    ]);
  }
});

const stored = async () =>
  (await Promise.all([0, 1].map((partition) => cursors.takeOver(partition)))).map(({ cursors: found }) =>
    found.map(({ endpointId, run, incarnation, position, ended }) => [endpointId, run, incarnation, position, ended]),
  );
const place: CursorPlace = { endpointId: 'a', partition: 1, incarnation: 4, position: 7, run: 'f9' };
const committed = () => Promise.resolve();

it('lists what is in force', async () => {
  expect(await relocation.list()).toMatchObject([
    { partition: 0, endpointId: 'a', run: 'f1', reason: 'paused', startedAt: 50, position: 60 },
    { partition: 1, endpointId: 'a', run: 'f1', reason: 'paused', startedAt: 51, position: 61 },
  ]);
});

it('moves what is in force in those partitions, also backwards, and leaves what is ended or not named', async () => {
  const seen: string[] = [];
  const decide = (found: Awaited<ReturnType<typeof relocation.list>>): CursorPlace[] => {
    seen.push(...found.map(({ endpointId, partition }) => `${endpointId} ${partition}`));
    return [place];
  };
  await relocation.relocate([1], decide, committed);
  expect(seen).toEqual(['a 1']);
  expect(await cursors.ofEndpoint('a')).toMatchObject([{ startedAt: 50 }, { startedAt: 7 }]);
  expect(await stored()).toEqual([
    [
      ['a', 'f1', 3, 60, false],
      ['b', 'f2', 3, 50, true],
    ],
    [
      ['a', 'f9', 4, 7, false],
      ['b', 'f2', 3, 51, true],
    ],
  ]);
});

it('leaves nothing to a dispatcher that has not noticed', async () => {
  const { epoch } = await cursors.takeOver(1);
  await relocation.relocate([1], () => [place], committed);
  expect(await cursors.write(1, epoch, [{ kind: 'end', endpointId: 'a', run: 'f9' }])).toBe(false);
});

it('changes nothing when the positions beside it cannot be set', async () => {
  const before = await stored();
  const { epoch } = await cursors.takeOver(1);
  const refused = relocation.relocate(
    [0, 1],
    () => [place],
    () => Promise.reject(new Error('has members')),
  );
  await expect(refused).rejects.toThrow('has members');
  expect(await cursors.write(1, epoch, [])).toBe(true);
  expect(await stored()).toEqual(before);
});
