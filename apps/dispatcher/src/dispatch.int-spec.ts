/**
 * A dispatcher over a real broker and registry. Asserted: each binding becomes a delivery with the same data; what is
 * wrong is rejected with its reason; a second dispatcher goes on where the first stopped.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { tenantKey, topicNames, topicSpecs, type Delivery } from '#libs/contracts';
import { deliveryIdOf } from '#libs/core';
import { connectKafka, type LogRecord } from '#libs/kafka';
import { connectDatabase, Cursors, migrate, ReplayParts, type Database } from '#libs/persistence';
import { applySchemas, connectSchemaCodec, type SchemaCodec } from '#libs/schema-codec';
import { anEndpointConfig, createTestDatabase, type TestDatabase, uniquePrefix } from '#libs/testing';
import { noFaults, plainContents } from '../test/contents.js';
import { Dispatcher } from './dispatcher.js';

const registryUrl = inject('schemaRegistryUrl');
const prefix = `${uniquePrefix()}dispatch`;
const topics = topicNames(prefix);
const log = connectKafka({
  brokers: inject('kafkaBrokers').split(','),
  clientId: 'dispatch-int',
  sessionTimeoutMs: 6_000,
});
const sender = log.sender();
const reader = log.reader();
const layout = {
  prefix,
  eventPartitions: 2,
  deliveryPartitions: 3,
  replicationFactor: 1,
  minInSyncReplicas: 1,
  maxMessageBytes: 1_048_576,
};
let codec: SchemaCodec;
let test: TestDatabase;
let database: Database;

const data = {
  commentId: 'c-1',
  taskId: 't-1',
  projectId: 'p-7',
  author: { id: 'u-1', name: 'Zoë', email: null },
  text: 'Für dich 😀',
  mentions: ['u-2'],
  attachments: {},
  addedAt: '2026-03-01T12:00:00.000Z',
};

beforeAll(async () => {
  await applySchemas({ registryUrl, eventsFolder: join(import.meta.dirname, '../../../schemas/events') });
  codec = await connectSchemaCodec({ registryUrl });
  test = await createTestDatabase();
  await migrate(test.url);
  database = await connectDatabase(test.url);
  const administration = log.administration();
  await administration.ensure(topicSpecs(layout));
  await administration.close();
});
afterAll(async () => {
  await Promise.all([sender.close(), reader.close(), database.close()]);
  await test.drop();
});

function dispatcher(repeats: { count: number }): Dispatcher {
  return new Dispatcher(
    log,
    {
      codecs: { events: codec.events, config: codec.platform, platform: codec.platform },
      stores: { cursors: new Cursors(database), replays: new ReplayParts(database), faults: noFaults },
      content: plainContents,
    },
    {
      topics,
      groupId: `${prefix}.dispatcher`,
      deliveryPartitions: 3,
      maxEventBytes: 262_144,
      repeatWindow: 1_000,
      tenantGraceMs: 100,
    },
    {
      deliveriesDispatched: () => undefined,
      eventRejected: () => undefined,
      repeats: (count) => (repeats.count += count),
      lag: () => undefined,
      partitionStopped: () => undefined,
      partitionLost: () => undefined,
      endpointsFrozen: () => undefined,
      endpointsJoined: () => undefined,
      deliveriesCaughtUp: () => undefined,
      eventsLost: () => undefined,
      endpointFault: () => undefined,
      transformationRan: () => undefined,
    },
    {
      now: () => Date.now(),
      monotonic: () => performance.now(),
      schedule(ms, task) {
        const timer = setTimeout(task, ms);
        return () => clearTimeout(timer);
      },
      die(error) {
        throw error;
      },
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    },
  );
}

async function all(topic: string, partitions: number): Promise<readonly LogRecord[]> {
  const at = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const bounds = await reader.bounds(at);
  const found: LogRecord[] = [];
  for (const [index, one] of at.entries()) {
    const { start, end } = bounds[index] ?? { start: 0, end: 0 };
    if (start < end) for await (const records of reader.range(one, start, end)) found.push(...records);
  }
  return found;
}

const deliveries = async (): Promise<readonly Delivery[]> =>
  (await all(topics.deliveries, 3)).map(({ value }) => codec.platform.delivery.decode(value ?? Buffer.of()));

async function until<T>(get: () => Promise<readonly T[]>, count: number): Promise<readonly T[]> {
  for (let tries = 0; tries < 200; tries += 1) {
    const found = await get();
    if (found.length >= count) return found;
    await sleep(50);
  }
  throw new Error(`not ${count} within 10 s`);
}

const binary = (id: string, contentType: string, more: Record<string, string> = {}) => ({
  'content-type': contentType,
  ce_specversion: '1.0',
  ce_id: id,
  ce_source: '/projects/7',
  ce_type: 'comment.added',
  ...more,
});

async function append(value: Buffer, headers: Record<string, string>, partition = 0, key = 'acme'): Promise<void> {
  await sender.send([{ topic: topics.events, partition, key, value, headers }]);
}

it('dispatches each binding, rejects what is wrong, and goes on after a hand-over', async () => {
  const encoded = codec.platform;
  await sender.send([
    {
      topic: topics.endpoints,
      partition: 0,
      key: tenantKey('acme'),
      value: encoded.tenantConfig.encode({ tenantId: 'acme', name: 'Acme', updatedAt: 0 }),
    },
    {
      topic: topics.endpoints,
      partition: 0,
      key: 'ep_1',
      value: encoded.endpointConfig.encode(anEndpointConfig({ eventTypes: ['comment.*'], ordering: 'key' })),
    },
  ]);
  const json = Buffer.from(JSON.stringify(data));
  await codec.events.prepare([{ type: 'comment.added', data: { kind: 'json', value: data } }]);
  const avro = codec.events.toAvro({ type: 'comment.added', data: { kind: 'json', value: data } });
  if (!avro.ok) throw new Error(avro.detail);
  const structured = {
    specversion: '1.0',
    id: 'structured',
    source: '/projects/7',
    type: 'comment.added',
    tenantid: 'acme',
    data,
  };
  const structuredType = { 'content-type': 'application/cloudevents+json; charset=utf-8' };
  const repeats = { count: 0 };
  const first = dispatcher(repeats);
  await append(avro.bytes, binary('avro', 'application/avro'));
  await append(json, binary('json', 'application/json', { ce_subject: 'task/9' }));
  await append(Buffer.from(JSON.stringify(structured)), structuredType);
  await append(json, binary('json', 'application/json'));
  await append(Buffer.from('{"commentId":7}'), binary('bad-data', 'application/json'));
  await append(json, binary('bad-type', 'application/json', { ce_type: 'no.such' }));
  await append(Buffer.from('{'), structuredType);
  await append(Buffer.from([0, 0, 0, 255, 255, 1]), binary('bad-schema', 'application/avro'));
  await append(json, binary('bad-tenant', 'application/json'), 1, 'nobody');
  await append(Buffer.alloc(300_000, 'x'), binary('too-large', 'application/json'));
  await first.start();
  const made = await until(deliveries, 3);
  const rejected = await until(() => all(topics.eventsRejected, 2), 6);
  expect(() => first.check()).not.toThrow();

  expect(made.map((one) => one.eventId)).toEqual(['avro', 'json', 'structured']);
  const bodies = made.map(({ body }) => JSON.parse(body?.toString('utf8') ?? '') as { data: object });
  for (const body of bodies) expect(body).toMatchObject({ specversion: '1.0', type: 'comment.added', data });
  expect(bodies[1]?.data).toEqual(bodies[0]?.data);
  expect(made.map(({ orderingKey, configVersion }) => [orderingKey, configVersion])).toEqual([
    [null, 1],
    ['task/9', 1],
    [null, 1],
  ]);
  const reasons = rejected.map(
    ({ headers }) => `${headers['ce_id']?.toString() ?? '-'} ${headers['posthorn-reason']?.toString()}`,
  );
  expect(reasons).toEqual([
    'bad-data invalid-data',
    'bad-type unknown-event-type',
    '- malformed',
    'bad-schema schema-mismatch',
    'too-large too-large',
    'bad-tenant unknown-tenant',
  ]);
  expect(repeats.count).toBe(1);
  await first.stop();

  const second = dispatcher(repeats);
  await second.start();
  await append(json, binary('json', 'application/json'));
  await append(avro.bytes, binary('after', 'application/avro'));
  const more = await until(deliveries, 4);
  await second.stop();
  expect(more.map(deliveryIdOf)).toEqual([0, 1, 2, 10].map((offset) => `ep_1.live.0.0.${offset}`));
  expect(more.at(-1)?.floor).toBe(9);
  expect(repeats.count).toBe(2);
});
