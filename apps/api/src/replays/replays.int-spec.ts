// Real: Nest, Fastify, PostgreSQL, repositories, Kafka. Doubled: the schema registry. Given by hand: what dispatchers write.
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { topicNames, type TopicNames } from '#libs/contracts';
import { connectKafka, type KafkaLog, type LogRecord, type RecordSender } from '#libs/kafka';
import { connectDatabase, Projection, ReplayParts, type Database } from '#libs/persistence';
import { uniquePrefix } from '#libs/testing';
import { testCodec } from '../../test/event-codec.js';
import { startApiOn, type TestApi } from '../../test/start-api.js';

let api: TestApi<KafkaLog>;
let database: Database;
let kafka: KafkaLog;
let sender: RecordSender;
let names: TopicNames;
let endpoints: string[];

beforeAll(async () => {
  kafka = connectKafka({ brokers: inject('kafkaBrokers').split(','), clientId: 'test' });
  const settings = {
    POSTHORN_EVENT_PARTITIONS: '3',
    POSTHORN_DELIVERY_PARTITIONS: '2',
    POSTHORN_TOPIC_PREFIX: `${uniquePrefix()}replays`,
  };
  const administration = kafka.administration();
  api = await startApiOn(kafka, settings, (topics) => administration.ensure(topics));
  await administration.close();
  names = topicNames(api.config.topicPrefix);
  sender = kafka.sender();
  database = await connectDatabase(api.databaseUrl);
  for (const id of ['acme', 'other', 'idle']) await api.call('POST', '/v1/tenants', { id, name: id });
  endpoints = [];
  for (const [tenantId, eventTypes] of [
    ['acme', ['note.*']],
    ['acme', ['note.added', 'task.updated']],
    ['other', ['*']],
  ] as const) {
    const { body } = await api.call('POST', '/v1/endpoints', { tenantId, url: 'https://x.example/', eventTypes });
    endpoints.push(body['id'] as unknown as string);
  }
});
afterAll(async () => {
  await database?.close();
  await sender?.close();
  await api?.close();
});
beforeEach(async () => {
  await new Projection(database).drop();
  await database.session.query('TRUNCATE replays, replay_partitions, source_partitions');
});

interface Given {
  readonly id?: string;
  readonly tenant?: string;
  readonly type?: string;
  readonly subject?: string;
  readonly data?: object;
}

let serial = 0;
const anEvent = (partition: number, given: Given = {}) => ({
  topic: names.events,
  partition,
  key: given.tenant ?? 'acme',
  value: Buffer.from(JSON.stringify(given.data ?? { text: 'x' })),
  headers: {
    'content-type': 'application/json',
    ce_specversion: '1.0',
    ce_id: given.id ?? `e-${(serial += 1)}`,
    ce_source: '/notes',
    ce_type: given.type ?? 'note.added',
    ...(given.subject === undefined ? {} : { ce_subject: given.subject }),
  },
});
const append = (...events: ReturnType<typeof anEvent>[]) => sender.send(events);
const endsOf = async (): Promise<number[]> => {
  const reader = kafka.reader();
  const bounds = await reader.bounds([0, 1, 2].map((partition) => ({ topic: names.events, partition })));
  await reader.close();
  return bounds.map(({ end }) => end);
};
const configurations = async (): Promise<LogRecord[]> => {
  const reader = kafka.reader();
  const at = { topic: names.endpoints, partition: 0 };
  const [bounds] = await reader.bounds([at]);
  const records: LogRecord[] = [];
  for await (const batch of reader.range(at, bounds!.start, bounds!.end)) records.push(...batch);
  await reader.close();
  return records;
};

const replay = (body: object) => api.call('POST', '/v1/replays', { tenantId: 'acme', ...body });
const dryRun = async (body: object) => {
  const { status, body: answer } = await replay({ dryRun: true, ...body });
  expect(status, JSON.stringify(answer)).toBe(200);
  return answer as Record<string, unknown>;
};
const faults = (body: { readonly [name: string]: unknown }): unknown[] =>
  (body['errors'] as { pointer?: string; code: string }[]).map((e) => [e.pointer, e.code]);
const here = async (): Promise<{ from: string; begins: number[] }> => {
  // Append times are whole milliseconds, and the broker's clock is ours.
  await new Promise((resolve) => setTimeout(resolve, 5));
  const from = new Date().toISOString();
  return { from, begins: await endsOf() };
};

