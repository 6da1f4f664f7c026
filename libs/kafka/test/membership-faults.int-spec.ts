import { describe, expect, it, onTestFinished } from 'vitest';
import { Kafka, logLevel } from 'kafkajs';
import { Cluster, defaultTuning } from '../src/cluster.js';
import { GroupCoordinator } from '../src/group-coordinator.js';
import type { GainedPartition, GroupMembership, KafkaLog, TopicPartition } from '../src/ports.js';
import { entryOf, until, withFaults, type Faulty } from './fault-setup.js';
import { api, type AnswerFate } from './faulty-proxy.js';

const partitions = 4;
const sessionTimeoutMs = 6_000;

function memberOf(log: KafkaLog, topic: string, beforeJoin: () => Promise<void> = () => Promise.resolve()) {
  const events: string[] = [];
  const gained: GainedPartition[] = [];
  const fatal: Error[] = [];
  const group = log.membership({
    groupId: `${topic}.group`,
    topics: [topic],
    listener: {
      onGained: (partitionsGained) => {
        events.push(`gained ${partitionsGained.length}`);
        gained.push(...partitionsGained);
      },
      onLost: (lost) => void events.push(`lost ${lost.length}`),
      beforeJoin,
      onFatal: (error) => void fatal.push(error),
    },
  });
  onTestFinished(() => group.leave());
  return { group, events, gained, fatal, count: () => group.owned().length };
}

/** One member through the proxy, one straight to the broker; two partitions each. */
async function pair() {
  const faulty = await withFaults(partitions);
  const shaky = memberOf(faulty.connect({ sessionTimeoutMs }), faulty.topic);
  await shaky.group.join();
  const steady = memberOf(faulty.connect({ sessionTimeoutMs }, { route: (address) => address }), faulty.topic);
  await steady.group.join();
  await until(() => shaky.count() === 2);
  return { faulty, shaky, steady };
}

function coordinatorOf({ brokers, topic }: Faulty): GroupCoordinator {
  const cluster = new Cluster({ brokers, clientId: 'raw' }, defaultTuning);
  onTestFinished(() => cluster.close());
  return new GroupCoordinator(cluster, `${topic}.group`, sessionTimeoutMs, 10_000);
}

describe('a member that was cut off', () => {
  it('has lost its lease before another one gains its partitions, may not commit, and starts anew when it is back', async () => {
    const { faulty, shaky, steady } = await pair();
    const [mine] = shaky.group.owned() as [TopicPartition];
    await shaky.group.commit([{ ...mine, offset: 0 }]);
    faulty.proxy.blackHole = true;
    await until(() => steady.count() === partitions);
    expect(shaky.group.heldUntil()).toBeLessThan(performance.now() - sessionTimeoutMs / 6);
    // It has not heard of anything yet.
    expect(shaky.count()).toBe(2);
    await expect(shaky.group.commit([{ ...mine, offset: 0 }])).rejects.toMatchObject({ code: 'not-owner' });
    faulty.proxy.blackHole = false;
    await until(() => shaky.events.length === 4);
    expect(shaky.events).toEqual(['gained 4', 'lost 2', 'lost 2', 'gained 2']);
    expect(shaky.group.heldUntil()).toBeGreaterThan(performance.now());
  });

  it('the broker takes commits of any member for any partition, and refuses old generations only', async () => {
    const { faulty, steady, shaky } = await pair();
    const raw = coordinatorOf(faulty);
    const stamp = stampOf(steady.group);
    const [theirs] = shaky.group.owned() as [TopicPartition];
    expect(await raw.commit(stamp, [{ ...theirs, offset: 0, metadata: 'not mine' }], () => true)).toBe(0);
    expect(
      await raw.commit({ ...stamp, generation: stamp.generation - 1 }, [{ ...theirs, offset: 0 }], () => true),
    ).toBe(22);
    // So it is the port that must refuse.
    await expect(steady.group.commit([{ ...theirs, offset: 0 }])).rejects.toMatchObject({ code: 'not-owner' });
  });
});

describe('a member, when answers get lost', () => {
  it.each([
    ['JoinGroup', api.joinGroup],
    ['SyncGroup', api.syncGroup],
  ])('takes part in the end (%s)', async (_, apiKey) => {
    const faulty = await withFaults(partitions);
    let faults = 2;
    faulty.proxy.onAnswer = (key): AnswerFate => (key === apiKey && faults-- > 0 ? 'cut' : 'pass');
    const one = memberOf(faulty.log, faulty.topic);
    await one.group.join();
    expect(one.count()).toBe(partitions);
    const [first] = one.group.owned() as [TopicPartition];
    await one.group.commit([{ ...first, offset: 0 }]);
    expect(one.fatal).toEqual([]);
  });

  it('a generation that it took no part in breaks what it held: lost, then gained anew', async () => {
    const faulty = await withFaults(partitions);
    const one = memberOf(faulty.log, faulty.topic);
    await one.group.join();
    let faults = 1;
    faulty.proxy.onAnswer = (key): AnswerFate => (key === api.syncGroup && faults-- > 0 ? 'cut' : 'pass');
    const two = memberOf(faulty.direct, faulty.topic);
    await two.group.join();
    await until(() => one.count() === 2 && two.count() === 2);
    expect(one.events).toEqual(['gained 4', 'lost 4', 'gained 2']);
  });

  it('keeps its partitions over lost heartbeats within the session', async () => {
    const faulty = await withFaults(partitions);
    const one = memberOf(faulty.connect({ sessionTimeoutMs }), faulty.topic);
    await one.group.join();
    let faults = 3;
    faulty.proxy.onAnswer = (key): AnswerFate =>
      key === api.heartbeat && faults > 0 ? (faults-- === 2 ? 'lose' : 'cut') : 'pass';
    const before = one.group.heldUntil();
    await until(() => faults === 0 && one.group.heldUntil() > before + sessionTimeoutMs / 2);
    expect(one.events).toEqual(['gained 4']);
  });

  it('says that a commit has no answer, and commits again', async () => {
    const faulty = await withFaults(partitions);
    const one = memberOf(faulty.log, faulty.topic);
    await one.group.join();
    const [first] = one.group.owned() as [TopicPartition];
    let faults = 1;
    faulty.proxy.onAnswer = (key): AnswerFate => (key === api.offsetCommit && faults-- > 0 ? 'cut' : 'pass');
    const before = faulty.proxy.count(api.offsetCommit);
    await expect(one.group.commit([{ ...first, offset: 0 }])).rejects.toMatchObject({ code: 'unavailable' });
    expect(faulty.proxy.count(api.offsetCommit)).toBe(before + 1);
    await one.group.commit([{ ...first, offset: 0 }]);
  });
});

