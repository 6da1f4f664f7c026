// Doubled: the sender (scripted), time (virtual). Facts: what was given to the sender, which callbacks ran.
import { describe, expect, it } from 'vitest';
import { FenceLevels, OffsetTracker, SeenPositions } from '#libs/core';
import { SendError, type OutgoingRecord, type RecordPosition, type SendErrorCode } from '#libs/kafka';
import { Appender } from './appender.js';
import { OwnedPartition } from './owned-partition.js';
import { VirtualTime } from './testing/virtual-time.js';

const partitionOf = (number: number): OwnedPartition =>
  new OwnedPartition({
    number,
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
const record = (name: string): OutgoingRecord => ({ topic: name, partition: 0, key: null, value: Buffer.from(name) });

function world(refuses: (topics: readonly string[]) => SendErrorCode | null = () => null) {
  const time = new VirtualTime();
  const sends: string[][] = [];
  const done: string[] = [];
  const stopped: number[] = [];
  const lease = { held: true };
  const appender = new Appender({
    attempts: 'attempts',
    sender: {
      async send(records, { held } = {}): Promise<readonly RecordPosition[]> {
        const topics = records.map((one) => one.topic);
        sends.push(topics);
        await new Promise<void>((resolve) => void time.schedule(5, resolve));
        if (held?.() === false) throw new SendError('not-held', 'scripted');
        const code = refuses(topics);
        if (code !== null) throw new SendError(code, 'scripted');
        return records.map(({ topic, partition }, offset) => ({ topic, partition, offset }));
      },
      close: () => Promise.resolve(),
    },
    clock: time,
    mayAppend: () => lease.held,
    batchDone: () => undefined,
    refused: (partition) => void stopped.push(partition.number),
  });
  const append = (partition: OwnedPartition, ...names: string[]): void =>
    appender.append(partition, names.map(record), (positions) => void done.push(...positions.map((one) => one.topic)));
  return { time, sends, done, stopped, lease, appender, append };
}

describe('Appender', () => {
  it('sends what became ready together as one batch for each partition, and tells each its own positions', async () => {
    const { time, sends, done, append, appender } = world();
    const [a, b] = [partitionOf(1), partitionOf(2)];
    append(a, 'a1', 'a2');
    append(b, 'b1');
    append(a, 'a3');
    expect(appender.pending).toBe(3);
    await time.run(10);
    expect(sends).toEqual([['a1', 'a2', 'a3'], ['b1']]);
    expect(done).toEqual(['a1', 'a2', 'a3', 'b1']);
    expect(appender.pending).toBe(0);
  });

  it('sends nothing outside of the lease, and again what its end cut off, if the partition was kept', async () => {
    const { time, sends, done, append, lease, appender } = world();
    const partition = partitionOf(1);
    append(partition, 'one');
    await time.run(1);
    lease.held = false;
    append(partition, 'two');
    await time.run(1_000);
    expect(sends).toEqual([['one']]);
    lease.held = true;
    await time.run(100);
    expect(done.toSorted()).toEqual(['one', 'two']);
    expect(appender.pending).toBe(0);
  });

  it('drops what belongs to a lost partition', async () => {
    const { time, sends, done, append, appender } = world();
    const [a, b] = [partitionOf(1), partitionOf(2)];
    append(a, 'on its way');
    await time.run(1);
    append(a, 'not sent yet');
    append(b, 'kept');
    a.alive = false;
    append(a, 'too late');
    await time.run(100);
    expect(sends).toEqual([['on its way'], ['kept']]);
    expect(done).toEqual(['kept']);
    expect(appender.pending).toBe(0);
  });

  it('stops the partition of a record that the log refuses; the others of its batch go through', async () => {
    const { time, done, stopped, append, appender } = world((topics) => (topics.includes('huge') ? 'too-large' : null));
    const partition = partitionOf(7);
    append(partition, 'one');
    append(partition, 'huge');
    append(partition, 'two');
    await time.run(100);
    expect(done).toEqual(['one', 'two']);
    expect(stopped).toEqual([7]);
    expect(appender.pending).toBe(0);
  });
});
