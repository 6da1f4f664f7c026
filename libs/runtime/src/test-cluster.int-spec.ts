import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from './index.js';
import { kafkaAnswers } from './kafka-ready.js';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster({ brokers: 3 });
});
afterAll(() => cluster.stop());

test('a topic survives the death of any one broker, and the broker comes back on its port', async () => {
  const kafka = new Kafka({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  try {
    await admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 3, replicationFactor: 3 }] });
    await cluster.kill(0);
    expect(await kafkaAnswers([cluster.brokers[0]!], 1)).toBe(false);
    expect(() => cluster.freeze(0)).toThrow('does not run');
    await cluster.restart(0);
    expect(await admin.listTopics()).toContain('kept');
    const { brokers } = await admin.describeCluster();
    expect(brokers.map(({ host, port }) => `${host}:${port}`).sort()).toEqual([...cluster.brokers].sort());
  } finally {
    await admin.disconnect();
  }
});

test('a frozen broker is silent, a thawed one answers', async () => {
  cluster.freeze(1);
  const silent = await kafkaAnswers([cluster.brokers[1]!], 1);
  cluster.thaw(1);
  expect(silent).toBe(false);
  await expect.poll(() => kafkaAnswers([cluster.brokers[1]!], 1), { timeout: 20_000 }).toBe(true);
});
