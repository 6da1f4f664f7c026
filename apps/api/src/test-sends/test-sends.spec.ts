// Real: all of a test but what is doubled: Kafka (InMemoryLog), the schema registry, PostgreSQL, the worker, the sandbox, timers.
import { beforeEach, describe, expect, it } from 'vitest';
import type { Attempt, Delivery } from '#libs/contracts';
import { batchIdOf, partitionFor, unverified, webhookIdOf } from '#libs/core';
import { InMemoryLog } from '#libs/kafka';
import type { Endpoint } from '#libs/persistence';
import type { SandboxJob, SandboxResult } from '#libs/sandbox';
import type { PlatformCodecs } from '#libs/schema-codec';
import { anAttempt } from '../../test/an-attempt.js';
import { anEndpoint } from '../../test/an-endpoint.js';
import { noteAdded, testCodec } from '../../test/event-codec.js';
import { TypeCatalogue } from '../event-types/type-catalogue.js';
import { AttemptWatch } from './attempt-watch.js';
import { sendTestBody, type TestAnswer } from './test-send.dto.js';
import { TestSends, type TestSendOptions } from './test-sends.js';

const topics = { deliveries: 'deliveries', attempts: 'attempts', endpoints: 'endpoints' };
const partitions = 4;
const at = Date.parse('2026-01-02T03:04:05.678Z');
const partition = partitionFor('ep_1', partitions);
const done: SandboxResult = { kind: 'done', payload: '{}', headers: {}, cancelled: false, logs: [], cpuMs: 1 };

let log: InMemoryLog;
let codecs: PlatformCodecs;
let endpoint: Endpoint | null;
let sends: TestSends;
let open: (options?: Partial<TestSendOptions>) => TestSends;
/** What its worker does with a delivery; null: nothing. */
let worker: (delivery: Delivery) => Partial<Attempt> | null;
let sandbox: (job: SandboxJob) => SandboxResult;
let noted: { endpointId: string; deliveryId: string; webhookId: string; eventType: string; sentBefore: number }[];
let timers: Set<{ readonly ms: number; readonly run: () => void }>;
let unpublished: Error | null;
let isKept: boolean;

beforeEach(async () => {
  const { codec, registry } = await testCodec();
  registry.register('note.added', {
    ...noteAdded,
    fields: [...noteAdded.fields, { name: 'tags', type: { type: 'array', items: 'string' }, default: [] }],
  });
  registry.register('task.gone', { type: 'record', namespace: 'task', name: 'gone', fields: [] });
  codecs = codec.platform;
  log = new InMemoryLog();
  log.createTopic(topics.deliveries, partitions);
  log.createTopic(topics.attempts, partitions);
  log.createTopic(topics.endpoints, 1);
  const said = { owner: null, status: 'active', deprecated: null, examples: new Map() } as const;
  const examples = new Map([[2, [{ text: 'by a person' }, { text: 'another' }]]]);
  const meta = {
    of: (type: string) => ({ ...said, status: type === 'note.added' ? said.status : 'deprecated', examples }) as const,
    refresh: () => Promise.resolve(),
  };
  endpoint = anEndpoint();
  worker = () => ({});
  sandbox = () => done;
  [noted, timers, unpublished, isKept] = [[], new Set(), null, true];
  const schedule = (ms: number, run: () => void): (() => void) => {
    const timer = { ms, run };
    timers.add(timer);
    return () => void timers.delete(timer);
  };
  const bounds = (places: Parameters<ReturnType<InMemoryLog['reader']>['bounds']>[0]) => log.reader().bounds(places);
  const sender = log.sender();
  let ids = 0;
  const ports: ConstructorParameters<typeof TestSends>[0] = {
    endpoints: {
      get: (id) => Promise.resolve(id === endpoint?.endpointId ? endpoint : null),
      noteTest: (endpointId, test) => {
        noted.push({ endpointId, ...test, sentBefore: deliveries().length });
        return Promise.resolve(isKept);
      },
    },
    transformations: {
      get: (id) => Promise.resolve({ transformationId: id, tenantId: id, version: 3, code: 'code' } as never),
    },
    sandbox: { run: (job) => Promise.resolve(sandbox(job)) },
    publication: {
      published: () => Promise.resolve(),
      check: () => {
        if (unpublished !== null) throw unpublished;
      },
    },
    sender: {
      async send(records, how) {
        const placed = await sender.send(records, how);
        for (const { value } of records) await answer(codecs.delivery.decode(value ?? Buffer.alloc(0)));
        return placed;
      },
    },
    bounds,
    watch: new AttemptWatch(topics.attempts, {
      bounds,
      feed: () => log.feed(),
      codecs,
      schedule,
      log: { warn: () => undefined },
    }),
    codecs,
    catalogue: new TypeCatalogue({ registry: codec.events, meta, monotonic: () => 0 }),
    schedule,
    now: () => at,
    newId: () => `${(ids += 1)}`,
  };
  open = (options = {}) =>
    new TestSends(ports, {
      topics,
      partitions,
      maxEventBytes: 1_000,
      appendMs: 5_000,
      timeoutMs: 30_000,
      atOnce: 3,
      atOnceOfTenant: 3,
      atOnceToOne: 2,
      ...options,
    });
  sends = open();
});

