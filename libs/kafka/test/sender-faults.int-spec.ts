import { Kafka, logLevel, type Producer } from 'kafkajs';
import { connect as connectTcp } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { OutgoingRecord, RecordSender } from '../src/ports.js';
import type { KafkaSender } from '../src/sender.js';
import { faultless, judgeLog, type Acknowledged } from './append-oracle.js';
import { readAll, seeded, until, withFaults, type Faulty } from './fault-setup.js';
import { api } from './faulty-proxy.js';

const partitions = 6;

function senderOf({ log }: Faulty): KafkaSender {
  const sender = log.sender() as KafkaSender;
  onTestFinished(() => sender.close());
  return sender;
}

const record = (topic: string, partition: number, id: string): OutgoingRecord => ({
  topic,
  partition,
  key: null,
  value: Buffer.from(id),
});

/** Several callers, each with one call after the other, of one to three records. */
async function load(sender: RecordSender, topic: string, callers: number, calls: number): Promise<Acknowledged[]> {
  const acknowledged: Acknowledged[] = [];
  const work = Array.from({ length: callers }, async (_, caller) => {
    const source = `c${caller}`;
    for (let call = 0; call < calls; call++) {
      const records = Array.from({ length: 1 + (call % 3) }, (__, at) =>
        record(topic, (caller + call) % partitions, `${source}.${call}.${at}`),
      );
      await sender.send(records);
      for (const { partition, value } of records) acknowledged.push({ source, partition, id: String(value) });
    }
  });
  await Promise.all(work);
  return acknowledged;
}

/** kafkajs's own producer, as it is used without our rules. */
async function plainProducer({ brokers, proxy }: Faulty): Promise<Producer> {
  const kafka = new Kafka({
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    requestTimeout: 1_500,
    retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 20 },
    socketFactory: ({ host, port, onConnect }) => connectTcp(proxy.route({ host, port }), onConnect),
  });
  const producer = kafka.producer({
    idempotent: true,
    retry: { retries: Number.MAX_SAFE_INTEGER, initialRetryTime: 100, maxRetryTime: 500 },
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition ?? 0,
  });
  await producer.connect();
  onTestFinished(() => producer.disconnect());
  return producer;
}

