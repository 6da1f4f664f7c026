import { describe, expect, it, onTestFinished } from 'vitest';
import {
  CommitRefused,
  OffsetOutOfRange,
  type FeedHandler,
  type GainedPartition,
  type GroupMembership,
  type KafkaLog,
  type LogRecord,
  type OutgoingRecord,
  type OwnershipListener,
  type TopicPartition,
} from './ports.js';

/** What a test needs of an adapter: the log, and a name that nobody else uses. */
export interface ContractSubject {
  /** `connect` is called once per test; `small` has a limit of 10,000 bytes per record. */
  connect(of: { small?: boolean }): KafkaLog | Promise<KafkaLog>;
  readonly prefix: string;
}

let serial = 0;

/** One suite over the real adapter and the double, so that the double can be trusted. */
export function describeKafkaLog(name: string, subject: () => ContractSubject): void {
  describe(`the Kafka log: ${name}`, () => {
    const open = async (partitions = 4, of: { small?: boolean } = {}) => {
      const log = await subject().connect(of);
      const topic = `${subject().prefix}.contract.${(serial += 1)}`;
      const admin = log.administration();
      onTestFinished(() => admin.close());
      expect(await admin.ensure([topicOf(topic, partitions)])).toEqual([]);
      const sender = log.sender();
      onTestFinished(() => sender.close());
      const reader = log.reader();
      onTestFinished(() => reader.close());
      return { log, topic, admin, sender, reader };
    };

    describe('sender', () => {
      it('answers per record, in the order of the call, where it stands', async () => {
        const { sender, topic } = await open();
        expect(await sender.send([record(topic, 1, 'a'), record(topic, 0, 'b'), record(topic, 1, 'c')])).toEqual([
          { topic, partition: 1, offset: 0 },
          { topic, partition: 0, offset: 0 },
          { topic, partition: 1, offset: 1 },
        ]);
      });

      it('keeps the order of a call and of successive calls', async () => {
        const { sender, reader, topic } = await open();
        await Promise.all(
          Array.from({ length: 50 }, (_, at) => sender.send([record(topic, 2, `${at}a`), record(topic, 2, `${at}b`)])),
        );
        const wanted = Array.from({ length: 50 }, (_, at) => [`${at}a`, `${at}b`]).flat();
        expect(await valuesOf(reader.range({ topic, partition: 2 }, 0, 100))).toEqual(wanted);
      });

      it('carries keys, values and headers as bytes, and null', async () => {
        const { sender, reader, topic } = await open();
        const bytes = Buffer.from([0, 255, 128, 10]);
        await sender.send([
          { topic, partition: 0, key: 'schlüssel', value: bytes, headers: { ce_id: 'é1', raw: bytes } },
          { topic, partition: 0, key: bytes, value: null },
          { topic, partition: 0, key: null, value: Buffer.alloc(0) },
        ]);
        const [first, second, third] = await recordsOf(reader.range({ topic, partition: 0 }, 0, 3));
        expect(first).toMatchObject({ offset: 0, key: Buffer.from('schlüssel'), value: bytes });
        expect(first?.headers).toEqual({ ce_id: Buffer.from('é1'), raw: bytes });
        expect(second).toMatchObject({ offset: 1, key: bytes, value: null, headers: {} });
        expect(third).toMatchObject({ offset: 2, key: null, value: Buffer.alloc(0) });
      });

      it('refuses a record above the limit, sends nothing of its call, and goes on', async () => {
        const { sender, reader, topic } = await open(4, { small: true });
        const large = { ...record(topic, 0, ''), value: Buffer.alloc(10_001) };
        const calls = [
          sender.send([record(topic, 0, 'before')]),
          sender.send([record(topic, 0, 'never'), large]),
          sender.send([record(topic, 0, 'after')]),
        ];
        const [, refused] = await Promise.allSettled(calls);
        expect(refused).toMatchObject({ status: 'rejected', reason: { name: 'SendError', code: 'too-large' } });
        expect(await valuesOf(reader.range({ topic, partition: 0 }, 0, 2))).toEqual(['before', 'after']);
      });

      it('asks whether the records may still be sent', async () => {
        const { sender, reader, topic } = await open();
        await expect(sender.send([record(topic, 0, 'late')], { held: () => false })).rejects.toMatchObject({
          code: 'not-held',
        });
        await sender.send([record(topic, 0, 'mine')], { held: () => true });
        expect(await reader.bounds([{ topic, partition: 0 }])).toEqual([{ start: 0, end: 1 }]);
      });

      it('finishes what it accepted before it closes, and takes no more', async () => {
        const { log, reader, topic } = await open();
        const sender = log.sender({ name: 'closing' });
        const sent = sender.send([record(topic, 0, 'last')]);
        await sender.close();
        expect(await sent).toEqual([{ topic, partition: 0, offset: 0 }]);
        await expect(sender.send([record(topic, 0, 'more')])).rejects.toMatchObject({ code: 'closed' });
        expect(await reader.bounds([{ topic, partition: 0 }])).toEqual([{ start: 0, end: 1 }]);
      });

      it('answers an empty call', async () => {
        const { sender } = await open();
        expect(await sender.send([])).toEqual([]);
      });
    });

    describe('reader', () => {
      it('reads exactly the range', async () => {
        const { sender, reader, topic } = await open();
        await sender.send(numbered(topic, 0, 1_000));
        await sender.send(numbered(topic, 0, 1_000));
        const read = await recordsOf(reader.range({ topic, partition: 0 }, 17, 1_503));
        expect(read.map(({ offset }) => offset)).toEqual(Array.from({ length: 1_486 }, (_, at) => 17 + at));
        expect(await recordsOf(reader.range({ topic, partition: 0 }, 5, 5))).toEqual([]);
      });

      it('says where the log begins and ends, and what was appended since a time', async () => {
        const { sender, reader, admin, topic } = await open();
        await sender.send(numbered(topic, 1, 10));
        const [, fifth] = await recordsOf(reader.range({ topic, partition: 1 }, 4, 6));
        await admin.deleteRecordsBefore([{ topic, partition: 1, offset: 3 }]);
        const both = [
          { topic, partition: 1 },
          { topic, partition: 3 },
        ];
        expect(await reader.bounds(both)).toEqual([
          { start: 3, end: 10 },
          { start: 0, end: 0 },
        ]);
        const [since, none] = await reader.offsetsAt(both, fifth!.timestamp);
        expect(since).toBeLessThanOrEqual(5);
        expect(none).toBe(0);
        expect(await reader.offsetsAt([{ topic, partition: 1 }], fifth!.timestamp + 1e9)).toEqual([10]);
      });

      it('throws where the log does not reach', async () => {
        const { sender, reader, admin, topic } = await open();
        await sender.send(numbered(topic, 0, 10));
        await admin.deleteRecordsBefore([{ topic, partition: 0, offset: 5 }]);
        for (const from of [2, 11]) {
          const reading = recordsOf(reader.range({ topic, partition: 0 }, from, 12));
          await expect(reading).rejects.toThrow(OffsetOutOfRange);
          await expect(reading).rejects.toMatchObject({ offset: from, bounds: { start: 5, end: 10 } });
        }
      });
    });

    describe('feed', () => {
      const following = async (partitions = 4) => {
        const opened = await open(partitions);
        const feed = opened.log.feed();
        onTestFinished(() => feed.close());
        return { ...opened, feed };
      };

      it('gives what is there and what comes, in order, once', async () => {
        const { feed, sender, topic } = await following();
        await sender.send(numbered(topic, 0, 300));
        const seen = collector();
        feed.follow({ topic, partition: 0 }, 100, seen.handler);
        await seen.until(() => seen.offsets.length >= 200);
        await sender.send(numbered(topic, 0, 50));
        await seen.until(() => seen.offsets.length >= 250);
        expect(seen.offsets).toEqual(Array.from({ length: 250 }, (_, at) => 100 + at));
        expect(seen.ends.at(-1)).toBe(350);
      });

      it('tells the end of an empty partition', async () => {
        const { feed, topic } = await following();
        const seen = collector();
        feed.follow({ topic, partition: 3 }, 0, seen.handler);
        await seen.until(() => seen.ends.length > 0);
        expect(seen.ends).toEqual([0]);
        expect(seen.offsets).toEqual([]);
      });

      it('takes in a partition quickly while another one is silent', async () => {
        const { feed, sender, topic } = await following();
        const silent = collector();
        feed.follow({ topic, partition: 0 }, 0, silent.handler);
        await silent.until(() => silent.ends.length > 0);
        await sender.send(numbered(topic, 1, 1));
        const seen = collector();
        const started = performance.now();
        feed.follow({ topic, partition: 1 }, 0, seen.handler);
        await seen.until(() => seen.offsets.length === 1);
        expect(performance.now() - started).toBeLessThan(200);
      });

      it('is silent while paused and goes on without gap or repeat', async () => {
        const { feed, sender, topic } = await following();
        const seen = collector();
        feed.follow({ topic, partition: 0 }, 0, seen.handler);
        await seen.until(() => seen.ends.length > 0);
        for (let round = 0; round < 5; round++) {
          feed.pause({ topic, partition: 0 });
          const before = seen.offsets.length;
          await sender.send(numbered(topic, 0, 10));
          await shortly();
          expect(seen.offsets.length).toBe(before);
          feed.resume({ topic, partition: 0 });
          await seen.until(() => seen.offsets.length === before + 10);
        }
        expect(seen.offsets).toEqual(Array.from({ length: 50 }, (_, at) => at));
      });

      it('gives no more in one call than was asked for, and stops in the middle of a fetch', async () => {
        const { feed, sender, topic } = await following();
        const at = { topic, partition: 0 };
        await sender.send(numbered(topic, 0, 300));
        const { handler, offsets, until } = collector();
        const counts: number[] = [];
        feed.follow(at, 0, {
          ...handler,
          atOnce: 64,
          onRecords: (records, end) => {
            counts.push(records.length);
            handler.onRecords(records, end);
            if (offsets.length === 128) feed.pause(at);
          },
        });
        await until(() => offsets.length >= 128);
        await shortly();
        expect(offsets).toHaveLength(128);
        feed.resume(at);
        await until(() => offsets.length >= 300);
        await sender.send(numbered(topic, 0, 100));
        await until(() => offsets.length >= 400);
        expect(offsets).toEqual(Array.from({ length: 400 }, (_, n) => n));
        expect(Math.max(...counts)).toBe(64);
      });

      it('calls nobody after unfollow, and starts anew with follow', async () => {
        const { feed, sender, topic } = await following();
        const first = collector();
        const second = collector();
        feed.follow({ topic, partition: 0 }, 0, first.handler);
        await first.until(() => first.ends.length > 0);
        feed.unfollow({ topic, partition: 0 });
        await sender.send(numbered(topic, 0, 10));
        await shortly();
        expect(first.offsets).toEqual([]);
        feed.follow({ topic, partition: 0 }, 0, first.handler);
        feed.follow({ topic, partition: 0 }, 4, second.handler);
        await second.until(() => second.offsets.length === 6);
        expect(first.offsets).toEqual([]);
        expect(second.offsets).toEqual([4, 5, 6, 7, 8, 9]);
      });

      it('tells when the position lies outside of the log, and leaves it', async () => {
        const { feed, sender, admin, topic } = await following();
        await sender.send(numbered(topic, 0, 10));
        await admin.deleteRecordsBefore([{ topic, partition: 0, offset: 5 }]);
        for (const from of [2, 20]) {
          const seen = collector();
          feed.follow({ topic, partition: 0 }, from, seen.handler);
          await seen.until(() => seen.outOfRange !== null);
          expect(seen.outOfRange).toMatchObject({ offset: from, bounds: { start: 5, end: 10 } });
          expect(seen.offsets).toEqual([]);
        }
      });
    });

    describe('membership', () => {
      it('gives all partitions to the only member, with bounds and commits', async () => {
        const { log, sender, topic } = await open();
        await sender.send(numbered(topic, 1, 5));
        const one = member(log, topic);
        await one.group.join();
        expect(one.partitions()).toEqual([0, 1, 2, 3]);
        expect(one.gained[1]).toMatchObject({ committed: null, bounds: { start: 0, end: 5 } });
        expect(one.group.heldUntil()).toBeGreaterThan(performance.now());
        await one.group.commit([{ topic, partition: 1, offset: 3, metadata: 'a=1' }]);
        await one.group.leave();
        expect(one.group.owned()).toEqual([]);
        const two = member(log, topic);
        await two.group.join();
        const again = two.gained.find(({ partition }) => partition === 1);
        expect(again).toMatchObject({ committed: { offset: 3, metadata: 'a=1' }, bounds: { start: 0, end: 5 } });
      });

      it('moves only what must move, and keeps what is kept', async () => {
        const { log, topic } = await open();
        const one = member(log, topic);
        await one.group.join();
        const two = member(log, topic);
        await two.group.join();
        await one.until(() => one.partitions().length === 2);
        expect(two.partitions()).toHaveLength(2);
        expect([...one.partitions(), ...two.partitions()].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3]);
        expect(one.lost).toHaveLength(2);
        expect(one.gained).toHaveLength(4);
        const before = two.partitions();
        await one.group.leave();
        await two.until(() => two.partitions().length === 4);
        expect(two.lost).toEqual([]);
        expect(two.gained.slice(0, 2).map(({ partition }) => partition)).toEqual(before);
        expect(two.gained).toHaveLength(4);
      });

      it('drains before a join, while the lease still holds; what is committed then is what the next owner gets', async () => {
        const { log, topic } = await open();
        const leases: number[] = [];
        const one = member(log, topic, async (group) => {
          leases.push(group.heldUntil() - performance.now());
          await group.commit([0, 1, 2, 3].map((partition) => ({ topic, partition, offset: 0, metadata: 'drained' })));
        });
        await one.group.join();
        const two = member(log, topic);
        await two.group.join();
        expect(leases).toHaveLength(1);
        expect(leases[0]).toBeGreaterThan(0);
        expect(two.gained).toHaveLength(2);
        for (const { committed } of two.gained) expect(committed).toEqual({ offset: 0, metadata: 'drained' });
      });

      it('refuses commits for partitions of others', async () => {
        const { log, topic } = await open();
        const one = member(log, topic);
        await one.group.join();
        const two = member(log, topic);
        await two.group.join();
        await one.until(() => one.partitions().length === 2);
        const [theirs] = two.partitions();
        const commit = one.group.commit([{ topic, partition: theirs!, offset: 0 }]);
        await expect(commit).rejects.toThrow(CommitRefused);
        await expect(commit).rejects.toMatchObject({ code: 'not-owner' });
        await two.group.commit([{ topic, partition: theirs!, offset: 0 }]);
      });

      it('keeps a member without partitions as a reserve', async () => {
        const { log, topic } = await open(1);
        const one = member(log, topic);
        await one.group.join();
        const two = member(log, topic);
        await two.group.join();
        expect(two.partitions()).toEqual([]);
        await one.group.leave();
        await two.until(() => two.partitions().length === 1);
      });
    });

    describe('administration', () => {
      it('creates what is missing and names what differs', async () => {
        const { admin, topic } = await open(4);
        expect(await admin.ensure([topicOf(topic, 4)])).toEqual([]);
        const lines = await admin.ensure([{ ...topicOf(topic, 5), config: { 'cleanup.policy': 'compact' } }]);
        expect(lines).toHaveLength(2);
        expect(lines.join('\n')).toMatch(/4 partitions, wanted 5/);
        expect(lines.join('\n')).toMatch(/cleanup\.policy=.*wanted compact/);
        expect(await admin.partitionCounts([topic, `${topic}.none`])).toEqual(
          new Map([
            [topic, 4],
            [`${topic}.none`, null],
          ]),
        );
      });

      it('reads a group’s commits in the order asked for, and sets those of a group without members', async () => {
        const { admin, topic, log } = await open();
        const groupId = `${topic}.group`;
        const at = [3, 0, 1].map((partition) => ({ topic, partition }));
        expect(await admin.committed(groupId, at)).toEqual([null, null, null]);
        await admin.setCommits(groupId, [
          { topic, partition: 1, offset: 7, metadata: 'é=1' },
          { topic, partition: 3, offset: 0 },
        ]);
        const set = [{ offset: 0, metadata: '' }, null, { offset: 7, metadata: 'é=1' }];
        expect(await admin.committed(groupId, at)).toEqual(set);
        expect(await admin.committed(`${topic}.other`, at)).toEqual([null, null, null]);
        expect(await admin.committed(groupId, [])).toEqual([]);

        // A member begins where it was set, and from then on positions are the members' alone.
        const one = member(log, topic);
        await one.group.join();
        await one.until(() => one.gained.length === 4);
        expect(one.gained.find(({ partition }) => partition === 1)?.committed).toEqual(set[2]);
        await expect(admin.setCommits(groupId, [{ topic, partition: 1, offset: 9 }])).rejects.toSatisfy(
          (error: unknown) => error instanceof CommitRefused && error.code === 'not-owner',
        );
        await one.group.commit([{ topic, partition: 0, offset: 2, metadata: 'mine' }]);
        expect(await admin.committed(groupId, at)).toEqual([set[0], { offset: 2, metadata: 'mine' }, set[2]]);
        await one.group.leave();
        await admin.setCommits(groupId, [{ topic, partition: 0, offset: 1 }]);
        expect(await admin.committed(groupId, at)).toEqual([set[0], { offset: 1, metadata: '' }, set[2]]);
      });

      it('answers a ping', async () => {
        const { log } = await open();
        await expect(log.ping()).resolves.toBeUndefined();
      });
    });
  });
}

