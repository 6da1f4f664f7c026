// Real: everything: Nest, Fastify, PostgreSQL, Kafka, the schema registry.
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { projectRoot } from '#libs/config';
import { topicNames } from '#libs/contracts';
import { connectKafka, type KafkaLog, type RecordSender } from '#libs/kafka';
import { applySchemas, connectSchemaCodec, type SchemaCodec } from '#libs/schema-codec';
import { uniquePrefix } from '#libs/testing';
import { startApiOn, type TestApi } from '../../test/start-api.js';

// The example's task.updated, with its three versions, under a namespace of this test's own: the registry is shared.
const namespace = uniquePrefix().replaceAll(/[^a-z0-9]/g, '');
const [updated, noted] = [`${namespace}.updated`, `${namespace}.noted`];
const registryUrl = inject('schemaRegistryUrl');
let folder: string;
let codec: SchemaCodec;
let kafka: KafkaLog;
let sender: RecordSender;
let api: TestApi<KafkaLog>;
let task: object;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'posthorn-events-'));
  await writeTypes();
  await applySchemas({ registryUrl, eventsFolder: folder });
  codec = await connectSchemaCodec({ registryUrl });
  kafka = connectKafka({ brokers: inject('kafkaBrokers').split(','), clientId: 'test' });
  sender = kafka.sender();
  const settings = {
    POSTHORN_EVENT_PARTITIONS: '3',
    POSTHORN_DELIVERY_PARTITIONS: '1',
    POSTHORN_TOPIC_PREFIX: `${uniquePrefix()}types`,
    POSTHORN_EVENTS_DIR: folder,
  };
  const administration = kafka.administration();
  api = await startApiOn(kafka, settings, (topics) => administration.ensure(topics), codec);
  await administration.close();
  for (const id of ['acme', 'other']) await api.call('POST', '/v1/tenants', { id, name: id });
});
afterAll(async () => {
  await sender?.close();
  await api?.close();
  await rm(folder, { recursive: true, force: true });
});

async function writeTypes(): Promise<void> {
  const events = join(projectRoot(), 'schemas/events');
  for (const file of await readdir(events, { recursive: true })) {
    if (!/(^|\/)task\.updated(\.avsc|\.meta\.json|\/\d+\.avsc)$/.test(file)) continue;
    const own = join(folder, file.replaceAll('task.updated', updated));
    await mkdir(dirname(own), { recursive: true });
    await cp(join(events, file), own);
    const text = await readFile(own, 'utf8');
    await writeFile(own, text.replace('"namespace": "task"', `"namespace": "${namespace}"`));
  }
  const meta = JSON.parse(await readFile(join(folder, `${updated}.meta.json`), 'utf8')) as {
    examples: Record<string, object[]>;
  };
  task = meta.examples['3']![0]!;
  const fields = [{ name: 'text', type: 'string' }];
  const schema = { type: 'record', namespace, name: 'noted', doc: 'Somebody noted something.', fields };
  await writeFile(join(folder, `${noted}.avsc`), JSON.stringify(schema));
  const noteMeta = { owner: 'notes', status: 'deprecated', since: '2026-09-01', successor: updated, examples: {} };
  await writeFile(join(folder, `${noted}.meta.json`), JSON.stringify(noteMeta));
}

const get = async (path: string) => {
  const { status, body } = await api.call('GET', path);
  expect({ status, body }).toMatchObject({ status: 200 });
  return body as Record<string, unknown>;
};

