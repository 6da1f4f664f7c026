// Real: Nest, Fastify, PostgreSQL, repositories, Kafka. Doubled: the schema registry. Given by hand: what dispatchers, workers
// and the projector write.
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { topicNames, type DeadLetter, type TopicNames } from '#libs/contracts';
import { connectKafka, type KafkaLog, type RecordSender } from '#libs/kafka';
import { connectDatabase, Projection, ReplayParts, type Database, type DeliveryRecord } from '#libs/persistence';
import type { SchemaCodec } from '#libs/schema-codec';
import { uniquePrefix } from '#libs/testing';
import { testCodec } from '../../test/event-codec.js';
import { startApiOn, type TestApi } from '../../test/start-api.js';

let api: TestApi<KafkaLog>;
let database: Database;
let kafka: KafkaLog;
let sender: RecordSender;
let codec: SchemaCodec;
let names: TopicNames;
let endpoint: string;
let second: string;
let foreign: string;
const at = Date.UTC(2026, 0, 1);

beforeAll(async () => {
  kafka = connectKafka({ brokers: inject('kafkaBrokers').split(','), clientId: 'test' });
  const settings = {
    POSTHORN_EVENT_PARTITIONS: '2',
    POSTHORN_DELIVERY_PARTITIONS: '3',
    POSTHORN_TOPIC_PREFIX: `${uniquePrefix()}again`,
  };
  const administration = kafka.administration();
  api = await startApiOn(kafka, settings, (topics) => administration.ensure(topics));
  await administration.close();
  names = topicNames(api.config.topicPrefix);
  ({ codec } = await testCodec());
  sender = kafka.sender();
  database = await connectDatabase(api.databaseUrl);
  for (const id of ['acme', 'other']) await api.call('POST', '/v1/tenants', { id, name: id });
  const create = async (tenantId: string): Promise<string> => {
    const body = { tenantId, url: 'https://x.example/', eventTypes: ['note.*'] };
    return (await api.call('POST', '/v1/endpoints', body)).body['id'] as unknown as string;
  };
  [endpoint, second, foreign] = [await create('acme'), await create('acme'), await create('other')];
});
afterAll(async () => {
  await database?.close();
  await sender?.close();
  await api?.close();
});
beforeEach(async () => {
  await new Projection(database).drop();
  await database.session.query('TRUNCATE replays, replay_partitions, source_partitions, dead_letter_resolutions');
});

const aDelivery = (deliveryId: string, changes: Partial<DeliveryRecord> = {}): DeliveryRecord => ({
  deliveryId,
  webhookId: 'msg_1',
  tenantId: 'acme',
  endpointId: endpoint,
  stream: 'live',
  eventId: 'e-1',
  eventSource: '/notes',
  eventType: 'note.added',
  status: 'dead-lettered',
  attempts: 3,
  acceptedAt: at,
  dispatchedAt: at,
  firstAttemptAt: at,
  lastAttemptAt: at,
  completedAt: at + 1_000,
  nextAttemptAt: null,
  haltedAt: null,
  lastStatus: 500,
  lastError: null,
  deadLetterReason: 'exhausted',
  orderingKey: null,
  ...changes,
});

/** As the dead-letters topic holds it. */
const aDeadLetter = (
  record: DeliveryRecord,
  source: { stream?: string; partition?: number; offset?: number } = {},
): DeadLetter => ({
  deliveryId: record.deliveryId,
  reason: 'exhausted',
  at: record.completedAt ?? at,
  lastStatus: 500,
  lastError: 'status: no',
  delivery: {
    tenantId: record.tenantId,
    endpointId: record.endpointId,
    webhookId: record.webhookId,
    stream: source.stream ?? 'live',
    incarnation: 0,
    sourcePartition: source.partition ?? 0,
    sourceOffset: source.offset ?? 0,
    floor: 0,
    configVersion: 1,
    ordering: 'none',
    orderingKey: null,
    eventId: 'e-1',
    eventSource: '/notes',
    eventType: record.eventType,
    acceptedAt: at,
    dispatchedAt: at,
    contentType: 'application/json',
    headers: {},
    body: Buffer.from('{}'),
    renderError: null,
    attempt: 3,
    hop: 2,
    pos: 1,
    writer: null,
    dueAt: null,
    scheduleFrom: 0,
    scheduledSince: null,
    haltedAt: null,
    space: '',
  },
});