describe('the sender, when answers get lost', () => {
  it.each(['lose', 'cut', 'cut-half'] as const)('loses, doubles and reorders nothing (answers: %s)', async (fate) => {
    const faulty = await withFaults(partitions);
    const random = seeded(7);
    // A lost answer costs the time-out of the request.
    const wanted = fate === 'lose' ? 2 : 5;
    let faults = 0;
    faulty.proxy.onAnswer = (apiKey) => {
      if (apiKey !== api.produce || faults >= wanted || random() > 0.3) return 'pass';
      faults += 1;
      return fate;
    };
    const sender = senderOf(faulty);
    const acknowledged = await load(sender, faulty.topic, 12, 60);
    expect(faults).toBe(wanted);
    expect(judgeLog(acknowledged, await readAll(faulty.direct, faulty.topic, partitions))).toEqual(faultless);
    expect(sender.replaced).toBe(0);
  });

  it("kafkajs's producer with two sends under way does: the test above can fail", async () => {
    const faulty = await withFaults(1);
    const producer = await plainProducer(faulty);
    const send = (id: string) => producer.send({ topic: faulty.topic, messages: [{ value: id, partition: 0 }] });
    await send('warm');
    let lose = 1;
    faulty.proxy.onAnswer = (apiKey) => (apiKey === api.produce && lose-- > 0 ? 'lose' : 'pass');
    const ids = ['warm', 'a', 'b', 'c', 'd'];
    await Promise.all([send('a'), send('b')]);
    await Promise.all([send('c'), send('d')]);
    const acknowledged = ids.map((id) => ({ source: id, partition: 0, id }));
    const verdict = judgeLog(acknowledged, await readAll(faulty.direct, faulty.topic, 1));
    expect(verdict.lost.length + verdict.doubled.length).toBeGreaterThan(0);
  });

  it('sends again what the answer lacks', async () => {
    const faulty = await withFaults(partitions);
    let empty = 3;
    // No topics, no throttling: each partition is missing. The second was written all the same.
    faulty.proxy.onRequest = (apiKey) => (apiKey === api.produce && empty !== 2 && empty-- > 0 ? noTopics : null);
    faulty.proxy.onAnswer = (apiKey) => (apiKey === api.produce && empty === 2 && empty-- > 0 ? noTopics : 'pass');
    const acknowledged = await load(senderOf(faulty), faulty.topic, 6, 5);
    expect(judgeLog(acknowledged, await readAll(faulty.direct, faulty.topic, partitions))).toEqual(faultless);
  });

  it("kafkajs's producer takes such an answer for a success", async () => {
    const faulty = await withFaults(1);
    const producer = await plainProducer(faulty);
    faulty.proxy.onRequest = (apiKey) => (apiKey === api.produce ? noTopics : null);
    expect(await producer.send({ topic: faulty.topic, messages: [{ value: 'a', partition: 0 }] })).toEqual([]);
    expect(await readAll(faulty.direct, faulty.topic, 1)).toEqual([]);
  });

  it('replaces the producer when the broker disputes the sequence: nothing is lost, repeats are counted', async () => {
    const faulty = await withFaults(partitions);
    let disputes = 3;
    faulty.proxy.onAnswer = (apiKey, body) => (apiKey === api.produce && disputes-- > 0 ? withError(body, 45) : 'pass');
    const sender = senderOf(faulty);
    const acknowledged = await load(sender, faulty.topic, 6, 20);
    const verdict = judgeLog(acknowledged, await readAll(faulty.direct, faulty.topic, partitions));
    expect(verdict.lost).toEqual([]);
    expect(verdict.reordered).toEqual([]);
    // The broker had written them all the same.
    expect(verdict.doubled.length).toBeGreaterThan(0);
    expect(sender.replaced).toBeGreaterThan(0);
  });
});

