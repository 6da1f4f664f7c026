// Real: PostgreSQL, the outbox and the projection's statements. Given by hand: what dispatchers and the log would say.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RateLimit } from '#libs/contracts';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { connectDatabase, type Database } from './database.js';
import { migrate } from './migrate.js';
import { Outbox, type ConfigurationChange } from './outbox.js';
import { Projection } from './projection.js';
import { publishAll } from './rebuild-outbox.js';
import { Replays } from './replays.js';
import { aDelivery, aReplay, beginAnew, checkpoint, createTenants, now, project } from './replays.fixture.js';

let test: TestDatabase;
let database: Database;
let replays: Replays;
const day = 86_400_000;

beforeAll(async () => {
  test = await createTestDatabase();
  await migrate(test.url);
  database = await connectDatabase(test.url);
  replays = new Replays(database);
  await createTenants(database);
});
afterAll(async () => {
  await database?.close();
  await test?.drop();
});
beforeEach(() => beginAnew(database));

const countChanges = `SELECT count(*)::integer FROM outbox WHERE key NOT LIKE 'audit:%'`;

/** Records of the endpoints topic. */
async function published(): Promise<ConfigurationChange[]> {
  const seen: ConfigurationChange[] = [];
  await new Outbox(database).publishPending((changes) => {
    seen.push(...changes.filter(({ kind }) => kind !== 'audit'));
    return Promise.resolve();
  });
  return seen;
}

describe('a replay', () => {
  it('is kept as it was asked for, and published with what workers must know', async () => {
    const rateLimit: RateLimit = { limit: 5, per: 'second', burst: 2 };
    const gaps = [{ partition: 0, records: 10, from: null, until: null }];
    const filter = { exact: { subject: 's' } };
    const asked = aReplay({ rateLimit, gaps, filter, eventTypes: ['task.*'], newIds: true, description: 'x' });
    const created = await replays.create(asked, now);
    const { partitions, ...same } = asked;
    expect(created).toMatchObject({ ...same, state: 'running', revision: 1, createdAt: now, finishedAt: null });
    const begun = { scanned: 0, matched: 0, sent: 0, done: false };
    const withPositions = partitions.map(({ ownedBy: _o, ...one }) => ({ ...one, ...begun, position: one.from }));
    expect(created?.partitions).toEqual(withPositions);
    expect(await replays.get('replay:1', now)).toEqual(created);
    const config = { replayId: 'replay:1', tenantId: 'acme', state: 'running', rateLimit, revision: 1, updatedAt: now };
    expect(await published()).toEqual([{ kind: 'replay', key: 'replay:1', config }]);
  });

  it('is not made for a tenant that does not exist', async () => {
    expect(await replays.create(aReplay({ tenantId: 'nobody' }), now)).toBeNull();
    expect(await published()).toEqual([]);
  });

  it('is listed newest first, in pages', async () => {
    for (let i = 0; i < 5; i += 1) {
      const tenantId = i === 2 ? 'other' : 'acme';
      await replays.create(aReplay({ replayId: `replay:${i}`, tenantId }), now + Math.floor(i / 2));
    }
    const first = await replays.list({ limit: 3 }, now);
    const second = await replays.list({ limit: 3, cursor: first.nextCursor ?? '' }, now);
    const idsOf = (page: typeof first) => page.data.map(({ replayId }) => replayId.slice(7)).join('');
    expect([idsOf(first), idsOf(second), second.nextCursor]).toEqual(['432', '10', null]);
    expect(idsOf(await replays.list({ limit: 9, tenantId: 'other' }, now))).toBe('2');
  });

  it('changes with a revision and a record each, until it is cancelled', async () => {
    await replays.create(aReplay(), now);
    const rate: RateLimit = { limit: 1, per: 'minute', burst: 1 };
    const outcomes = [
      await replays.resume('replay:1', now + 1),
      await replays.pause('replay:1', now + 1),
      await replays.pause('replay:1', now + 2),
      await replays.setRate('replay:1', () => rate, now - 10),
      await replays.setRate('replay:1', (before) => before, now),
      await replays.resume('replay:1', now + 3),
      await replays.cancel('replay:1', now + 4),
      await replays.cancel('replay:1', now + 5),
      await replays.resume('replay:1', now + 6),
      await replays.setRate('replay:1', () => null, now + 6),
      await replays.pause('replay:2', now),
    ];
    const told = outcomes.map((one) =>
      one.outcome === 'not-found' ? one.outcome : `${one.outcome} ${one.replay.state} ${one.replay.revision}`,
    );
    expect(told).toEqual([
      'unchanged running 1',
      'changed paused 2',
      'unchanged paused 2',
      'changed paused 3',
      'unchanged paused 3',
      'changed running 4',
      'changed cancelled 5',
      'unchanged cancelled 5',
      'ended cancelled 5',
      'ended cancelled 5',
      'not-found',
    ]);
    const [{ count }] = (await database.session.query(countChanges)) as [{ count: number }];
    expect(count).toBe(5);
    expect(await published()).toMatchObject([{ config: { state: 'cancelled', rateLimit: rate, updatedAt: now + 4 } }]);
  });
});