/** Appended to the real topic, in partition 1 unless told otherwise, and projected. @returns where each one stands */
async function giveUp(
  deliveries: readonly DeliveryRecord[],
  source: Parameters<typeof aDeadLetter>[1] = {},
  partition = 1,
): Promise<number[]> {
  const letters = deliveries.map((one) => aDeadLetter(one, source));
  const records = letters.map((one) => ({
    topic: names.deadLetters,
    partition,
    key: one.delivery.endpointId,
    value: codec.platform.deadLetter.encode(one),
  }));
  const places = records.length === 0 ? [] : await sender.send(records);
  await new Projection(database).apply({
    advances: [],
    attempts: [],
    disables: [],
    deliveries,
    deadLetters: letters.map((deadLetter, i) => ({ ...places[i]!, loggedAt: at, deadLetter })),
  });
  return places.map(({ offset }) => offset);
}

const ids = async (state: string): Promise<string[]> => {
  const { body } = await api.call('GET', `/v1/dead-letters?state=${state}`);
  return (body['data'] as unknown as { deliveryId: string }[]).map(({ deliveryId }) => deliveryId).sort();
};
const outcome = ({ status, body }: Awaited<ReturnType<TestApi['call']>>) => [status, body['code']];
const faults = (body: { readonly [name: string]: unknown }): unknown[] =>
  (body['errors'] as { pointer?: string; code: string }[]).map((e) => [e.pointer, e.code]);

