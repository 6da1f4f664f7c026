/**
 * The api under requests that schemathesis makes out of its OpenAPI document: fit ones, and ones that break each rule of it.
 * Real: the api behind its socket, PostgreSQL, Kafka, the schema registry, schemathesis. Doubled: nothing.
 * `npm test -- fuzz --examples 500 --seed 3` plays longer, and others.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { connectKafka, type KafkaLog } from '#libs/kafka';
import { connectDatabase, type Database } from '#libs/persistence';
import { applySchemas, connectSchemaCodec } from '#libs/schema-codec';
import { uniquePrefix } from '#libs/testing';
import { furnish, type Owned } from '../access-world.js';
import { noteAdded } from '../event-codec.js';
import { operatorKey, startApiOn, type TestApi } from '../start-api.js';
import { fuzzDocument } from './fuzz-document.js';
import { Schemathesis, type FuzzReport } from './schemathesis.js';

declare module 'vitest' {
  interface ProvidedContext {
    fuzz: { readonly examples: number; readonly seed: number };
  }
}
const { examples, seed } = inject('fuzz');
let schemathesis: Schemathesis | string;
let api: TestApi<KafkaLog>;
let database: Database;
let url: string;

beforeAll(async () => {
  schemathesis = await Schemathesis.install();
  if (typeof schemathesis === 'string') return;
  const registryUrl = inject('schemaRegistryUrl');
  const eventsFolder = await mkdtemp(join(tmpdir(), 'posthorn-events-'));
  await writeFile(join(eventsFolder, 'note.added.avsc'), JSON.stringify(noteAdded));
  await applySchemas({ registryUrl, eventsFolder });
  await rm(eventsFolder, { recursive: true });
  const kafka = connectKafka({ brokers: inject('kafkaBrokers').split(','), clientId: 'test' });
  const administration = kafka.administration();
  const settings = {
    POSTHORN_EVENT_PARTITIONS: '3',
    POSTHORN_DELIVERY_PARTITIONS: '1',
    POSTHORN_TOPIC_PREFIX: `${uniquePrefix()}fuzz`,
    POSTHORN_API_RATE_LIMIT: '10000000',
    POSTHORN_LOG_LEVEL: 'error',
    // No worker is there to send any.
    POSTHORN_TEST_TIMEOUT_MS: '100',
  };
  const codec = await connectSchemaCodec({ registryUrl });
  api = await startApiOn(kafka, settings, (topics) => administration.ensure(topics), codec);
  await administration.close();
  await api.app.listen(0, '127.0.0.1');
  url = await api.app.getUrl();
  database = await connectDatabase(api.databaseUrl);
}, 180_000);
afterAll(async () => {
  await database?.close();
  await api?.close();
});

async function sendEvent(tenantid: string): Promise<number> {
  const event = { specversion: '1.0', id: 'first', source: '/notes', type: 'note.added', tenantid };
  const type = { 'content-type': 'application/cloudevents+json' };
  return (await api.call('POST', '/v1/events', { ...event, data: { text: 'hello' } }, type)).status;
}

/** A new tenant with several of everything, since some of it will be deleted. */
async function furnished(tenantId: string): Promise<readonly Owned[]> {
  await api.call('POST', '/v1/tenants', { id: tenantId, name: tenantId });
  await vi.waitFor(async () => expect(await sendEvent(tenantId)).toBe(202), { timeout: 30_000, interval: 100 });
  const owned: Owned[] = [];
  for (let n = 0; n < 3; n += 1) owned.push(await furnish(api, database, tenantId));
  return owned;
}

/** A test send waits for a worker, and there is none. */
const noWorker = ['testEndpoint'];

/** What it found must be read in full. */
function expectClean(report: FuzzReport): void {
  if (report.failures.length > 0) throw new Error(`${report.failures.join(', ')}\n${report.text}`);
}

describe('the api, fuzzed', { timeout: 240_000 + examples * 20_000 }, () => {
  it('answers the platform as its document says, and takes nothing that the document does not allow', async (context) => {
    if (typeof schemathesis === 'string') return context.skip(schemathesis);
    const document = fuzzDocument(await furnished('acme'), 'bare');
    const phases = ['coverage', 'fuzzing'] as const;
    const given = { document, url, bearer: operatorKey, seed, examples, phases, without: noWorker };
    const report = await schemathesis.run(given);
    expectClean(report);
    expect(report.testedOperations).toBe(operationsOf(document) - 1);
    // Else most of it would have been refused at the door, and said little.
    expect(report.acceptedOperations.length).toBeGreaterThan(report.testedOperations * 0.8);
  });

  it('never fails for a tenant, whatever a request carries', async (context) => {
    if (typeof schemathesis === 'string') return context.skip(schemathesis);
    const document = fuzzDocument(await furnished('globex'), 'whole');
    const { body } = await api.call('POST', '/v1/keys', { name: 'fuzz', tenantId: 'globex', scopes: ['*'] });
    const checks = ['not_a_server_error', 'status_code_conformance', 'content_type_conformance'];
    const bearer = String(body['key']);
    // It would find its own key in the list of them, and be left without.
    const without = [...noWorker, 'revokeKey'];
    const given = { document, url, bearer, seed, examples, phases: ['fuzzing'] as const, checks, without };
    const report = await schemathesis.run(given);
    expectClean(report);
    expect(report.testedOperations).toBe(operationsOf(document) - 2);
    // Most of what is made up names things that there are not; all of it being refused would say little.
    expect(report.acceptedOperations.length).toBeGreaterThan(10);
  });

  it('would have found a status and a field that the document does not know', async (context) => {
    if (typeof schemathesis === 'string') return context.skip(schemathesis);
    const document = fuzzDocument(await furnished('initech'), 'bare') as Document;
    const operation = document.paths['/v1/tenants/{id}']!['get']!;
    delete operation.responses['404'];
    operation.responses['200'] = {
      description: 'Not what is answered.',
      content: { 'application/json': { schema: { type: 'object', properties: { id: { type: 'integer' } } } } },
    };
    const given = { document, url, bearer: operatorKey, seed, examples: 5, phases: ['coverage'] as const };
    const report = await schemathesis.run({ ...given, operationId: operation.operationId });
    expect(report.failures.toSorted()).toEqual(['ST103', 'ST108']);
    expect(report.text).toContain('Undocumented status code');
  });
});

interface Document {
  readonly paths: Record<string, Record<string, { operationId: string; responses: Record<string, object> }>>;
}

const operationsOf = (document: object): number =>
  Object.values((document as Document).paths).flatMap((operations) => Object.values(operations)).length;
