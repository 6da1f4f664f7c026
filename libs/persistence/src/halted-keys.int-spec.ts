import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { plainContent, type HaltResolution } from '#libs/contracts';
import { scheduleOf } from '#libs/core';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { connectDatabase, type Database } from './database.js';
import type { DeliveryRecord } from './delivery-record.js';
import { EndpointRepository } from './endpoint-repository.js';
import { HaltedKeys } from './halted-keys.js';
import { migrate } from './migrate.js';
import { Outbox } from './outbox.js';
import { Projection } from './projection.js';
import { TenantRepository } from './tenant-repository.js';

// Real: PostgreSQL. Doubled: the sender of the outbox.
let test: TestDatabase;
let database: Database;
let keys: HaltedKeys;
let endpoints: EndpointRepository;

const day = 86_400_000;
const start = 1_800_000_000_000;

beforeAll(async () => {
  test = await createTestDatabase();
  await migrate(test.url);
  database = await connectDatabase(test.url);
  keys = new HaltedKeys(database);
  endpoints = new EndpointRepository(database);
});
afterAll(async () => {
  await database?.close();
  await test?.drop();
});
beforeEach(async () => {
  await database.session.query(
    'TRUNCATE tenants, api_keys, transformations, transformation_versions, endpoints, endpoint_secrets, endpoint_verifications, endpoint_versions, halt_resolutions, outbox',
  );
  await new Projection(database, () => start).drop();
  await new TenantRepository(database).create({ id: 'acme', name: 'Acme' }, 1_000);
  for (const endpointId of ['ep_1', 'ep_2']) await createEndpoint(endpointId);
});

async function createEndpoint(endpointId: string): Promise<void> {
  await endpoints.create(
    {
      endpointId,
      tenantId: 'acme',
      url: 'http://127.0.0.1:1/hook',
      eventTypes: ['*'],
      description: '',
      state: 'active',
      ordering: 'key',
      onExhausted: 'halt',
      secrets: [],
      maxInFlight: 16,
      adaptiveConcurrency: true,
      rateLimit: null,
      circuit: null,
      ...plainContent,
      timeoutMs: 15_000,
      retry: scheduleOf([]),
    },
    2_000,
  );
}

const aDelivery = (deliveryId: string, changes: Partial<DeliveryRecord> = {}): DeliveryRecord => ({
  deliveryId,
  webhookId: 'msg_1',
  tenantId: 'acme',
  endpointId: 'ep_1',
  stream: 'live',
  eventId: 'e-1',
  eventSource: '/source',
  eventType: 'task.updated',
  status: 'halted',
  attempts: 3,
  acceptedAt: start,
  dispatchedAt: start + 5,
  firstAttemptAt: start + 10,
  lastAttemptAt: start + 90,
  completedAt: null,
  nextAttemptAt: null,
  haltedAt: start + 100,
  lastStatus: 503,
  lastError: null,
  deadLetterReason: null,
  orderingKey: 'task-1',
  ...changes,
});

async function project(...deliveries: DeliveryRecord[]): Promise<void> {
  const projection = new Projection(database, () => start);
  await projection.apply({ advances: [], attempts: [], deadLetters: [], disables: [], deliveries });
}

/** What workers are told of an endpoint at `now`, and its revision. */
async function published(endpointId: string, now: number): Promise<[number, readonly HaltResolution[]]> {
  let found: [number, readonly HaltResolution[]] = [0, []];
  await new Outbox(database, undefined, () => now).publishPending((changes) => {
    for (const { kind, key, config } of changes) {
      if (kind === 'endpoint' && key === endpointId && config) found = [config.revision, config.resolutions];
    }
    return Promise.resolve();
  });
  return found;
}

it('lists the halted deliveries of an endpoint, oldest event first, in pages', async () => {
  const halted = [2, 0, 1, 1].map((ms, i) => aDelivery(`d${i}`, { acceptedAt: start + ms }));
  await project(
    ...halted,
    aDelivery('other', { endpointId: 'ep_2' }),
    aDelivery('done', { status: 'delivered', haltedAt: null }),
  );
  const first = await keys.list('ep_1', { limit: 3 });
  const second = await keys.list('ep_1', { limit: 3, cursor: first.nextCursor ?? '' });
  expect([...first.data, ...second.data].map(({ delivery }) => delivery.deliveryId)).toEqual(['d1', 'd2', 'd3', 'd0']);
  expect(second.nextCursor).toBeNull();
  expect(first.data[0]).toEqual({ delivery: halted[1], resolution: null });
  await expect(keys.list('ep_1', { limit: 3, cursor: 'x' })).rejects.toThrow(
    expect.objectContaining({ name: 'InvalidCursor' }),
  );
});

