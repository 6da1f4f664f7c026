// Real: Kafka, schema registry, HTTP on loopback, the worker with its real clock. Doubled: nothing; the dispatcher's
// and the api's records are written by the test. Facts: what the receiver got, what stands in the topics.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { topicNames, topicSpecs, type Attempt } from '#libs/contracts';
import {
  defaultPorts,
  firstCommitMetadata,
  networkRules,
  scheduleOf,
  formatSecret,
  parseSecret,
  partitionFor,
  sealSecret,
  verifyWebhook,
  webhookIdOf,
} from '#libs/core';
import { createHttpSender, type HttpSender } from '#libs/http-delivery';
import { connectKafka, type KafkaLog, type LogReader, type RecordSender } from '#libs/kafka';
import { applySchemas, connectSchemaCodec, type PlatformCodecs } from '#libs/schema-codec';
import { aDelivery, anEndpointConfig, RecordingReceiver, uniquePrefix } from '#libs/testing';
import { DeliverConsumer } from './deliver.consumer.js';

const layout = {
  prefix: uniquePrefix(),
  eventPartitions: 1,
  deliveryPartitions: 4,
  replicationFactor: 1,
  minInSyncReplicas: 1,
  maxMessageBytes: 1_048_588,
};
const topics = topicNames(layout.prefix);
const masterKeys = new Map([[1, randomBytes(32)]]);
const secret = formatSecret(randomBytes(32));

let kafka: KafkaLog;
let codecs: PlatformCodecs;
let sender: RecordSender;
let reader: LogReader;
let http: HttpSender;
let receiver: RecordingReceiver;
const alarms: string[] = [];

beforeAll(async () => {
  kafka = connectKafka({ brokers: inject('kafkaBrokers').split(','), clientId: 'worker-int' });
  const registryUrl = inject('schemaRegistryUrl');
  await applySchemas({ registryUrl, eventsFolder: 'schemas/events' });
  codecs = (await connectSchemaCodec({ registryUrl })).platform;
  const administration = kafka.administration();
  expect(await administration.ensure(topicSpecs(layout))).toEqual([]);
  const metadata = firstCommitMetadata(topics.retry.map(({ delayMs }) => delayMs));
  const topic = topics.deliveries;
  const numbers = Array.from({ length: layout.deliveryPartitions }, (_, partition) => partition);
  await administration.setCommits(
    `${layout.prefix}.worker`,
    numbers.map((partition) => ({ topic, partition, offset: 0, metadata })),
  );
  await administration.close();
  sender = kafka.sender();
  reader = kafka.reader();
  // The receiver is on loopback.
  const rules = networkRules({ allowHttp: true, allowedRanges: ['127.0.0.0/8'], allowedPorts: defaultPorts });
  http = createHttpSender({ rules });
  receiver = await RecordingReceiver.start();
});

afterAll(async () => {
  await Promise.all([sender.close(), reader.close(), http.close(), receiver.close()]);
});

function worker(workerId: string): DeliverConsumer {
  return new DeliverConsumer(
    kafka,
    {
      topics,
      groupId: `${layout.prefix}.worker`,
      dispatcherGroupId: `${layout.prefix}.dispatcher`,
      workerId,
      masterKeys,
      maxInFlight: 64,
      laneRecords: 1_000,
      laneBytes: 8_388_608,
    },
    {
      http,
      codecs,
      clock: {
        now: () => Date.now(),
        monotonic: () => performance.now(),
        schedule(ms, task) {
          const timer = setTimeout(task, ms);
          return () => clearTimeout(timer);
        },
        defer: (task) => void setImmediate(task),
      },
      random: Math.random,
      metrics: {
        attempt: () => undefined,
        delivered: () => undefined,
        retried: () => undefined,
        deadLettered: () => undefined,
        batch: () => undefined,
        inFlight: () => undefined,
        lag: () => undefined,
        outstanding: () => undefined,
        lanes: () => undefined,
        partitionLost: () => undefined,
        partitionStopped: () => undefined,
        tokenFetched: () => undefined,
      },
      log: {
        info: () => undefined,
        warn: () => undefined,
        error: (details, message) => void alarms.push(`${message} ${JSON.stringify(details)}`),
      },
      fatal: (error) => void alarms.push(String(error)),
    },
  );
}

async function endpoint(endpointId: string, delaysMs: readonly number[]): Promise<number> {
  const config = anEndpointConfig({
    endpointId,
    url: `${receiver.url}/${endpointId}`,
    secrets: [
      { secretId: 's1', ciphertext: sealSecret(masterKeys, secret, endpointId, randomBytes(12)), expiresAt: null },
    ],
    timeoutMs: 2_000,
    retry: scheduleOf(delaysMs, { jitter: 0.2, maxDelayMs: 3_600_000 }),
    adaptiveConcurrency: false,
    // Not what this test is about: those that fail would rest for half a minute.
    circuit: {
      consecutiveFailures: 1_000_000,
      failureShare: 1,
      minRequests: 1_000_000,
      windowMs: 60_000,
      openMs: 30_000,
      maxOpenMs: 300_000,
    },
    updatedAt: Date.now(),
  });
  const value = codecs.endpointConfig.encode(config);
  const [at] = await sender.send([{ topic: topics.endpoints, partition: 0, key: endpointId, value }]);
  return at?.offset ?? -1;
}

