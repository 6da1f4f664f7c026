import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { CursorRelocation } from './cursor-relocation.js';
import { cursor, end, forget, freeze, Model, move } from './cursors.fixture.js';
import { CursorConflict, Cursors, type CursorChange } from './cursors.js';
import { connectDatabase, promptAnswers, type Database } from './database.js';
import { migrate } from './migrate.js';

// Real: PostgreSQL.
let test: TestDatabase;
let database: Database;
let cursors: Cursors;
const at = 1_800_000_000_000;

beforeAll(async () => {
  test = await createTestDatabase();
  await migrate(test.url);
  database = await connectDatabase(test.url, promptAnswers);
  cursors = new Cursors(database, () => at);
});
afterAll(async () => {
  await database?.close();
  await test?.drop();
});
beforeEach(async () => {
  await database.session.query('TRUNCATE source_partitions, cursors');
});

/** Rows of a partition as they stand; raises no epoch. */
async function stored(partition: number): Promise<string[]> {
  const rows: { told: string }[] = await database.session.query(
    `SELECT concat_ws(' ', endpoint_id, run, position, CASE WHEN ended THEN 'ended' END) AS told
     FROM cursors WHERE source_partition = $1 ORDER BY endpoint_id, run`,
    [partition],
  );
  return rows.map(({ told }) => told);
}

describe('cursors', () => {
  it('are found by the next owner, in force and ended, those of its partition alone', async () => {
    const { epoch, cursors: none } = await cursors.takeOver(0);
    expect([epoch, none]).toEqual([1, []]);
    await cursors.write(0, epoch, [freeze('a', 'f1', 10), freeze('b', 'f2', 20), end('b', 'f2')]);
    const other = await cursors.takeOver(1);
    await cursors.write(1, other.epoch, [freeze('a', 'f3', 30)]);
    expect(await cursors.takeOver(0)).toEqual({
      epoch: 2,
      cursors: [cursor('a', 'f1', 10), cursor('b', 'f2', 20, true)],
    });
  });

  it('are frozen, moved, ended and forgotten', async () => {
    const { epoch } = await cursors.takeOver(0);
    const steps: [CursorChange, string[]][] = [
      [freeze('a', 'f1', 10), ['a f1 10']],
      [move('a', 'f1', 25), ['a f1 25']],
      [end('a', 'f1'), ['a f1 25 ended']],
      [freeze('a', 'f2', 40), ['a f1 25 ended', 'a f2 40']],
      [forget('a', 'f1'), ['a f2 40']],
    ];
    for (const [change, rows] of steps) {
      expect(await cursors.write(0, epoch, [change])).toBe(true);
      expect(await stored(0)).toEqual(rows);
    }
  });

  it('are looked up while they are in force, and told to people', async () => {
    const { epoch } = await cursors.takeOver(0);
    await cursors.write(0, epoch, [freeze('a', 'f1', 10), end('a', 'f1'), freeze('a', 'f2', 40), move('a', 'f2', 50)]);
    expect(await cursors.lookUp(0, 'a')).toEqual(cursor('a', 'f2', 50));
    expect(await cursors.lookUp(1, 'a')).toBeNull();
    expect(await cursors.lookUp(0, 'b')).toBeNull();
    const told = { partition: 0, reason: 'paused', startedAt: 40, createdAt: at };
    expect(await cursors.ofEndpoint('a')).toEqual([{ ...cursor('a', 'f2', 50), ...told }]);
  });

  it('never go back, and what is not there, not in force or not ended is left alone', async () => {
    const { epoch } = await cursors.takeOver(0);
    await cursors.write(0, epoch, [freeze('a', 'f1', 10), freeze('b', 'f2', 20), end('b', 'f2')]);
    const idle = [move('a', 'f1', 9), move('a', 'f0', 99), forget('a', 'f1'), move('b', 'f2', 99), end('c', 'f3')];
    expect(await cursors.write(0, epoch, idle)).toBe(true);
    expect(await stored(0)).toEqual(['a f1 10', 'b f2 20 ended']);
  });

  it('are as if written once when a write is repeated', async () => {
    const { epoch } = await cursors.takeOver(0);
    const writes = [
      [freeze('a', 'f1', 10), freeze('b', 'f2', 20)],
      [move('a', 'f1', 15), end('b', 'f2')],
      [end('a', 'f1'), freeze('a', 'f3', 30), forget('b', 'f2')],
    ];
    for (const changes of writes) {
      await cursors.write(0, epoch, changes);
      const once = await stored(0);
      expect(await cursors.write(0, epoch, changes)).toBe(true);
      expect(await stored(0)).toEqual(once);
    }
    // Also when the position is another one: the first freeze of a run has been acted upon.
    await cursors.write(0, epoch, [freeze('a', 'f3', 99)]);
    expect(await stored(0)).toEqual(['a f1 15 ended', 'a f3 30']);
  });

  it('throw for a second run in force, and nothing of that write stands', async () => {
    const { epoch } = await cursors.takeOver(0);
    await cursors.write(0, epoch, [freeze('a', 'f1', 10)]);
    const second = cursors.write(0, epoch, [freeze('b', 'f2', 20), freeze('a', 'f3', 30)]);
    await expect(second).rejects.toThrow(CursorConflict);
    expect(await stored(0)).toEqual(['a f1 10']);
  });

  it('are many at once', async () => {
    const { epoch } = await cursors.takeOver(0);
    const ids = Array.from({ length: 5_000 }, (_, i) => `ep_${i}`);
    await cursors.write(
      0,
      epoch,
      ids.map((id) => freeze(id, 'f1', 10)),
    );
    await cursors.write(
      0,
      epoch,
      ids.flatMap((id, i) => (i % 2 === 0 ? [move(id, 'f1', 11), end(id, 'f1')] : [])),
    );
    const { cursors: found } = await cursors.takeOver(0);
    expect(found.filter(({ ended, position }) => ended && position === 11)).toHaveLength(2_500);
    expect(found.filter(({ ended, position }) => !ended && position === 10)).toHaveLength(2_500);
  });
});