describe('replaying dead letters', () => {
  it('names one by its place in the log, and shows it as replayed once it is sent', async () => {
    const [, offset] = await giveUp([aDelivery('a'), aDelivery('b'), aDelivery('c')]);
    const body = { rateLimit: { limit: 10, per: 'second' }, description: 'mended' };
    const { status, body: created } = await api.call('POST', '/v1/dead-letters/b/replay', body);
    expect(status).toBe(202);
    expect(created).toMatchObject({
      source: 'dead-letters',
      tenantId: 'acme',
      endpointIds: [endpoint],
      selection: { deliveryIds: ['b'], reasons: null, from: null, to: null, error: null },
      partitions: [{ partition: 1, from: offset, to: offset! + 1 }],
      rateLimit: { limit: 10, burst: 10 },
      description: 'mended',
      gap: null,
      state: 'running',
    });
    expect(await ids('open')).toEqual(['a', 'b', 'c']);
    const parts = new ReplayParts(database);
    const [part] = await parts.parts(1);
    expect([...(await parts.openDeadLetters(part!.replayId, ['a', 'b', 'c']))]).toEqual(['b']);
    await database.session.query('INSERT INTO source_partitions VALUES (1, 1)');
    const { replayId, partition, to: position } = part!;
    const sent = { scanned: 1, matched: 1, sent: 1, done: true, replayed: ['b'] };
    await parts.checkpoint(1, 1, { replayId, partition, position, ...sent });
    expect([await ids('open'), await ids('replayed')]).toEqual([['a', 'c'], ['b']]);
    expect((await api.call('GET', '/v1/dead-letters/b')).body).toMatchObject({
      state: 'replayed',
      resolution: { replayId, reason: null },
    });
    expect(outcome(await api.call('POST', '/v1/dead-letters/b/replay'))).toEqual([409, 'not-open']);
    expect(outcome(await api.call('POST', '/v1/dead-letters/none/replay'))).toEqual([404, 'not-found']);
  });

  it('takes those that are named, all of them open', async () => {
    const offsets = await giveUp([aDelivery('a'), aDelivery('b'), aDelivery('c', { endpointId: second })]);
    const [other] = await giveUp([aDelivery('d')], {}, 2);
    await api.call('POST', '/v1/dead-letters/b/discard', { reason: 'x' });
    const refused = await api.call('POST', '/v1/dead-letters/replay', { deliveryIds: ['a', 'b', 'none'] });
    expect([refused.status, faults(refused.body)]).toEqual([
      422,
      [
        ['/deliveryIds/1', 'not-open'],
        ['/deliveryIds/2', 'not-open'],
      ],
    ]);
    const { status, body } = await api.call('POST', '/v1/dead-letters/replay', {
      deliveryIds: ['a', 'c', 'd'],
      newIds: true,
    });
    expect(status).toBe(202);
    expect(body).toMatchObject({
      endpointIds: [endpoint, second].sort(),
      newIds: true,
      partitions: [
        { partition: 1, from: offsets[0], to: offsets[2]! + 1 },
        { partition: 2, from: other, to: other! + 1 },
      ],
    });
    // Partition 2 of dead letters is moved by the owner of partition 0 of events, of which there are two.
    expect(await new ReplayParts(database).parts(0)).toMatchObject([{ partition: 2, incarnation: 0 }]);
  });

  it('takes all that match the filter of the list, of one tenant', async () => {
    const offsets = await giveUp([
      aDelivery('a'),
      aDelivery('b', { eventType: 'note.removed' }),
      aDelivery('c', { deadLetterReason: 'gone' }),
      aDelivery('d', { completedAt: at + 5_000 }),
      aDelivery('e', { tenantId: 'other', endpointId: foreign }),
    ]);
    const replay = async (filter: object) => {
      const answer = await api.call('POST', '/v1/dead-letters/replay', { filter });
      const { partitions } = answer.body as { partitions?: { from: number; to: number }[] };
      return partitions === undefined ? outcome(answer) : partitions.map(({ from, to }) => [from, to - from]);
    };
    expect(await replay({ endpointId: endpoint })).toEqual([[offsets[0], 4]]);
    expect(await replay({ eventType: 'note.removed' })).toEqual([[offsets[1], 1]]);
    expect(await replay({ reason: 'gone' })).toEqual([[offsets[2], 1]]);
    expect(await replay({ from: '2026-01-01T00:00:05Z' })).toEqual([[offsets[3], 1]]);
    expect(await replay({ tenantId: 'acme', to: '2026-01-01T00:00:05Z' })).toEqual([[offsets[0], 3]]);
    expect(await replay({ error: 'status' })).toEqual([422, 'invalid-body']);
    expect(await replay({ error: 'nowhere' })).toEqual([409, 'nothing-to-replay']);
    const parts = new ReplayParts(database);
    const [, ofType] = await parts.parts(1);
    expect(ofType).toMatchObject({ eventTypes: ['note.removed'], selection: null });
    for (const body of [
      {},
      { filter: {} },
      { filter: { tenantId: 'acme' }, deliveryIds: ['a'] },
      { deliveryIds: [] },
    ]) {
      expect((await api.call('POST', '/v1/dead-letters/replay', body)).status).toBe(422);
    }
  });

  it('is also a replay of a tenant, with a dry run that counts by the projection', async () => {
    const offsets = await giveUp([aDelivery('a'), aDelivery('b'), aDelivery('c', { endpointId: second })]);
    await giveUp([aDelivery('x', { tenantId: 'other', endpointId: foreign })]);
    const asked = { tenantId: 'acme', source: 'dead-letters', eventTypes: ['note.*'] };
    const found = await api.call('POST', '/v1/replays', {
      ...asked,
      dryRun: true,
      rateLimit: { limit: 1, per: 'minute' },
    });
    expect(found.status).toBe(200);
    expect(found.body).toMatchObject({
      source: 'dead-letters',
      partial: false,
      records: { inWindow: 3, read: 3 },
      deliveries: 3,
      counts: [
        { endpointId: endpoint, eventType: 'note.added', deliveries: 2 },
        { endpointId: second, eventType: 'note.added', deliveries: 1 },
      ],
      estimate: { seconds: 60, basis: 'rate-limit' },
    });
    expect(found.body['samples']).toHaveLength(3);
    expect((await api.call('GET', '/v1/replays')).body['data']).toEqual([]);
    const { status, body } = await api.call('POST', '/v1/replays', asked);
    expect([status, body['partitions']]).toMatchObject([201, [{ from: offsets[0], to: offsets[2]! + 1 }]]);
    const none = await api.call('POST', '/v1/replays', { ...asked, eventTypes: ['task.*'] });
    expect(outcome(none)).toEqual([409, 'nothing-to-replay']);
  });

  it('tells what the topic has lost, and what is not found in it', async () => {
    const offsets = await giveUp([aDelivery('a'), aDelivery('b'), aDelivery('c')], {}, 0);
    await new Projection(database).apply({
      advances: [],
      attempts: [],
      disables: [],
      deadLetters: [],
      deliveries: [aDelivery('d')],
    });
    const administration = kafka.administration();
    await administration.deleteRecordsBefore([{ topic: names.deadLetters, partition: 0, offset: offsets[2]! }]);
    await administration.close();
    const { body } = await api.call('POST', '/v1/dead-letters/replay', { filter: { endpointId: endpoint } });
    expect(body).toMatchObject({
      partitions: [{ partition: 0, from: offsets[2] }],
      gap: [
        { partition: 0, records: 2, from: null, until: null },
        { partition: null, records: 1, from: null, until: null },
      ],
    });
    const gone = await api.call('POST', '/v1/dead-letters/a/replay');
    expect(outcome(gone)).toEqual([409, 'nothing-to-replay']);
    expect(String(gone.body['detail'])).toContain('retention');
  });

  it('leaves out those of endpoints that are deleted', async () => {
    await giveUp([aDelivery('a', { endpointId: 'ep_gone' })]);
    expect(outcome(await api.call('POST', '/v1/dead-letters/a/replay'))).toEqual([409, 'nothing-to-replay']);
  });
});