async function answer(delivery: Delivery): Promise<void> {
  const attempt = worker(delivery);
  if (attempt === null) return;
  const { endpointId, stream, headers } = delivery;
  const value = codecs.attempt.encode(anAttempt({ endpointId, stream, requestHeaders: headers, ...attempt }));
  await log.sender().send([{ topic: topics.attempts, partition, key: endpointId, value }]);
}

const deliveries = (): Delivery[] =>
  log.recordsOf(topics.deliveries).map(({ value }) => codecs.delivery.decode(value ?? Buffer.alloc(0)));
const send = (body: object = {}): Promise<TestAnswer> => sends.send('ep_1', sendTestBody.parse(body));
const bodyOf = (delivery: Delivery | undefined): unknown => JSON.parse(delivery?.body?.toString() ?? 'null') as unknown;
const refusal = (body: object): Promise<unknown> =>
  send(body).then(
    () => null,
    (error: unknown) => error,
  );
/** Until all that can happen without a timer has. */
const turns = async (): Promise<void> => {
  for (let i = 0; i < 100; i += 1) await Promise.resolve();
};

describe('a test', () => {
  it('is a delivery of a stream of its own, of no order and no dedupe space, where the endpoint is', async () => {
    await log.sender().send([1, 2, 3].map(() => ({ topic: topics.endpoints, partition: 0, key: 'x', value: null })));
    endpoint = anEndpoint({ ordering: 'endpoint' });
    const { deliveryId } = await send();
    const [record] = log.recordsOf(topics.deliveries);
    expect([record?.partition, record?.key?.toString()]).toEqual([partition, 'ep_1']);
    const [delivery] = deliveries();
    expect(delivery).toMatchObject({
      stream: 'test:2',
      ordering: 'none',
      orderingKey: null,
      floor: 0,
      space: '',
      // The newest record there is: a worker that has read so far knows the endpoint.
      configVersion: 2,
      eventId: 'test_1',
      webhookId: webhookIdOf('ep_1', '/posthorn/test', 'test_1'),
      headers: { 'posthorn-test': 'true' },
    });
    expect(deliveryId).toBe('ep_1.test:2.0.0.0');
  });

  it('is an example of the first type that the endpoint wants, as its people wrote it', async () => {
    endpoint = anEndpoint({ format: 'data' });
    expect(await send()).toMatchObject({ event: { type: 'note.added', version: 2, source: '/posthorn/test' } });
    expect(bodyOf(deliveries()[0])).toEqual({ text: 'by a person', stars: 0, tags: [] });
  });

  it('is made of the schema where nobody wrote an example, and may be of a type that goes', async () => {
    endpoint = anEndpoint({ versions: { 'note.added': 1 }, format: 'data' });
    expect(await send({ type: 'note.added' })).toMatchObject({ event: { version: 1 } });
    expect(Object.keys(bodyOf(deliveries()[0]) as object)).toEqual(['text', 'stars']);
    endpoint = anEndpoint({ eventTypes: ['task.*'] });
    expect(await send()).toMatchObject({ event: { type: 'task.gone' } });
  });

  it('has the data that is given, in the version that the endpoint gets, with what was left out', async () => {
    endpoint = anEndpoint({ versions: { 'note.added': 1 } });
    await send({
      type: 'note.added',
      data: { text: 'mine' },
      source: '/mine',
      subject: 's',
      time: '2026-01-01T00:00:00Z',
    });
    expect(bodyOf(deliveries()[0])).toEqual({
      specversion: '1.0',
      id: 'test_1',
      source: '/mine',
      type: 'note.added',
      time: '2026-01-01T00:00:00Z',
      subject: 's',
      tenantid: 'acme',
      datacontenttype: 'application/json',
      data: { text: 'mine', stars: 0 },
    });
  });

  it.each([
    [{ type: 'note.added', data: { stars: 'many' } }, 'invalid-data', ['/data/text', '/data/stars']],
    // Version 1 has none.
    [{ type: 'note.added', data: { text: 'x', tags: [] } }, 'invalid-data', ['/data/tags']],
    [{ type: 'note.added', data: null }, 'invalid-data', ['/data']],
    [{ type: 'note.added', data: { text: 'x'.repeat(2_000) } }, 'too-large', ['/data']],
    [{ type: 'note.lost' }, 'invalid-body', ['/type']],
    [{ type: 'task.gone' }, 'invalid-body', ['/type']],
    [{ source: 'no reference' }, 'invalid-body', ['/source']],
    [{ subject: 'a\u0000b' }, 'invalid-body', ['/subject']],
  ] as const)('is refused, with where and why: %j', async (body, code, pointers) => {
    endpoint = anEndpoint({ eventTypes: ['note.*'], versions: { 'note.added': 1 } });
    const error = (await refusal(body)) as { code: string; errors: { pointer: string }[] };
    expect(error.code).toBe(code);
    expect(error.errors.map(({ pointer }) => pointer).toSorted()).toEqual([...pointers].toSorted());
    expect([deliveries(), noted]).toEqual([[], []]);
  });

  it('asks for a type where the endpoint wants none that there is', async () => {
    endpoint = anEndpoint({ eventTypes: ['other.*'] });
    expect(await refusal({})).toMatchObject({ code: 'invalid-body', errors: [{ pointer: '/type', code: 'required' }] });
  });

  it('goes as a batch of one where the endpoint has batches, unless its attributes are headers', async () => {
    const batch = { maxEvents: 10, maxBytes: 100_000, maxWaitMs: 60_000 };
    endpoint = anEndpoint({ batch });
    await send();
    endpoint = anEndpoint({ batch, format: 'binary' });
    await send();
    const [batched, binary] = deliveries();
    expect(batched).toMatchObject({
      webhookId: batchIdOf([webhookIdOf('ep_1', '/posthorn/test', 'test_1')]),
      contentType: 'application/cloudevents-batch+json; charset=utf-8',
      members: null,
    });
    expect(bodyOf(batched)).toMatchObject([{ id: 'test_1' }]);
    expect(binary).toMatchObject({ contentType: 'application/json', headers: { 'ce-id': 'test_3' } });
  });

  it('passes the transformation of the endpoint, of its own tenant alone', async () => {
    endpoint = anEndpoint({ transformationId: 'acme', format: 'data' });
    const jobs: SandboxJob[] = [];
    sandbox = (job) => {
      jobs.push(job);
      return { ...done, payload: '{"mine":1}', headers: { 'x-mine': 'yes', 'content-type': 'application/x+json' } };
    };
    expect(await send()).toMatchObject({ request: { body: '{"mine":1}' } });
    expect(jobs).toMatchObject([{ transformationId: 'acme', version: 3, input: { eventType: 'note.added' } }]);
    expect(deliveries()).toMatchObject([
      { contentType: 'application/x+json', headers: { 'x-mine': 'yes', 'posthorn-test': 'true' } },
    ]);
    endpoint = anEndpoint({ transformationId: 'other' });
    await send();
    expect(deliveries()[1]).toMatchObject({ body: null, renderError: 'there is no transformation other' });
    expect(jobs).toHaveLength(1);
  });

  it('that cannot be made goes to the worker as such, and one that is cancelled not at all', async () => {
    endpoint = anEndpoint({ transformationId: 'acme' });
    sandbox = () => ({ kind: 'failed', code: 'threw', message: 'oops', line: 2, logs: [], cpuMs: 1 });
    await send();
    expect(deliveries()).toMatchObject([
      { body: null, renderKind: 'transformation', renderError: 'threw: oops (line 2)' },
    ]);
    sandbox = () => ({ ...done, cancelled: true });
    expect(await send()).toMatchObject({ outcome: 'cancelled', deliveryId: null, request: null, response: null });
    expect([deliveries().length, noted.length]).toEqual([1, 1]);
    endpoint = anEndpoint({ versions: { 'note.added': 9 } });
    await send();
    expect(deliveries()[1]).toMatchObject({
      renderKind: 'version',
      renderError: 'note.added has no version 9: it has 1, 2',
    });
  });

  it('is sent whatever its filters say, and tells what they say', async () => {
    const filters = JSON.stringify([{ exact: { type: 'task.gone' } }]);
    endpoint = anEndpoint({ filters });
    expect(await send({ type: 'note.added' })).toMatchObject({ passesFilters: false, outcome: 'delivered' });
    expect(await send({ type: 'task.gone' })).toMatchObject({ passesFilters: true });
  });
});

