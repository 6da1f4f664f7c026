import { createHash } from 'node:crypto';

/** Where a delivery comes from: unique per (endpoint, stream, log incarnation, source partition, offset). */
export interface DeliverySource {
  readonly endpointId: string;
  readonly stream: string;
  readonly incarnation: number;
  readonly sourcePartition: number;
  readonly sourceOffset: number;
}

/** Readable, and the same whoever computes it: `ep_….live.0.3.1287`. */
export function deliveryIdOf(source: DeliverySource): string {
  return `${source.endpointId}.${source.stream}.${source.incarnation}.${source.sourcePartition}.${source.sourceOffset}`;
}

/** @returns null for what `deliveryIdOf` does not make. */
export function parseDeliveryId(deliveryId: string): DeliverySource | null {
  const match = /^([^.]+)\.([^.]+)\.(\d{1,9})\.(\d{1,9})\.(\d{1,16})$/.exec(deliveryId);
  const [, endpointId, stream, incarnation, sourcePartition, sourceOffset] = match ?? [];
  if (endpointId === undefined || stream === undefined) return null;
  const source = {
    endpointId,
    stream,
    incarnation: Number(incarnation),
    sourcePartition: Number(sourcePartition),
    sourceOffset: Number(sourceOffset),
  };
  return deliveryIdOf(source) === deliveryId ? source : null;
}

/**
 * `webhook-id` of a batch: the same for the same events of an endpoint in the same order, whoever forms it. It differs from
 * that of any event, also if it has only one.
 * @param webhookIds of its events
 */
export function batchIdOf(webhookIds: readonly string[]): string {
  return `msg_${digestOf(`batch\0${webhookIds.join('\0')}`)}`;
}

/**
 * `webhook-id` of an event for an endpoint: the receiver's idempotency key, constant over retries and replays
 * (Standard Webhooks 1.0.0, webhook-id; it holds no `.`). 132 bits of SHA-256, base64url.
 */
export function webhookIdOf(endpointId: string, eventSource: string, eventId: string): string {
  return `msg_${digestOf(`${endpointId}\0${eventSource}\0${eventId}`)}`;
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 22);
