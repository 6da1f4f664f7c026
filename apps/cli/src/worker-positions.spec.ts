// Real: the commands, the codec. Doubled: the log (in memory, one contract with Kafka), the registry.
import { beforeEach, describe, expect, it } from 'vitest';
import { topicNames, type Delivery, type Fence } from '#libs/contracts';
import { decodeCommitMetadata, encodeCommitMetadata, firstCommitMetadata, type CommitMetadata } from '#libs/core';
import { InMemoryLog } from '#libs/kafka';
import { InMemoryRegistry, openSchemaCodec, platformSchemas, type SchemaCodec } from '#libs/schema-codec';
import { aDelivery } from '#libs/testing';
import { createTopicsIn } from './create-topics.js';
import { openPositionsIn, type PositionsRequest } from './open-positions.js';

const config = {
  topicPrefix: 'p',
  eventPartitions: 1,
  deliveryPartitions: 2,
  replicationFactor: 1,
  minInSyncReplicas: 1,
};
const topics = topicNames('p');
const [shortest, , fiveMinutes] = topics.retry;
const delaysMs = topics.retry.map(({ delayMs }) => delayMs);
const groupId = 'p.worker';

let log: InMemoryLog;
let codec: SchemaCodec;

beforeEach(async () => {
  log = new InMemoryLog({ brokerSettings: { 'offsets.retention.minutes': '129600' } });
  const registry = new InMemoryRegistry();
  for (const [subject, schema] of Object.entries(platformSchemas)) registry.register(subject, schema);
  codec = await openSchemaCodec(registry);
});

async function create(): Promise<string[]> {
  const lines: string[] = [];
  await createTopicsIn(log, config, (line) => lines.push(line));
  return lines;
}
async function open(request: Partial<PositionsRequest>): Promise<string[]> {
  const lines: string[] = [];
  await openPositionsIn(log, codec, config, { partition: 1, at: 'earliest', ...request }, (line) => lines.push(line));
  return lines;
}
const commitOf = (partition: number) => log.commitsOf(groupId).get(`${topics.deliveries}-${partition}`);
const metadataOf = (partition: number): CommitMetadata => decodeCommitMetadata(commitOf(partition)?.metadata ?? '');
const append = (topic: string, ...values: (Buffer | null)[]) =>
  log.write(values.map((value) => ({ topic, partition: 1, key: 'ep_1', value })));
const trim = (topic: string, offset: number) =>
  log.administration().deleteRecordsBefore([{ topic, partition: 1, offset }]);
const junk = (count: number): Buffer[] => Array.from({ length: count }, () => Buffer.from('?'));

function setCommit(offset: number, metadata: Partial<CommitMetadata>): void {
  const whole = { era: 3, a: 0, b: 0, retries: new Map(), floors: [], ...metadata };
  log.commitsOf(groupId).set(`${topics.deliveries}-1`, { offset, metadata: encodeCommitMetadata(whole) });
}

const fence = (era: number, generation: number): Buffer => {
  const record: Fence = { era, generation, committed: 0, attemptsEnd: 0, workerId: 'w', at: 0 };
  return codec.platform.fence.encode(record);
};
const copy = (writer: Delivery['writer']): Buffer =>
  codec.platform.delivery.encode(aDelivery({ configVersion: 1, attempt: 1, hop: 1, pos: 0, writer }));

describe('topics create', () => {
  it('gives each partition its first position, once', async () => {
    expect(await create()).toContain('p.deliveries: first positions for 2 partitions');
    for (const partition of [0, 1]) {
      expect(commitOf(partition)).toEqual({ offset: 0, metadata: firstCommitMetadata(delaysMs) });
    }
    append(topics.deliveries, ...junk(2));
    setCommit(2, { era: 7 });
    expect((await create()).filter((line) => line.includes('first positions'))).toEqual([]);
    expect(commitOf(1)?.offset).toBe(2);
    expect(metadataOf(1).era).toBe(7);
  });

  it.each([
    ['deliveries', topics.deliveries],
    ['a retry topic', fiveMinutes?.name ?? ''],
  ])('leaves it to you where %s has held records, also when they are gone', async (_, topic) => {
    await create();
    append(topic, ...junk(3));
    await trim(topic, 3);
    log.commitsOf(groupId).clear();
    await expect(create()).rejects.toThrow(
      new RegExp(`p\\.deliveries-1: .*${topic}-1 has held records\\s+posthorn positions open --partition 1 --at`),
    );
    // The other one is as good as new.
    expect(commitOf(0)?.offset).toBe(0);
    expect(commitOf(1)).toBeUndefined();
    await open({ at: 'latest' });
    expect(await create()).not.toContain('p.deliveries: first positions for 1 partitions');
  });

  it('names a position that workers cannot read', async () => {
    await create();
    log.commitsOf(groupId).set(`${topics.deliveries}-0`, { offset: 0, metadata: '' });
    await expect(create()).rejects.toThrow(/p\.deliveries-0: .*metadata[^]*positions open --partition 0/);
  });
});

