import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { topicNames, type Attempt, type DeadLetter } from '#libs/contracts';
import { connectDatabase, DeliveryLog, RebuildBusy, RebuildStore, RebuildSuperseded } from '#libs/persistence';
import { aDeadLetter, anAttempt } from '#libs/testing';
import { someAttempts } from './attempts.fixture.js';
import { RebuildWorld, rowsOf, shapeOf } from './rebuild.fixture.js';

// Real: Kafka, PostgreSQL, the schema registry, the projectors, the rebuild as a process of its own. Doubled: nothing;
// the records are made here instead of by workers.
let world: RebuildWorld;
beforeEach(async () => {
  world = await RebuildWorld.start();
});
afterEach(() => world.stop());

/** Attempts of `count` logs' worth of deliveries, no two of which meet, and dead letters of some, twice now and then. */
function history(count: number, seed: number): (Attempt | DeadLetter)[] {
  return fc.sample(someAttempts, { numRuns: count, seed }).flatMap((attempts, run) =>
    attempts.flatMap((drawn): (Attempt | DeadLetter)[] => {
      const deliveryId = `${drawn.deliveryId}.${seed}-${run}`;
      const attempt = { ...drawn, deliveryId, eventId: `e-${seed}-${run}` };
      const letter = aDeadLetter({ deliveryId, at: drawn.startedAt });
      const delivery = { ...letter.delivery, endpointId: drawn.endpointId };
      return attempt.outcome === 'deadLetter' ? [{ ...letter, delivery }, attempt] : [attempt];
    }),
  );
}

/** Deletes the first `share` of each partition's records, as retention does. @returns where attempts begin then */
async function expire(share: number): Promise<number[]> {
  const places = (await world.endsOf()).map((one) => ({ ...one, offset: Math.floor(one.offset * share) }));
  await world.administration.deleteRecordsBefore(places);
  return places.filter(({ topic }) => topic === world.topics.attempts).map(({ offset }) => offset);
}

const count = async (table: string): Promise<number> => {
  const [row]: { count: number }[] = await world.database.session.query(`SELECT count(*)::integer FROM ${table}`);
  return row?.count ?? -1;
};

