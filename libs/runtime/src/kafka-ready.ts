import { Kafka, logLevel } from 'kafkajs';

/**
 * True when the cluster at `brokers` can be worked with: brokers of all the given ports have joined, and the
 * coordinators answer. A port that accepts connections says little: right after a start the coordinators are still
 * loading, and the first consumers and producers would be sent away.
 *
 * @param coordinatorPartitions how many partitions `__consumer_offsets` has: each one's coordinator is asked.
 */
export async function kafkaAnswers(
  brokers: readonly string[],
  coordinatorPartitions: number,
  ports: readonly number[] = [],
): Promise<boolean> {
  const kafka = new Kafka({
    clientId: 'posthorn-runtime',
    brokers: [...brokers],
    connectionTimeout: 1000,
    requestTimeout: 5000,
    logLevel: logLevel.NOTHING,
    retry: { retries: 1, initialRetryTime: 50 },
  });
  const admin = kafka.admin();
  const producer = kafka.producer({
    transactionalId: 'posthorn-runtime-ready',
    maxInFlightRequests: 1,
    idempotent: true,
  });
  try {
    await admin.connect();
    const { brokers: joined } = await admin.describeCluster();
    if (!ports.every((port) => joined.some((broker) => broker.port === port))) return false;
    // The broker places a group by the hash of its id; ids whose last characters follow each other hit each partition.
    const groups = Array.from({ length: coordinatorPartitions }, (_, index) => `posthorn-ready-${index}`);
    await admin.describeGroups(groups);
    await producer.connect();
    await (await producer.transaction()).abort();
    return true;
  } catch {
    // Not yet: whoever asks has a deadline.
    return false;
  } finally {
    await Promise.allSettled([producer.disconnect(), admin.disconnect()]);
  }
}
