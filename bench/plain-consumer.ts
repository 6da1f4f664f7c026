/** kafkajs's own consumer, with nothing done to what it brings: what reading a log again is compared with. */
import { Kafka, logLevel } from 'kafkajs';
import { machineMs } from './clock.js';

const patienceMs = 300_000;

/**
 * Reads a topic from its beginning, by a group of its own.
 * @param records so many are there
 * @returns records per second from the first batch to the last; joining the group does not count
 */
export async function plainConsumeSpeed(brokers: string, topic: string, records: number): Promise<number> {
  const kafka = new Kafka({ clientId: 'bench-plain', brokers: brokers.split(','), logLevel: logLevel.NOTHING });
  // As many bytes at a time as our own reader asks for.
  const consumer = kafka.consumer({ groupId: `plain-${process.pid}-${machineMs()}`, maxBytesPerPartition: 2_000_000 });
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    const all = Promise.withResolvers<number>();
    const timer = setTimeout(() => all.reject(new Error('kafkajs has not read the log in time')), patienceMs);
    let [count, firstAt, first] = [0, 0, 0];
    await consumer.run({
      eachBatch: ({ batch }) => {
        count += batch.messages.length;
        if (firstAt === 0) [firstAt, first] = [machineMs(), count];
        if (count >= records) all.resolve(((count - first) / (machineMs() - firstAt)) * 1_000);
        return Promise.resolve();
      },
    });
    return await all.promise.finally(() => clearTimeout(timer));
  } finally {
    await consumer.disconnect();
  }
}
