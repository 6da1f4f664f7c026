// Real: parsing, schema codec, partitioner, repeats. Doubled: Kafka (InMemoryLog), the registry, the tenants.
import { beforeEach, describe, expect, it } from 'vitest';
import { parseHttpEvents, parseKafkaEvent, partitionFor } from '#libs/core';
import { InMemoryLog } from '#libs/kafka';
import { testCodec } from '../../test/event-codec.js';
import { AppError } from '../problem/app-error.js';
import { RegisteredSchemas } from './event-schemas.js';
import { Ingest, type Accepted } from './ingest.js';
import { Repeats } from './repeats.js';

const topic = 'events';
const limits = { maxBytes: 2_000 };

let log: InMemoryLog;
let timers: (() => void)[];
let counted: { accepted: number; repeats: number; rejected: string[] };
let ingest: Ingest;

beforeEach(async () => {
  timers = [];
  counted = { accepted: 0, repeats: 0, rejected: [] };
  log = new InMemoryLog({
    after(_ms, task) {
      timers.push(task);
      return () => void timers.splice(timers.indexOf(task), 1);
    },
  });
  log.createTopic(topic, 4);
  const { codec } = await testCodec();
  ingest = new Ingest(
    {
      sender: log.sender(),
      schemas: new RegisteredSchemas(codec.events),
      tenants: {
        has: (id) => id === 'acme',
        find: async (id) => Promise.resolve(id === 'late' ? 'not-yet' : 'unknown'),
      },
      repeats: new Repeats(100),
      counts: {
        eventsAccepted: (count) => void (counted.accepted += count),
        repeats: (count) => void (counted.repeats += count),
        eventRejected: (reason) => void counted.rejected.push(reason),
      },
    },
    { topic, partitions: 4, timeoutMs: 5_000, maxEventBytes: limits.maxBytes, maxPendingBytes: 5_000 },
  );
});

const event = (changes: object = {}) => ({
  specversion: '1.0',
  id: 'e1',
  source: '/notes',
  type: 'note.added',
  tenantid: 'acme',
  data: { text: 'hello' },
  ...changes,
});
const send = (body: unknown): Promise<readonly Accepted[]> => {
  const kind = Array.isArray(body) ? 'cloudevents-batch' : 'cloudevents';
  const headers = { 'content-type': `application/${kind}+json` };
  return ingest.accept(parseHttpEvents(headers, Buffer.from(JSON.stringify(body)), limits));
};
const refusal = async (body: unknown): Promise<AppError> => {
  const error: unknown = await send(body).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof AppError) return error;
  throw new Error('it was accepted', { cause: error });
};
const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
};

describe('an event that is accepted', () => {
  it('stands in the log in binary mode, keyed by its tenant, with Avro data that has its defaults', async () => {
    expect(await send(event({ subject: 'n1', traceid: 'x' }))).toEqual([
      { id: 'e1', source: '/notes', type: 'note.added' },
    ]);
    const [record] = log.recordsOf(topic);
    expect(record).toMatchObject({ partition: partitionFor('acme', 4), key: Buffer.from('acme') });
    const parsed = parseKafkaEvent(record!, limits);
    expect(parsed).toMatchObject({
      ok: true,
      event: {
        id: 'e1',
        subject: 'n1',
        tenantid: 'acme',
        extensions: { traceid: 'x' },
        datacontenttype: 'application/avro',
      },
    });
    expect(record!.value!.subarray(5).toString()).toBe('\nhello\0');
  });

  it('is keyed by its partitionkey, where it has one', async () => {
    await send(event({ partitionkey: 'project-7' }));
    expect(log.recordsOf(topic)[0]).toMatchObject({
      partition: partitionFor('project-7', 4),
      key: Buffer.from('project-7'),
    });
  });

  it('is answered only after the acknowledgement', async () => {
    log.setAvailable(false);
    let answered = false;
    const answer = send(event()).then(() => (answered = true));
    await turns();
    expect(answered).toBe(false);
    log.setAvailable(true);
    await answer;
    expect(log.recordsOf(topic)).toHaveLength(1);
  });
});