describe('event types', () => {
  it('are listed with what is said of them, in pages', async () => {
    const shown: unknown[] = [];
    for (let cursor = ''; ;) {
      const page = await get(`/v1/event-types?limit=2${cursor}`);
      const nextCursor = page['nextCursor'] as string | null;
      shown.push(...(page['data'] as unknown[]));
      if (nextCursor === null) break;
      cursor = `&cursor=${nextCursor}`;
    }
    const types = shown.map((one) => (one as { type: string }).type);
    expect(types).toEqual(types.toSorted());
    expect(new Set(types).size).toBe(types.length);
    expect(types.filter((type) => type.startsWith('posthorn.'))).toEqual([]);
    const own = shown.filter((one) => (one as { type: string }).type.startsWith(namespace));
    expect(own).toEqual([
      {
        type: noted,
        description: 'Somebody noted something.',
        owner: 'notes',
        status: 'deprecated',
        deprecated: { since: '2026-09-01', successor: updated },
        newest: 1,
        versions: [1],
      },
      {
        type: updated,
        description: 'Fields of a task changed.',
        owner: 'tasks team',
        status: 'active',
        deprecated: null,
        newest: 3,
        versions: [1, 2, 3],
      },
    ]);
    expect(await get(`/v1/event-types/${updated}`)).toEqual(own[1]);
    const deprecated = (await get('/v1/event-types?status=deprecated&limit=200'))['data'] as { type: string }[];
    expect(deprecated.map(({ type }) => type)).toContain(noted);
    expect(deprecated.map(({ type }) => type)).not.toContain(updated);
  });

  it('have versions, each with its schema, shape, examples and what differs', async () => {
    const first = await get(`/v1/event-types/${updated}/versions/1`);
    expect(first).toMatchObject({
      type: updated,
      version: 1,
      newest: 3,
      schemaId: expect.any(Number),
      difference: null,
    });
    const third = await get(`/v1/event-types/${updated}/versions/3`);
    expect(third).toMatchObject({
      avro: { namespace, name: 'updated' },
      shape: { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object' },
      difference: {
        from: 2,
        to: 3,
        changes: expect.arrayContaining([expect.objectContaining({ path: 'estimateHours', change: 'added' })]),
      },
    });
    expect((third['examples'] as object[])[0]).toEqual(task);
    expect((first['examples'] as object[])[0]).toHaveProperty('section');
    // Of the other type nobody wrote examples.
    expect((await get(`/v1/event-types/${noted}/versions/1`))['examples']).toEqual([{ text: 'text' }]);
    const back = await get(`/v1/event-types/${updated}/versions/3/difference?to=1`);
    expect(back).toMatchObject({ type: updated, from: 3, to: 1 });
    expect(back['changes']).toContainEqual(expect.objectContaining({ path: 'assignee', change: 'removed' }));
  });

  it.each([
    ['/v1/event-types/none.such', 404, 'not-found'],
    ['/v1/event-types/posthorn.Delivery', 404, 'not-found'],
    [`/v1/event-types/${updated}/versions/4`, 404, 'not-found'],
    [`/v1/event-types/${updated}/versions/latest`, 404, 'not-found'],
    [`/v1/event-types/${updated}/versions/1/difference`, 400, 'invalid-parameter'],
    [`/v1/event-types/${updated}/versions/1/difference?to=9`, 404, 'not-found'],
    ['/v1/event-types?cursor=zzz', 400, 'invalid-parameter'],
    ['/v1/event-types?status=old', 400, 'invalid-parameter'],
  ])('%s is a problem', async (path, status, code) => {
    const { status: answered, body } = await api.call('GET', path);
    expect([answered, body['code']]).toEqual([status, code]);
  });

  it('are described for consumers in both documents', async () => {
    const asyncApi = await get('/v1/event-types/asyncapi.json');
    expect(asyncApi).toMatchObject({ asyncapi: '3.0.0', operations: { [updated]: { action: 'send' } } });
    expect(asyncApi).toHaveProperty(['components', 'messages', `${updated}-v1`]);
    const openApi = await get('/v1/event-types/openapi.json');
    expect(openApi).toMatchObject({ openapi: '3.1.0', webhooks: { [noted]: { post: { deprecated: true } } } });
    expect(openApi).toHaveProperty(['components', 'schemas', `${updated}-v2`]);
  });
});

describe('a preview of a version', () => {
  it('shows real past events as they are sent now and as they would be, with what differs', async () => {
    const [first] = await codec.events.versionsOf(updated);
    const { assignee: _a, estimateHours: _e, ...common } = task as Record<string, unknown>;
    const written = first!.schema.encode({ ...common, section: 'Doing' } as never);
    if (!written.ok) throw new Error(JSON.stringify(written.faults));
    const topic = topicNames(api.config.topicPrefix).events;
    const avro = (id: string, key: string, partition: number) => ({
      topic,
      partition,
      key,
      value: written.bytes,
      headers: {
        'content-type': 'application/avro',
        ce_specversion: '1.0',
        ce_id: id,
        ce_source: '/tasks',
        ce_type: updated,
        ce_subject: 'task_42',
      },
    });
    await sender.send([avro('old-1', 'acme', 0), avro('old-2', 'acme', 2), avro('foreign', 'other', 1)]);
    // Append times are whole milliseconds: what comes now is to be later.
    await new Promise((resolve) => setTimeout(resolve, 5));
    const event = { specversion: '1.0', id: 'new', source: '/tasks', type: updated, tenantid: 'acme', data: task };
    const structured = { 'content-type': 'application/cloudevents+json' };
    expect((await api.call('POST', '/v1/events', event, structured)).status).toBe(202);
    const endpoint = { tenantId: 'acme', url: 'https://x.example/', eventTypes: [updated], versions: { [updated]: 1 } };
    const { body: created } = await api.call('POST', '/v1/endpoints', endpoint);
    const path = `/v1/endpoints/${String(created['id'])}`;
    const preview = async (body: object) => {
      const { status, body: answer } = await api.call('POST', `${path}/versions/preview`, { type: updated, ...body });
      expect({ status, answer }).toMatchObject({ status: 200 });
      return answer as unknown as {
        events: { event: { id: string }; present: { data: object }; wanted: { data: object }; diff: object[] }[];
      };
    };

    const { events, ...rest } = await preview({ version: 3 });
    expect(rest).toEqual({
      type: updated,
      present: 1,
      wanted: 3,
      lookedBack: { records: 4, since: null, partial: false },
    });
    expect(events.map(({ event: { id } }) => id)).toEqual([
      'new',
      expect.stringMatching(/^old-/),
      expect.stringMatching(/^old-/),
    ]);
    const old = events.find(({ event: { id } }) => id === 'old-2')!;
    expect(old).toEqual({
      event: { id: 'old-2', source: '/tasks', type: updated, time: null, subject: 'task_42' },
      partition: 2,
      offset: 0,
      appendedAt: expect.stringMatching(/Z$/),
      present: { version: 1, data: { ...common, section: 'Doing' } },
      wanted: { version: 3, data: { ...common, assignee: null, estimateHours: null } },
      diff: [
        { op: 'remove', path: '/section' },
        { op: 'add', path: '/assignee', value: null },
        { op: 'add', path: '/estimateHours', value: null },
      ],
    });
    // What was written in the newest version is read back in the first: its own default, and without the rest.
    expect(events[0]).toMatchObject({ present: { data: { ...common, section: null } }, wanted: { data: task } });

    expect((await preview({ version: 'latest', last: 1 })).events.map(({ event: { id } }) => id)).toEqual(['new']);
    expect((await preview({ version: 1, last: 3 })).events.map(({ diff }) => diff)).toEqual([[], [], []]);
    expect((await get(path))['revision']).toBe(1);

    expect((await get(`${path}/versions`))['data']).toMatchObject([
      { type: updated, pinned: 1, newest: 3, behind: 2, difference: { from: 1, to: 3 } },
    ]);
    const upgraded = await api.call('PATCH', path, { versions: { [updated]: 3 } });
    expect(upgraded.body['versions']).toEqual({ [updated]: 3 });
  });
});
