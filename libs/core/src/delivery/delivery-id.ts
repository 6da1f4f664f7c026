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
 * `webhook-id` of an event for an endpoint: the receiver's idempotency key, constant over retries and replays
 * (Standard Webhooks 1.0.0, webhook-id; it holds no `.`). 132 bits of SHA-256, base64url.
 */
export function webhookIdOf(endpointId: string, eventSource: string, eventId: string): string {
  const digest = createHash('sha256').update(`${endpointId}\0${eventSource}\0${eventId}`).digest('base64url');
  return `msg_${digest.slice(0, 22)}`;
}