describe('brokers that do not acknowledge', () => {
  it('give 503 with Retry-After, and the event is not taken for known afterwards', async () => {
    log.setAvailable(false);
    const refused = refusal(event());
    await turns();
    for (const task of timers.slice()) task();
    expect(await refused).toMatchObject({ code: 'broker-unavailable', status: 503, headers: { 'retry-after': '2' } });
    log.setAvailable(true);
    expect(await send(event())).toEqual([{ id: 'e1', source: '/notes', type: 'note.added' }]);
  });

  it('fail everyone who waits for the same event', async () => {
    log.setAvailable(false);
    const both = [refusal(event()), refusal(event())];
    await turns();
    for (const task of timers.slice()) task();
    expect((await Promise.all(both)).map(({ code }) => code)).toEqual(['broker-unavailable', 'broker-unavailable']);
  });

  it('are not buried under what waits for them', async () => {
    log.setAvailable(false);
    const waiting = [1, 2, 3].map((n) => send(event({ id: `w${n}`, data: { text: 'x'.repeat(1_500) } })));
    expect((await refusal(event({ id: 'w4', data: { text: 'x'.repeat(1_500) } }))).code).toBe('overloaded');
    log.setAvailable(true);
    await Promise.all(waiting);
  });
});

describe('an event that is sent again', () => {
  it('is not appended again, and the answer says so', async () => {
    await send(event());
    expect(await send(event())).toEqual([{ id: 'e1', source: '/notes', type: 'note.added', repeat: true }]);
    expect(log.recordsOf(topic)).toHaveLength(1);
    expect(counted).toMatchObject({ accepted: 1, repeats: 1 });
  });

  it('while it is on its way waits for the same acknowledgement', async () => {
    log.setAvailable(false);
    const [first, second] = [send(event()), send(event())];
    await turns();
    log.setAvailable(true);
    expect((await first)[0]).not.toHaveProperty('repeat');
    expect((await second)[0]).toHaveProperty('repeat', true);
    expect(log.recordsOf(topic)).toHaveLength(1);
  });

  it('within one batch counts once', async () => {
    const accepted = await send([event(), event(), event({ id: 'e2' })]);
    expect(accepted.map(({ repeat }) => repeat ?? false)).toEqual([false, true, false]);
    expect(log.recordsOf(topic)).toHaveLength(2);
  });
});

describe('what does not fit', () => {
  it.each([
    ['missing-attribute', event({ tenantid: undefined }), { pointer: '/tenantid', code: 'missing-attribute' }],
    ['unknown-tenant', event({ tenantid: 'nobody' }), { pointer: '/tenantid', code: 'unknown-tenant' }],
    ['unknown-event-type', event({ type: 'no.such' }), { pointer: '/type', code: 'unknown-event-type' }],
    ['invalid-data', event({ data: { text: 7 } }), { pointer: '/data/text', code: 'wrong-type' }],
    ['invalid-data', event({ data: { text: 'a', more: 1 } }), { pointer: '/data/more', code: 'unknown-field' }],
    ['too-large', event({ data: { text: 'x'.repeat(3_000) } }), { pointer: '', code: 'too-large' }],
  ])('%s is refused with its place', async (code, body, fault) => {
    const refused = await refusal(body);
    expect(refused).toMatchObject({ code, errors: [fault] });
    expect(refused.status).toBe(code === 'too-large' ? 413 : 422);
    expect(counted.rejected).toEqual([code]);
    expect(log.recordsOf(topic)).toHaveLength(0);
  });

  it('keeps the whole batch out; every fault names its event', async () => {
    const refused = await refusal([
      event(),
      event({ id: 'e2', data: { text: 1, stars: 'many' } }),
      event({ id: 'e3', tenantid: 'nobody' }),
    ]);
    expect(refused).toMatchObject({ code: 'invalid-events', status: 422 });
    expect(refused.errors.map(({ index, pointer }) => [index, pointer])).toEqual([
      [1, '/1/data/text'],
      [1, '/1/data/stars'],
      [2, '/2/tenantid'],
    ]);
    expect(log.recordsOf(topic)).toHaveLength(0);
  });

  it('is 503 for a tenant whose record has not come yet', async () => {
    expect(await refusal(event({ tenantid: 'late' }))).toMatchObject({ code: 'broker-unavailable', status: 503 });
  });
});