function topicOf(name: string, partitions: number) {
  return { name, partitions, replicationFactor: 1, config: { 'message.timestamp.type': 'LogAppendTime' } };
}

function record(topic: string, partition: number, value: string): OutgoingRecord {
  return { topic, partition, key: 'k', value: Buffer.from(value) };
}

function numbered(topic: string, partition: number, count: number): OutgoingRecord[] {
  return Array.from({ length: count }, (_, at) => record(topic, partition, String(at)));
}

async function recordsOf(range: AsyncIterable<readonly LogRecord[]>): Promise<LogRecord[]> {
  const all: LogRecord[] = [];
  for await (const records of range) all.push(...records);
  return all;
}

async function valuesOf(range: AsyncIterable<readonly LogRecord[]>): Promise<string[]> {
  return (await recordsOf(range)).map(({ value }) => String(value));
}

async function shortly(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 30));
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited 20 s for ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function collector() {
  const offsets: number[] = [];
  const ends: number[] = [];
  const seen = { offsets, ends, outOfRange: null as OffsetOutOfRange | null, until };
  const handler: FeedHandler = {
    onRecords: (records, end) => {
      offsets.push(...records.map(({ offset }) => offset));
      ends.push(end);
    },
    onOutOfRange: (error) => {
      seen.outOfRange = error;
    },
  };
  return {
    ...seen,
    handler,
    get outOfRange() {
      return seen.outOfRange;
    },
  };
}

function member(
  log: KafkaLog,
  topic: string,
  drain: (group: GroupMembership) => Promise<void> = () => Promise.resolve(),
) {
  const gained: GainedPartition[] = [];
  const lost: TopicPartition[] = [];
  const listener: OwnershipListener = {
    onGained: (partitions) => void gained.push(...partitions),
    onLost: (partitions) => void lost.push(...partitions),
    beforeJoin: () => drain(group),
    onFatal: (error) => {
      throw error;
    },
  };
  const group = log.membership({ groupId: `${topic}.group`, topics: [topic], listener });
  onTestFinished(() => group.leave());
  return {
    group,
    gained,
    lost,
    until,
    partitions: () =>
      group
        .owned()
        .map(({ partition }) => partition)
        .toSorted((a, b) => a - b),
  };
}
