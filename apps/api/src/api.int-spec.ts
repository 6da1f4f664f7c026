// Real: everything - the api as it starts, over HTTP, with Kafka, the registry and PostgreSQL.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { parseConfig, type Config } from '#libs/config';
import { topicNames, topicSpecs } from '#libs/contracts';
import { parseKafkaEvent } from '#libs/core';
import { connectKafka, type KafkaLog, type LogRecord } from '#libs/kafka';
import { createLogger } from '#libs/observability';
import { migrate } from '#libs/persistence';
import { startApp, type RunningApp } from '#libs/platform';
import { applySchemas, connectSchemaCodec } from '#libs/schema-codec';
import { createTestDatabase, uniquePrefix, type TestDatabase } from '#libs/testing';
import { noteAdded } from '../test/event-codec.js';
import { apiApp } from './index.js';

const operatorKey = 'test-operator-key-0123456789';
let database: TestDatabase;
let config: Config;
let kafka: KafkaLog;
let apis: RunningApp[];

beforeAll(async () => {
  database = await createTestDatabase();
  await migrate(database.url);
  const registryUrl = inject('schemaRegistryUrl');
  const eventsFolder = await mkdtemp(join(tmpdir(), 'posthorn-events-'));
  await writeFile(join(eventsFolder, 'note.added.avsc'), JSON.stringify(noteAdded));
  await applySchemas({ registryUrl, eventsFolder });
  await rm(eventsFolder, { recursive: true });
  config = parseConfig({
    KAFKA_BROKERS: inject('kafkaBrokers'),
    SCHEMA_REGISTRY_URL: registryUrl,
    DATABASE_URL: database.url,
    POSTHORN_OPERATOR_KEY: operatorKey,
    POSTHORN_MASTER_KEYS: `1:${randomBytes(32).toString('base64')}`,
    POSTHORN_REPLICATION_FACTOR: '1',
    POSTHORN_MIN_INSYNC_REPLICAS: '1',
    POSTHORN_EVENT_PARTITIONS: '3',
    POSTHORN_DELIVERY_PARTITIONS: '1',
    POSTHORN_TOPIC_PREFIX: `${uniquePrefix()}api`,
    POSTHORN_API_PORT: '0',
  });
  kafka = connectKafka({ brokers: config.kafkaBrokers, clientId: 'test' });
  const { topicPrefix: prefix, ...layout } = config;
  const administration = kafka.administration();
  await administration.ensure(topicSpecs({ prefix, ...layout, maxMessageBytes: 1_000_000 }));
  await administration.close();
  const logger = createLogger({ name: 'api', level: 'silent' });
  apis = [await startApp(apiApp, config, logger), await startApp(apiApp, config, logger)];
});

afterAll(async () => {
  for (const api of apis ?? []) await api.close();
  await database?.drop();
});

