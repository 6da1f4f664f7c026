import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Delivery } from '#libs/contracts';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { connectDatabase, type Database } from './database.js';
import type { DeadLetterFilter } from './dead-letter-filter.js';
import { DeadLetters, type DeadLetterRecord } from './dead-letters.js';
import type { DeliveryRecord } from './delivery-record.js';
import { migrate } from './migrate.js';
import { Projection, type LoggedDeadLetter } from './projection.js';

// Real: PostgreSQL, and the projection's statements. Given by hand: what the log would hold.
let test: TestDatabase;
let database: Database;
let deadLetters: DeadLetters;

const start = 1_800_000_000_000;

beforeAll(async () => {
  test = await createTestDatabase();
  await migrate(test.url);
  database = await connectDatabase(test.url);
  deadLetters = new DeadLetters(database, 3);
});
afterAll(async () => {
  await database?.close();
  await test?.drop();
});
beforeEach(clear);

async function clear(): Promise<void> {
  await new Projection(database).drop();
  await database.session.query('TRUNCATE dead_letter_resolutions');
}

interface Given {
  readonly id: string;
  readonly tenantId?: string;
  readonly endpointId?: string;
  readonly eventType?: string;
  readonly reason?: string;
  /** After `start`, in milliseconds. */
  readonly at?: number;
  readonly status?: DeliveryRecord['status'];
  readonly lastStatus?: number | null;
  readonly lastError?: string | null;
}

const deliveryOf = (given: Given): DeliveryRecord => ({
  deliveryId: given.id,
  webhookId: 'msg_1',
  tenantId: given.tenantId ?? 'acme',
  endpointId: given.endpointId ?? 'ep_1',
  stream: 'live',
  eventId: 'e-1',
  eventSource: '/source',
  eventType: given.eventType ?? 'task.updated',
  status: given.status ?? 'dead-lettered',
  attempts: 3,
  acceptedAt: start,
  dispatchedAt: start,
  firstAttemptAt: start,
  lastAttemptAt: start,
  completedAt: start + (given.at ?? 0),
  nextAttemptAt: null,
  haltedAt: null,
  lastStatus: given.lastStatus ?? null,
  lastError: null,
  deadLetterReason: given.reason ?? 'exhausted',
  orderingKey: null,
});

const deadLetterOf = (given: Given, offset: number): LoggedDeadLetter => {
  const delivery = deliveryOf(given);
  const { deliveryId, tenantId, endpointId, acceptedAt } = delivery;
  return {
    partition: 2,
    offset,
    loggedAt: start,
    deadLetter: {
      deliveryId,
      delivery: { tenantId, endpointId, acceptedAt } as Delivery,
      reason: given.reason ?? 'exhausted',
      at: start + (given.at ?? 0),
      lastStatus: given.lastStatus ?? null,
      lastError: given.lastError ?? null,
    },
  };
};

const project = (deliveries: readonly Given[], letters: readonly Given[] = deliveries) =>
  new Projection(database).apply({
    advances: [],
    attempts: [],
    disables: [],
    deliveries: deliveries.map(deliveryOf),
    deadLetters: letters.map(deadLetterOf),
  });

async function found(filter: DeadLetterFilter, limit = 200): Promise<DeadLetterRecord[]> {
  const all: DeadLetterRecord[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await deadLetters.list(filter, { limit, cursor });
    all.push(...page.data);
    if (page.nextCursor === null) return all;
    cursor = page.nextCursor;
  }
}
const idsOf = async (filter: DeadLetterFilter, limit?: number) =>
  (await found(filter, limit)).map(({ delivery }) => delivery.deliveryId);
const discard = { reason: 'of no use', now: start + 9_000 };

