// Real: PostgreSQL, the outbox and the projection's statements. Given by hand: what dispatchers and the log would say.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Delivery, RateLimit } from '#libs/contracts';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { connectDatabase, type Database } from './database.js';
import { DeadLetters } from './dead-letters.js';
import type { DeliveryRecord } from './delivery-record.js';
import { migrate } from './migrate.js';
import { Outbox, type ConfigurationChange } from './outbox.js';
import { Projection } from './projection.js';
import { publishAll } from './rebuild-outbox.js';
import { ReplayParts } from './replay-parts.js';
import type { NewReplay } from './replay.js';
import { Replays } from './replays.js';
import { TenantRepository } from './tenant-repository.js';

let test: TestDatabase;
let database: Database;
let replays: Replays;
let parts: ReplayParts;
const now = 1_800_000_000_000;
const day = 86_400_000;

beforeAll(async () => {
  test = await createTestDatabase();
  await migrate(test.url);
  database = await connectDatabase(test.url);
  replays = new Replays(database);
  parts = new ReplayParts(database, () => now + 5);
  await new TenantRepository(database).create({ id: 'acme', name: 'Acme' }, now);
  await new TenantRepository(database).create({ id: 'other', name: 'Other' }, now);
});
afterAll(async () => {
  await database?.close();
  await test?.drop();
});
beforeEach(async () => {
  await new Projection(database).drop();
  await database.session.query(
    'TRUNCATE dead_letter_resolutions, replays, replay_partitions, source_partitions, outbox',
  );
  await database.session.query('INSERT INTO source_partitions VALUES (0, 7), (1, 3)');
});

const aReplay = (changes: Partial<NewReplay> = {}): NewReplay => ({
  replayId: 'replay:1',
  tenantId: 'acme',
  source: 'events',
  endpointIds: ['ep_1'],
  eventTypes: null,
  filter: null,
  selection: null,
  rateLimit: null,
  newIds: false,
  asConfigured: 'now',
  window: { from: now - day, to: null },
  gaps: [],
  description: '',
  partitions: [
    { partition: 0, ownedBy: 0, incarnation: 2, from: 10, to: 30 },
    { partition: 1, ownedBy: 1, incarnation: 0, from: 0, to: 5 },
  ],
  ...changes,
});

/** Of the stream of `replay:1`, unless told otherwise. */
const aDelivery = (deliveryId: string, changes: Partial<DeliveryRecord> = {}): DeliveryRecord => ({
  deliveryId,
  webhookId: 'msg_1',
  tenantId: 'acme',
  endpointId: 'ep_1',
  stream: 'replay:1',
  eventId: 'e-1',
  eventSource: '/source',
  eventType: 'task.updated',
  status: 'delivered',
  attempts: 1,
  acceptedAt: now,
  dispatchedAt: now,
  firstAttemptAt: now,
  lastAttemptAt: now,
  completedAt: changes.status === 'pending' ? null : now,
  nextAttemptAt: null,
  haltedAt: null,
  lastStatus: 200,
  lastError: null,
  deadLetterReason: null,
  orderingKey: null,
  ...changes,
});

const project = (deliveries: readonly DeliveryRecord[], places: Record<string, number> = {}): Promise<unknown> =>
  new Projection(database).apply({
    advances: [],
    attempts: [],
    disables: [],
    deliveries,
    deadLetters: Object.entries(places).map(([deliveryId, offset]) => ({
      partition: 1,
      offset,
      loggedAt: now,
      deadLetter: {
        deliveryId,
        delivery: { tenantId: 'acme', endpointId: 'ep_1' } as Delivery,
        reason: 'exhausted',
        at: now,
        lastStatus: 500,
        lastError: null,
      },
    })),
  });

const checkpoint = (partition: number, changes: object = {}, epoch = partition === 0 ? 7 : 3) =>
  parts.checkpoint(partition, epoch, {
    replayId: 'replay:1',
    partition,
    position: partition === 0 ? 30 : 5,
    scanned: 10,
    matched: 4,
    sent: 2,
    done: true,
    replayed: [],
    ...changes,
  });

async function published(): Promise<ConfigurationChange[]> {
  const seen: ConfigurationChange[] = [];
  await new Outbox(database).publishPending((changes) => {
    seen.push(...changes);
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
    const withPositions = partitions.map(({ ownedBy: _, ...one }) => ({ ...one, ...begun, position: one.from }));
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
    const [{ count }] = (await database.session.query('SELECT count(*)::integer FROM outbox')) as [{ count: number }];
    expect(count).toBe(5);
    expect(await published()).toMatchObject([{ config: { state: 'cancelled', rateLimit: rate, updatedAt: now + 4 } }]);
  });
});