describe('recovering an endpoint', () => {
  it('takes what was given up from a time on', async () => {
    const offsets = await giveUp([
      aDelivery('a'),
      aDelivery('b', { completedAt: at + 2_000 }),
      aDelivery('c', { completedAt: at + 3_000, acceptedAt: at - 86_400_000 }),
      aDelivery('d', { completedAt: at + 3_000, endpointId: second }),
    ]);
    const recover = (id: string, body: object) => api.call('POST', `/v1/endpoints/${id}/recover`, body);
    const since = '2026-01-01T00:00:02.000Z';
    const { status, body } = await recover(endpoint, { since, rateLimit: { limit: 1, per: 'minute', burst: 3 } });
    expect(status).toBe(202);
    expect(body).toMatchObject({
      endpointIds: [endpoint],
      selection: { deliveryIds: null, from: since },
      window: { from: since, to: null },
      rateLimit: { limit: 1, per: 'minute', burst: 3 },
      partitions: [{ from: offsets[1], to: offsets[2]! + 1 }],
    });
    expect(outcome(await recover(endpoint, { since: '2027-01-01T00:00:00Z' }))).toEqual([409, 'nothing-to-replay']);
    expect(outcome(await recover('ep_none', { since }))).toEqual([404, 'not-found']);
    expect(faults((await recover(endpoint, {})).body)).toEqual([['/since', 'required']]);
  });
});

