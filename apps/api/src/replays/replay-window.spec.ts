// Real: the windows. Doubled: the log, as bounds and append times.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogRecord } from '#libs/kafka';
import { ReplayWindows } from './replay-window.js';

/** A partition: its first offset, and the append times from there on. */
interface Stored {
  readonly start: number;
  readonly times: readonly number[];
}

const windowsOver = (partitions: readonly Stored[]): ReplayWindows => {
  const at = (partition: number): Stored => partitions[partition] ?? { start: 0, times: [] };
  return new ReplayWindows(
    {
      bounds: (of) =>
        Promise.resolve(
          of.map(({ partition }) => ({
            start: at(partition).start,
            end: at(partition).start + at(partition).times.length,
          })),
        ),
      offsetsAt: (of, timestamp) =>
        Promise.resolve(
          of.map(({ partition }) => {
            const { start, times } = at(partition);
            const found = times.findIndex((time) => time >= timestamp);
            return start + (found === -1 ? times.length : found);
          }),
        ),
      first({ topic, partition }, offset) {
        const timestamp = at(partition).times[offset - at(partition).start];
        const rest = { topic, partition, offset, key: null, value: null, headers: {} };
        return Promise.resolve(timestamp === undefined ? null : ({ ...rest, timestamp } satisfies LogRecord));
      },
      incarnations: (of) => Promise.resolve(of.map(({ partition }) => partition * 10)),
    },
    'events',
    partitions.length,
  );
};

const stored = fc.record({
  start: fc.nat(5),
  times: fc.array(fc.nat(50), { maxLength: 10 }).map((times) => times.toSorted((a, b) => a - b)),
});

describe('a window', () => {
  it('of offsets is what is there of it, and what is lost is counted', async () => {
    const asked = fc.record({ from: fc.nat(20), to: fc.option(fc.nat(20), { nil: undefined }) });
    await fc.assert(
      fc.asyncProperty(stored, asked, async (one, { from, to }) => {
        const end = one.start + one.times.length;
        const wanted = Array.from({ length: end }, (_, i) => i).filter((i) => i >= from && i < (to ?? Infinity));
        const there = wanted.filter((offset) => offset >= one.start);
        const found = await windowsOver([one]).find({ partitions: [{ partition: 0, from, to }] });
        const kept = found.partitions.flatMap((part) =>
          Array.from({ length: part.to - part.from }, (_, i) => part.from + i),
        );
        expect(kept).toEqual(there);
        const lost = found.gaps.reduce((sum, { records }) => sum + (records ?? 0), 0);
        expect(lost).toBe(wanted.length - there.length);
      }),
    );
  });

  it('of time is every record of that time, and tells where some may be missing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stored, { maxLength: 3 }), fc.nat(60), fc.option(fc.nat(60)), async (all, from, to) => {
        const found = await windowsOver(all).find({ from, to });
        const kept = found.partitions.flatMap((part) =>
          Array.from({ length: part.to - part.from }, (_, i) => `${part.partition} ${part.from + i}`),
        );
        const expected = all.flatMap(({ start, times }, partition) =>
          times.flatMap((time, i) => (time >= from && time < (to ?? Infinity) ? [`${partition} ${start + i}`] : [])),
        );
        expect(kept).toEqual(expected);
        const gaps = all.flatMap(({ start, times: [first = Infinity] }, partition) => {
          const until = Math.min(first, to ?? Infinity);
          if (start === 0 || until <= from) return [];
          return [{ partition, records: null, from, until: until === Infinity ? null : until }];
        });
        expect(found.gaps).toEqual(gaps);
      }),
    );
  });

  it('has the incarnation of each of its partitions', async () => {
    const all = Array.from({ length: 3 }, (_, i) => ({ start: 0, times: i === 1 ? [] : [1] }));
    const { partitions } = await windowsOver(all).find({ from: 0, to: null });
    expect(partitions.map(({ partition, incarnation }) => [partition, incarnation])).toEqual([
      [0, 0],
      [2, 20],
    ]);
  });
});
