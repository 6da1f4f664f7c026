// Real: one retry partition's waiting copies. Doubled: the feed (what it is told), time (virtual), the worker around it.
import { describe, expect, it } from 'vitest';
import type { Delivery } from '#libs/contracts';
import { FenceLevels, OffsetTracker, SeenPositions } from '#libs/core';
import type { LogRecord } from '#libs/kafka';
import { DelayTopic } from './delay-topic.js';
import { OwnedPartition, type DelayedCopy } from './owned-partition.js';
import { VirtualTime } from './testing/virtual-time.js';

const at = { topic: 'retry', partition: 0 };

function world(maxRecords: number) {
  const time = new VirtualTime(0);
  const told: string[] = [];
  /** Of each time that something was taken up, how many were. */
  const turns: number[] = [];
  const refused = new Set<string>();
  let inTurn = 0;
  const partition = new OwnedPartition({
    number: 0,
    writer: { era: 1, generation: 1 },
    deliveries: new OffsetTracker(0),
    retries: [new OffsetTracker(0)],
    retryPositions: [0],
    fences: [new FenceLevels(null)],
    seen: new SeenPositions(),
    a: 0,
    attemptsEnd: 0,
    deliveriesEnd: 0,
  });
  const taken: string[] = [];
  const topic = new DelayTopic(
    partition,
    at,
    { delayMs: 5_000, maxRecords, maxBytes: 1_000_000 },
    {
      feed: {
        follow: () => undefined,
        pause: () => void told.push('pause'),
        resume: () => void told.push('resume'),
        unfollow: () => undefined,
        close: () => Promise.resolve(),
      },
      clock: time,
      mayTakeUp: ({ entry }: DelayedCopy) => !refused.has(entry.id),
      takeUp: ({ entry }: DelayedCopy) => {
        taken.push(entry.id);
        inTurn += 1;
        entry.letGo();
      },
      done: () => {
        if (inTurn > 0) turns.push(inTurn);
        inTurn = 0;
      },
    },
  );
  let offset = 0;
  const hold = (id: string): void => {
    const delivery = { endpointId: 'ep', stream: 'live', hop: 1, haltedAt: null, dueAt: null } as unknown as Delivery;
    const entry = partition.enter(id, offset, delivery);
    const record: LogRecord = {
      ...at,
      offset: offset++,
      timestamp: time.now(),
      key: null,
      value: Buffer.alloc(10),
      headers: {},
    };
    topic.hold(record, entry, delivery);
  };
  return { time, told, turns, taken, refused, hold };
}

describe('DelayTopic', () => {
  it('takes up what is due in turns, so that a burst of one endpoint leaves others their time', async () => {
    const { time, turns, taken, hold } = world(1_000);
    for (let i = 0; i < 300; i += 1) hold(`d${i}`);
    await time.run(4_999);
    expect(taken).toEqual([]);
    await time.run(100);
    expect(taken).toHaveLength(300);
    expect(Math.max(...turns)).toBeLessThanOrEqual(16);
    expect(taken).toEqual(Array.from({ length: 300 }, (_, i) => `d${i}`));
  });

  it('reads no further than its bound ahead, and goes on at half of it', async () => {
    const { time, told, hold } = world(10);
    for (let i = 0; i < 9; i += 1) hold(`d${i}`);
    expect(told).toEqual([]);
    hold('d9');
    hold('d10');
    expect(told).toEqual(['pause']);
    await time.run(5_100);
    expect(told).toEqual(['pause', 'resume']);
  });

  it('lets one that must wait hold up nobody behind it', async () => {
    const { time, taken, refused, hold } = world(100);
    refused.add('first');
    hold('first');
    hold('second');
    await time.run(6_000);
    expect(taken).toEqual(['second']);
    refused.clear();
    await time.run(200);
    expect(taken).toEqual(['second', 'first']);
  });
});