describe('positions open', () => {
  beforeEach(async () => {
    await create();
    append(topics.deliveries, ...junk(5));
    await trim(topics.deliveries, 1);
    append(topics.attempts, ...junk(4));
    await trim(topics.attempts, 2);
  });

  it.each([
    ['earliest', 1],
    ['latest', 5],
    [3, 3],
  ] as const)('goes on at %s, in a new era, and reads all that is there again', async (at, offset) => {
    setCommit(99, { era: 3, a: 50, b: 60, retries: new Map([[delaysMs[0]!, { position: 9, level: null }]]) });
    const lines = await open({ at });
    expect(lines[0]).toBe(`p.deliveries-1: was at 99, goes on at ${offset} in era 4`);
    expect(lines).toHaveLength(offset === 1 ? 1 : 2);
    expect(commitOf(1)?.offset).toBe(offset);
    const retries = new Map(delaysMs.map((delayMs) => [delayMs, { position: 0, level: null }]));
    expect(metadataOf(1)).toEqual({ era: 4, a: 2, b: 1, retries, floors: [] });
    expect(commitOf(0)).toEqual({ offset: 0, metadata: firstCommitMetadata(delaysMs) });
  });

  it('raises the era above every fence and every writer, wherever they stand', async () => {
    append(shortest!.name, copy({ era: 4, generation: 1 }), fence(5, 9), copy(null), null);
    expect((await open({}))[0]).toMatch(/in era 6$/);
    append(fiveMinutes!.name, fence(7, 1), copy({ era: 8, generation: 2 }));
    expect((await open({}))[0]).toMatch(/in era 9$/);
    setCommit(2, { era: 20 });
    expect((await open({}))[0]).toMatch(/was at 2, goes on at 1 in era 21$/);
  });

  it('is never the first era: of a lost one, nothing may be left', async () => {
    log.commitsOf(groupId).clear();
    expect(await open({})).toEqual(['p.deliveries-1: was without a position, goes on at 1 in era 2']);
  });

  it('keeps the level of fences that are trimmed, and reads those that are not', async () => {
    const level = { era: 3, generation: 8 };
    for (const { name } of [shortest!, fiveMinutes!]) append(name, fence(3, 8), copy({ era: 3, generation: 8 }));
    await trim(shortest!.name, 1);
    const [first, , third] = delaysMs as [number, number, number];
    setCommit(1, {
      retries: new Map([
        [first, { position: 1, level }],
        [third, { position: 1, level }],
      ]),
    });
    await open({});
    expect(metadataOf(1).retries.get(first)).toEqual({ position: 1, level });
    expect(metadataOf(1).retries.get(third)).toEqual({ position: 0, level: null });
  });

  it('keeps learnt floors only where nothing from below them is read again', async () => {
    const floors = [{ incarnation: 0, sourcePartition: 0, floor: 40 }];
    setCommit(4, { b: 3, floors });
    await open({ at: 3 });
    expect(metadataOf(1).floors).toEqual(floors);
    setCommit(4, { b: 3, floors });
    await open({ at: 2 });
    expect(metadataOf(1).floors).toEqual([]);
  });

  it('needs a number where an era cannot be read, and never takes a lower one', async () => {
    log.commitsOf(groupId).set(`${topics.deliveries}-1`, { offset: 2, metadata: 'by another program' });
    await expect(open({})).rejects.toThrow(/the old commit does not say its era.*--era/);
    await open({ era: 8 });
    expect(metadataOf(1).era).toBe(8);
    append(shortest!.name, fence(9, 1), ...junk(1));
    await expect(open({})).rejects.toThrow(/p\.retry\.5s-1 at 1 does not say its era/);
    await expect(open({ era: 9 })).rejects.toThrow(/at least 10/);
    await open({ era: 10 });
    expect(metadataOf(1).era).toBe(10);
  });

  it('refuses what is not there, and leaves the position as it was', async () => {
    setCommit(4, {});
    const before = commitOf(1);
    await expect(open({ at: 0 })).rejects.toThrow(/from 1 to 5/);
    await expect(open({ at: 6 })).rejects.toThrow(/from 1 to 5/);
    await expect(open({ partition: 2 })).rejects.toThrow(/partitions 0 to 1/);
    expect(commitOf(1)).toEqual(before);
    log = new InMemoryLog();
    await expect(open({})).rejects.toThrow(/topics create/);
  });

  it('refuses while a worker is there', async () => {
    const listener = {
      onGained: () => undefined,
      onLost: () => undefined,
      beforeJoin: () => Promise.resolve(),
      onFatal: () => undefined,
    };
    const worker = log.membership({ groupId, topics: [topics.deliveries], listener });
    await worker.join();
    const before = commitOf(1);
    await expect(open({})).rejects.toThrow(/stop every worker/);
    expect(commitOf(1)).toEqual(before);
    await worker.leave();
    await open({});
  });
});
