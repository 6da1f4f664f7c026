import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { attemptSchema, deadLetterSchema, plainContent, type Attempt, type DeadLetter } from '#libs/contracts';
import { scheduleOf } from '#libs/core';
import { connectKafka, InMemoryLog, type KafkaLog } from '#libs/kafka';
import {
  connectDatabase,
  DeliveryLog,
  EndpointRepository,
  migrate,
  Projection,
  TenantRepository,
  type Database,
} from '#libs/persistence';
import { aDeadLetter, anAttempt, createTestDatabase, type TestDatabase, uniquePrefix } from '#libs/testing';
import avsc from 'avsc';
import { someAttempts } from './attempts.fixture.js';
import { ProjectConsumer } from './project.consumer.js';
import { project, type ProjectCodecs } from './project.js';
import type { Slice } from './record-queue.js';

// Real: PostgreSQL; Kafka in the last group. Doubled: the schema registry (plain Avro), Kafka elsewhere.
let test: TestDatabase;
let database: Database;
let projection: Projection;
let deliveryLog: DeliveryLog;

beforeAll(async () => {
  test = await createTestDatabase();
  await migrate(test.url);
  database = await connectDatabase(test.url);
  projection = new Projection(database, () => 1_900_000_000_000);
  deliveryLog = new DeliveryLog(database);
});
afterAll(async () => {
  await database?.close();
  await test?.drop();
});
beforeEach(() => projection.drop());

const attemptType = avsc.Type.forSchema(attemptSchema as unknown as avsc.Schema);
const deadLetterType = avsc.Type.forSchema(deadLetterSchema as unknown as avsc.Schema);
const codecs: ProjectCodecs = {
  attempt: { decode: (bytes) => attemptType.fromBuffer(bytes) as Attempt },
  deadLetter: { decode: (bytes) => deadLetterType.fromBuffer(bytes) as DeadLetter },
  prepare: () => Promise.resolve(),
};
const topics = { attempts: 'attempts', deadLetters: 'dead-letters' };

function slice(topic: string, values: readonly Buffer[], from: number): Slice {
  const records = values.map((value, i) => {
    return {
      topic,
      partition: 0,
      offset: from + i,
      timestamp: 1_800_000_000_000 + from + i,
      key: null,
      value,
      headers: {},
    };
  });
  return { topic, partition: 0, from, to: from + values.length, records };
}

async function write(slices: readonly Slice[]): Promise<void> {
  await projection.open(slices.map(({ topic, partition, from }) => ({ topic, partition, start: from })));
  const ports = { codecs, topics, patient: false, unreadable: () => undefined, breathe: () => Promise.resolve() };
  await projection.apply(await project(slices, ports));
}

const writeAttempts = (attempts: readonly Attempt[], from = 0) =>
  write([
    slice(
      'attempts',
      attempts.map((attempt) => attemptType.toBuffer(attempt)),
      from,
    ),
  ]);

/** Every row of the projection, as text. */
async function dump(): Promise<string[]> {
  const rows: { row: string }[] = await database.session.query(`
    SELECT d::text AS row FROM deliveries AS d UNION ALL SELECT a::text FROM attempts AS a
    UNION ALL SELECT l::text FROM dead_letters AS l UNION ALL SELECT s::text FROM delivery_stats AS s
    UNION ALL SELECT p::text FROM projection_positions AS p ORDER BY 1`);
  return rows.map(({ row }) => row);
}