describe('the end of a replay', () => {
  const sentAll = async () => {
    await checkpoint(database, 0, { sent: 2 });
    await checkpoint(database, 1, { sent: 1 });
  };

  it('is noticed when all was sent and has its outcome, and makes a tombstone', async () => {
    await replays.create(aReplay(), now);
    await project(database, [aDelivery('a'), aDelivery('b', { status: 'dead-lettered' })]);
    await checkpoint(database, 0, { sent: 2 });
    expect(await replays.finishEnded(now)).toBe(0);
    await checkpoint(database, 1, { sent: 1 });
    expect(await replays.finishEnded(now)).toBe(0);
    await project(database, [aDelivery('c', { status: 'pending' })]);
    expect(await replays.finishEnded(now)).toBe(0);
    await project(database, [aDelivery('c', { status: 'dropped' }), aDelivery('live', { stream: 'live' })]);
    await published();
    expect(await replays.finishEnded(now + 10)).toBe(1);
    expect(await replays.finishEnded(now + 11)).toBe(0);
    expect(await published()).toEqual([{ kind: 'replay', key: 'replay:1', config: null }]);
    // Kept with it, whatever becomes of the projection.
    await new Projection(database).drop();
    expect(await replays.get('replay:1', now)).toMatchObject({
      state: 'running',
      revision: 2,
      finishedAt: now + 10,
      outcomes: { delivered: 1, failed: 1, dropped: 1 },
    });
    for (const change of [replays.pause('replay:1', now), replays.cancel('replay:1', now)]) {
      expect(await change).toMatchObject({ outcome: 'ended' });
    }
  });

  it('waits for a delivery that is halted, and for what is beyond the count', async () => {
    await replays.create(aReplay(), now);
    await sentAll();
    await project(database, [aDelivery('a'), aDelivery('b'), aDelivery('c'), aDelivery('d', { status: 'halted' })]);
    expect(await replays.finishEnded(now)).toBe(0);
  });

  it('comes after 90 days without outcomes, but not while it is paused', async () => {
    await replays.create(aReplay(), now);
    await sentAll();
    await replays.pause('replay:1', now);
    expect(await replays.finishEnded(now + 91 * day)).toBe(0);
    await replays.resume('replay:1', now);
    expect(await replays.finishEnded(now + 89 * day)).toBe(0);
    expect(await replays.finishEnded(now + 91 * day)).toBe(1);
  });

  it('is published again with the rest of the configuration as long as it has not come', async () => {
    await replays.create(aReplay(), now);
    await replays.create(aReplay({ replayId: 'replay:2', partitions: [] }), now);
    expect(await replays.finishEnded(now)).toBe(1);
    await published();
    await publishAll(database, ['replay:gone'], now);
    const again = await published();
    expect(again.filter(({ kind }) => kind === 'replay')).toMatchObject([
      { key: 'replay:1', config: { state: 'running' } },
      { key: 'replay:gone', config: null },
    ]);
  });
});