let sourceOffset = 0;
async function deliver(endpointId: string, configVersion: number, count: number): Promise<void> {
  const records = Array.from({ length: count }, () => {
    const eventId = `event-${sourceOffset}`;
    const delivery = aDelivery({
      endpointId,
      webhookId: webhookIdOf(endpointId, '/test', eventId),
      sourceOffset: sourceOffset++,
      configVersion,
      eventId,
      eventSource: '/test',
      acceptedAt: Date.now(),
      dispatchedAt: Date.now(),
      body: Buffer.from(JSON.stringify({ id: eventId, data: 'x'.repeat(500) })),
    });
    const partition = partitionFor(endpointId, layout.deliveryPartitions);
    return { topic: topics.deliveries, partition, key: endpointId, value: codecs.delivery.encode(delivery) };
  });
  await sender.send(records);
}

/** Final Attempts by delivery, once there are `count` of them. */
async function finals(count: number, withinMs: number): Promise<Attempt[]> {
  const until = Date.now() + withinMs;
  const partitions = Array.from({ length: layout.deliveryPartitions }, (_, partition) => ({
    topic: topics.attempts,
    partition,
  }));
  for (;;) {
    const found = new Map<string, Attempt>();
    const bounds = await reader.bounds(partitions);
    for (const [index, partition] of partitions.entries()) {
      for await (const records of reader.range(partition, bounds[index]?.start ?? 0, bounds[index]?.end ?? 0)) {
        for (const record of records) {
          const attempt = codecs.attempt.decode(record.value ?? Buffer.alloc(0));
          if (attempt.final) found.set(attempt.deliveryId, attempt);
        }
      }
    }
    if (found.size >= count || Date.now() > until) return [...found.values()];
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

const pathOf = (endpointId: string): string => `/${endpointId}`;
const countOf = (endpointId: string): number =>
  receiver.requests.filter((one) => one.path === pathOf(endpointId)).length;

describe('the delivery worker over a broker', () => {
  it('delivers, retries, gives up, hands over; a hanging endpoint costs the others nothing', async () => {
    receiver.program = (request, _, earlier) => {
      if (request.path === '/ep_hangs') return { kind: 'never' };
      if (request.path === '/ep_fails') return { status: 500 };
      if (request.path === '/ep_flaky') return { status: earlier === 0 ? 503 : 204 };
      return {};
    };
    await endpoint('ep_steady', [1_000]);
    await endpoint('ep_flaky', [1_000, 1_000]);
    await endpoint('ep_fails', [1_000]);
    const version = await endpoint('ep_hangs', [1_000]);
    const first = worker('worker-1');
    await first.start();
    await deliver('ep_hangs', version, 20);
    await deliver('ep_steady', version, 500);
    await deliver('ep_flaky', version, 50);
    await deliver('ep_fails', version, 10);
    await receiver.waitFor(500, 10_000);
    const second = worker('worker-2');
    await second.start();
    await deliver('ep_steady', version, 500);
    const done = await finals(1_080, 30_000);
    await Promise.all([first.stop(), second.stop()]);

    const outcomes = (endpointId: string): string[] => [
      ...new Set(done.filter((one) => one.endpointId === endpointId).map((one) => `${one.number} ${one.outcome}`)),
    ];
    expect(done).toHaveLength(1_080);
    expect(outcomes('ep_steady')).toEqual(['1 delivered']);
    expect(outcomes('ep_flaky')).toEqual(['2 delivered']);
    expect(outcomes('ep_fails')).toEqual(['2 deadLetter']);
    expect(outcomes('ep_hangs')).toEqual(['2 deadLetter']);
    expect(countOf('ep_steady')).toBe(1_000);
    expect(countOf('ep_flaky')).toBe(100);
    for (const request of receiver.requests) {
      const signed = {
        id: String(request.headers['webhook-id']),
        timestamp: String(request.headers['webhook-timestamp']),
        signature: String(request.headers['webhook-signature']),
        body: request.body,
      };
      expect(verifyWebhook([parseSecret(secret)], signed, Date.now() / 1_000)).toEqual({ ok: true });
    }
    expect(alarms).toEqual([]);

    // Everything was committed: another owner has nothing to send, also when the retry topics give back what they hold.
    const before = receiver.requests.length;
    const third = worker('worker-3');
    await third.start();
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    await third.stop();
    expect(receiver.requests).toHaveLength(before);
  }, 90_000);
});
