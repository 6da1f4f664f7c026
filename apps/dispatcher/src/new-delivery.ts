import type { Delivery } from '#libs/contracts';
import { orderingKeyOf, webhookIdOf, type EventEnvelope } from '#libs/core';
import type { LogRecord } from '#libs/kafka';
import type { DispatchEndpoint } from './dispatch-endpoint.js';
import { render, type Rendered } from './render.js';
import type { ReadRecord } from './read-events.js';

/** An event that was decoded and is to be sent, with all that its deliveries share. */
export interface PreparedEvent {
  readonly record: LogRecord;
  readonly envelope: EventEnvelope;
  readonly tenantId: string;
  readonly orderingKey: string | null;
  readonly rendered: Rendered;
}

/** Where deliveries come from: their stream, and their dedupe space with its floor (DESIGN §3 "Effectively once"). */
export type DeliveryOrigin = Pick<Delivery, 'stream' | 'space' | 'incarnation' | 'sourcePartition' | 'floor'>;

/** Renders the body, once for all endpoints. */
export function prepareEvent(read: Extract<ReadRecord, { kind: 'event' }>): PreparedEvent {
  const { envelope, identity } = read.event;
  const rendered = render(envelope, read.json);
  return { record: read.record, envelope, tenantId: identity.tenantId, orderingKey: orderingKeyOf(envelope), rendered };
}

/** The first copy of a delivery. @param dispatchedAt Unix ms */
export function newDelivery(
  { record, envelope, tenantId, orderingKey, rendered }: PreparedEvent,
  { endpointId, configVersion, ordering }: Pick<DispatchEndpoint, 'endpointId' | 'configVersion' | 'ordering'>,
  { stream, space, incarnation, sourcePartition, floor }: DeliveryOrigin,
  dispatchedAt: number,
): Delivery {
  return {
    tenantId,
    endpointId,
    webhookId: webhookIdOf(endpointId, envelope.source, envelope.id),
    stream,
    incarnation,
    sourcePartition,
    sourceOffset: record.offset,
    floor,
    configVersion,
    ordering,
    orderingKey,
    eventId: envelope.id,
    eventSource: envelope.source,
    eventType: envelope.type,
    acceptedAt: record.timestamp,
    dispatchedAt,
    contentType: rendered.contentType,
    headers: rendered.headers,
    body: rendered.body,
    renderError: null,
    attempt: 0,
    hop: 0,
    pos: null,
    writer: null,
    dueAt: null,
    scheduleFrom: 0,
    scheduledSince: null,
    haltedAt: null,
    space,
    renderKind: null,
    members: null,
  };
}
