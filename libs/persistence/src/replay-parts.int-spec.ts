// Real: PostgreSQL, the projection's statements. Given by hand: what dispatchers and the log would say.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { connectDatabase, type Database } from './database.js';
import { DeadLetters } from './dead-letters.js';
import type { DeliveryRecord } from './delivery-record.js';
import { migrate } from './migrate.js';
import { ReplayParts } from './replay-parts.js';
import type { NewReplay } from './replay.js';
import { Replays } from './replays.js';
import { aDelivery, aReplay, beginAnew, checkpoint, createTenants, now, project } from './replays.fixture.js';

let test: TestDatabase;
let database: Database;
let replays: Replays;
let parts: ReplayParts;

beforeAll(async () => {
  test = await createTestDatabase();
  await migrate(test.url);
  database = await connectDatabase(test.url);
  replays = new Replays(database);
  parts = new ReplayParts(database);
  await createTenants(database);
});
afterAll(async () => {
  await database?.close();
  await test?.drop();
});
beforeEach(() => beginAnew(database));

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
    expect(await checkpoint(database, 0, at, 6)).toBe(false);
    expect(await checkpoint(database, 0, at, 8)).toBe(false);
    expect(await parts.checkpoint(5, 0, { ...progress, partition: 0 })).toBe(false);
    expect(await parts.parts(0)).toMatchObject([{ position: 10, scanned: 0 }]);
    expect(await checkpoint(database, 0, at)).toBe(true);
    expect(await checkpoint(database, 0, at)).toBe(true);
    expect(await parts.parts(0)).toMatchObject([{ position: 20, scanned: 10, matched: 4, sent: 2 }]);
    // One that hung in the network and comes after its successor.
    expect(await checkpoint(database, 0, { position: 15, scanned: 3, done: false })).toBe(true);
    expect(await parts.parts(0)).toMatchObject([{ position: 20, scanned: 10 }]);
    // Of a partition that another owner moves.
    expect(await parts.checkpoint(1, 3, { ...progress, partition: 0, position: 29 })).toBe(true);
    expect(await parts.parts(0)).toMatchObject([{ position: 20 }]);
    await checkpoint(database, 0);
    await checkpoint(database, 0, { position: 30, done: false });
    expect(await parts.parts(0)).toEqual([]);
  });

  it('waits for the owner before to finish its write, and shuts it out then', async () => {
    await replays.create(aReplay(), now);
    let written: Promise<boolean> | undefined;
    await database.transaction(async (session) => {
      await session.query('UPDATE source_partitions SET epoch = 8 WHERE partition = 0');
      written = checkpoint(database, 0);
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
    await project(database, [ofLive('a'), ofLive('b'), ...others], { a: 0, b: 1 });
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
      database,
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
    await project(database, [ofLive('a'), ofLive('b'), ofLive('c')], { a: 0, b: 1, c: 2 });
    await new DeadLetters(database).discard('c', { reason: 'x', now });
    const marks = { replayed: ['a', 'c'], position: 3, done: false };
    expect(await checkpoint(database, 1, marks, 2)).toBe(false);
    expect(await states()).toEqual({ a: 'open', b: 'open', c: 'discarded' });
    await checkpoint(database, 1, marks);
    await checkpoint(database, 1, marks);
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
    await project(database, [ofLive('a'), ofLive('b'), ofLive('c')], { a: 0, b: 1, c: 2 });
    await checkpoint(database, 0, { sent: 0 });
    await replays.cancel('replay:1', now);
    await checkpoint(database, 1, { replayed: ['a', 'b', 'c'], sent: 3 });
    await project(database, [
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