it('publishes what was decided, the last decision of each delivery, by a new revision', async () => {
  await project(aDelivery('d1'), aDelivery('d2'));
  const now = start + 1_000;
  expect(await keys.resolve('ep_1', 'd1', 'release', now)).toEqual({ outcome: 'accepted', at: now });
  expect(await keys.resolve('ep_1', 'd2', 'release', now + 1)).toEqual({ outcome: 'accepted', at: now + 1 });
  expect(await keys.resolve('ep_1', 'd1', 'skip', now + 2)).toEqual({ outcome: 'accepted', at: now + 2 });
  expect(await published('ep_1', now + 3)).toEqual([
    4,
    [
      { deliveryId: 'd1', action: 'skip', at: now + 2 },
      { deliveryId: 'd2', action: 'release', at: now + 1 },
    ],
  ]);
  expect((await keys.list('ep_1', { limit: 9 })).data.map(({ resolution }) => resolution)).toEqual([
    { action: 'skip', at: now + 2 },
    { action: 'release', at: now + 1 },
  ]);
  // A change of configuration carries them on, and is not undone by them.
  await endpoints.update('ep_1', { maxInFlight: 1 }, { now: now + 4 });
  expect(await published('ep_1', now + 5)).toMatchObject([5, [{ deliveryId: 'd1' }, { deliveryId: 'd2' }]]);
  expect(await endpoints.get('ep_1')).toMatchObject({ updatedAt: now + 4, revision: 5 });
});

it('decides after the halt, whatever the clocks say', async () => {
  await project(aDelivery('d1', { haltedAt: start + 60_000 }));
  expect(await keys.resolve('ep_1', 'd1', 'release', start)).toEqual({ outcome: 'accepted', at: start + 60_001 });
});

it('shows a decision no longer when the delivery has halted again', async () => {
  await project(aDelivery('d1'));
  await keys.resolve('ep_1', 'd1', 'release', start + 1_000);
  await project(aDelivery('d1', { haltedAt: start + 2_000, attempts: 6 }));
  expect((await keys.list('ep_1', { limit: 9 })).data).toMatchObject([{ resolution: null, delivery: { attempts: 6 } }]);
});

it('refuses what is not there or not halted, and changes nothing then', async () => {
  await project(
    aDelivery('d1'),
    aDelivery('d2', { status: 'pending', haltedAt: null }),
    aDelivery('d3', { endpointId: 'ep_9' }),
  );
  expect(await keys.resolve('ep_2', 'd1', 'release', start)).toEqual({ outcome: 'unknown-delivery' });
  expect(await keys.resolve('ep_1', 'no', 'release', start)).toEqual({ outcome: 'unknown-delivery' });
  expect(await keys.resolve('ep_1', 'd2', 'release', start)).toEqual({ outcome: 'not-halted', status: 'pending' });
  expect(await keys.resolve('ep_9', 'd3', 'release', start)).toEqual({ outcome: 'unknown-endpoint' });
  expect(await published('ep_1', start)).toEqual([1, []]);
});

it('leaves out decisions that are done, 7 days old, or beyond the newest 1,000', async () => {
  await project(aDelivery('old'), aDelivery('d1'), aDelivery('d2'));
  await keys.resolve('ep_1', 'old', 'skip', start + 1_000);
  await keys.resolve('ep_1', 'd1', 'skip', start + 2 * day);
  await keys.resolve('ep_1', 'd2', 'release', start + 2 * day);
  expect((await published('ep_1', start + 7 * day))[1]).toHaveLength(3);
  await project(aDelivery('d1', { status: 'dead-lettered', haltedAt: null }));
  await endpoints.update('ep_1', {}, { now: start });
  expect((await published('ep_1', start + 7 * day + 1_000))[1].map(({ deliveryId }) => deliveryId)).toEqual(['d2']);

  const many = Array.from({ length: 1_001 }, (_, i) => aDelivery(`m${String(i).padStart(4, '0')}`));
  await project(...many);
  await database.session.query(
    `INSERT INTO halt_resolutions SELECT 'ep_1', delivery_id, 'skip', $1 FROM deliveries WHERE delivery_id LIKE 'm%'`,
    [new Date(start + 3 * day)],
  );
  await keys.resolve('ep_1', 'm0007', 'release', start + 4 * day);
  const [, kept] = await published('ep_1', start + 4 * day);
  expect(kept).toHaveLength(1_000);
  expect(kept[0]).toEqual({ deliveryId: 'm0007', action: 'release', at: start + 4 * day });
  expect(kept.some(({ deliveryId }) => deliveryId === 'd2')).toBe(false);
  const [stored]: { count: string }[] = await database.session.query('SELECT count(*) FROM halt_resolutions');
  expect(stored?.count).toBe('1000');
});
