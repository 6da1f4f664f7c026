import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OffsetOutOfRange, type LogRecord } from '#libs/kafka';
import { PastEvents, type LastEventsLimits } from './last-events.js';

interface Given {
  readonly tenant?: string;
  readonly type?: string;
  readonly at: number;
}

const record = (partition: number, offset: number, { tenant = 'acme', type = 'note.added', at }: Given): LogRecord => ({
  topic: 'events',
  partition,
  offset,
  timestamp: at,
  key: Buffer.from(tenant),
  value: Buffer.from('{}'),
  headers: Object.fromEntries(
    Object.entries({
      'content-type': 'application/json',
      ce_specversion: '1.0',
      ce_id: `${partition}-${offset}`,
      ce_source: '/notes',
      ce_type: type,
    }).map(([name, value]) => [name, Buffer.from(value)]),
  ),
});

/** An offset without a record, as where a transaction ended. */
const marker: Given = { at: 0 };

/** Partitions as lists of records, in order of time; those below a start are gone. */
function search(
  partitions: readonly (readonly Given[])[],
  changes: Partial<LastEventsLimits> = {},
  starts: number[] = [],
) {
  const clock = { now: 0 };
  const reads: [partition: number, from: number, to: number][] = [];
  const begins = partitions.map((_, i) => starts[i] ?? 0);
  const bounds = () => partitions.map((records, i) => ({ start: begins[i] ?? 0, end: records.length }));
  const past = new PastEvents(
    {
      log: {
        bounds: () => Promise.resolve(bounds()),
        async *range(place, from, to) {
          reads.push([place.partition, from, to]);
          const here = bounds()[place.partition]!;
          if (from < here.start) throw new OffsetOutOfRange(place, from, here);
          const all = partitions[place.partition]!.slice(from, to).flatMap((given, at) =>
            given === marker ? [] : [record(place.partition, from + at, given)],
          );
          for (let i = 0; i < all.length; i += 64) yield all.slice(i, i + 64);
        },
      },
      now: () => 1_000_000,
      monotonic: () => clock.now,
    },
    {
      topic: 'events',
      partitions: partitions.length,
      maxEventBytes: 10_000,
      maxMs: 1_000,
      maxRecords: 100_000,
      atOnce: 1,
      ...changes,
    },
  );
  return { past, clock, reads, begins };
}

const placesOf = (events: readonly { partition: number; offset: number }[]) =>
  events.map(({ partition, offset }) => `${partition}-${offset}`);

describe('the last events', () => {
  it('are the newest of the tenant and type, whichever partitions they lie in', async () => {
    const given = fc.record({
      tenant: fc.constantFrom('acme', 'other'),
      type: fc.constantFrom('note.added', 'note.removed'),
      at: fc.integer({ min: 1, max: 500 }),
    });
    const partition = fc.array(given, { maxLength: 300 }).map((all) => all.toSorted((a, b) => a.at - b.at));
    await fc.assert(
      fc.asyncProperty(
        fc.array(partition, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 20 }),
        async (log, count) => {
          const { events, lookedBack } = await search(log).past.last('acme', 'note.added', count);
          const all = log.flatMap((records, p) =>
            records.flatMap(({ tenant, type, at }, offset) =>
              tenant === 'acme' && type === 'note.added' ? [{ partition: p, offset, at }] : [],
            ),
          );
          // Times of different partitions may be equal; which of those are taken does not matter.
          const times = all.map(({ at }) => at).toSorted((a, b) => b - a);
          expect(events.map(({ appendedAt }) => appendedAt)).toEqual(times.slice(0, count));
          expect(new Set(placesOf(events)).size).toBe(events.length);
          expect(placesOf(all)).toEqual(expect.arrayContaining(placesOf(events)));
          expect(lookedBack.partial).toBe(false);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are found without reading what cannot hold any', async () => {
    const quiet = Array.from({ length: 5_000 }, (_, at) => ({ at }));
    const busy = Array.from({ length: 5_000 }, (_, i) => ({ at: 10_000 + i }));
    const { past, reads } = search([quiet, busy]);
    const { events, lookedBack } = await past.last('acme', 'note.added', 50);
    expect(placesOf(events)[0]).toBe('1-4999');
    expect(reads).toEqual([
      [0, 4_900, 5_000],
      [1, 4_900, 5_000],
    ]);
    expect(lookedBack).toEqual({ records: 200, since: 14_900, partial: false });
  });

  it('are looked for no further than the bounds, which the answer tells', async () => {
    const others = Array.from({ length: 3_000 }, (_, at) => ({ at, tenant: 'other' }));
    const byRecords = await search([others], { maxRecords: 700 }).past.last('acme', 'note.added', 1);
    expect(byRecords).toEqual({ events: [], lookedBack: { records: 700, since: 2_300, partial: true } });
    const { past, clock } = search([others], { maxMs: -1 });
    clock.now = 5;
    expect((await past.last('acme', 'note.added', 1)).lookedBack).toMatchObject({ records: 0, partial: true });
    const all = await search([others]).past.last('acme', 'note.added', 1);
    expect(all.lookedBack).toEqual({ records: 3_000, since: null, partial: false });
  });

  it('are found beyond offsets that hold no record', async () => {
    const { past } = search([
      [{ at: 7 }, ...Array.from({ length: 150 }, () => marker)],
      [{ at: 5 }, { at: 6 }],
    ]);
    const { events, lookedBack } = await past.last('acme', 'note.added', 1);
    expect(placesOf(events)).toEqual(['0-0']);
    expect(lookedBack).toEqual({ records: 3, since: null, partial: false });
    const markers = [{ at: 7 }, ...Array.from({ length: 150 }, () => marker)];
    const { lookedBack: bounded } = await search([markers], { maxRecords: 0 }).past.last('acme', 'note.added', 1);
    expect(bounded).toEqual({ records: 0, since: 1_000_000, partial: true });
  });

  it('are those that retention has left', async () => {
    const { past, begins } = search([Array.from({ length: 400 }, (_, at) => ({ at }))]);
    const found = past.last('acme', 'note.added', 350);
    begins[0] = 250;
    const { events, lookedBack } = await found;
    expect(events).toHaveLength(150);
    expect(lookedBack).toEqual({ records: 150, since: null, partial: false });
  });

  it('are looked for by so many at once, others are told to come again', async () => {
    const { past } = search([[{ at: 1 }]]);
    const first = past.last('acme', 'note.added', 1);
    await expect(past.last('acme', 'note.added', 1)).rejects.toMatchObject({
      code: 'overloaded',
      headers: { 'retry-after': '5' },
    });
    expect((await first).events).toHaveLength(1);
    expect((await past.last('acme', 'note.added', 1)).events).toHaveLength(1);
  });
});
