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

async function logOf(ids: readonly (string | null)[]): Promise<InMemoryLog> {
  const log = new InMemoryLog();
  log.createTopic(at.topic, 1);
  const headersOf = (id: string): Record<string, string> => ({
    'content-type': 'application/avro',
    ce_specversion: '1.0',
    ce_id: id,
    ce_source: '/s',
    ce_type: 't.t',
  });
  const records = ids.map((id) => ({
    ...at,
    key: 'acme',
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
        const scan = await LogScan.open(at, from, { reader: log.reader(), events, repeatWindow: size });
        for (const [limit, most] of [...turns, [50, 50] as const]) {
          const to = Math.min(Math.max(limit, scan.position), all.length);
          const { items: records, end } = await scan.peek(to, most + 1);
          for (const [nth, { parsed, passedOver }] of records.entries()) {
            const { offset } = parsed.record;
            expect(offset).toBe(scan.position + nth);
            expect(passedOver).toBe(expected[offset]);
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

it('says where the log begins when it no longer reaches back far enough', async () => {
  const log = await logOf(['a', 'b', 'c', 'd']);
  await log.administration().deleteRecordsBefore([{ ...at, offset: 2 }]);
  const scan = await LogScan.open(at, 1, { reader: log.reader(), events, repeatWindow: 10 });
  await expect(scan.peek(4, 10)).rejects.toMatchObject({ bounds: { start: 2, end: 4 } });
});
