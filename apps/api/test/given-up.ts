import type { DeadLetter } from '#libs/contracts';
import { Projection, type DeliveryRecord } from '#libs/persistence';
import { testCodec } from './event-codec.js';
import type { ReplayWorld } from './replay-world.js';

export const at = Date.UTC(2026, 0, 1);

/** Given up, unless told otherwise. */
export const aDelivery = (
  endpointId: string,
  deliveryId: string,
  changes: Partial<DeliveryRecord> = {},
): DeliveryRecord => ({
  deliveryId,
  webhookId: 'msg_1',
  tenantId: 'acme',
  endpointId,
  stream: 'live',
  eventId: 'e-1',
  eventSource: '/notes',
  eventType: 'note.added',
  status: 'dead-lettered',
  attempts: 3,
  acceptedAt: at,
  dispatchedAt: at,
  firstAttemptAt: at,
  lastAttemptAt: at,
  completedAt: at + 1_000,
  nextAttemptAt: null,
  haltedAt: null,
  lastStatus: 500,
  lastError: null,
  deadLetterReason: 'exhausted',
  orderingKey: null,
  ...changes,
});

/** As the dead-letters topic holds it. */
const aDeadLetter = (
  record: DeliveryRecord,
  source: { stream?: string; partition?: number; offset?: number } = {},
): DeadLetter => ({
  deliveryId: record.deliveryId,
  reason: 'exhausted',
  at: record.completedAt ?? at,
  lastStatus: 500,
  lastError: 'status: no',
  delivery: {
    tenantId: record.tenantId,
    endpointId: record.endpointId,
    webhookId: record.webhookId,
    stream: source.stream ?? 'live',
    incarnation: 0,
    sourcePartition: source.partition ?? 0,
    sourceOffset: source.offset ?? 0,
    floor: 0,
    configVersion: 1,
    ordering: 'none',
    orderingKey: null,
    eventId: 'e-1',
    eventSource: '/notes',
    eventType: record.eventType,
    acceptedAt: record.acceptedAt,
    dispatchedAt: at,
    contentType: 'application/json',
    headers: {},
    body: Buffer.from('{}'),
    renderError: null,
    attempt: 3,
    hop: 2,
    pos: 1,
    writer: null,
    dueAt: null,
    scheduleFrom: 0,
    scheduledSince: null,
    haltedAt: null,
    space: '',
    renderKind: null,
    members: null,
  },
});

/** Appended to the real topic, in partition 1 unless told otherwise, and projected. @returns where each one stands */
export async function giveUp(
  world: ReplayWorld,
  deliveries: readonly DeliveryRecord[],
  source: Parameters<typeof aDeadLetter>[1] = {},
  partition = 1,
): Promise<number[]> {
  const { platform } = (await testCodec()).codec;
  const letters = deliveries.map((one) => aDeadLetter(one, source));
  const records = letters.map((one) => ({
    topic: world.names.deadLetters,
    partition,
    key: one.delivery.endpointId,
    value: platform.deadLetter.encode(one),
  }));
  const places = records.length === 0 ? [] : await world.sender.send(records);
  await new Projection(world.database).apply({
    advances: [],
    attempts: [],
    disables: [],
    deliveries,
    deadLetters: letters.map((deadLetter, i) => ({ ...places[i]!, loggedAt: at, deadLetter })),
  });
  return places.map(({ offset }) => offset);
}
