import { webhookIdOf } from '#libs/core';
import type { AppendedEvent } from '../producer/produce.js';
import type { ReceiptRecord } from '../receiver/record.js';
import type { LoggedDelivery } from './api-client.js';
import type { DemoEndpoint } from './endpoints.js';

export interface Evidence {
  readonly endpoints: readonly DemoEndpoint[];
  /** What the log has acknowledged to the producer. */
  readonly appended: readonly AppendedEvent[];
  /** The delivery log, by endpoint id. */
  readonly deliveries: ReadonlyMap<string, readonly LoggedDelivery[]>;
  /** The receiver's own record. */
  readonly record: ReceiptRecord;
}

/** Whether an endpoint asked for events of this type; written here again, so that the check stands on its own. */
const wants = (patterns: readonly string[], type: string): boolean =>
  patterns.some(
    (pattern) =>
      pattern === '*' || pattern === type || (pattern.endsWith('.*') && type.startsWith(pattern.slice(0, -1))),
  );

/** How many deliveries the appended events must lead to. */
export const expectedOf = (endpoint: DemoEndpoint, appended: readonly AppendedEvent[]): number =>
  appended.filter(({ type }) => wants(endpoint.eventTypes, type)).length;

/**
 * Compares what must have happened with what the delivery log and the receiver say. Every event that an endpoint asked
 * for must be delivered or dead-lettered, once, and have arrived with valid signatures only.
 * @returns a line for each thing that is missing or wrong; empty when all is well
 */
export function findFaults(evidence: Evidence): string[] {
  return evidence.endpoints.flatMap((endpoint) => faultsOf(endpoint, evidence));
}

function faultsOf(endpoint: DemoEndpoint, { appended, deliveries, record }: Evidence): string[] {
  const faults: string[] = [];
  const logged = new Map<string, LoggedDelivery>();
  for (const delivery of deliveries.get(endpoint.id) ?? []) {
    if (logged.has(delivery.webhookId))
      faults.push(`${endpoint.name}: ${delivery.webhookId} is in the delivery log twice`);
    logged.set(delivery.webhookId, delivery);
  }
  const receipts = record[endpoint.path] ?? {};
  const expected = new Set<string>();
  for (const event of appended) {
    if (!wants(endpoint.eventTypes, event.type)) continue;
    const webhookId = webhookIdOf(endpoint.id, event.source, event.id);
    expected.add(webhookId);
    const fault = (what: string): number =>
      faults.push(`${endpoint.name}: ${event.id} (${event.type}, ${webhookId}) ${what}`);

    const status = logged.get(webhookId)?.status;
    if (status === undefined) fault('is not in the delivery log');
    else if (status === 'pending' || status === 'dropped') fault(`is ${status}`);

    const receipt = receipts[webhookId];
    if (receipt === undefined) {
      fault('has never arrived');
      continue;
    }
    if (receipt.valid < receipt.arrivals)
      fault(`arrived ${receipt.arrivals - receipt.valid} times with an invalid signature`);
    if (status === 'delivered' && receipt.acknowledged === 0) fault('counts as delivered, but was never acknowledged');
    if (receipt.acknowledged > 0 && receipt.processed !== 1) fault(`was processed ${receipt.processed} times`);
  }
  for (const webhookId of logged.keys())
    if (!expected.has(webhookId))
      faults.push(`${endpoint.name}: ${webhookId} is in the delivery log, but nobody asked for it`);
  for (const webhookId of Object.keys(receipts))
    if (!expected.has(webhookId)) faults.push(`${endpoint.name}: ${webhookId} has arrived, but nobody asked for it`);
  return faults;
}
