// Real: the dry run, the selection, the codec. Doubled: Kafka (InMemoryLog), the clock.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { plainContent } from '#libs/contracts';
import { contentOf, ReplaySelection } from '#libs/core';
import { filterOf } from '#libs/filters';
import { InMemoryLog } from '#libs/kafka';
import type { SchemaCodec } from '#libs/schema-codec';
import { testCodec } from '../../test/event-codec.js';
import { DryRuns, type DryRunLimits } from './dry-run.js';

let codec: SchemaCodec;
beforeAll(async () => {
  ({ codec } = await testCodec());
});

const topic = 'events';
const partitions = 3;

interface Given {
  readonly partition: number;
  readonly tenant: string;
  readonly id: string;
  readonly type: string;
  readonly valid: boolean;
}

function logOf(events: readonly Given[]): InMemoryLog {
  const log = new InMemoryLog();
  log.createTopic(topic, partitions);
  for (const { partition, tenant, id, type, valid } of events) {
    const headers = {
      'content-type': 'application/json',
      ce_specversion: '1.0',
      ce_id: id,
      ce_source: '/s',
      ce_type: type,
    };
    const value = Buffer.from(JSON.stringify(valid ? { text: 'x' } : {}));
    log.write([{ topic, partition, key: tenant, value, headers }]);
  }
  return log;
}

const endpoints = [
  { endpointId: 'ep_1', tenantId: 'acme', eventTypes: ['note.*'] },
  { endpointId: 'ep_2', tenantId: 'acme', eventTypes: ['note.added', 'task.updated'] },
];
const everything = () =>
  new ReplaySelection({ tenantId: 'acme', eventTypes: null, filter: null, subscriptions: { asOf: 'now', endpoints } });

const runs = (log: InMemoryLog, limits: Partial<DryRunLimits> = {}, monotonic = () => 0) =>
  new DryRuns(
    { log: log.reader(), data: codec.events, monotonic },
    { topic, maxEventBytes: 10_000, repeatWindow: 1_000, maxMs: 1_000, maxRecords: 1_000_000, atOnce: 1, ...limits },
  );
const windows = (log: InMemoryLog) =>
  Array.from({ length: partitions }, (_, partition) => ({
    partition,
    from: 0,
    to: log.boundsOf({ topic, partition }).end,
  })).filter(({ to }) => to > 0);

const event = fc.record({
  partition: fc.nat(partitions - 1),
  tenant: fc.constantFrom('acme', 'acme', 'other'),
  id: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  type: fc.constantFrom('note.added', 'note.added', 'task.updated'),
  valid: fc.boolean(),
});

describe('a dry run', () => {
  it('asks the filters of endpoints, and counts only what they let through', async () => {
    const at = { partition: 0, tenant: 'acme', type: 'note.added', valid: true };
    const log = logOf(['a', 'b', 'c'].map((id) => ({ ...at, id })));
    const some = contentOf({ ...plainContent, filters: '[{"cel":"id == \\"b\\" && data.text == \\"x\\""}]' }, filterOf);
    const none = contentOf({ ...plainContent, filters: '[{"exact":{"id":"z"}}]' }, filterOf);
    const contents = new Map([
      ['ep_1', some],
      ['ep_2', none],
    ]);
    const { counts, samples } = await runs(log).count(windows(log), everything(), 'acme', contents);
    expect(counts).toEqual([{ endpointId: 'ep_1', eventType: 'note.added', deliveries: 1 }]);
    expect(samples.map(({ event: one }) => one.id)).toEqual(['b']);
  });

  it('counts what a model over the whole log counts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 60 }), async (events) => {
        const log = logOf(events);
        const seen = new Set<string>();
        const expected = { deliveries: 0, repeats: 0, rejected: 0 };
        for (const { partition, tenant, id, type, valid } of events) {
          const key = `${partition} ${tenant} ${id}`;
          if (seen.has(key)) expected.repeats += tenant === 'acme' ? 1 : 0;
          else if (tenant === 'acme' && type === 'note.added' && valid) expected.deliveries += 2;
          // task.updated has no schema here.
          else if (tenant === 'acme') expected.rejected += 1;
          seen.add(key);
        }
        const found = await runs(log).count(windows(log), everything(), 'acme');
        const total = found.counts.reduce((sum, { deliveries }) => sum + deliveries, 0);
        expect({ deliveries: total, repeats: found.repeats, rejected: found.rejected }).toEqual(expected);
        expect([...found.expected.values()].reduce((a, b) => a + b, 0)).toBe(total);
        expect(found.records).toEqual({ inWindow: events.length, read: events.length });
        expect(found.samples).toHaveLength(Math.min(10, total));
      }),
    );
  });

  const many = (count: number): Given[] =>
    Array.from({ length: count }, (_, i) => ({
      partition: i % partitions,
      tenant: i % 2 === 0 ? 'acme' : 'other',
      id: `${i}`,
      type: 'note.added',
      valid: true,
    }));

  it('that may not read all says what it has read, and extrapolates', async () => {
    const log = logOf(many(6_000));
    const found = await runs(log, { maxRecords: 1_000 }).count(windows(log), everything(), 'acme');
    expect(found.records).toEqual({ inWindow: 6_000, read: 1_000 });
    const counted = found.counts.reduce((sum, { deliveries }) => sum + deliveries, 0);
    expect(counted).toBe(1_000);
    expect(found.expected.get('ep_1')).toBe(3_000);
    expect(found.expected.get('ep_2')).toBe(3_000);
  });

  it('ends in time', async () => {
    const log = logOf(many(6_000));
    let at = 0;
    const found = await runs(log, { maxMs: 3 }, () => (at += 1)).count(windows(log), everything(), 'acme');
    expect(found.records.read).toBeGreaterThan(0);
    expect(found.records.read).toBeLessThan(6_000);
  });

  it('that is one too many at once is refused, and the next one is not', async () => {
    const log = logOf(many(10));
    const dryRuns = runs(log);
    const first = dryRuns.count(windows(log), everything(), 'acme');
    await expect(dryRuns.count(windows(log), everything(), 'acme')).rejects.toMatchObject({ code: 'overloaded' });
    await first;
    await dryRuns.count(windows(log), everything(), 'acme');
  });

  it('says so when retention takes away what it reads', async () => {
    const log = logOf(many(10));
    const asked = windows(log);
    await log.administration().deleteRecordsBefore([{ topic, partition: 0, offset: 2 }]);
    await expect(runs(log).count(asked, everything(), 'acme')).rejects.toMatchObject({ code: 'conflict' });
  });
});