describe('the answer to a test', () => {
  it('is what the worker has recorded, with the body that was signed', async () => {
    worker = ({ headers }) => ({
      outcome: 'dropped',
      response: { status: 500, headers: { 'x-answer': 'no' }, body: Buffer.from('sorry'), truncated: true },
      requestHeaders: { ...headers, 'webhook-signature': 'v1,x' },
    });
    const answer = await send();
    expect(answer).toEqual({
      outcome: 'failed',
      deliveryId: 'ep_1.test:2.0.0.0',
      event: { id: 'test_1', source: '/posthorn/test', type: 'note.added', version: 2 },
      passesFilters: true,
      startedAt: '1970-01-01T00:00:01.000Z',
      durationMs: 12,
      request: {
        url: 'https://example.com/hooks',
        headers: { 'posthorn-test': 'true', 'webhook-signature': 'v1,x' },
        body: deliveries()[0]?.body?.toString(),
      },
      response: { status: 500, headers: { 'x-answer': 'no' }, body: 'sorry', truncated: true },
      error: null,
    });
  });

  it('says why there was no request, or no response', async () => {
    worker = () => ({
      outcome: 'dropped',
      number: 0,
      url: '',
      response: null,
      error: { kind: 'expired', message: 'x' },
    });
    expect(await send()).toMatchObject({
      outcome: 'failed',
      request: null,
      response: null,
      error: { kind: 'expired' },
    });
    worker = () => ({ outcome: 'dropped', response: null, error: { kind: 'guard', message: 'x' } });
    expect(await send()).toMatchObject({ request: { url: 'https://example.com/hooks' }, error: { kind: 'guard' } });
  });

  it('says after a while where to look', async () => {
    worker = () => null;
    const asked = refusal({});
    await turns();
    expect([...timers].map(({ ms }) => ms)).toEqual([30_000]);
    for (const { run } of timers) run();
    const error = await asked;
    expect(error).toMatchObject({ code: 'test-timeout', status: 504 });
    expect(String(error)).toContain('GET /v1/deliveries/ep_1.test:2.0.0.0');
    expect(timers.size).toBe(0);
  });

  it('waits for no more than so many at once, and so many to one endpoint', async () => {
    worker = () => null;
    const asked = [refusal({}), refusal({})];
    await turns();
    expect(await refusal({})).toMatchObject({ code: 'too-many-tests', status: 429, headers: { 'retry-after': '1' } });
    endpoint = anEndpoint({ endpointId: 'ep_2' });
    asked.push(sends.send('ep_2', sendTestBody.parse({})).catch((error: unknown) => error));
    await turns();
    endpoint = anEndpoint({ endpointId: 'ep_3' });
    await expect(sends.send('ep_3', sendTestBody.parse({}))).rejects.toMatchObject({ code: 'too-many-tests' });
    for (const { run } of timers) run();
    for (const one of await Promise.all(asked)) expect(one).toMatchObject({ code: 'test-timeout' });
    // All have left.
    worker = () => ({});
    endpoint = anEndpoint();
    expect(await send()).toMatchObject({ outcome: 'delivered' });
  });
});

