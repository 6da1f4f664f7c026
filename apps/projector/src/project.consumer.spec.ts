import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InMemoryLog, type InMemoryMembership } from '#libs/kafka';
import { PositionConflict, UnstorableRows, type Advance, type ProjectionBatch } from '#libs/persistence';
import { anAttempt } from '#libs/testing';
import { ProjectConsumer } from './project.consumer.js';
import type { ProjectionStore } from './slice-writer.js';

// Doubled: the log (the double of libs/kafka's contract suite), Postgres (below). Real: everything else.

/** Positions as Postgres keeps them, and the offsets that were written, per partition. */
class Store implements ProjectionStore {
  readonly positions = new Map<string, number>();
  readonly written: string[] = [];
  readonly gaps: Advance[] = [];
  largest = 0;
  /** Called before each write; may throw. */
  before: (batch: ProjectionBatch) => void = () => undefined;
  /** Called after each write; may throw, as when the answer to COMMIT is lost. */
  after: () => void = () => undefined;

  open(partitions: readonly { topic: string; partition: number; start: number }[]) {
    return Promise.resolve(
      partitions.map(({ topic, partition, start }) => {
        const name = `${topic}-${partition}`;
        if (!this.positions.has(name)) this.positions.set(name, start);
        return { topic, partition, position: this.positions.get(name) ?? start };
      }),
    );
  }

  async apply(batch: ProjectionBatch): Promise<number> {
    await pause(1);
    this.before(batch);
    this.advance(batch.advances);
    this.largest = Math.max(this.largest, batch.attempts.length);
    this.written.push(...batch.attempts.map(({ partition, offset }) => `${partition}/${offset}`));
    this.after();
    return 0;
  }

  skip(gap: Advance): Promise<void> {
    this.advance([gap]);
    this.gaps.push(gap);
    return Promise.resolve();
  }

  private advance(advances: readonly Advance[]): void {
    for (const { topic, partition, from } of advances) {
      if (this.positions.get(`${topic}-${partition}`) !== from) throw new PositionConflict('elsewhere');
    }
    for (const { topic, partition, to } of advances) this.positions.set(`${topic}-${partition}`, to);
  }
}

const topics = { attempts: 'attempts', deadLetters: 'dead-letters' };
const running: ProjectConsumer[] = [];
let log: InMemoryLog;
let store: Store;
let errors: string[];
let stopped: string[];

beforeEach(() => {
  log = new InMemoryLog();
  log.createTopic('attempts', 2);
  log.createTopic('dead-letters', 2);
  store = new Store();
  errors = [];
  stopped = [];
});
afterEach(async () => {
  for (const consumer of running.splice(0)) await consumer.stop();
});

function consume(mine: ProjectionStore = store): { consumer: ProjectConsumer; membership: () => InMemoryMembership } {
  let membership: InMemoryMembership | undefined;
  const consumer = new ProjectConsumer({
    topics,
    feed: log.feed(),
    membership: (listener) =>
      (membership = log.membership({ groupId: 'g', topics: ['attempts', 'dead-letters'], listener })),
    store: mine,
    codecs: {
      attempt: {
        decode(bytes) {
          if (bytes.toString() === 'garbage') throw new Error('garbage');
          return anAttempt({ deliveryId: bytes.toString() });
        },
      },
      deadLetter: {
        decode() {
          throw new Error('none here');
        },
      },
      prepare: () => Promise.resolve(),
    },
    metrics: {
      projected: () => undefined,
      lag: () => undefined,
      partitionLost: () => undefined,
      partitionStopped: (topic, partition) => stopped.push(`${topic}-${partition}`),
    },
    logger: { debug: () => undefined, info: () => undefined, error: (_, message) => errors.push(message) },
    schedule(ms, task) {
      const timer = setTimeout(task, ms / 10);
      return () => clearTimeout(timer);
    },
    onFatal(error) {
      throw error;
    },
    batchRecords: 50,
    lingerMs: 20,
  });
  consumer.start();
  running.push(consumer);
  return {
    consumer,
    membership() {
      if (membership === undefined) throw new Error('not joined');
      return membership;
    },
  };
}

const append = (from: number, to: number, partition = 0) =>
  log.sender().send(
    Array.from({ length: to - from }, (_, i) => ({
      topic: 'attempts',
      partition,
      key: 'ep',
      value: Buffer.from(`d${from + i}`),
    })),
  );
const all = (from: number, to: number, partition = 0) =>
  Array.from({ length: to - from }, (_, i) => `${partition}/${from + i}`);
const written = (count: number) => expect.poll(() => store.written.length, { timeout: 3_000, interval: 5 }).toBe(count);

