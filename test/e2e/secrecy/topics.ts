import { Kafka, logLevel } from 'kafkajs';
import { connectKafka, type LogReader, type LogRecord } from '#libs/kafka';
import type { Readable } from '../../oracle/secrecy-oracle.js';

const newline = Buffer.from('\n');

/**
 * Every record of every topic that begins with `prefix`, and of the broker's own topics (positions, and what is committed
 * beside them): keys, values, names and values of headers, decompressed. A place each.
 */
export async function* topicsOf(brokers: string, prefix: string): AsyncGenerator<Readable> {
  const admin = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).admin();
  const reader = connectKafka({ brokers: brokers.split(','), clientId: 'secrecy' }).reader();
  try {
    await admin.connect();
    const names = (await admin.listTopics()).filter((name) => name.startsWith(prefix) || name.startsWith('__'));
    const { topics } = await admin.fetchTopicMetadata({ topics: names });
    for (const { name, partitions } of topics) {
      const all = partitions.map(({ partitionId }) => ({ topic: name, partition: partitionId }));
      yield { place: `topic ${name.replace(prefix, '')}`, pieces: recordsOf(reader, all) };
    }
  } finally {
    await admin.disconnect();
    await reader.close();
  }
}

async function* recordsOf(
  reader: LogReader,
  partitions: readonly { topic: string; partition: number }[],
): AsyncGenerator<Buffer> {
  const bounds = await reader.bounds(partitions);
  for (const [n, { start, end }] of bounds.entries()) {
    for await (const records of reader.range(partitions[n]!, start, end)) yield Buffer.concat(records.flatMap(partsOf));
  }
}

const partsOf = ({ key, value, headers }: LogRecord): Buffer[] =>
  [key, value, ...Object.entries(headers).flatMap(([name, header]) => [Buffer.from(name), header])].flatMap((part) =>
    part === null ? [] : [part, newline],
  );