it('leaves room to the tests of other tenants', async () => {
  sends = open({ atOnceOfTenant: 1 });
  worker = () => null;
  const asked = [refusal({})];
  await turns();
  endpoint = anEndpoint({ endpointId: 'ep_2' });
  const second = sends.send('ep_2', sendTestBody.parse({}));
  await expect(second).rejects.toThrow('Other tests of this tenant are under way.');
  endpoint = anEndpoint({ endpointId: 'ep_3', tenantId: 'other' });
  asked.push(sends.send('ep_3', sendTestBody.parse({})).catch((error: unknown) => error));
  await turns();
  for (const { run } of timers) run();
  for (const one of await Promise.all(asked)) expect(one).toMatchObject({ code: 'test-timeout' });
});

describe('before a test is sent', () => {
  it('the audit log has it', async () => {
    await send();
    const webhookId = deliveries()[0]?.webhookId;
    expect(noted).toEqual([
      { endpointId: 'ep_1', deliveryId: 'ep_1.test:2.0.0.0', webhookId, eventType: 'note.added', sentBefore: 0 },
    ]);
  });

  it('its endpoint is there, and in the log', async () => {
    isKept = false;
    expect(await refusal({})).toMatchObject({ code: 'not-found' });
    unpublished = new Error('no broker answers');
    expect(await refusal({})).toMatchObject({ code: 'broker-unavailable' });
    unpublished = null;
    endpoint = anEndpoint({ verification: unverified('challenge', 1, 0) });
    expect(await refusal({})).toMatchObject({ code: 'not-verified' });
    endpoint = null;
    expect(await refusal({})).toMatchObject({ code: 'not-found' });
    expect(deliveries()).toEqual([]);
  });

  it('a record is known to hold it', async () => {
    sends = open({ maxEventBytes: 10_000_000 });
    const data = { text: 'x'.repeat(2_000_000) };
    expect(await refusal({ type: 'note.added', data })).toMatchObject({ code: 'too-large' });
  });
});

it('is not sent before the endpoint has shown that it wants anything', async () => {
  endpoint = anEndpoint({ verification: unverified('challenge', 1, at) });
  expect(await refusal({})).toMatchObject({ code: 'not-verified' });
  expect([deliveries(), noted]).toEqual([[], []]);
});