describe('ProjectConsumer', () => {
  it('writes every record once and in order, in batches of bounded size', async () => {
    const { consumer } = consume();
    await append(0, 320);
    await append(0, 70, 1);
    await written(390);
    expect(store.written.filter((one) => one.startsWith('0/'))).toEqual(all(0, 320));
    expect(store.written.filter((one) => one.startsWith('1/'))).toEqual(all(0, 70, 1));
    expect(store.largest).toBeLessThanOrEqual(50);
    expect(() => consumer.checkReady()).not.toThrow();
  });

  it('goes on where Postgres is, whatever the group says', async () => {
    await append(0, 30);
    store.positions.set('attempts-0', 20);
    consume();
    await written(10);
    expect(store.written).toEqual(all(20, 30));
  });

  it('loses nothing while Postgres is away', async () => {
    let away = 4;
    store.before = () => {
      if (away-- > 0) throw new Error('connection refused');
    };
    consume();
    await append(0, 120);
    await written(120);
    expect(store.written).toEqual(all(0, 120));
  });

  it('doubles nothing when the answer to a commit is lost', async () => {
    let lost = 2;
    store.after = () => {
      if (lost-- > 0) throw new Error('connection reset');
    };
    consume();
    await append(0, 120);
    await written(120);
    await pause(30);
    expect(store.written).toEqual(all(0, 120));
  });

  it('gives way when another process has written the partition in the meantime', async () => {
    consume();
    await append(0, 10);
    await written(10);
    store.positions.set('attempts-0', 25);
    await append(10, 40);
    await written(25);
    expect(store.written).toEqual([...all(0, 10), ...all(25, 40)]);
  });

  it('reads on after it dropped all that filled its memory, because another process had written it', async () => {
    let away = 4;
    store.before = () => {
      if (away-- > 0) throw new Error('connection refused');
      if (away === -1) store.positions.set('attempts-0', 8_900);
    };
    await append(0, 9_000);
    consume();
    await written(100);
    expect(store.written).toEqual(all(8_900, 9_000));
  });

  it('shares partitions, hands them over, doubles nothing', async () => {
    const first = consume();
    await append(0, 100);
    await append(0, 100, 1);
    const second = consume();
    await append(100, 200);
    await append(100, 200, 1);
    await written(400);
    await first.consumer.stop();
    await append(200, 230);
    await written(430);
    expect(second.membership().owned()).toHaveLength(4);
    expect(new Set(store.written).size).toBe(430);
  });

  it('writes what it has read before it stops, and tells the group where it is', async () => {
    const { consumer, membership } = consume();
    await append(0, 20);
    await expect.poll(() => membership().owned().length).toBe(4);
    await pause(1);
    await consumer.stop();
    expect(store.positions.get('attempts-0')).toBe(store.written.length);
  });

  it('passes over a record that is not readable, and one that cannot be stored, alone', async () => {
    store.before = ({ attempts }) => {
      if (attempts.some(({ attempt }) => attempt.deliveryId === 'd33')) throw new UnstorableRows('out of range');
    };
    consume();
    await append(0, 40);
    await log.sender().send([{ topic: 'attempts', partition: 0, key: 'ep', value: Buffer.from('garbage') }]);
    await append(41, 60);
    await written(58);
    expect(store.written).toEqual(all(0, 60).filter((one) => one !== '0/33' && one !== '0/40'));
    expect(errors).toContain('a record that cannot be stored is passed over');
    expect(errors).toContain('a record that cannot be read is passed over');
  });

  it('says so when records expired before they were projected, and goes on', async () => {
    await append(0, 30);
    store.positions.set('attempts-0', 5);
    await log.administration().deleteRecordsBefore([{ topic: 'attempts', partition: 0, offset: 12 }]);
    consume();
    await written(18);
    expect(store.gaps).toEqual([{ topic: 'attempts', partition: 0, from: 5, to: 12 }]);
    expect(errors).toEqual(['records expired before they were projected: the delivery log lacks them']);
  });

  it('rebuilds from the start of the log when the projection is dropped under it', async () => {
    consume();
    await append(0, 60);
    await written(60);
    store.positions.clear();
    store.written.length = 0;
    await append(60, 70);
    await written(70);
    expect(store.written).toEqual(all(0, 70));
  });

  it('stops in time when Postgres does not come back', async () => {
    store.before = () => {
      throw new Error('connection refused');
    };
    const { consumer } = consume();
    await append(0, 10);
    await pause(50);
    await consumer.stop();
    expect(store.written).toEqual([]);
  });

  it('stops the partition when the log is not the one that the rows were made of', async () => {
    store.positions.set('attempts-0', 100);
    const { consumer } = consume();
    await append(0, 10, 1);
    await written(10);
    expect(stopped).toEqual(['attempts-0']);
    expect(() => consumer.checkReady()).toThrow('attempts-0 is stopped');
  });
});
