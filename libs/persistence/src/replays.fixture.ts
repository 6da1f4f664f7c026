import type { Delivery } from '#libs/contracts';
import type { Database } from './database.js';
import type { DeliveryRecord } from './delivery-record.js';
import { Projection } from './projection.js';
import { ReplayParts } from './replay-parts.js';
import type { NewReplay } from './replay.js';
import { TenantRepository } from './tenant-repository.js';

export const now = 1_800_000_000_000;

/** Two tenants, of whom nothing else is there. */
export async function createTenants(database: Database): Promise<void> {
  for (const id of ['acme', 'other']) await new TenantRepository(database).create({ id, name: id }, now);
}

/** Source partitions 0 and 1, with epochs 7 and 3, and no replay. */
export async function beginAnew(database: Database): Promise<void> {
  await new Projection(database).drop();
  await database.session.query(
    'TRUNCATE dead_letter_resolutions, replays, replay_partitions, source_partitions, outbox',
  );
  await database.session.query('INSERT INTO source_partitions VALUES (0, 7), (1, 3)');
}

export const aReplay = (changes: Partial<NewReplay> = {}): NewReplay => ({
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
  window: { from: now - 86_400_000, to: null },
  gaps: [],
  description: '',
  partitions: [
    { partition: 0, ownedBy: 0, incarnation: 2, from: 10, to: 30 },
    { partition: 1, ownedBy: 1, incarnation: 0, from: 0, to: 5 },
  ],
  ...changes,
});

/** Of the stream of `replay:1`, unless told otherwise. */
export const aDelivery = (deliveryId: string, changes: Partial<DeliveryRecord> = {}): DeliveryRecord => ({
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

/** With the dead letters of those that have a place, which is an offset in partition 1. */
export const project = (
  database: Database,
  deliveries: readonly DeliveryRecord[],
  places: Record<string, number> = {},
): Promise<unknown> =>
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
        delivery: { tenantId: 'acme', endpointId: 'ep_1', acceptedAt: now } as Delivery,
        reason: 'exhausted',
        at: now,
        lastStatus: 500,
        lastError: null,
      },
    })),
  });

/** All of a partition of `replay:1`, unless told otherwise. */
export const checkpoint = (
  database: Database,
  partition: number,
  changes: object = {},
  epoch = partition === 0 ? 7 : 3,
): Promise<boolean> =>
  new ReplayParts(database, () => now + 5).checkpoint(partition, epoch, {
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
