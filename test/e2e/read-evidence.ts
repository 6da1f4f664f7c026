import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import { Kafka, logLevel, type KafkaMessage } from 'kafkajs';
import type { Attempt } from '#libs/contracts';
import type { LoggedDeadLetter } from '../oracle/delivery-oracle.js';
import type { PlacedEvent } from '../oracle/order-oracle.js';

/** Everything that stands in a topic, read from its start with the stock client: what anyone else would see. */
export async function readTopic(
  brokers: string,
  topic: string,
): Promise<readonly (KafkaMessage & { readonly partition: number })[]> {
  const kafka = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const ends = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const missing = new Map(
    ends.filter(({ low, high }) => Number(high) > Number(low)).map(({ partition, high }) => [partition, Number(high)]),
  );
  const found: (KafkaMessage & { partition: number })[] = [];
  if (missing.size === 0) return found;
  const consumer = kafka.consumer({ groupId: `reader-${crypto.randomUUID()}`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    consumer
      .run({
        eachBatch({ batch }) {
          const end = missing.get(batch.partition);
          if (end !== undefined) {
            found.push(
              ...batch.messages
                .filter(({ offset }) => Number(offset) < end)
                .map((m) => ({ ...m, partition: batch.partition })),
            );
            if (Number(batch.lastOffset()) >= end - 1) missing.delete(batch.partition);
          }
          if (missing.size === 0) resolve();
          return Promise.resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
  return found;
}

/** A decoded value and when the broker appended it: Unix milliseconds. */
export type Logged<T> = T & { readonly loggedAt: number };

/** Decodes values of a topic through the registry, as a stock consumer would. */
async function readAvro<T>(brokers: string, registryUrl: string, topic: string): Promise<readonly Logged<T>[]> {
  const registry = new SchemaRegistry({ host: registryUrl });
  const records = await readTopic(brokers, topic);
  const values: Logged<T>[] = [];
  for (const { value, timestamp } of records) {
    if (value) values.push({ ...((await registry.decode(value)) as T), loggedAt: Number(timestamp) });
  }
  return values;
}

const text = (value: Buffer | string | (Buffer | string)[] | undefined): string =>
  String(Array.isArray(value) ? value[0] : (value ?? ''));

/** The events topic as CloudEvents attributes; binary and structured mode. */
export async function readEvents(brokers: string, topic: string): Promise<readonly Logged<PlacedEvent>[]> {
  return (await readTopic(brokers, topic)).map((record): Logged<PlacedEvent> => {
    const headers = record.headers ?? {};
    const keyTenant = record.key?.toString() ?? '';
    const place = {
      partition: record.partition,
      offset: Number(record.offset),
      loggedAt: Number(record.timestamp),
    };
    if (text(headers['content-type']).startsWith('application/cloudevents+json')) {
      const event = JSON.parse(String(record.value)) as Record<string, string | undefined>;
      return {
        tenantId: event['tenantid'] ?? keyTenant,
        id: event['id'] ?? '',
        source: event['source'] ?? '',
        type: event['type'] ?? '',
        orderingKey: event['partitionkey'] ?? event['subject'] ?? '',
        ...place,
      };
    }
    return {
      tenantId: text(headers['ce_tenantid']) || keyTenant,
      id: text(headers['ce_id']),
      source: text(headers['ce_source']),
      type: text(headers['ce_type']),
      orderingKey: text(headers['ce_partitionkey']) || text(headers['ce_subject']),
      ...place,
    };
  });
}

export interface LogEvidence {
  readonly events: readonly Logged<PlacedEvent>[];
  readonly attempts: readonly Logged<Attempt>[];
  readonly deadLetters: readonly LoggedDeadLetter[];
}

export async function readEvidence(at: {
  readonly brokers: string;
  readonly registryUrl: string;
  readonly prefix: string;
}): Promise<LogEvidence> {
  const { brokers, registryUrl, prefix } = at;
  return {
    events: await readEvents(brokers, `${prefix}.events`),
    attempts: await readAvro<Attempt>(brokers, registryUrl, `${prefix}.attempts`),
    deadLetters: await readAvro<LoggedDeadLetter>(brokers, registryUrl, `${prefix}.dead-letters`),
  };
}