describe('the sender and the right to append', () => {
  it('does not send again what is no longer held; what comes after it is written', async () => {
    const faulty = await withFaults(1);
    const sender = senderOf(faulty);
    await sender.send([record(faulty.topic, 0, 'warm')]);
    let held = true;
    faulty.proxy.onAnswer = (apiKey) => {
      if (apiKey !== api.produce || !held) return 'pass';
      held = false;
      return 'cut';
    };
    const before = faulty.proxy.count(api.produce);
    await expect(sender.send([record(faulty.topic, 0, 'lost')], { held: () => held })).rejects.toMatchObject({
      code: 'not-held',
    });
    expect(faulty.proxy.count(api.produce)).toBe(before + 1);
    // Under the old sequence the broker would take these for repeats of the first.
    await sender.send([record(faulty.topic, 0, 'next')]);
    const ids = (await readAll(faulty.direct, faulty.topic, 1)).map(({ id }) => id);
    expect(ids).toEqual(['warm', 'lost', 'next']);
  });

  it('repeats what is still held of a batch that was shared', async () => {
    const faulty = await withFaults(1);
    const sender = senderOf(faulty);
    await sender.send([record(faulty.topic, 0, 'warm')]);
    let held = true;
    faulty.proxy.onAnswer = (apiKey) => {
      if (apiKey !== api.produce || !held) return 'pass';
      held = false;
      return 'cut';
    };
    const mine = sender.send([record(faulty.topic, 0, 'mine')]);
    await expect(sender.send([record(faulty.topic, 0, 'lost')], { held: () => held })).rejects.toMatchObject({
      code: 'not-held',
    });
    await mine;
    const verdict = judgeLog(
      [{ source: 's', partition: 0, id: 'mine' }],
      await readAll(faulty.direct, faulty.topic, 1),
    );
    expect(verdict.lost).toEqual([]);
    expect(sender.replaced).toBe(1);
  });

  it('gives up in time, and recovers', async () => {
    const faulty = await withFaults(1);
    const sender = senderOf(faulty);
    await sender.send([record(faulty.topic, 0, 'warm')]);
    faulty.proxy.blackHole = true;
    const started = performance.now();
    await expect(sender.send([record(faulty.topic, 0, 'a')], { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'timeout',
    });
    expect(performance.now() - started).toBeLessThan(1_000);
    faulty.proxy.blackHole = false;
    await sender.send([record(faulty.topic, 0, 'b')]);
    expect((await readAll(faulty.direct, faulty.topic, 1)).map(({ id }) => id)).toContain('b');
  });
});

describe('the sender and sizes', () => {
  it('splits a batch that the broker finds too large, refuses one record alone, and loses none around it', async () => {
    const faulty = await withFaults(1, { config: { 'max.message.bytes': '20000' } });
    const sender = senderOf(faulty);
    const padded = (id: string, bytes: number) => record(faulty.topic, 0, `${id} ${'x'.repeat(bytes)}`);
    const calls = [
      sender.send(Array.from({ length: 9 }, (_, at) => padded(`a${at}`, 7_000))),
      sender.send([padded('large', 30_000)]),
      sender.send([padded('b', 100)]),
    ];
    const [first, large, after] = await Promise.allSettled(calls);
    expect(first?.status).toBe('fulfilled');
    expect(large).toMatchObject({ status: 'rejected', reason: { code: 'too-large' } });
    expect(after?.status).toBe('fulfilled');
    const ids = (await readAll(faulty.direct, faulty.topic, 1)).map(({ id }) => id);
    expect(ids).toEqual([...Array.from({ length: 9 }, (_, at) => `a${at}`), 'b']);
    expect(sender.replaced).toBe(0);
  });

  it("kafkajs's producer loses what comes after a record that is too large", async () => {
    const faulty = await withFaults(2, { config: { 'max.message.bytes': '20000' } });
    const producer = await plainProducer(faulty);
    const send = (...messages: { value: string; partition: number }[]) =>
      producer.send({ topic: faulty.topic, messages });
    await send({ value: 'warm0', partition: 0 }, { value: 'warm1', partition: 1 });
    await expect(send({ value: 'x'.repeat(30_000), partition: 0 }, { value: 'healthy', partition: 1 })).rejects.toThrow(
      /larger than|too large/i,
    );
    await send({ value: 'after', partition: 1 });
    const verdict = judgeLog(
      [{ source: 's', partition: 1, id: 'after' }],
      await readAll(faulty.direct, faulty.topic, 2),
    );
    expect(verdict.lost).toEqual(['after']);
  });

  it('says when the broker refuses records for good, and goes on', async () => {
    const faulty = await withFaults(1, { config: { 'cleanup.policy': 'compact' } });
    const sender = senderOf(faulty);
    await expect(sender.send([record(faulty.topic, 0, 'no key')])).rejects.toMatchObject({ code: 'refused' });
    await sender.send([{ ...record(faulty.topic, 0, 'keyed'), key: 'k' }]);
    expect(await readAll(faulty.direct, faulty.topic, 1)).toEqual([{ partition: 0, id: 'keyed' }]);
  });

  it('waits for a topic that is not there yet', async () => {
    const faulty = await withFaults(1);
    const sender = senderOf(faulty);
    const later = `${faulty.topic}.later`;
    const sent = sender.send([record(later, 0, 'a')]);
    await until(() => faulty.proxy.count(api.metadata) > 1);
    const admin = faulty.direct.administration();
    onTestFinished(() => admin.close());
    await admin.ensure([{ name: later, partitions: 1, replicationFactor: 1, config: {} }]);
    expect(await sent).toEqual([{ topic: later, partition: 0, offset: 0 }]);
  });
});

/** An answer to Produce that names no partition. */
const noTopics = Buffer.alloc(8);

/** The same answer (Produce v7), with this error for each partition. */
function withError(body: Buffer, code: number): Buffer {
  const changed = Buffer.from(body);
  let at = 4;
  for (let topics = body.readInt32BE(0); topics > 0; topics--) {
    at += 2 + body.readInt16BE(at);
    let count = body.readInt32BE(at);
    at += 4;
    for (; count > 0; count--) {
      changed.writeInt16BE(code, at + 4);
      at += 30;
    }
  }
  return changed;
}