describe('the projection', () => {
  it('invariant 11: has the same rows wherever batches are cut, and when rebuilt', async () => {
    await fc.assert(
      fc.asyncProperty(
        someAttempts,
        fc.array(fc.integer({ min: 1, max: 39 }), { maxLength: 5 }),
        async (attempts, cuts) => {
          await projection.drop();
          await writeAttempts(attempts);
          const atOnce = await dump();
          await projection.drop();
          const places = [0, ...[...new Set(cuts)].filter((cut) => cut < attempts.length).sort((a, b) => a - b)];
          for (const [i, place] of places.entries()) await writeAttempts(attempts.slice(place, places[i + 1]), place);
          expect(await dump()).toEqual(atOnce);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('refuses a batch that does not begin where the rows end, and writes nothing of it', async () => {
    await writeAttempts([anAttempt()]);
    const before = await dump();
    await expect(writeAttempts([anAttempt({ number: 2 })], 5)).rejects.toThrow(
      /projected up to 1, the batch begins at 5/,
    );
    await expect(writeAttempts([anAttempt({ number: 2 })], 0)).rejects.toThrow(/begins at 0/);
    expect(await dump()).toEqual(before);
  });

  it('lets one of two processes write that both think the partition theirs', async () => {
    await writeAttempts([anAttempt()]);
    const both = await Promise.allSettled([1, 2].map((n) => writeAttempts([anAttempt({ number: n })], 1)));
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('refuses values that the tables cannot hold as such, not as an outage', async () => {
    await expect(writeAttempts([anAttempt({ startedAt: -1_000_000_000_000_000 })])).rejects.toThrow(
      'Postgres refuses a row',
    );
  });

  it('gives a delivery with its attempts as they happened', async () => {
    const first = anAttempt({
      outcome: 'retry',
      final: false,
      dueAt: 1_800_000_005_000,
      response: { status: 503, headers: { a: 'ü"\\' }, body: Buffer.from([0, 255]), truncated: true },
    });
    const batch = { id: 'msg_batch', size: 3, place: 0 };
    const second = anAttempt({ number: 2, startedAt: 1_800_000_005_000, eventId: 'a\0b', batch });
    await writeAttempts([first, second]);
    const found = await deliveryLog.get(first.deliveryId);
    expect(found?.delivery).toMatchObject({
      status: 'delivered',
      attempts: 2,
      lastStatus: 200,
      completedAt: 1_800_000_005_020,
    });
    expect(found?.attempts).toEqual(
      [first, second].map((attempt) => {
        const {
          number,
          startedAt,
          durationMs,
          url,
          requestHeaders,
          response,
          error,
          outcome,
          final,
          deadLetterReason,
          dueAt,
          workerId,
          configVersion,
          batch,
        } = attempt;
        return {
          number,
          startedAt,
          durationMs,
          url,
          requestHeaders,
          response,
          error,
          outcome,
          final,
          deadLetterReason,
          dueAt,
          workerId,
          configVersion,
          batch,
        };
      }),
    );
    expect(await deliveryLog.get('nobody')).toBeNull();
  });

  it('lists newest first, by filter, in pages that neither skip nor repeat', async () => {
    const attempts = Array.from({ length: 25 }, (_, i) =>
      anAttempt({
        deliveryId: `d${String(i).padStart(2, '0')}`,
        acceptedAt: 1_800_000_000_000 + (i >> 2),
        tenantId: i % 5 === 0 ? 'other' : 'acme',
        ...(i % 2 === 0 ? {} : { outcome: 'retry', final: false, dueAt: 1_800_000_009_000 }),
      }),
    );
    await writeAttempts(attempts);
    const seen: string[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await deliveryLog.list(
        { tenantId: 'acme', status: 'pending', eventType: 'task.updated', endpointId: 'ep_1' },
        { limit: 3, cursor },
      );
      seen.push(...page.data.map(({ deliveryId }) => deliveryId));
      if (page.nextCursor === null) break;
      cursor = page.nextCursor;
    }
    const wanted = attempts.filter(({ tenantId, outcome }) => tenantId === 'acme' && outcome === 'retry');
    expect(seen).toEqual(wanted.map(({ deliveryId }) => deliveryId).reverse());
    expect((await deliveryLog.list({}, { limit: 30 })).data).toHaveLength(25);
    await expect(deliveryLog.list({}, { limit: 3, cursor: 'x' })).rejects.toThrow(
      expect.objectContaining({ name: 'InvalidCursor' }),
    );
  });

  it('counts per endpoint, with latencies of what was delivered', async () => {
    const delivered = [100, 200, 300].map((ms, i) =>
      anAttempt({ deliveryId: `d${i}`, startedAt: anAttempt().acceptedAt + ms - 20, number: i === 2 ? 2 : 1 }),
    );
    const pending = anAttempt({ deliveryId: 'd4', outcome: 'retry', final: false });
    const halted = anAttempt({ deliveryId: 'd7', outcome: 'halted', final: false });
    const dead = anAttempt({ deliveryId: 'd5', outcome: 'deadLetter', number: 3, endpointId: 'ep_2' });
    const foreign = anAttempt({ deliveryId: 'd6', tenantId: 'other', endpointId: 'ep_3' });
    // Tests stand in the log, and count nowhere.
    const passed = anAttempt({ deliveryId: 't1', stream: 'test:1' });
    const failed = anAttempt({ deliveryId: 't2', stream: 'test:2', outcome: 'dropped', number: 2, endpointId: 'ep_4' });
    await writeAttempts([...delivered, pending, halted, dead, foreign, passed, failed]);
    expect(await deliveryLog.get('t2')).toMatchObject({ delivery: { stream: 'test:2', status: 'dropped' } });
    const none = {
      delivered: 0,
      retried: 0,
      deadLettered: 0,
      dropped: 0,
      pending: 0,
      halted: 0,
      latencyP50Ms: null,
      latencyP95Ms: null,
    };
    expect(await deliveryLog.endpointStats({ tenantId: 'acme' })).toEqual([
      {
        ...none,
        endpointId: 'ep_1',
        matched: 5,
        delivered: 3,
        retried: 1,
        pending: 1,
        halted: 1,
        latencyP50Ms: 200,
        latencyP95Ms: 290,
      },
      { ...none, endpointId: 'ep_2', matched: 1, retried: 1, deadLettered: 1 },
    ]);
    expect(await deliveryLog.endpointStats({})).toHaveLength(3);
  });

  it('keeps the first dead letter of a delivery; it counts only with the final attempt', async () => {
    const letter = deadLetterType.toBuffer(aDeadLetter({ deliveryId: 'd1' }));
    await write([
      slice('dead-letters', [letter, letter, deadLetterType.toBuffer(aDeadLetter({ deliveryId: 'd2' }))], 0),
    ]);
    const rows: unknown[] = await database.session.query('SELECT delivery_id, log_offset FROM dead_letters ORDER BY 1');
    expect(rows).toEqual([
      { delivery_id: 'd1', log_offset: '0' },
      { delivery_id: 'd2', log_offset: '2' },
    ]);
    expect((await deliveryLog.list({ status: 'dead-lettered' }, { limit: 9 })).data).toEqual([]);
  });

  it('disables an endpoint that answered 410, also when rebuilt, unless it was changed since', async () => {
    const endpoints = new EndpointRepository(database);
    await new TenantRepository(database).create({ id: 'acme', name: 'Acme' }, 1);
    const fresh = {
      endpointId: 'ep_1',
      tenantId: 'acme',
      url: 'http://x/',
      eventTypes: ['*'],
      description: '',
      state: 'active',
      ordering: 'none',
      onExhausted: 'skip',
      adaptiveConcurrency: true,
      rateLimit: null,
      circuit: null,
      ...plainContent,
    } as const;
    await endpoints.create({ ...fresh, secrets: [], maxInFlight: 1, timeoutMs: 1, retry: scheduleOf([]) }, 1);
    const gone = anAttempt({ outcome: 'disable', deadLetterReason: 'gone' });
    await writeAttempts([gone, gone]);
    expect(await endpoints.get('ep_1')).toMatchObject({ state: 'disabled', disabledReason: 'gone', revision: 2 });
    await endpoints.update('ep_1', { state: 'active' }, { now: 1_900_000_000_001 });
    await projection.drop();
    await writeAttempts([gone, gone]);
    expect(await endpoints.get('ep_1')).toMatchObject({ state: 'active', revision: 3 });
  });
});

function consume(log: KafkaLog, names: typeof topics, groupId: string): ProjectConsumer {
  const consumer = new ProjectConsumer({
    topics: names,
    feed: log.feed(),
    membership: (listener) => log.membership({ groupId, topics: [names.attempts, names.deadLetters], listener }),
    store: projection,
    codecs,
    metrics: {
      projected: () => undefined,
      lag: () => undefined,
      partitionLost: () => undefined,
      partitionStopped: () => undefined,
    },
    logger: { debug: () => undefined, info: () => undefined, error: () => undefined },
    schedule(ms, task) {
      const timer = setTimeout(task, ms);
      return () => clearTimeout(timer);
    },
    onFatal(error) {
      throw error;
    },
  });
  consumer.start();
  return consumer;
}

const manyAttempts = (count: number, partitions: number, topic: string) =>
  Array.from({ length: count }, (_, i) => ({
    topic,
    partition: i % partitions,
    key: 'ep_1',
    value: attemptType.toBuffer(anAttempt({ deliveryId: `ep_1.live.0.${i % partitions}.${i}`, pos: i })),
  }));
const rowCount = async (table: string): Promise<number> => {
  const [row]: { count: number }[] = await database.session.query(`SELECT count(*)::integer AS count FROM ${table}`);
  return row?.count ?? 0;
};

describe('ProjectConsumer on real Postgres', () => {
  it('loses and doubles nothing while its connections are cut again and again', async () => {
    const log = new InMemoryLog();
    log.createTopic('attempts', 3);
    log.createTopic('dead-letters', 3);
    const consumer = consume(log, topics, 'g');
    const other = await connectDatabase(test.url, { poolSize: 1 });
    for (let i = 0; i < 10; i += 1) {
      await log.sender().send(manyAttempts(300, 3, 'attempts'));
      await other.session.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
      await pause(30);
    }
    await expect.poll(() => rowCount('attempts').catch(() => 0), { timeout: 20_000 }).toBe(3_000);
    await consumer.stop();
    await other.close();
    expect(await rowCount('deliveries')).toBe(300);
  });
});

describe('ProjectConsumer on real Kafka', () => {
  it('projects through a hand-over, then rebuilds the same rows', async () => {
    const prefix = uniquePrefix();
    const names = { attempts: `${prefix}attempts`, deadLetters: `${prefix}dead-letters` };
    const log = connectKafka({
      brokers: inject('kafkaBrokers').split(','),
      clientId: 'projector-test',
      sessionTimeoutMs: 6_000,
    });
    const administration = log.administration();
    const settings = { partitions: 3, replicationFactor: 1, config: { 'message.timestamp.type': 'LogAppendTime' } };
    await administration.ensure(Object.values(names).map((name) => ({ name, ...settings })));
    const sender = log.sender();
    const first = consume(log, names, `${prefix}g`);
    await sender.send(manyAttempts(3_000, 3, names.attempts));
    await expect.poll(() => rowCount('attempts'), { timeout: 30_000 }).toBeGreaterThan(0);
    const second = consume(log, names, `${prefix}g`);
    await sender.send(manyAttempts(3_000, 3, names.attempts));
    await pause(500);
    await first.stop();
    await sender.send([
      {
        topic: names.deadLetters,
        partition: 1,
        key: 'ep_1',
        value: deadLetterType.toBuffer(aDeadLetter({ deliveryId: 'd1' })),
      },
    ]);
    await expect
      .poll(async () => (await rowCount('attempts')) + (await rowCount('dead_letters')), { timeout: 30_000 })
      .toBe(6_001);
    await second.stop();
    const rows = await dump();
    await projection.drop();
    const third = consume(log, names, `${prefix}g`);
    await expect
      .poll(async () => (await rowCount('attempts')) + (await rowCount('dead_letters')), { timeout: 30_000 })
      .toBe(6_001);
    await third.stop();
    expect(await dump()).toEqual(rows);
    await sender.close();
    await administration.close();
  });
});