describe('a replay of events', () => {
  it('names the offsets of a window of time as it stands in the log, and tells dispatchers', async () => {
    const { from, begins } = await here();
    await append(anEvent(0), anEvent(0), anEvent(2));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const to = new Date().toISOString();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await append(anEvent(0), anEvent(1));
    const rateLimit = { limit: 5, per: 'second' };
    const filter = { prefix: { source: '/notes' } };
    const body = { from, to, rateLimit, filter, eventTypes: ['note.*'], newIds: true, description: 'again' };
    const { status, body: created } = await replay(body);
    expect(status).toBe(201);
    const id = created['id'] as unknown as string;
    expect(created).toEqual({
      id: expect.stringMatching(/^replay:[0-9a-f-]{36}$/) as string,
      tenantId: 'acme',
      source: 'events',
      state: 'running',
      description: 'again',
      endpointIds: endpoints.slice(0, 2),
      eventTypes: ['note.*'],
      filter,
      selection: null,
      rateLimit: { limit: 5, per: 'second', burst: 5 },
      newIds: true,
      asConfigured: 'now',
      window: { from, to },
      partitions: [
        { partition: 0, from: begins[0], to: begins[0]! + 2, position: begins[0], done: false },
        { partition: 2, from: begins[2], to: begins[2]! + 1, position: begins[2], done: false },
      ],
      gap: null,
      progress: {
        scanned: 0,
        matched: 0,
        sent: 0,
        delivered: 0,
        failed: 0,
        dropped: 0,
        remaining: { records: 3, deliveries: 0 },
        rate: 0,
        expectedEnd: null,
      },
      revision: 1,
      createdAt: expect.stringMatching(/Z$/) as string,
      updatedAt: created['createdAt'],
      finishedAt: null,
    });
    expect((await api.call('GET', `/v1/replays/${id}`)).body).toEqual(created);
    expect((await api.call('GET', '/v1/replays?tenantId=acme')).body).toEqual({ data: [created], nextCursor: null });
    expect((await api.call('GET', '/v1/replays?tenantId=other')).body).toEqual({ data: [], nextCursor: null });
    const parts = await new ReplayParts(database).parts(2);
    expect(parts).toMatchObject([{ replayId: id, partition: 2, filter, incarnation: 0, source: 'events' }]);
    const { codec } = await testCodec();
    const record = (await configurations()).findLast(({ key }) => key?.toString() === id);
    expect(codec.platform.replayConfig.decode(record!.value!)).toMatchObject({ state: 'running', tenantId: 'acme' });
  });

  it('never reaches beyond the end of the log, and takes the incarnation from the dispatchers', async () => {
    await append(anEvent(1));
    const [, end] = await endsOf();
    const administration = kafka.administration();
    const at = { topic: names.events, partition: 1, offset: 0, metadata: '1;4;-' };
    await administration.setCommits(`${api.config.topicPrefix}.dispatcher`, [at]);
    await administration.close();
    const partitions = [{ partition: 1, from: end! - 1, to: end! + 1_000 }];
    const { body } = await replay({ partitions });
    expect(body).toMatchObject({
      window: { partitions: [{ partition: 1, from: end! - 1, to: end }] },
      partitions: [{ from: end! - 1, to: end }],
    });
    expect(await new ReplayParts(database).parts(1)).toMatchObject([{ incarnation: 4 }]);
    const none = await replay({ partitions: [{ partition: 1, from: end! + 5 }] });
    expect([none.status, none.body['code']]).toEqual([409, 'nothing-to-replay']);
  });

  it('is steered, with a record for each change, until it has ended', async () => {
    const { from } = await here();
    await append(anEvent(0));
    const { body } = await replay({ from, endpointIds: [endpoints[0]] });
    const id = body['id'] as unknown as string;
    const call = async (method: string, path: string, patch?: object) => {
      const answer = await api.call(method, `/v1/replays/${id}${path}`, patch);
      return [answer.status, answer.body['state'] ?? answer.body['code'], answer.body['revision']];
    };
    expect(await call('POST', '/pause')).toEqual([200, 'paused', 2]);
    expect(await call('POST', '/pause')).toEqual([200, 'paused', 2]);
    expect(await call('PATCH', '', { rateLimit: { limit: 2, per: 'minute' } })).toEqual([200, 'paused', 3]);
    expect(await call('PATCH', '', { rateLimit: { limit: 3 } })).toEqual([200, 'paused', 4]);
    expect(await call('PATCH', '', {})).toEqual([200, 'paused', 4]);
    const wrong = await api.call('PATCH', `/v1/replays/${id}`, { rateLimit: { limit: 0 }, state: 'x' });
    expect(faults(wrong.body)).toEqual([['/state', 'unknown-field']]);
    expect(faults((await api.call('PATCH', `/v1/replays/${id}`, { rateLimit: { limit: 0 } })).body)).toEqual([
      ['/rateLimit/limit', 'invalid'],
    ]);
    expect(await call('POST', '/resume')).toEqual([200, 'running', 5]);
    expect(await call('PATCH', '', { rateLimit: null })).toEqual([200, 'running', 6]);
    expect(await call('POST', '/cancel')).toEqual([200, 'cancelled', 7]);
    expect(await call('POST', '/cancel')).toEqual([200, 'cancelled', 7]);
    expect(await call('POST', '/resume')).toEqual([409, 'replay-ended', undefined]);
    const { codec } = await testCodec();
    const seen = (await configurations()).filter(({ key }) => key?.toString() === id);
    const decoded = seen.map(({ value }) => codec.platform.replayConfig.decode(value!));
    expect(decoded.at(-1)).toMatchObject({ state: 'cancelled', rateLimit: null, revision: 7 });
    expect(decoded.find(({ revision }) => revision === 4)?.rateLimit).toEqual({ limit: 3, per: 'minute', burst: 1 });
    // Its dispatcher ends it without having sent anything: nobody has to ask for that to be noticed.
    await database.session.query('INSERT INTO source_partitions VALUES (0, 1)');
    const [part] = await new ReplayParts(database).parts(0);
    const { replayId, partition, to: position, scanned, matched, sent } = part!;
    await new ReplayParts(database).checkpoint(0, 1, {
      replayId,
      partition,
      position,
      scanned,
      matched,
      sent,
      done: true,
      replayed: [],
    });
    const tombstone = async () => (await configurations()).findLast(({ key }) => key?.toString() === id)?.value;
    await expect.poll(tombstone, { timeout: 10_000 }).toBeNull();
    expect((await api.call('GET', `/v1/replays/${id}`)).body).toMatchObject({
      state: 'cancelled',
      finishedAt: expect.stringMatching(/Z$/) as string,
    });
    for (const [method, path] of [
      ['GET', '/v1/replays/replay:none'],
      ['POST', '/v1/replays/replay:none/pause'],
    ] as const) {
      expect((await api.call(method, path)).body['code']).toBe('not-found');
    }
  });

  it('tells of its progress', async () => {
    const { from, begins } = await here();
    await append(...Array.from({ length: 10 }, () => anEvent(0)));
    const { body } = await replay({ from, endpointIds: [endpoints[0]] });
    const replayId = body['id'] as unknown as string;
    await database.session.query('INSERT INTO source_partitions VALUES (0, 1)');
    const at = { replayId, partition: 0, scanned: 8, matched: 6, sent: 6, done: false, replayed: [] };
    await new ReplayParts(database).checkpoint(0, 1, { ...at, position: begins[0]! + 8 });
    await database.session.query(
      `INSERT INTO deliveries (delivery_id, webhook_id, tenant_id, endpoint_id, stream, event_id, event_source, event_type,
         status, attempts, accepted_at, dispatched_at, completed_at)
       SELECT 'd' || i, 'w', 'acme', 'ep', $1, 'e', '/s', 't', status, 1, now(), now(),
         CASE WHEN status <> 'pending' THEN now() END
       FROM unnest(ARRAY['delivered', 'delivered', 'dead-lettered', 'pending']) WITH ORDINALITY AS d (status, i)`,
      [replayId],
    );
    const { body: seen } = await api.call('GET', `/v1/replays/${encodeURIComponent(replayId)}`);
    expect(seen).toMatchObject({
      state: 'running',
      progress: {
        scanned: 8,
        matched: 6,
        sent: 6,
        delivered: 2,
        failed: 1,
        dropped: 0,
        remaining: { records: 2, deliveries: 3 },
        expectedEnd: expect.stringMatching(/Z$/) as string,
      },
    });
    expect((seen['progress'] as unknown as { rate: number }).rate).toBeGreaterThan(0);
    await new ReplayParts(database).checkpoint(0, 1, { ...at, position: begins[0]! + 10, done: true });
    expect((await api.call('GET', `/v1/replays/${replayId}`)).body['state']).toBe('delivering');
    await database.session.query(
      `UPDATE deliveries SET status = 'dropped', completed_at = now() WHERE status = 'pending'`,
    );
    await database.session.query(`UPDATE replay_partitions SET sent = 4`);
    const state = async () => (await api.call('GET', `/v1/replays/${replayId}`)).body['state'];
    await expect.poll(state, { timeout: 10_000 }).toBe('completed');
  });

  it.each<[object, unknown[]]>([
    [{}, [['/from', 'required']]],
    [{ from: 'yesterday' }, [['/from', 'invalid']]],
    [{ from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' }, [['/to', 'invalid']]],
    [{ from: '2026-01-01T00:00:00Z', partitions: [{ partition: 0, from: 0 }] }, [['/from', 'not-here']]],
    [{ partitions: [{ partition: 0, from: 5, to: 5 }] }, [['/partitions/0/to', 'invalid']]],
    [{ partitions: [{ partition: 0, from: -1 }] }, [['/partitions/0/from', 'too-small']]],
    [{ partitions: [0, 0].map((partition) => ({ partition, from: 0 })) }, [['/partitions', 'invalid']]],
    [{ partitions: [{ partition: 3, from: 0 }] }, [['/partitions/0/partition', 'too-big']]],
    [{ from: '2026-01-01T00:00:00Z', eventTypes: ['note.*', 'a*'] }, [['/eventTypes/1', 'invalid']]],
    [{ from: '2026-01-01T00:00:00Z', filter: { all: [{ sql: 'x' }] } }, [['/filter/all/0/sql', 'unknown-dialect']]],
    [{ from: '2026-01-01T00:00:00Z', filter: [{ exact: { 'a/b': '' } }] }, [['/filter/0/exact/a~1b', 'invalid']]],
    [{ from: '2026-01-01T00:00:00Z', rateLimit: { limit: 5 } }, [['/rateLimit/per', 'not-one-of']]],
    [{ from: '2026-01-01T00:00:00Z', endpointIds: ['nobody'] }, [['/endpointIds/0', 'unknown-endpoint']]],
    [{ from: '2026-01-01T00:00:00Z', tenantId: 'nobody' }, [['/tenantId', 'unknown-tenant']]],
    [{ source: 'dead-letters', filter: { exact: { id: 'a' } } }, [['/filter', 'not-here']]],
    [{ source: 'dead-letters', asConfigured: 'then' }, [['/asConfigured', 'not-here']]],
    [{ source: 'queue', from: '2026-01-01T00:00:00Z' }, [['/source', 'not-one-of']]],
  ])('is refused: %j', async (body, expected) => {
    const { status, body: problem } = await replay(body);
    expect([status, faults(problem)]).toEqual([422, expected]);
    expect((await api.call('GET', '/v1/replays')).body['data']).toEqual([]);
  });

  it('is not made for an endpoint of another tenant, nor for a tenant without any', async () => {
    const from = '2026-01-01T00:00:00Z';
    expect(faults((await replay({ from, endpointIds: [endpoints[0], endpoints[2]] })).body)).toEqual([
      ['/endpointIds/1', 'unknown-endpoint'],
    ]);
    expect((await replay({ from, tenantId: 'idle' })).body['code']).toBe('nothing-to-replay');
  });
});

describe('a dry run', () => {
  it('counts exactly what would be sent, and sends and keeps nothing', async () => {
    const { from, begins } = await here();
    const before = (await configurations()).length;
    await append(
      anEvent(0, { id: 'a', subject: 's1' }),
      anEvent(0, { id: 'a', subject: 's1' }),
      anEvent(0, { tenant: 'other' }),
      anEvent(0, { type: 'task.updated' }),
      anEvent(0, { data: { text: 7 } }),
      anEvent(0, { subject: 's2' }),
      anEvent(1, { id: 'a' }),
      anEvent(1, { type: 'note.removed' }),
    );
    await sender.send([{ topic: names.events, partition: 1, key: 'acme', value: Buffer.from('junk') }]);
    const found = await dryRun({ from });
    const [first, second] = endpoints;
    const byEndpoint = (a: { endpointId: string }, b: { endpointId: string }) => (a.endpointId < b.endpointId ? -1 : 1);
    expect(found).toMatchObject({
      dryRun: true,
      partial: false,
      window: { from, to: null },
      partitions: [
        { partition: 0, from: begins[0], to: begins[0]! + 6 },
        { partition: 1, from: begins[1], to: begins[1]! + 3 },
      ],
      gap: null,
      records: { inWindow: 9, read: 9 },
      deliveries: 6,
      // note.removed and task.updated have no schema: a dispatcher would refuse them. So does it what is not of its type.
      counts: [first, second]
        .map((endpointId) => ({ endpointId: endpointId!, eventType: 'note.added', deliveries: 3 }))
        .sort(byEndpoint),
      repeats: 1,
      rejected: 3,
      estimate: { seconds: 1, basis: 'assumption', perSecond: 500 },
    });
    const samples = found['samples'] as unknown as {
      endpointId: string;
      partition: number;
      offset: number;
      event: object;
    }[];
    const places = samples.map(({ partition, offset }) => `${partition}:${offset - begins[partition]!}`);
    expect(places.sort()).toEqual(['0:0', '0:0', '0:5', '0:5', '1:0', '1:0']);
    expect(samples[0]).toEqual({
      endpointId: [first, second].sort()[0],
      event: { id: 'a', source: '/notes', type: 'note.added', time: null },
      partition: 0,
      offset: begins[0],
      appendedAt: expect.stringMatching(/Z$/) as string,
    });
    expect(await dryRun({ from, filter: { exact: { subject: 's2' } } })).toMatchObject({ deliveries: 2 });
    expect(await dryRun({ from, endpointIds: [first] })).toMatchObject({ deliveries: 3 });
    expect(await dryRun({ from, eventTypes: ['task.*'] })).toMatchObject({ deliveries: 0, rejected: 1 });
    expect(await dryRun({ from, rateLimit: { limit: 1, per: 'minute' } })).toMatchObject({
      estimate: { seconds: 120, basis: 'rate-limit', perSecond: 1 / 60 },
    });
    expect((await api.call('GET', '/v1/replays')).body['data']).toEqual([]);
    expect(await configurations()).toHaveLength(before);
  });

  it('counts as configured then, when it is told to', async () => {
    const { body } = await api.call('POST', '/v1/endpoints', {
      tenantId: 'acme',
      url: 'https://x.example/',
      eventTypes: ['task.*'],
    });
    const id = body['id'] as unknown as string;
    const { from } = await here();
    await append(anEvent(0));
    await here();
    await api.call('PATCH', `/v1/endpoints/${id}`, { eventTypes: ['note.added'] });
    await here();
    await append(anEvent(0), anEvent(1));
    expect(await dryRun({ from, endpointIds: [id] })).toMatchObject({ deliveries: 3 });
    expect(await dryRun({ from, endpointIds: [id], asConfigured: 'then' })).toMatchObject({ deliveries: 2 });
    await api.call('DELETE', `/v1/endpoints/${id}`);
  });

  it('and the replay tell what retention has taken, by number where offsets tell, else by time', async () => {
    await append(anEvent(2));
    const { from, begins } = await here();
    await append(...Array.from({ length: 6 }, () => anEvent(2)));
    await here();
    await append(anEvent(2));
    const start = begins[2]! + 4;
    const administration = kafka.administration();
    await administration.deleteRecordsBefore([{ topic: names.events, partition: 2, offset: start }]);
    await administration.close();
    const partitions = [{ partition: 2, from: begins[2]!, to: begins[2]! + 7 }];
    const gap = [{ partition: 2, records: 4, from: null, until: null }];
    expect(await dryRun({ partitions })).toMatchObject({ gap, records: { inWindow: 3 }, deliveries: 6 });
    const created = await replay({ partitions });
    expect(created.body).toMatchObject({ gap, window: { partitions }, partitions: [{ from: start }] });
    expect((await api.call('GET', `/v1/replays/${String(created.body['id'])}`)).body).toMatchObject({ gap });
    const byTime = await dryRun({ from });
    expect(byTime).toMatchObject({ gap: [{ partition: 2, records: null, from }], records: { inWindow: 3 } });
    const [{ until }] = byTime['gap'] as [{ until: string }];
    expect(Date.parse(until)).toBeGreaterThan(Date.parse(from));
    // After what is left begins there is nothing that could be missing.
    expect(await dryRun({ from: until })).toMatchObject({ gap: null, records: { inWindow: 3 } });
    const gone = await replay({ partitions: [{ partition: 2, from: begins[2]!, to: start }] });
    expect([gone.status, gone.body['code']]).toEqual([409, 'nothing-to-replay']);
    expect(String(gone.body['detail'])).toContain('retention');
  });
});
