// Doubled: the log (in memory, one contract with Kafka), the clock, timers.
import { beforeEach, expect, it } from 'vitest';
import { encodeSourcePosition } from '#libs/core';
import { InMemoryLog, OffsetOutOfRange } from '#libs/kafka';
import { AppError } from '../problem/app-error.js';
import { SourceLog, type SourceLogPorts } from './source-log.js';

const topic = 'events';
const group = 'dispatcher';
const from = 1_800_000_000_000;
let log: InMemoryLog;
let time: number;
let timers: (() => void)[];

beforeEach(() => {
  [time, timers] = [from, []];
  log = new InMemoryLog({ now: () => time });
  log.createTopic(topic, 3);
});

/** One event for each time, in seconds from the start. */
function append(partition: number, ...seconds: readonly number[]): void {
  for (const second of seconds) {
    time = from + second * 1_000;
    log.write([{ topic, partition, key: 'acme', value: Buffer.from('e') }]);
  }
}
const trim = (partition: number, offset: number): Promise<void> =>
  log.administration().deleteRecordsBefore([{ topic, partition, offset }]);
const commit = (partition: number, metadata: string): void => {
  log.commitsOf(group).set(`${topic}-${partition}`, { offset: 1, metadata });
};

function sourceLog(reader: Partial<SourceLogPorts['reader']> = {}): SourceLog {
  const administration = log.administration();
  return new SourceLog(
    {
      reader: { ...log.reader(), ...reader },
      committed: (places) => administration.committed(group, places),
      schedule(_ms, run) {
        timers.push(run);
        return () => undefined;
      },
      now: () => from + 100_000,
    },
    { topic, partitions: 3, timeoutMs: 300 },
  );
}
const at = (second: number): number => from + second * 1_000;

it('finds the first event of each partition that came then or later', async () => {
  append(0, 0, 10, 10, 20);
  append(1, 5);
  const positions = async (since: number | 'beginning'): Promise<number[]> =>
    (await sourceLog().historyFrom(since)).cursors.map(({ position }) => position);
  expect(await positions(at(10))).toEqual([1, 1, 0]);
  expect(await positions(at(11))).toEqual([3, 1, 0]);
  expect(await positions(at(0))).toEqual([0, 0, 0]);
  expect(await positions(at(99))).toEqual([4, 1, 0]);
  expect(await positions('beginning')).toEqual([0, 0, 0]);
  // To Kafka -1 would mean the end.
  expect(
    await sourceLog({ offsetsAt: (_, time) => Promise.resolve([time, time, time]) }).historyFrom(-1),
  ).toMatchObject({
    cursors: [{ position: 0 }, { position: 0 }, { position: 0 }],
  });
});

it('takes the incarnation that dispatchers have committed, and the first one where they have not', async () => {
  commit(1, encodeSourcePosition({ incarnation: 7, fingerprint: null }));
  const { cursors } = await sourceLog().historyFrom('beginning');
  expect(cursors.map(({ partition, incarnation }) => [partition, incarnation])).toEqual([
    [0, 0],
    [1, 7],
    [2, 0],
  ]);
  commit(1, 'by another tool');
  await expect(sourceLog().historyFrom('beginning')).rejects.toMatchObject({ code: 'partition-stopped' });
});

it('says from when on the log is complete, where it may lack what was asked for', async () => {
  append(0, 0, 10, 20);
  append(1, 0, 5, 30);
  append(2, 0, 50);
  await trim(0, 1);
  await trim(1, 2);
  const gap = async (since: number | 'beginning') => (await sourceLog().historyFrom(since)).gap;
  expect(await gap('beginning')).toEqual({ partitions: [0, 1], from: at(30) });
  expect(await gap(at(5))).toEqual({ partitions: [0, 1], from: at(30) });
  expect(await gap(at(15))).toEqual({ partitions: [1], from: at(30) });
  expect(await gap(at(31))).toBeNull();
  await trim(2, 2);
  expect(await gap(at(31))).toEqual({ partitions: [2], from: at(100) });
});

it('looks again when the log’s start moves on meanwhile', async () => {
  append(0, 0, 10, 20);
  await trim(0, 1);
  const reader = log.reader();
  const source = sourceLog({
    async *range(place, start, end) {
      if (start === 1) {
        await trim(0, 2);
        throw new OffsetOutOfRange(place, start, { start: 2, end });
      }
      yield* reader.range(place, start, end);
    },
  });
  expect(await source.historyFrom('beginning')).toMatchObject({
    cursors: [{ position: 2 }, {}, {}],
    gap: { partitions: [0], from: at(20) },
  });
});

it('does not wait for brokers that do not answer, and minds no answer that comes too late', async () => {
  const { promise, reject } = Promise.withResolvers<never>();
  const source = sourceLog({ bounds: () => promise });
  const calls = [source.ends(), source.historyFrom('beginning')].map((call) =>
    call.catch((error: unknown) => error as AppError),
  );
  for (const late of timers) late();
  for (const error of await Promise.all(calls))
    expect(error).toMatchObject({ code: 'broker-unavailable', headers: { 'retry-after': '2' } });
  reject(new Error('too late'));
});