describe('projection rebuild', () => {
  it('invariant 11: gives the rows that were there, and the tables as they were made; all else is untouched', async () => {
    const { session } = world.database;
    await world.append(history(120, 1));
    const projector = world.project();
    await world.projected();
    await world.stopped(projector);
    const reports = `reports_${world.prefix.slice(2)}`;
    await session.query(`CREATE ROLE ${reports}`);
    await session.query(`GRANT SELECT ON deliveries, dead_letters TO ${reports}`);
    await session.query(`INSERT INTO dead_letter_resolutions (delivery_id, state, reason, decided_at)
      SELECT delivery_id, 'discarded', 'because', now() FROM dead_letters LIMIT 5`);
    const before = { rows: await rowsOf(world.database), shape: await shapeOf(world.database) };
    expect(before.rows.length).toBeGreaterThan(1_000);
    // What is rebuilt is what the log says, not what the tables say.
    await session.query(`UPDATE deliveries SET status = 'pending' WHERE status = 'delivered'`);
    await session.query('DELETE FROM attempts WHERE number = 1');
    await session.query('UPDATE delivery_stats SET attempts = attempts + 7, latency = NULL');
    await world.rebuild().succeeded();
    expect(await rowsOf(world.database)).toEqual(before.rows);
    expect(await shapeOf(world.database)).toEqual(before.shape);
    expect(await count('dead_letter_resolutions')).toBe(5);
    await session.query(`DROP OWNED BY ${reports}`);
    await session.query(`DROP ROLE ${reports}`);
  });

  it('invariant 11: loses and doubles nothing while projectors write and others read, again and again', async () => {
    await world.append(history(60, 2));
    world.project();
    world.project();
    const log = new DeliveryLog(world.database);
    let [going, reads, rounds] = [true, 0, 0];
    const write = async (): Promise<void> => {
      for (let seed = 100; going; seed += 1) {
        await world.append(history(2, seed));
        await pause(10);
      }
    };
    const read = async (): Promise<void> => {
      for (let last = 0; going; reads += 1) {
        const stats = await log.endpointStats({});
        const matched = stats.reduce((sum, one) => sum + one.matched, 0);
        // The same rows and more of them: a reader never sees half of it.
        expect(matched).toBeGreaterThanOrEqual(last);
        last = matched;
        await log.list({}, { limit: 20 });
      }
    };
    const others = Promise.all([write(), read(), read()]);
    for (; rounds < 2; rounds += 1) await world.rebuild().succeeded();
    going = false;
    await others;
    await world.projected();
    expect(reads).toBeGreaterThan(50);
    expect(await rowsOf(world.database)).toEqual(await world.projectedAnew());
  });

  it('leaves all as it is when it is killed at any moment, and the next run clears up', async () => {
    await world.append(history(500, 3));
    world.project();
    await world.projected();
    const before = await rowsOf(world.database);
    const attempts = await count('attempts');
    let cut = 0;
    for (const share of [0, 0.2, 0.6, 1]) {
      const run = world.rebuild();
      const isThere = (): Promise<number> => count('posthorn_rebuild.attempts').catch(() => -1);
      await expect.poll(isThere, { timeout: 20_000, interval: 2 }).toBeGreaterThanOrEqual(attempts * share);
      run.child.kill('SIGKILL');
      if ((await run.ended) === null) cut += 1;
      expect(await rowsOf(world.database)).toEqual(before);
      await world.append(history(2, 1_000 + cut));
      await world.projected();
      before.splice(0, before.length, ...(await rowsOf(world.database)));
    }
    expect(cut).toBeGreaterThan(2);
    await world.rebuild().succeeded();
    expect(await rowsOf(world.database)).toEqual(before);
    expect(await world.projectedAnew()).toEqual(before);
    const left: unknown[] = await world.database.session.query(
      `SELECT relname FROM pg_class WHERE relnamespace = 'posthorn_rebuild'::regnamespace AND relkind = 'r'`,
    );
    expect(left).toEqual([{ relname: 'run' }]);
  });

  it('keeps what the log has lost by its age, also of deliveries that lie across; or leaves it behind', async () => {
    await world.append(history(80, 4));
    const projector = world.project();
    await world.projected();
    await world.stopped(projector);
    // Figures of hours that the log knows no more.
    await world.database.session.query(`INSERT INTO delivery_stats
      VALUES ('acme', 'ep_1', 'task.updated', '2020-01-01T00:00:00Z', 5, 4, 3, 2, 1, NULL)`);
    const before = await rowsOf(world.database);
    const starts = await expire(0.5);
    // What the log still holds of a delivery, even if it is the end alone, is believed more than its row.
    await world.database.session.query(
      `UPDATE deliveries AS d SET attempts = 99, status = 'dropped' WHERE EXISTS (SELECT FROM attempts AS a
         WHERE a.delivery_id = d.delivery_id AND a.log_offset >= ($1::integer[])[a.log_partition + 1])`,
      [starts],
    );
    const said = await world.rebuild().succeeded();
    expect(said).toMatch(
      /older than the log, and kept: \d+ deliveries, [1-9]\d+ attempts, [1-9]\d* dead letters; of [1-9]\d* deliveries/,
    );
    expect(await rowsOf(world.database)).toEqual(before);
    await world.rebuild('--drop-older').succeeded();
    expect(await rowsOf(world.database)).toEqual(await world.projectedAnew());
    expect(await count('attempts')).toBeLessThan(before.filter((row) => row.startsWith('attempt')).length * 0.6);
  });

  it('goes on where the log ends, should that be before the position: the partition had stopped', async () => {
    await world.append([anAttempt({ deliveryId: 'ep_1.live.0.0.1' }), anAttempt({ deliveryId: 'ep_1.live.0.0.2' })]);
    const projector = world.project();
    await world.projected();
    await world.stopped(projector);
    const before = await rowsOf(world.database);
    await world.database.session.query('UPDATE projection_positions SET position = position + 50');
    expect(await world.rebuild().succeeded()).toMatch(/projected up to 52, but its log ends at 2/);
    expect(await rowsOf(world.database)).toEqual(before);
  });
});

