import { startTestCluster, type TestCluster } from '#libs/runtime';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { LinkFailure } from '../src/broker-link.js';
import { connectTuned } from '../src/connect.js';
import type { KafkaLog } from '../src/ports.js';
import type { KafkaSender } from '../src/sender.js';
import { faultless, judgeLog, type Acknowledged } from './append-oracle.js';
import { entryOf, readAll, until } from './fault-setup.js';

const partitions = 12;
const topic = 'moving-leaders';

describe('three brokers that die and come back under load', () => {
  let cluster: TestCluster;
  let log: KafkaLog;

  beforeAll(async () => {
    cluster = await startTestCluster({ brokers: 3 });
    log = connectTuned(
      { brokers: cluster.brokers, clientId: 'moving' },
      { requestTimeoutMs: 4_000, connectTimeoutMs: 1_000 },
    );
    const admin = log.administration();
    const config = { 'min.insync.replicas': '2', 'message.timestamp.type': 'LogAppendTime' };
    await admin.ensure([{ name: topic, partitions, replicationFactor: 3, config }]);
    await admin.close();
  });
  afterAll(async () => {
    await cluster?.stop();
  });

  it('nothing acknowledged is lost, doubled or reordered; feed and membership go on', async () => {
    const sender = log.sender() as KafkaSender;
    const feed = log.feed();
    onTestFinished(() => feed.close());
    const seen = Array.from({ length: partitions }, () => [] as string[]);
    const offsets = Array.from({ length: partitions }, () => [] as number[]);
    for (let partition = 0; partition < partitions; partition++) {
      feed.follow({ topic, partition }, 0, {
        onRecords: (records) => {
          for (const one of records) {
            seen[partition]?.push(entryOf(one).id);
            offsets[partition]?.push(one.offset);
          }
        },
        onOutOfRange: (error) => {
          throw error;
        },
      });
    }
    const events: string[] = [];
    const group = log.membership({
      groupId: 'moving',
      topics: [topic],
      listener: {
        onGained: (gained) => void events.push(`gained ${gained.length}`),
        onLost: (lost) => void events.push(`lost ${lost.length}`),
        beforeJoin: () => Promise.resolve(),
        onFatal: (error) => void events.push(error.message),
      },
    });
    onTestFinished(() => group.leave());
    await group.join();

    const acknowledged: Acknowledged[] = [];
    let stop = false;
    const load = Array.from({ length: 8 }, async (_, source) => {
      for (let call = 0; !stop; call++) {
        const records = [0, 1, 2].map((at) => ({
          topic,
          partition: (source + call + at) % partitions,
          key: null,
          value: Buffer.from(`${source}.${call}.${at}`),
        }));
        await sender.send(records);
        for (const { partition, value } of records)
          acknowledged.push({ source: String(source), partition, id: String(value) });
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    });
    const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    await wait(1_000);
    for (const victim of [0, 1]) {
      await cluster.kill(victim);
      const before = acknowledged.length;
      await until(() => acknowledged.length > before + 700);
      await cluster.restart(victim);
      // Until its replicas are in sync, another death would only make everybody wait.
      await wait(2_000);
    }
    cluster.freeze(2);
    await wait(3_000);
    cluster.thaw(2);
    const before = acknowledged.length;
    await until(() => acknowledged.length > before + 300);
    stop = true;
    await Promise.all(load);
    await sender.close();

    expect(judgeLog(acknowledged, await readAll(log, topic, partitions))).toEqual(faultless);
    expect(sender.replaced).toBe(0);
    await until(() => seen.flat().length >= acknowledged.length);
    for (const of of offsets) expect(of).toEqual(of.map((_, at) => at));
    await until(() => group.owned().length === partitions && group.heldUntil() > performance.now());
    await group.commit([{ topic, partition: 0, offset: 1 }]);
    expect(events.filter((line) => !/^(gained|lost) \d+$/.test(line))).toEqual([]);
  }, 120_000);

  it('all brokers gone for a while: everything comes back by itself', async () => {
    const again = 'all-gone';
    const admin = log.administration();
    await admin.ensure([{ name: again, partitions: 3, replicationFactor: 3, config: { 'min.insync.replicas': '2' } }]);
    await admin.close();
    const sender = log.sender() as KafkaSender;
    const feed = log.feed();
    onTestFinished(() => feed.close());
    const seen: string[] = [];
    for (const partition of [0, 1, 2]) {
      feed.follow({ topic: again, partition }, 0, {
        onRecords: (records) => void seen.push(...records.map((one) => entryOf(one).id)),
        onOutOfRange: (error) => {
          throw error;
        },
      });
    }
    const send = async (id: number) => {
      await sender.send([{ topic: again, partition: id % 3, key: null, value: Buffer.from(String(id)) }]);
      return { source: 's', partition: id % 3, id: String(id) };
    };
    const first = await Promise.all([0, 1, 2, 3, 4].map(send));
    await Promise.all([0, 1, 2].map((broker) => cluster.kill(broker)));
    const during = Promise.all([5, 6, 7, 8, 9].map(send));
    await expect(log.ping()).rejects.toThrow(LinkFailure);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    await Promise.all([0, 1, 2].map((broker) => cluster.restart(broker)));
    const acknowledged = [...first, ...(await during)];
    await log.ping();
    await sender.close();
    expect(judgeLog(acknowledged, await readAll(log, again, 3))).toEqual(faultless);
    await until(() => seen.length === 10);
    expect(seen.toSorted()).toEqual(acknowledged.map(({ id }) => id).toSorted());
  }, 90_000);
});