describe('the end of a replay', () => {
  const sentAll = async () => {
    await checkpoint(0, { sent: 2 });
    await checkpoint(1, { sent: 1 });
  };

  it('is noticed when all was sent and has its outcome, and makes a tombstone', async () => {
    await replays.create(aReplay(), now);
    await project([aDelivery('a'), aDelivery('b', { status: 'dead-lettered' })]);
    await checkpoint(0, { sent: 2 });
    expect(await replays.finishEnded(now)).toBe(0);
    await checkpoint(1, { sent: 1 });
    expect(await replays.finishEnded(now)).toBe(0);
    await project([aDelivery('c', { status: 'pending' })]);
    expect(await replays.finishEnded(now)).toBe(0);
    await project([aDelivery('c', { status: 'dropped' }), aDelivery('live', { stream: 'live' })]);
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
    await project([aDelivery('a'), aDelivery('b'), aDelivery('c'), aDelivery('d', { status: 'halted' })]);
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

describe('what dispatchers do', () => {
  it('is read by who moves it, with all that was asked for', async () => {
    const selection = { reasons: ['exhausted'], since: now };
    await replays.create(aReplay({ selection, source: 'dead-letters', eventTypes: ['task.*'] }), now + 1);
    await replays.create(aReplay({ replayId: 'replay:0' }), now);
    await replays.pause('replay:0', now);
    expect((await parts.parts(0)).map(({ replayId, state }) => [replayId, state])).toEqual([
      ['replay:0', 'paused'],
      ['replay:1', 'running'],
    ]);
    expect(await parts.parts(1, 'replay:1')).toEqual([
      {
        replayId: 'replay:1',
        tenantId: 'acme',
        source: 'dead-letters',
        state: 'running',
        endpointIds: ['ep_1'],
        eventTypes: ['task.*'],
        filter: null,
        selection,
        newIds: false,
        asConfigured: 'now',
        incarnation: 0,
        partition: 1,
        from: 0,
        to: 5,
        position: 0,
        scanned: 0,
        matched: 0,
        sent: 0,
      },
    ]);
    expect(await parts.parts(2)).toEqual([]);
  });

  it('counts only under the epoch of the source partition, and once', async () => {
    await replays.create(aReplay(), now);
    const at = { position: 20, done: false };
    expect(await checkpoint(0, at, 6)).toBe(false);
    expect(await checkpoint(0, at, 8)).toBe(false);
    expect(await parts.checkpoint(5, 0, { ...progress, partition: 0 })).toBe(false);
    expect(await parts.parts(0)).toMatchObject([{ position: 10, scanned: 0 }]);
    expect(await checkpoint(0, at)).toBe(true);
    expect(await checkpoint(0, at)).toBe(true);
    expect(await parts.parts(0)).toMatchObject([{ position: 20, scanned: 10, matched: 4, sent: 2 }]);
    // One that hung in the network and comes after its successor.
    expect(await checkpoint(0, { position: 15, scanned: 3, done: false })).toBe(true);
    expect(await parts.parts(0)).toMatchObject([{ position: 20, scanned: 10 }]);
    // Of a partition that another owner moves.
    expect(await parts.checkpoint(1, 3, { ...progress, partition: 0, position: 29 })).toBe(true);
    expect(await parts.parts(0)).toMatchObject([{ position: 20 }]);
    await checkpoint(0);
    await checkpoint(0, { position: 30, done: false });
    expect(await parts.parts(0)).toEqual([]);
  });

  it('waits for the owner before to finish its write, and shuts it out then', async () => {
    await replays.create(aReplay(), now);
    let written: Promise<boolean> | undefined;
    await database.transaction(async (session) => {
      await session.query('UPDATE source_partitions SET epoch = 8 WHERE partition = 0');
      written = checkpoint(0);
      await new Promise((resolve) => setTimeout(resolve, 100));
    });
    expect(await written).toBe(false);
  });
});

const progress = { replayId: 'replay:1', position: 25, scanned: 1, matched: 1, sent: 1, done: false, replayed: [] };

describe('dead letters of a replay', () => {
  const ofLive = (id: string, changes: Partial<DeliveryRecord> = {}) =>
    aDelivery(id, { stream: 'live', status: 'dead-lettered', deadLetterReason: 'exhausted', ...changes });
  const open = async (ids: string[], replayId = 'replay:1') => [...(await parts.openDeadLetters(replayId, ids))].sort();
  const created = (changes: Partial<NewReplay> = {}) =>
    replays.create(aReplay({ source: 'dead-letters', ...changes }), now);
  const states = async () => {
    const { data } = await new DeadLetters(database).list({}, { limit: 50 });
    return Object.fromEntries(data.map(({ delivery, state }) => [delivery.deliveryId, state]));
  };

  it('may be sent when the projection knows their end and nothing was done about them', async () => {
    await created();
    const others = [ofLive('c', { status: 'delivered' }), ofLive('d'), ofLive('e', { endpointId: 'ep_2' })];
    await project([ofLive('a'), ofLive('b'), ...others], { a: 0, b: 1 });
    await new DeadLetters(database).discard('d', { reason: 'x', now });
    expect(await open(['a', 'b', 'c', 'd', 'e', 'not-projected'])).toEqual(['a', 'b']);
    expect(await open(['b'])).toEqual(['b']);
    expect(await open([])).toEqual([]);
    expect(await open(['a'], 'replay:none')).toEqual([]);
  });

  it.each<[string, Partial<NewReplay>, string[]]>([
    ['ids', { selection: { deliveryIds: ['a', 'z'] } }, ['a']],
    ['reasons', { selection: { reasons: ['gone', 'poison'] } }, ['b']],
    ['since', { selection: { since: now + 1 } }, ['c']],
    ['until', { selection: { until: now + 1 } }, ['a', 'b', 'd']],
    ['words', { selection: { error: '500' } }, ['a']],
    ['types', { eventTypes: ['note.*', 'task.updated'] }, ['a', 'b', 'c', 'd']],
    ['a type', { eventTypes: ['note.added'] }, ['d']],
    ['a prefix', { eventTypes: ['task.*'] }, ['a', 'b', 'c']],
    ['any type', { eventTypes: ['x.y', '*'] }, ['a', 'b', 'c', 'd']],
  ])('must fit what was asked for: %s', async (_, changes, expected) => {
    await created(changes);
    await project(
      [
        ofLive('a'),
        ofLive('b', { deadLetterReason: 'gone' }),
        ofLive('c', { completedAt: now + 1 }),
        ofLive('d', { eventType: 'note.added' }),
      ],
      { a: 0 },
    );
    expect(await open(['a', 'b', 'c', 'd'])).toEqual(expected);
  });

  it('are marked with the checkpoint, and sent by nobody again', async () => {
    await created();
    await created({ replayId: 'replay:2' });
    await project([ofLive('a'), ofLive('b'), ofLive('c')], { a: 0, b: 1, c: 2 });
    await new DeadLetters(database).discard('c', { reason: 'x', now });
    const marks = { replayed: ['a', 'c'], position: 3, done: false };
    expect(await checkpoint(1, marks, 2)).toBe(false);
    expect(await states()).toEqual({ a: 'open', b: 'open', c: 'discarded' });
    await checkpoint(1, marks);
    await checkpoint(1, marks);
    expect(await states()).toEqual({ a: 'replayed', b: 'open', c: 'discarded' });
    expect(await new DeadLetters(database).get('a')).toMatchObject({
      resolution: { replayId: 'replay:1', at: now + 5 },
    });
    expect(await open(['a', 'b', 'c'])).toEqual(['b']);
    expect(await open(['a', 'b', 'c'], 'replay:2')).toEqual(['b']);
  });

  it('are open again when their copies were dropped, and the copy that failed is the one to send next', async () => {
    await created();
    await created({ replayId: 'replay:2' });
    await project([ofLive('a'), ofLive('b'), ofLive('c')], { a: 0, b: 1, c: 2 });
    await checkpoint(0, { sent: 0 });
    await replays.cancel('replay:1', now);
    await checkpoint(1, { replayed: ['a', 'b', 'c'], sent: 3 });
    await project([
      aDelivery('ep_1.replay:1.0.1.0', { status: 'dropped' }),
      aDelivery('ep_1.replay:1.0.1.1', { status: 'delivered' }),
      aDelivery('ep_1.replay:1.0.1.2', { status: 'dead-lettered' }),
    ]);
    expect(await states()).toMatchObject({ a: 'replayed', b: 'replayed', c: 'replayed' });
    expect(await replays.finishEnded(now)).toBe(1);
    expect(await states()).toEqual({
      a: 'open',
      b: 'replayed',
      c: 'replayed',
      'ep_1.replay:1.0.1.2': 'open',
    });
    expect(await open(['a', 'b', 'c', 'ep_1.replay:1.0.1.2'], 'replay:2')).toEqual(['a', 'ep_1.replay:1.0.1.2']);
  });
});

describe('past subscriptions', () => {
  it('tell what was wanted from when on', async () => {
    const version = (revision: number, change: string, at: number, config: object, endpointId = 'ep_1') =>
      database.session.query(
        `INSERT INTO endpoint_versions (endpoint_id, revision, tenant_id, change, changed_at, config)
         VALUES ($1, $2, 'acme', $3, $4, $5)`,
        [endpointId, revision, change, new Date(at), JSON.stringify(config)],
      );
    await version(2, 'updated', now + 10, { state: 'paused', eventTypes: ['task.*'] });
    await version(1, 'created', now, { state: 'active', eventTypes: ['task.*', 'note.added'] });
    await version(3, 'updated', now + 20, { state: 'active', eventTypes: ['*'] });
    await version(4, 'deleted', now + 30, { state: 'active', eventTypes: ['*'] });
    await version(1, 'created', now + 5, { state: 'active', eventTypes: [] }, 'ep_0');
    await version(1, 'created', now, { state: 'active', eventTypes: ['*'] }, 'ep_2');
    expect(await parts.pastSubscriptions(['ep_1', 'ep_0', 'ep_none'])).toEqual([
      { endpointId: 'ep_0', since: now + 5, eventTypes: [] },
      { endpointId: 'ep_1', since: now, eventTypes: ['task.*', 'note.added'] },
      { endpointId: 'ep_1', since: now + 10, eventTypes: null },
      { endpointId: 'ep_1', since: now + 20, eventTypes: ['*'] },
      { endpointId: 'ep_1', since: now + 30, eventTypes: null },
    ]);
  });
});
