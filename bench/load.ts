import { Pool } from 'undici';
import { attributeHeaderPrefix, avroContentType, contentTypeHeader, structuredJsonContentType } from '#libs/contracts';
import { partitionFor } from '#libs/core';
import type { OutgoingRecord, RecordSender } from '#libs/kafka';
import type { SchemaCodec } from '#libs/schema-codec';
import { machineMs } from './clock.js';

/** Of every event of the bench. */
export const eventType = 'comment.added';
/** Of the body that an endpoint receives: the whole CloudEvent. */
const bodyBytes = 1_024;
const recordsPerCall = 200;
/** The sender puts what waits into the next request: more would only fill the memory. */
const callsInFlight = 8;

/** A CloudEvent as JSON. */
export interface JsonEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
  /** The ordering key, where there is one. */
  readonly subject?: string;
  readonly time: string;
  readonly tenantid: string;
  readonly datacontenttype: 'application/json';
  readonly data: Readonly<Record<string, string | object>>;
}

/** Event number `sequence` of its tenant; the receiver knows both tag and number by its id. */
export function eventOf(tag: string, tenantId: string, sequence: number): JsonEvent {
  const time = new Date().toISOString();
  const event = (text: string): JsonEvent => ({
    specversion: '1.0',
    id: `${tag}.${sequence}`,
    source: '/bench',
    type: eventType,
    time,
    tenantid: tenantId,
    datacontenttype: 'application/json',
    data: {
      commentId: `comment-${sequence}`,
      taskId: 'task-1',
      projectId: 'project-1',
      author: { id: 'person-1', name: 'Ada', email: null },
      text,
      mentions: [],
      attachments: {},
      addedAt: time,
    },
  });
  return event('x'.repeat(bodyBytes - JSON.stringify(event('')).length));
}

/** What a delivery of such an event carries. */
export function oneKilobyteBody(): string {
  return JSON.stringify(eventOf('limit', 'tenant-0', 0));
}

/** Turns events into records of the events topic: CloudEvents binary mode, Avro, key and partition by the tenant. */
export async function recordMaker(
  codec: SchemaCodec,
  topic: string,
  partitions: number,
): Promise<(event: JsonEvent) => OutgoingRecord> {
  const schema = await codec.events.newest(eventType);
  if (schema === null) throw new Error(`no schema is registered for ${eventType}`);
  return (event) => {
    const encoded = schema.encode(event.data as never);
    if (!encoded.ok) throw new Error(`the event does not fit its schema: ${JSON.stringify(encoded.faults)}`);
    const headers: Record<string, string> = { [contentTypeHeader]: avroContentType };
    for (const name of ['specversion', 'id', 'source', 'type', 'time', 'tenantid'] as const)
      headers[attributeHeaderPrefix + name] = event[name];
    if (event.subject !== undefined) headers[`${attributeHeaderPrefix}subject`] = event.subject;
    const partition = partitionFor(event.tenantid, partitions);
    return { topic, partition, key: event.tenantid, value: encoded.bytes, headers };
  };
}

/** Appends as fast as the brokers acknowledge. */
export async function appendAll(sender: RecordSender, records: readonly OutgoingRecord[]): Promise<void> {
  const calls = Array.from({ length: Math.ceil(records.length / recordsPerCall) }, (_, n) =>
    records.slice(n * recordsPerCall, (n + 1) * recordsPerCall),
  );
  await inParallel(calls, callsInFlight, (call) => sender.send(call));
}

/**
 * Appends one by one at an even pace, whether or not the brokers keep up.
 * @returns machine time just before each append was called, in the order of the records
 */
export async function appendPaced(
  sender: RecordSender,
  records: readonly OutgoingRecord[],
  perSecond: number,
): Promise<readonly number[]> {
  const appendedAt: number[] = [];
  const sends: Promise<unknown>[] = [];
  const start = machineMs();
  for (const [n, record] of records.entries()) {
    const wait = start + (n * 1_000) / perSecond - machineMs();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    appendedAt.push(machineMs());
    sends.push(sender.send([record]));
  }
  await Promise.all(sends);
  return appendedAt;
}

/** POSTs each event alone to `/v1/events`, so many at once. Rejects when one is not answered with 202. */
export async function postAll(
  api: { readonly url: string; readonly key: string },
  bodies: readonly string[],
  inFlight: number,
): Promise<void> {
  const pool = new Pool(api.url, { connections: inFlight, pipelining: 1, allowH2: false });
  const headers = { authorization: `Bearer ${api.key}`, 'content-type': structuredJsonContentType };
  try {
    await inParallel(bodies, inFlight, async (body) => {
      const answer = await pool.request({ path: '/v1/events', method: 'POST', headers, body });
      const text = await answer.body.text();
      if (answer.statusCode !== 202) throw new Error(`an event was answered ${answer.statusCode}: ${text}`);
    });
  } finally {
    await pool.destroy();
  }
}

/** So many at once. Rejects with the first that fails. */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const rest = items.values();
  // They share one iterator: each item is taken once.
  const lane = async (): Promise<void> => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: limit }, lane));
}