describe('a join', () => {
  it('ends the lease before the JoinGroup is sent, and waits a second at most for the drain', async () => {
    const faulty = await withFaults(partitions);
    const leases: number[] = [];
    let drained = 0;
    const one = memberOf(faulty.log, faulty.topic, () => {
      drained = performance.now();
      return new Promise(() => undefined);
    });
    await one.group.join();
    let joinedAt = 0;
    faulty.proxy.onAnswer = (key) => {
      if (key === api.joinGroup) {
        leases.push(one.group.heldUntil());
        joinedAt = performance.now();
      }
      return 'pass';
    };
    const two = memberOf(faulty.direct, faulty.topic);
    await two.group.join();
    await until(() => one.count() === 2);
    expect(leases).toEqual([Number.NEGATIVE_INFINITY]);
    expect(joinedAt - drained).toBeGreaterThan(900);
    expect(joinedAt - drained).toBeLessThan(1_500);
    expect(one.events).toEqual(['gained 4', 'lost 2']);
  });

  it('is fatal where the group speaks another protocol', async () => {
    const faulty = await withFaults(partitions);
    const other = new Kafka({ brokers: [...faulty.brokers], logLevel: logLevel.NOTHING }).consumer({
      groupId: `${faulty.topic}.group`,
    });
    onTestFinished(() => other.disconnect());
    await other.connect();
    await other.subscribe({ topic: faulty.topic });
    const joined = new Promise((resolve) => other.on('consumer.group_join', resolve));
    await other.run({ eachMessage: () => Promise.resolve() });
    await joined;
    const one = memberOf(faulty.log, faulty.topic);
    await expect(one.group.join()).rejects.toThrow(/INCONSISTENT_GROUP_PROTOCOL/);
    expect(one.fatal).toHaveLength(1);
    expect(one.group.heldUntil()).toBe(Number.NEGATIVE_INFINITY);
  });

  it('hands over without gap or repeat while members come and go', async () => {
    const faulty = await withFaults(partitions);
    const { topic, direct } = faulty;
    const processed = new Map<string, number>();
    const start = async () => {
      const feed = direct.feed();
      const positions = new Map<number, number>();
      // A hand-over that began before it must not set it to work again after its last commit.
      let leaving = false;
      const goOn = (): void => {
        if (!leaving) for (const partition of positions.keys()) feed.resume({ topic, partition });
      };
      const commit = async () => {
        // Nothing may be done after the commit: the drain ends the work.
        for (const partition of positions.keys()) feed.pause({ topic, partition });
        await group.commit([...positions].map(([partition, offset]) => ({ topic, partition, offset })));
      };
      const group: GroupMembership = direct.membership({
        groupId: `${topic}.group`,
        topics: [topic],
        listener: {
          onGained: (gained) => {
            if (leaving) return;
            for (const { partition, committed } of gained) {
              positions.set(partition, committed?.offset ?? 0);
              feed.follow({ topic, partition }, committed?.offset ?? 0, {
                onRecords: (records) => {
                  for (const one of records) {
                    const { id } = entryOf(one);
                    processed.set(id, (processed.get(id) ?? 0) + 1);
                    positions.set(partition, one.offset + 1);
                  }
                },
                onOutOfRange: (error) => {
                  throw error;
                },
              });
            }
            goOn();
          },
          onLost: (lost) => {
            for (const { partition } of lost) {
              positions.delete(partition);
              feed.unfollow({ topic, partition });
            }
            goOn();
          },
          beforeJoin: commit,
          onFatal: (error) => {
            throw error;
          },
        },
      });
      await group.join();
      const leave = async () => {
        leaving = true;
        await commit();
        await group.leave();
        await feed.close();
      };
      return leave;
    };
    const sender = direct.sender();
    let sent = 0;
    let stop = false;
    const load = (async () => {
      while (!stop) {
        const records = Array.from({ length: 10 }, (_, at) => ({
          topic,
          partition: at % partitions,
          key: null,
          value: Buffer.from(`r${sent + at}`),
        }));
        await sender.send(records);
        sent += 10;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    const leaveFirst = await start();
    const leaveSecond = await start();
    const leaveThird = await start();
    await leaveSecond();
    const leaveFourth = await start();
    await leaveFirst();
    stop = true;
    await load;
    await sender.close();
    await until(() => processed.size === sent);
    expect([...processed].filter(([, times]) => times !== 1)).toEqual([]);
    await leaveThird();
    await leaveFourth();
  });
});

function stampOf(group: GroupMembership): { memberId: string; generation: number } {
  const { memberId, generation } = group as unknown as { memberId: string; generation: number };
  return { memberId, generation };
}