describe('the list of dead letters', () => {
  it('holds those whose delivery was given up, and no others, last first', async () => {
    const given: Given[] = [
      { id: 'b', at: 5 },
      { id: 'a', at: 5 },
      { id: 'c', at: 7 },
    ];
    const others: Given[] = [
      // A dead letter without its final attempt, and one that a late success has made void.
      { id: 'p', status: 'pending' },
      { id: 's', status: 'delivered' },
      { id: 'x', status: 'dropped' },
    ];
    await project([...given, ...others]);
    expect(await idsOf({})).toEqual(['c', 'b', 'a']);
    expect(await idsOf({}, 1)).toEqual(['c', 'b', 'a']);
    await project([{ id: 'b', status: 'delivered' }], []);
    expect(await idsOf({})).toEqual(['c', 'a']);
    expect(await deadLetters.get('b')).toBeNull();
    expect(await deadLetters.get('nobody')).toBeNull();
  });

  it('tells where each stands in the log, as soon as that is known', async () => {
    const given = [{ id: 'a', at: 1 }, { id: 'b' }];
    await project(given, []);
    expect((await found({})).map(({ place }) => place)).toEqual([null, null]);
    await project([], given);
    expect((await found({})).map(({ place }) => place)).toEqual([
      { partition: 2, offset: 0 },
      { partition: 2, offset: 1 },
    ]);
    expect((await deadLetters.get('b'))?.place).toEqual({ partition: 2, offset: 1 });
  });

  it('agrees with a plain list, whatever the filters and the size of pages', async () => {
    const pick = <const T extends readonly unknown[]>(...values: T) => fc.constantFrom<T[number]>(...values);
    const given = fc.record({
      tenantId: pick('acme', 'other'),
      endpointId: pick('ep_1', 'ep_2'),
      eventType: pick('task.updated', 'task.created'),
      reason: pick('exhausted', 'gone'),
      at: fc.nat({ max: 4 }),
      status: pick('dead-lettered', 'dead-lettered', 'dead-lettered', 'delivered'),
      resolved: pick(null, null, 'discarded', 'replayed'),
    });
    const filters = fc.record(
      {
        tenantId: pick('acme', 'other'),
        endpointId: pick('ep_1', 'ep_2'),
        eventType: pick('task.updated', 'task.created'),
        reason: pick('exhausted', 'gone'),
        from: fc.nat({ max: 4 }).map((ms) => start + ms),
        to: fc.nat({ max: 5 }).map((ms) => start + ms),
        state: pick('open', 'discarded', 'replayed'),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(given, { maxLength: 25 }),
        fc.array(filters, { minLength: 5, maxLength: 5 }),
        fc.integer({ min: 1, max: 7 }),
        async (drawn, several, limit) => {
          await clear();
          // Not in the order of their ids.
          const rows = drawn.map((one, i) => ({ ...one, id: `d${String((i * 7) % 26).padStart(2, '0')}` }));
          await project(rows);
          for (const { id, resolved } of rows) {
            if (resolved !== null) await resolve(id, resolved);
          }
          for (const filter of several) {
            const { from = 0, to = Infinity } = filter;
            const wanted = rows
              .filter((row) => row.status === 'dead-lettered')
              .filter(({ tenantId }) => (filter.tenantId ?? tenantId) === tenantId)
              .filter(({ endpointId }) => (filter.endpointId ?? endpointId) === endpointId)
              .filter(({ eventType }) => (filter.eventType ?? eventType) === eventType)
              .filter(({ reason }) => (filter.reason ?? reason) === reason)
              .filter(({ at }) => start + at >= from && start + at < to)
              .filter(({ resolved }) => (filter.state ?? resolved ?? 'open') === (resolved ?? 'open'))
              .toSorted((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1));
            expect(await idsOf(filter, limit)).toEqual(wanted.map(({ id }) => id));
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it.each([
    ['timeout', ['slow']],
    ['certificate has exp', ['tls']],
    ['EXPIRED certificate', ['tls']],
    ['self_signed', ['self']],
    ['self-signed', ['self']],
    ['503', ['busy']],
    ['127.0.0.1:80', ['slow']],
    ['no answer', ['slow']],
    ['nswer', []],
    ['timeout certificate', []],
    [`' | ! & (:*`, []],
    ['größe', ['other']],
    ['quoted 50%', ['other']],
  ])('is searched by the words of the last error: %s', async (error, ids) => {
    await project([
      { id: 'slow', lastError: 'timeout: no answer from 127.0.0.1:80 within 15 s' },
      { id: 'tls', lastError: 'tls: certificate has expired' },
      { id: 'self', lastError: 'tls: DEPTH_ZERO_SELF_SIGNED_CERT' },
      { id: 'busy', lastStatus: 503 },
      { id: 'other', lastError: `größer: 50% 'quoted' \\ & | !` },
      { id: 'void', status: 'delivered', lastError: 'timeout: no answer' },
    ]);
    expect(await idsOf({ error })).toEqual(ids);
  });
});

const resolve = (id: string, state: string) =>
  database.session.query(
    `INSERT INTO dead_letter_resolutions (delivery_id, state, reason, replay_id, decided_at) VALUES ($1, $2, 'x', 'r', now())`,
    [id, state],
  );

describe('a discarded dead letter', () => {
  it('keeps its row, with the reason and the time, also when the projection is rebuilt', async () => {
    await project([{ id: 'a' }, { id: 'b' }]);
    expect(await deadLetters.discard('a', discard)).toEqual({ outcome: 'discarded' });
    const resolution = { at: discard.now, reason: 'of no use', replayId: null, actor: null };
    expect(await deadLetters.get('a')).toMatchObject({ state: 'discarded', resolution });
    expect(await deadLetters.get('b')).toMatchObject({ state: 'open', resolution: null });
    await new Projection(database).drop();
    expect(await found({})).toEqual([]);
    await project([{ id: 'a' }, { id: 'b' }]);
    expect(await deadLetters.get('a')).toMatchObject({ state: 'discarded', resolution });
    expect(await idsOf({ state: 'open' })).toEqual(['b']);
  });

  it('was open: nothing else is, and the first decision stands', async () => {
    await project([{ id: 'a' }, { id: 'd', status: 'delivered' }, { id: 'r' }]);
    await resolve('r', 'replayed');
    expect(await deadLetters.discard('nobody', discard)).toEqual({ outcome: 'unknown' });
    expect(await deadLetters.discard('d', discard)).toEqual({ outcome: 'not-dead-lettered', status: 'delivered' });
    expect(await deadLetters.discard('r', discard)).toEqual({ outcome: 'not-open', state: 'replayed' });
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, i) => deadLetters.discard('a', { reason: `no. ${i}`, now: start + i })),
    );
    expect(results.filter(({ outcome }) => outcome === 'discarded')).toHaveLength(1);
    const [winner] = results.flatMap(({ outcome }, i) => (outcome === 'discarded' ? [i] : []));
    expect((await deadLetters.get('a'))?.resolution?.reason).toBe(`no. ${winner}`);
    expect(await deadLetters.get('r')).toMatchObject({ state: 'replayed', resolution: { replayId: 'r' } });
  });
});

describe('discarding all that match', () => {
  const letters = (count: number, changes: Partial<Given> = {}): Given[] =>
    Array.from({ length: count }, (_, i) => ({ id: `${changes.endpointId ?? ''}d${i}`, at: i >> 1, ...changes }));

  it('takes the open ones that match, all of them, however many steps it needs', async () => {
    for (const count of [0, 1, 2, 3, 4, 6, 11]) {
      await clear();
      await project([...letters(count), ...letters(5, { endpointId: 'ep_2' })]);
      if (count > 2) await deadLetters.discard('d2', { reason: 'before', now: start });
      expect(await deadLetters.discardAll({ endpointId: 'ep_1' }, discard)).toBe(count > 2 ? count - 1 : count);
      expect(await idsOf({ endpointId: 'ep_1', state: 'open' })).toEqual([]);
      expect(await idsOf({ endpointId: 'ep_2', state: 'open' })).toHaveLength(5);
      expect(await deadLetters.discardAll({ endpointId: 'ep_1' }, discard)).toBe(0);
      if (count > 2) expect((await deadLetters.get('d2'))?.resolution?.reason).toBe('before');
    }
  });

  it('goes by every filter', async () => {
    await project([
      { id: 'a', at: 1, lastError: 'timeout: slow' },
      { id: 'b', at: 2, lastError: 'timeout: slow' },
      { id: 'c', at: 3, lastError: 'timeout: slow' },
      { id: 'd', at: 2, lastError: 'tls: expired' },
      { id: 'e', at: 2, lastError: 'timeout: slow', eventType: 'task.created' },
    ]);
    const filter = { from: start + 2, to: start + 3, error: 'timeout', eventType: 'task.updated' };
    expect(await deadLetters.discardAll(filter, discard)).toBe(1);
    expect(await idsOf({ state: 'discarded' })).toEqual(['b']);
  });

  it('counts each one once, with several at it', async () => {
    await project(letters(40));
    const counts = await Promise.all([1, 2, 3, 4].map(() => deadLetters.discardAll({ tenantId: 'acme' }, discard)));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(40);
    expect(await idsOf({ state: 'discarded' })).toHaveLength(40);
  });

  it('leaves those that come while it works', async () => {
    await project(letters(7));
    // Arrives, newer than all that were there, once the first step is done.
    await database.session.query(`
      CREATE FUNCTION arrive() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        UPDATE deliveries SET completed_at = completed_at + interval '1 hour', status = 'dead-lettered'
        WHERE delivery_id = 'late' AND status = 'pending';
        RETURN NULL;
      END $$;
      CREATE TRIGGER arrival AFTER INSERT ON dead_letter_resolutions EXECUTE FUNCTION arrive()`);
    await project([{ id: 'late', status: 'pending' }]);
    try {
      expect(await deadLetters.discardAll({ tenantId: 'acme' }, discard)).toBe(7);
      expect(await idsOf({ state: 'open' })).toEqual(['late']);
    } finally {
      await database.session.query('DROP TRIGGER arrival ON dead_letter_resolutions; DROP FUNCTION arrive()');
    }
  });
});
