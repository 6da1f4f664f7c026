/** Real: the scan, the reader of events. Doubled: the log (in memory). Asserted: the same repeats as live dispatch tells. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RepeatWindow } from '#libs/core';
import { InMemoryLog } from '#libs/kafka';
import { LogScan } from './log-scan.js';
import { EventReader } from './read-events.js';

const at = { topic: 'events', partition: 0 };
const noData = { prepare: () => Promise.resolve(), isPrepared: () => true, toJson: () => ({ ok: true, json: null }) };
const events = new EventReader(noData as unknown as ConstructorParameters<typeof EventReader>[0], 10_000);

class CountingReader {
  parses = 0;

  parse(record: Parameters<EventReader['parse']>[0]): ReturnType<EventReader['parse']> {
    this.parses += 1;
    return events.parse(record);
  }
}

async function logOf(ids: readonly (string | null)[], keys: readonly string[] = []): Promise<InMemoryLog> {
  const log = new InMemoryLog();
  log.createTopic(at.topic, 1);
  const headersOf = (id: string): Record<string, string> => ({
    'content-type': 'application/avro',
    ce_specversion: '1.0',
    ce_id: id,
    ce_source: '/s',
    ce_type: 't.t',
  });
  const records = ids.map((id, nth) => ({
    ...at,
    key: keys[nth] ?? 'acme',
    value: Buffer.of(1),
    headers: id === null ? {} : headersOf(id),
  }));
  if (records.length > 0) await log.sender().send(records);
  return log;
}

it('tells repeats as one that has read all from the beginning, wherever it begins and however it stops and goes on', async () => {
  const ids = fc.array(fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'e')), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(
      ids,
      fc.nat(40),
      fc.nat(8),
      fc.array(fc.tuple(fc.nat(50), fc.nat(5))),
      async (all, start, size, turns) => {
        const log = await logOf(all);
        const window = new RepeatWindow(size);
        const expected = all.map(
          (id, offset) => id === null || window.note({ tenantId: 'acme', source: '/s', id }, offset),
        );
        const from = Math.min(start, all.length);
        const scan = await LogScan.open(at, from, { reader: log.reader(), events, repeatWindow: size }, null);
        for (const [limit, most] of [...turns, [50, 50] as const]) {
          const to = Math.min(Math.max(limit, scan.position), all.length);
          const { items: records, end } = await scan.peek(to, most + 1);
          for (const [nth, { offset, parsed }] of records.entries()) {
            expect(offset).toBe(scan.position + nth);
            expect(parsed === null).toBe(expected[offset]);
          }
          expect(end).toBe(scan.position + records.length);
          // Not always all of it.
          scan.advance(end - (limit % 2 === 1 && records.length > 0 ? 1 : 0));
        }
        expect(scan.position).toBeGreaterThanOrEqual(all.length - 1);
        await scan.close();
      },
    ),
    { numRuns: 200 },
  );
});

it('of one tenant’s events tells the same of them, and parses no others', async () => {
  const entries = fc.array(fc.tuple(fc.constantFrom('acme', 'other'), fc.constantFrom('a', 'b', 'c')), {
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(entries, fc.nat(30), fc.nat(8), async (all, start, size) => {
      const log = await logOf(
        all.map(([, id]) => id),
        all.map(([tenant]) => tenant),
      );
      const from = Math.min(start, all.length);
      const counted = new CountingReader();
      const seen = async (tenantId: string | null): Promise<(string | null)[]> => {
        const ports = { reader: log.reader(), events: counted, repeatWindow: size };
        const scan = await LogScan.open(at, from, ports, tenantId);
        const { items } = await scan.peek(all.length, 100);
        await scan.close();
        return items.map(({ parsed }) =>
          parsed?.event.identity.tenantId === 'acme' ? parsed.event.identity.id : null,
        );
      };
      const expected = await seen(null);
      counted.parses = 0;
      expect(await seen('acme')).toEqual(expected);
      const looked = all.slice(Math.max(0, from - size));
      expect(counted.parses).toBe(looked.filter(([tenant]) => tenant === 'acme').length);
    }),
    { numRuns: 200 },
  );
});

it('parses no more at a time than it is asked for', async () => {
  const log = await logOf(Array.from({ length: 50 }, (_, n) => `e${n}`));
  const counted = new CountingReader();
  const scan = await LogScan.open(at, 0, { reader: log.reader(), events: counted, repeatWindow: 10 }, null);
  await scan.peek(50, 7);
  expect(counted.parses).toBe(7);
  await scan.peek(50, 7);
  scan.advance(7);
  await scan.peek(50, 7);
  expect(counted.parses).toBe(14);
});

it('says where the log begins when it no longer reaches back far enough', async () => {
  const log = await logOf(['a', 'b', 'c', 'd']);
  await log.administration().deleteRecordsBefore([{ ...at, offset: 2 }]);
  const scan = await LogScan.open(at, 1, { reader: log.reader(), events, repeatWindow: 10 }, null);
  await expect(scan.peek(4, 10)).rejects.toMatchObject({ bounds: { start: 2, end: 4 } });
});