describe('projection rebuild after a move to another cluster', () => {
  it('takes over the other log, keeps what it lacks out of its way, and does what was not done yet', async () => {
    const [gone, open] = [history(15, 21), history(25, 22)];
    const late = [anAttempt({ deliveryId: 'ep_0.live.0.0.9', endpointId: 'ep_0', outcome: 'disable', startedAt: 5 })];
    const earlier = anAttempt({ deliveryId: 'ep_1.live.0.0.9', endpointId: 'ep_1', outcome: 'disable', startedAt: 5 });
    await world.append([...gone, earlier, ...open]);
    const projector = world.project();
    await world.projected();
    await world.stopped(projector);
    const { session } = world.database;
    await session.query(`INSERT INTO tenants VALUES ('acme', 'Acme', now(), now())`);
    for (const id of ['ep_0', 'ep_1'])
      await session.query(
        `INSERT INTO endpoints (id, tenant_id, url, event_types, description, state, ordering, max_in_flight, timeout_ms,
           retry_delays_ms, retry_jitter, retry_max_delay_ms, revision, created_at, updated_at)
         VALUES ($1, 'acme', 'http://x/', '{*}', '', 'active', 'none', 1, 1, '{}', 0, 1, 1, to_timestamp(0), to_timestamp(0))`,
        [id],
      );
    const old = await rowsOf(world.database);
    const posts = async (): Promise<unknown> =>
      session.query('SELECT sum(attempts)::integer AS posts, sum(dead_lettered)::integer AS dead FROM delivery_stats');
    const [counted] = (await posts()) as [{ posts: number; dead: number }];

    // The mirror begins later: the same records have lower offsets there. One came that nobody had projected.
    const there = topicNames(`${world.prefix}-there`);
    await world.createTopics(`${world.prefix}-there`);
    await world.append([earlier, ...open], there);
    const partitions = await world.endsOf(there);
    await world.append(late, there);
    const plan = { kind: 'plan', group: 'projector', topicPrefix: `${world.prefix}-there`, partitions };
    const file = join(mkdtempSync(join(tmpdir(), 'posthorn-plan-')), 'plan.json');
    writeFileSync(file, JSON.stringify(plan));
    await world.rebuildOf(`${world.prefix}-there`, '--move-to', file).succeeded();
    rmSync(dirname(file), { recursive: true });

    const states: unknown = await session.query('SELECT id, state FROM endpoints ORDER BY id');
    expect(states).toEqual([
      { id: 'ep_0', state: 'disabled' },
      { id: 'ep_1', state: 'active' },
    ]);
    // What had been counted there is counted no more here; the late one is new.
    expect(await posts()).toEqual([{ posts: counted.posts + 1, dead: counted.dead + 1 }]);
    const isOf = (seed: number) => (row: string) => row.includes(`.${seed}-`);
    const now = await rowsOf(world.database);
    const anew = await world.projectedAnew(there);
    const positions = (rows: readonly string[]): string[] => rows.filter((row) => row.startsWith('position'));
    expect(now.filter(isOf(22))).toEqual(anew.filter(isOf(22)));
    // Of the others nothing has changed but their place.
    const unplaced = (rows: readonly string[]): string[] =>
      rows
        .map((row) =>
          row.replace(/^(attempt \(\d+),-?\d+/, '$1').replace(/(dead letter .*),-?\d+((?:,"[^"]*"){2}\))$/, '$1$2'),
        )
        .sort();
    expect(unplaced(now.filter(isOf(21)))).toEqual(unplaced(old.filter(isOf(21))));
    const [places]: { kept: number; clash: number }[] = await session.query(`SELECT
      (count(*) FILTER (WHERE log_offset < 0))::integer AS kept,
      (count(*) FILTER (WHERE log_offset >= 0 AND delivery_id LIKE '%.21-%'))::integer AS clash FROM attempts`);
    expect(places).toEqual({ kept: now.filter((row) => row.startsWith('attempt') && isOf(21)(row)).length, clash: 0 });

    // Projectors go on there.
    const next = world.project(world.database, `${there.attempts}.next`, there);
    await world.append(history(3, 23), there);
    await world.projected(world.database, there);
    await world.stopped(next);
    expect(positions(await rowsOf(world.database)).length).toBe(12);
    expect((await rowsOf(world.database)).filter(isOf(23))).toEqual(
      (await world.projectedAnew(there)).filter(isOf(23)),
    );
    // Another rebuild keeps what neither log has.
    const before = await rowsOf(world.database);
    await world.rebuildOf(`${world.prefix}-there`).succeeded();
    expect(await rowsOf(world.database)).toEqual(before);
  });
});

describe('RebuildStore', () => {
  const starts = { attempts: [], deadLetters: [], oldest: null };

  it('belongs to the last run that began', async () => {
    const [first, second] = [new RebuildStore(world.database), new RebuildStore(world.database)];
    await first.begin();
    await first.keepOlder(starts);
    await second.begin();
    const work = {
      partitions: [],
      catchUp: () => Promise.resolve(),
      foreign: false,
      statsFrom: -Infinity,
      lockMs: 1_000,
    };
    await expect(first.seed([])).rejects.toThrow(RebuildSuperseded);
    await expect(first.swap(work)).rejects.toThrow(RebuildSuperseded);
    await second.swap(work);
    await expect(second.swap(work)).rejects.toThrow();
  });

  it('makes readers wait no longer than it was told, and is put off by a long one', async () => {
    const store = new RebuildStore(world.database);
    await store.begin();
    const other = await connectDatabase(world.test.url, { poolSize: 2 });
    const held = Promise.withResolvers<void>();
    const reading = other.transaction(async (session) => {
      await session.query('SELECT count(*) FROM deliveries');
      await held.promise;
    });
    await pause(100);
    const began = performance.now();
    const swap = store.swap({
      partitions: [],
      catchUp: () => Promise.resolve(),
      foreign: false,
      statsFrom: -Infinity,
      lockMs: 500,
    });
    const outcome = swap.then(
      () => 'swapped',
      (error: unknown) => error,
    );
    await pause(100);
    await other.session.query('SELECT count(*) FROM deliveries');
    expect(performance.now() - began).toBeLessThan(1_500);
    expect(await outcome).toBeInstanceOf(RebuildBusy);
    held.resolve();
    await reading;
    await other.close();
    await store.swap({
      partitions: [],
      catchUp: () => Promise.resolve(),
      foreign: false,
      statsFrom: -Infinity,
      lockMs: 500,
    });
  });

  it('refuses tables that were made before a migration', async () => {
    const store = new RebuildStore(world.database);
    await store.begin();
    await world.database.session.query(`INSERT INTO migrations (number, name) VALUES (9999, 'later')`);
    const swap = store.swap({
      partitions: [],
      catchUp: () => Promise.resolve(),
      foreign: false,
      statsFrom: -Infinity,
      lockMs: 500,
    });
    await expect(swap).rejects.toThrow(/migrated/);
  });
});
