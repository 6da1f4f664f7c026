// Real: the search. Doubled: Kafka (InMemoryLog), the clocks.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InMemoryLog } from '#libs/kafka';
import { LatestEvents, type LatestEventsOptions } from './latest-events.js';

const topic = 'events';
const partitions = 3;

interface Given {
  readonly partition: number;
  readonly tenant: string;
  readonly type: string;
}

/** Append times count the records; ids too. */
function logOf(events: readonly Given[]): InMemoryLog {
  let at = 1_000;
  const log = new InMemoryLog({ now: () => (at += 1) });
  log.createTopic(topic, partitions);
  for (const [i, { partition, tenant, type }] of events.entries()) {
    const headers = {
      'content-type': 'application/json',
      ce_specversion: '1.0',
      ce_id: `${i}`,
      ce_source: '/s',
      ce_type: type,
    };
    log.write([{ topic, partition, key: tenant, value: Buffer.from('{}'), headers }]);
  }
  return log;
}

function latestIn(log: InMemoryLog, changes: Partial<LatestEventsOptions> = {}, monotonic = () => 0): LatestEvents {
  const options = { topic, partitions, maxEventBytes: 10_000, maxRecords: 1_000_000, maxMs: 1_000, ...changes };
  return new LatestEvents({ log: log.reader(), now: () => 100_000, monotonic }, options);
}

const event = fc.record({
  partition: fc.nat(partitions - 1),
  tenant: fc.constantFrom('acme', 'acme', 'other'),
  type: fc.constantFrom('note.added', 'note.added', 'note.removed'),
});
const many = (count: number, wanted: (i: number) => boolean): Given[] =>
  Array.from({ length: count }, (_, i) => ({
    partition: i % partitions,
    tenant: 'acme',
    type: wanted(i) ? 'note.added' : 'note.removed',
  }));

describe('the latest events of a tenant and type', () => {
  it('are those that a search through everything finds', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { maxLength: 500, size: 'max' }),
        fc.integer({ min: 1, max: 20 }),
        async (all, count) => {
          const found = await latestIn(logOf(all)).find('acme', 'note.added', count);
          const expected = all.flatMap(({ tenant, type }, i) =>
            tenant === 'acme' && type === 'note.added' ? [`${i}`] : [],
          );
          expect(found.events.map(({ id }) => id)).toEqual(expected.reverse().slice(0, count));
          expect(found.complete).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('are found without reading what is older', async () => {
    const log = logOf(many(30_000, () => true));
    const { events, records, complete, since } = await latestIn(log).find('acme', 'note.added', 10);
    expect(events.map(({ id }) => Number(id))).toEqual(Array.from({ length: 10 }, (_, i) => 29_999 - i));
    expect({ records, complete }).toEqual({ records: 300, complete: true });
    expect(since).toBeGreaterThan(1_000 + 29_000);
  });

  it('are not all, when that would take too many records: it is said how far back was looked', async () => {
    const log = logOf(many(30_000, (i) => i === 100 || i === 29_500));
    const found = await latestIn(log, { maxRecords: 2_000 }).find('acme', 'note.added', 2);
    expect(found.events.map(({ id }) => id)).toEqual(['29500']);
    expect(found).toMatchObject({ records: 2_000, complete: false });
    // A thousand and one is the append time of the first one.
    expect(found.since).toBeGreaterThan(1_000 + 28_000 - 1_000);
    const all = await latestIn(log).find('acme', 'note.added', 3);
    expect(all).toMatchObject({ records: 30_000, complete: true, since: null });
    expect(all.events.map(({ id }) => id)).toEqual(['29500', '100']);
  });

  it('nor when it would take too long', async () => {
    let at = 0;
    const found = await latestIn(logOf(many(30_000, () => false)), { maxMs: 20 }, () => (at += 1)).find(
      'acme',
      'note.added',
      1,
    );
    expect(found.complete).toBe(false);
    expect(found.records).toBeLessThan(30_000);
  });

  it('say so when retention takes away what is read', async () => {
    const log = logOf(many(30, () => true));
    const reader = log.reader();
    const racing = {
      async bounds(at: Parameters<typeof reader.bounds>[0]) {
        const bounds = await reader.bounds(at);
        await log.administration().deleteRecordsBefore([{ topic, partition: 0, offset: 5 }]);
        return bounds;
      },
      range: reader.range.bind(reader),
    };
    const options = { topic, partitions, maxEventBytes: 10_000, maxRecords: 1_000, maxMs: 1_000 };
    const latest = new LatestEvents({ log: racing, now: () => 0, monotonic: () => 0 }, options);
    await expect(latest.find('acme', 'note.added', 100)).rejects.toMatchObject({ code: 'conflict' });
  });
});