const call = (api: number, method: string, path: string, body?: unknown, contentType = 'application/json') =>
  fetch(`${apis[api]?.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${operatorKey}`, ...(body === undefined ? {} : { 'content-type': contentType }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

async function recordsOf(topic: string, partitions: number): Promise<LogRecord[]> {
  const reader = kafka.reader();
  const found: LogRecord[] = [];
  for (let partition = 0; partition < partitions; partition += 1) {
    const [bounds] = await reader.bounds([{ topic, partition }]);
    for await (const batch of reader.range({ topic, partition }, bounds!.start, bounds!.end)) found.push(...batch);
  }
  await reader.close();
  return found;
}

const note = (id: string, tenantid = 'acme') => ({
  specversion: '1.0',
  id,
  source: '/notes',
  type: 'note.added',
  tenantid,
  data: { text: 'hello' },
});
const structured = 'application/cloudevents+json';

describe('the api on real services', () => {
  it('becomes ready', async () => {
    const report = async (): Promise<unknown> => (await fetch(`${apis[0]?.url}/readyz`)).json();
    await expect.poll(report, { timeout: 15_000 }).toEqual({
      ready: true,
      checks: { kafka: 'ok', 'schema registry': 'ok', postgres: 'ok', outbox: 'ok', tenants: 'ok' },
    });
  });

  it('carries configuration to the topic, in order, whichever process made the change', async () => {
    expect((await call(0, 'POST', '/v1/tenants', { id: 'acme', name: 'Acme' })).status).toBe(201);
    const body = { tenantId: 'acme', url: 'https://example.com/', eventTypes: ['*'] };
    const created = (await (await call(1, 'POST', '/v1/endpoints', body)).json()) as { id: string; secret: string };
    const changes = Array.from({ length: 20 }, (_, n) =>
      call(n % 2, 'PATCH', `/v1/endpoints/${created.id}`, { description: `no. ${n}` }),
    );
    expect((await Promise.all(changes)).map(({ status }) => status)).toEqual(changes.map(() => 200));
    const { platform } = await connectSchemaCodec({ registryUrl: config.schemaRegistryUrl });
    const records = await recordsOf(topicNames(config.topicPrefix).endpoints, 1);
    const revisions = records
      .filter(({ key }) => key?.toString() === created.id)
      .map(({ value }) => platform.endpointConfig.decode(value!).revision);
    expect(revisions.at(-1)).toBe(21);
    expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
    for (const { value } of records) expect(value?.includes(created.secret.slice(6)) ?? false).toBe(false);
    // The history knows every record that there is, by its offset, and each change, in order.
    const known = async (): Promise<number[]> => {
      const answer = await call(1, 'GET', `/v1/endpoints/${created.id}/history`);
      const { data } = (await answer.json()) as { data: { revision: number; configVersions: number[] }[] };
      expect(data.map(({ revision }) => revision)).toEqual(Array.from({ length: 21 }, (_, i) => 21 - i));
      return data.toReversed().flatMap(({ revision, configVersions }) => configVersions.flatMap(() => [revision]));
    };
    await expect.poll(known, { timeout: 10_000 }).toEqual(revisions);
  });

  it('carries transformations to the topic, their versions in order, also from two processes, and their end', async () => {
    const code = (n: number) => `function handler(webhook) { webhook.payload.n = ${n} }`;
    await call(0, 'POST', '/v1/tenants', { id: 'coder', name: 'Coder' });
    const made = await call(0, 'POST', '/v1/transformations', { tenantId: 'coder', name: 'n', code: code(0) });
    const { id } = (await made.json()) as { id: string };
    const changes = Array.from({ length: 6 }, (_, n) =>
      call(n % 2, 'PATCH', `/v1/transformations/${id}`, { code: code(n + 1) }),
    );
    expect((await Promise.all(changes)).map(({ status }) => status)).toEqual(changes.map(() => 200));
    expect((await call(1, 'DELETE', `/v1/transformations/${id}`)).status).toBe(204);
    const { platform } = await connectSchemaCodec({ registryUrl: config.schemaRegistryUrl });
    const records = (await recordsOf(topicNames(config.topicPrefix).endpoints, 1))
      .filter(({ key }) => key?.toString() === `transformation:${id}`)
      .map(({ value }) => value && platform.transformationConfig.decode(value));
    const versions = records.flatMap((record) => (record === null ? [] : [record.version]));
    expect(versions).toEqual(versions.toSorted((a, b) => a - b));
    expect(versions.length).toBeGreaterThan(0);
    // A tombstone, and nothing behind it that would bring it back.
    expect(records.at(-1)).toBeNull();
  });

  it('appends events that a stock reader of the binding understands, also for a tenant made a moment ago elsewhere', async () => {
    await call(0, 'POST', '/v1/tenants', { id: 'fresh', name: 'Fresh' });
    const answer = await call(1, 'POST', '/v1/events', note('e1', 'fresh'), structured);
    expect(answer.status).toBe(202);
    expect(await answer.json()).toEqual({ accepted: [{ id: 'e1', source: '/notes', type: 'note.added' }] });
    const [record] = await recordsOf(topicNames(config.topicPrefix).events, 3);
    expect(record?.key?.toString()).toBe('fresh');
    expect(parseKafkaEvent(record!, { maxBytes: 10_000 })).toMatchObject({
      ok: true,
      event: { id: 'e1', type: 'note.added', tenantid: 'fresh' },
    });
  });

  it('finishes what is under way when it stops, and nothing acknowledged is missing', async () => {
    const logger = createLogger({ name: 'api', level: 'silent' });
    const third = await startApp(apiApp, config, logger);
    const place = apis.push(third) - 1;
    const sent = Array.from({ length: 200 }, (_, n) =>
      call(place, 'POST', '/v1/events', note(`stop-${n}`), structured).then(
        ({ status }) => ({ id: `stop-${n}`, status }),
        () => ({ id: `stop-${n}`, status: 0 }),
      ),
    );
    // Some are answered, others under way or not taken yet.
    await Promise.any(sent);
    await third.close();
    apis.pop();
    const acknowledged = (await Promise.all(sent)).filter(({ status }) => status === 202).map(({ id }) => id);
    expect(acknowledged.length).toBeGreaterThan(0);
    const records = await recordsOf(topicNames(config.topicPrefix).events, 3);
    const ids = new Set(records.map(({ headers }) => headers['ce_id']?.toString()));
    expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
    // Whoever got no answer was not taken at all.
    expect([...ids].filter((id) => id?.startsWith('stop-') && !acknowledged.includes(id))).toEqual([]);
  });
});
