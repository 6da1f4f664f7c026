import { describe, expect, it, onTestFinished } from 'vitest';
import { Kafka, logLevel } from 'kafkajs';
import { gzipSync } from 'node:zlib';
import type { FeedHandler, LogRecord } from '../src/ports.js';
import { entryOf, seeded, until, withFaults, type Faulty } from './fault-setup.js';
import { api, type AnswerFate } from './faulty-proxy.js';

const fill = async ({ direct, topic }: Faulty, partition: number, count: number, bytes = 100) => {
  const sender = direct.sender();
  for (let from = 0; from < count; from += 100) {
    const records = Array.from({ length: Math.min(100, count - from) }, (_, at) => ({
      topic,
      partition,
      key: null,
      value: Buffer.from(`${from + at} ${'x'.repeat(bytes)}`),
    }));
    await sender.send(records);
  }
  await sender.close();
};

function collect() {
  const records: LogRecord[] = [];
  let end = -1;
  let reached = -1;
  const handler: FeedHandler = {
    onRecords: (more, knownEnd) => {
      records.push(...more);
      end = knownEnd;
      if (more.length === 0) reached = knownEnd;
    },
    onOutOfRange: (error) => {
      throw error;
    },
  };
  return {
    handler,
    records,
    end: () => end,
    reached: () => reached,
    offsets: () => records.map(({ offset }) => offset),
  };
}

const upTo = (count: number) => Array.from({ length: count }, (_, at) => at);

describe('reading, when connections break', () => {
  it.each(['cut', 'cut-half', 'lose'] as const)(
    'a range and a feed have no gap and no repeat (answers: %s)',
    async (fate) => {
      const faulty = await withFaults(2);
      await fill(faulty, 0, 6_000);
      const random = seeded(3);
      let faults = 0;
      faulty.proxy.onAnswer = (apiKey): AnswerFate => {
        if (apiKey !== api.fetch || faults >= (fate === 'lose' ? 2 : 6) || random() > 0.6) return 'pass';
        faults += 1;
        return fate;
      };
      const feed = faulty.log.feed();
      onTestFinished(() => feed.close());
      const seen = collect();
      feed.follow({ topic: faulty.topic, partition: 0 }, 0, seen.handler);
      const reader = faulty.log.reader();
      onTestFinished(() => reader.close());
      const read: number[] = [];
      for await (const records of reader.range({ topic: faulty.topic, partition: 0 }, 0, 6_000))
        read.push(...records.map(({ offset }) => offset));
      expect(read).toEqual(upTo(6_000));
      await until(() => seen.records.length >= 6_000);
      expect(seen.offsets()).toEqual(upTo(6_000));
      expect(faults).toBeGreaterThan(0);
    },
  );

  it('answers bounds while a long poll waits', async () => {
    const faulty = await withFaults(1);
    const reader = faulty.log.reader();
    onTestFinished(() => reader.close());
    const waiting = reader.range({ topic: faulty.topic, partition: 0 }, 0, 1)[Symbol.asyncIterator]().next();
    await until(() => faulty.proxy.count(api.fetch) > 0);
    const started = performance.now();
    await reader.bounds([{ topic: faulty.topic, partition: 0 }]);
    expect(performance.now() - started).toBeLessThan(150);
    await fill(faulty, 0, 1);
    expect((await waiting).value).toHaveLength(1);
  });
});

describe('reading what is unusual', () => {
  it('reads records above the limits of a fetch, and those behind them', async () => {
    const faulty = await withFaults(3, { config: { 'max.message.bytes': '9000000' } });
    const sender = faulty.connect({ maxRecordBytes: 8_000_000 }, { requestTimeoutMs: 10_000 }).sender();
    onTestFinished(() => sender.close());
    const value = (id: string, bytes: number) => Buffer.from(`${id} ${'y'.repeat(bytes)}`);
    for (const partition of [0, 1, 2]) {
      await sender.send([{ topic: faulty.topic, partition, key: null, value: value('small', 10) }]);
      await sender.send([{ topic: faulty.topic, partition, key: null, value: value('large', 3_000_000) }]);
      await sender.send([{ topic: faulty.topic, partition, key: null, value: value('behind', 10) }]);
    }
    const feed = faulty.log.feed();
    onTestFinished(() => feed.close());
    const seen = [collect(), collect(), collect()];
    seen.forEach(({ handler }, partition) => feed.follow({ topic: faulty.topic, partition }, 0, handler));
    await until(() => seen.every(({ records }) => records.length >= 3));
    for (const { records } of seen) expect(records.map((one) => entryOf(one).id)).toEqual(['small', 'large', 'behind']);
    const reader = faulty.log.reader();
    onTestFinished(() => reader.close());
    const ids: string[] = [];
    for await (const records of reader.range({ topic: faulty.topic, partition: 1 }, 0, 3))
      ids.push(...records.map((one) => entryOf(one).id));
    expect(ids).toEqual(['small', 'large', 'behind']);
  });

  it('shows committed transactions, hides aborted ones, and passes their markers', async () => {
    const faulty = await withFaults(1);
    const kafka = new Kafka({ brokers: [...faulty.brokers], logLevel: logLevel.NOTHING });
    const producer = kafka.producer({
      transactionalId: faulty.topic,
      maxInFlightRequests: 1,
      idempotent: true,
      createPartitioner: () => () => 0,
    });
    await producer.connect();
    onTestFinished(() => producer.disconnect());
    for (const [id, commit] of [
      ['a', true],
      ['b', false],
      ['c', true],
      ['d', false],
    ] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic: faulty.topic, messages: [{ value: `${id}1` }, { value: `${id}2` }] });
      await (commit ? transaction.commit() : transaction.abort());
    }
    const feed = faulty.log.feed();
    onTestFinished(() => feed.close());
    const seen = collect();
    feed.follow({ topic: faulty.topic, partition: 0 }, 0, seen.handler);
    // 4 transactions of two records and a marker.
    await until(() => seen.reached() === 12);
    expect(seen.records.map((one) => entryOf(one).id)).toEqual(['a1', 'a2', 'c1', 'c2']);
    const reader = faulty.log.reader();
    onTestFinished(() => reader.close());
    const ids: string[] = [];
    for await (const records of reader.range({ topic: faulty.topic, partition: 0 }, 0, 12))
      ids.push(...records.map((one) => entryOf(one).id));
    expect(ids).toEqual(['a1', 'a2', 'c1', 'c2']);
  });

  it("reads gzip and kafkajs's own batches", async () => {
    const faulty = await withFaults(1);
    const producer = new Kafka({ brokers: [...faulty.brokers], logLevel: logLevel.NOTHING }).producer({
      createPartitioner: () => () => 0,
    });
    await producer.connect();
    onTestFinished(() => producer.disconnect());
    const headers = { ce_type: 'task.completed' };
    await producer.send({
      topic: faulty.topic,
      compression: 1,
      messages: [{ key: 'k', value: 'packed', headers }, { value: null }],
    });
    await producer.send({ topic: faulty.topic, messages: [{ key: 'k', value: gzipSync('plain'), headers }] });
    const reader = faulty.log.reader();
    onTestFinished(() => reader.close());
    const read: LogRecord[] = [];
    for await (const records of reader.range({ topic: faulty.topic, partition: 0 }, 0, 3)) read.push(...records);
    expect(read).toMatchObject([
      {
        offset: 0,
        key: Buffer.from('k'),
        value: Buffer.from('packed'),
        headers: { ce_type: Buffer.from('task.completed') },
      },
      { offset: 1, key: null, value: null },
      { offset: 2, value: gzipSync('plain') },
    ]);
  });
});