describe('resending a delivery', () => {
  const resend = (id: string, body?: object) => api.call('POST', `/v1/deliveries/${id}/resend`, body);
  const known = async (...deliveries: DeliveryRecord[]): Promise<void> => {
    await new Projection(database).apply({ advances: [], attempts: [], disables: [], deadLetters: [], deliveries });
  };
  const anEvent = { topic: '', partition: 1, key: 'acme', value: Buffer.from('{}') };
  const appended = async (): Promise<number> => {
    const [place] = await sender.send([{ ...anEvent, topic: names.events }]);
    return place!.offset;
  };

  it('is a replay of its event', async () => {
    const offset = await appended();
    const id = `${endpoint}.live.0.1.${offset}`;
    await known(aDelivery(id, { status: 'delivered' }));
    const { status, body } = await resend(id, { newIds: true });
    expect(status).toBe(202);
    expect(body).toMatchObject({
      source: 'events',
      tenantId: 'acme',
      endpointIds: [endpoint],
      newIds: true,
      eventTypes: null,
      partitions: [{ partition: 1, from: offset, to: offset + 1 }],
    });
    expect(await new ReplayParts(database).parts(1)).toMatchObject([
      { partition: 1, incarnation: 0, asConfigured: 'now' },
    ]);
  });

  it('finds the event also through replays of events and of dead letters', async () => {
    const offset = await appended();
    const live = aDelivery(`${endpoint}.live.0.1.${offset}`);
    const [place] = await giveUp([live], { partition: 1, offset });
    const replay = (await api.call('POST', `/v1/dead-letters/${live.deliveryId}/replay`)).body[
      'id'
    ] as unknown as string;
    const copy = aDelivery(`${endpoint}.${replay}.0.1.${place}`, { stream: replay });
    const [copyPlace] = await giveUp([copy], { stream: replay, partition: 1, offset: place! });
    const again = (await api.call('POST', `/v1/dead-letters/${copy.deliveryId}/replay`)).body[
      'id'
    ] as unknown as string;
    const last = aDelivery(`${endpoint}.${again}.0.1.${copyPlace}`, { stream: again, status: 'delivered' });
    const first = (await resend(live.deliveryId)).body['id'] as unknown as string;
    const ofEvent = aDelivery(`${endpoint}.${first}.0.1.${offset}`, { stream: first, status: 'delivered' });
    await known(last, ofEvent);
    for (const id of [copy.deliveryId, last.deliveryId, ofEvent.deliveryId]) {
      const { status, body } = await resend(id);
      expect([status, body['source'], body['partitions']]).toMatchObject([
        202,
        'events',
        [{ partition: 1, from: offset, to: offset + 1 }],
      ]);
    }
  });

  it('is refused where there is nothing to send, with the reason', async () => {
    const offset = await appended();
    const beyond = `${endpoint}.live.0.1.${offset + 100}`;
    const otherLog = `${endpoint}.live.3.1.${offset}`;
    const test = `${endpoint}.test:1.0.0.0`;
    const unwanted = `${endpoint}.live.0.1.${offset}`;
    const deleted = `ep_gone.live.0.1.${offset}`;
    await known(
      aDelivery(beyond),
      aDelivery(otherLog),
      aDelivery(test, { stream: 'test:1' }),
      aDelivery(unwanted, { eventType: 'task.updated' }),
      aDelivery(deleted, { endpointId: 'ep_gone' }),
    );
    const told = async (id: string) => {
      const { status, body } = await resend(id);
      return [status, body['code'], body['detail']];
    };
    expect(await told(beyond)).toMatchObject([409, 'not-replayable', expect.stringContaining('replaced')]);
    expect(await told(otherLog)).toMatchObject([409, 'not-replayable', expect.stringContaining('replaced')]);
    expect(await told(test)).toMatchObject([409, 'not-replayable', expect.stringContaining('test')]);
    expect(await told(unwanted)).toMatchObject([409, 'not-replayable', expect.stringContaining('task.updated')]);
    expect(await told(deleted)).toMatchObject([409, 'not-replayable', expect.stringContaining('deleted')]);
    const administration = kafka.administration();
    await administration.deleteRecordsBefore([{ topic: names.events, partition: 1, offset: offset + 1 }]);
    await administration.close();
    await known(aDelivery(`${endpoint}.live.0.1.0`));
    expect(await told(`${endpoint}.live.0.1.0`)).toEqual([409, 'not-replayable', 'Retention has deleted its event.']);
    expect((await told('none'))[0]).toBe(404);
    expect(faults((await resend(unwanted, { since: 'x' })).body)).toEqual([['/since', 'unknown-field']]);
  });
});
