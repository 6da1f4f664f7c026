import { firstCopy, type Delivery } from '#libs/contracts';
import { orderingKeyOf, webhookIdOf, type EventEnvelope } from '#libs/core';
import type { LogRecord } from '#libs/kafka';
import type { DispatchEndpoint } from './dispatch-endpoint.js';
import type { Form } from './forms/form.js';
import type { ReadRecord } from './read-events.js';

/** What the deliveries of an event share, whatever their endpoints get of it. */
export interface PreparedEvent {
  readonly record: LogRecord;
  readonly envelope: EventEnvelope;
  readonly tenantId: string;
  readonly orderingKey: string | null;
}

/** Where deliveries come from: their stream, and their dedupe space with its floor (DESIGN §3 "Effectively once"). */
export type DeliveryOrigin = Pick<Delivery, 'stream' | 'space' | 'incarnation' | 'sourcePartition' | 'floor'>;

export function prepareEvent({ record, event }: Extract<ReadRecord, { kind: 'event' }>): PreparedEvent {
  const { envelope, identity } = event;
  return { record, envelope, tenantId: identity.tenantId, orderingKey: orderingKeyOf(envelope) };
}

/** The first copy of a delivery. @param dispatchedAt Unix ms */
export function newDelivery(
  { record, envelope, tenantId, orderingKey }: PreparedEvent,
  { endpointId, configVersion, ordering }: Pick<DispatchEndpoint, 'endpointId' | 'configVersion' | 'ordering'>,
  form: Exclude<Form, { kind: 'cancelled' }>,
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
    ...formFields(form),
    ...firstCopy,
    space,
    members: null,
  };
}

type FormFields = Pick<Delivery, 'contentType' | 'headers' | 'body' | 'renderError' | 'renderKind'>;

const noForm = { contentType: '', headers: {}, body: null };

export function formFields(form: Exclude<Form, { kind: 'cancelled' }>): FormFields {
  const { contentType, headers, body } = form.rendered ?? noForm;
  if (form.kind === 'rendered') return { contentType, headers, body, renderError: null, renderKind: null };
  return { contentType, headers, body, renderError: form.detail, renderKind: form.renderKind };
}

/** What is kept of a text that goes into a record that must not become too large for it. */
const errorLength = 1_000;

/**
 * Encodes a delivery. One that no record can hold goes without its body, and becomes a dead letter: the event is in the log,
 * and nobody else's delivery of it need suffer.
 */
export function encodeWithin(
  delivery: Delivery,
  encoder: { encode(delivery: Delivery): Buffer },
  mostBytes: number,
): Buffer {
  const value = encoder.encode(delivery);
  if (value.length + slackBytes <= mostBytes) return value;
  const detail = `the delivery would have ${value.length} bytes; at most ${mostBytes - slackBytes} fit into a record`;
  const renderError =
    delivery.renderError === null ? detail : `${delivery.renderError.slice(0, errorLength)}; ${detail}`;
  return encoder.encode({ ...delivery, ...noForm, renderError, renderKind: delivery.renderKind ?? 'too-large' });
}

/** A record has a key too, and copies of it may hold more. */
const slackBytes = 1_024;