describe('an epoch', () => {
  it('that is not the newest one, or of a partition that nobody has taken over, changes nothing', async () => {
    expect(await cursors.write(0, 0, [freeze('a', 'f1', 10)])).toBe(false);
    const first = await cursors.takeOver(0);
    await cursors.write(0, first.epoch, [freeze('a', 'f1', 10)]);
    const second = await cursors.takeOver(0);
    const late = [move('a', 'f1', 50), freeze('b', 'f2', 5), end('a', 'f1'), forget('a', 'f1')];
    expect(await cursors.write(0, first.epoch, late)).toBe(false);
    expect(await cursors.write(0, second.epoch + 1, late)).toBe(false);
    expect(await stored(0)).toEqual(['a f1 10']);
    expect(await cursors.write(0, second.epoch, [])).toBe(true);
  });

  it('is raised once by each of many who take over at the same time', async () => {
    const taken = await Promise.all(Array.from({ length: 12 }, () => cursors.takeOver(3)));
    expect(taken.map(({ epoch }) => epoch).toSorted((a, b) => a - b)).toEqual(taken.map((_, i) => i + 1));
  });

  it('of a write in the middle of which another takes over: the write is seen by it, and is the last one', async () => {
    const { epoch } = await cursors.takeOver(0);
    await cursors.write(0, epoch, [freeze('a', 'f1', 10)]);
    // Somebody else holds the cursor's row, so the write waits behind its first statement.
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { promise: held, resolve: isHeld } = Promise.withResolvers<void>();
    const holding = database.transaction(async (session) => {
      await session.query(`SELECT FROM cursors WHERE run = 'f1' FOR UPDATE`);
      isHeld();
      await released;
    });
    await held;
    const write = cursors.write(0, epoch, [move('a', 'f1', 70)]);
    await waiting(1);
    const takeOver = cursors.takeOver(0);
    await waiting(2);
    release();
    await holding;
    expect(await write).toBe(true);
    expect(await takeOver).toEqual({ epoch: epoch + 1, cursors: [cursor('a', 'f1', 70)] });
    expect(await cursors.write(0, epoch, [move('a', 'f1', 80)])).toBe(false);
  });

  it('of a take-over that a write comes in the middle of: the write waits, and changes nothing', async () => {
    const { epoch } = await cursors.takeOver(0);
    await cursors.write(0, epoch, [freeze('a', 'f1', 10)]);
    const relocation = new CursorRelocation(database);
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { promise: raised, resolve: isRaised } = Promise.withResolvers<void>();
    const taking = relocation.relocate(
      [0],
      () => {
        isRaised();
        return [];
      },
      () => released,
    );
    await raised;
    const write = cursors.write(0, epoch, [move('a', 'f1', 80)]);
    await waiting(1);
    release();
    await taking;
    expect(await write).toBe(false);
    expect(await stored(0)).toEqual(['a f1 10']);
  });

  /** Resolves when so many wait for a lock. */
  async function waiting(count: number): Promise<void> {
    const look = async (): Promise<number> => {
      const rows: unknown[] = await database.session.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return rows.length;
    };
    await expect.poll(look, { timeout: 5_000 }).toBe(count);
  }
});

it('any sequence of writes, late writes and take-overs amounts to its changes one after the other (property)', async () => {
  const place = { endpointId: fc.constantFrom('a', 'b', 'c'), run: fc.constantFrom('f1', 'f2', 'f3') };
  const change = fc
    .record({ ...place, kind: fc.constantFrom('freeze', 'freeze', 'move', 'end', 'forget'), position: fc.nat(9) })
    .map(({ kind, endpointId, run, position }): CursorChange => {
      if (kind === 'freeze') return freeze(endpointId, run, position);
      if (kind === 'move') return move(endpointId, run, position);
      return kind === 'end' ? end(endpointId, run) : forget(endpointId, run);
    });
  const step = fc.record({
    changes: fc.array(change, { maxLength: 6, size: 'max' }),
    fate: fc.constantFrom('written', 'written', 'late', 'taken over'),
  });
  let refusals = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12, size: 'max' }), async (steps) => {
      await database.session.query('TRUNCATE source_partitions, cursors');
      let { epoch } = await cursors.takeOver(0);
      let model = new Model();
      for (const { changes, fate } of steps) {
        if (fate === 'taken over') {
          const taken = await cursors.takeOver(0);
          expect(taken.epoch).toBe(epoch + 1);
          expect(taken.cursors.map(({ endpointId, run }) => `${endpointId} ${run}`).toSorted()).toEqual(
            model.told().map((row) => row.split(' ', 2).join(' ')),
          );
          epoch = taken.epoch;
        } else if (fate === 'late') {
          expect(await cursors.write(0, epoch - 1, changes)).toBe(false);
        } else {
          const after = model.after(changes);
          const write = cursors.write(0, epoch, changes);
          if (after === null) {
            refusals += 1;
            await expect(write).rejects.toThrow(CursorConflict);
          } else {
            expect(await write).toBe(true);
            model = after;
          }
        }
        expect(await stored(0)).toEqual(model.told());
      }
    }),
    { numRuns: 100 },
  );
  // The model refuses, or it would say nothing about it.
  expect(refusals).toBeGreaterThan(10);
});
