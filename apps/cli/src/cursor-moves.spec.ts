// Real: the commands, the codec. Doubled: the log (in memory, one contract with Kafka), the registry, PostgreSQL.
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { encodeSourcePosition } from '#libs/core';
import type { CursorRecord } from '#libs/persistence';
import { aCursor, Cluster, config, openCodec, planOf, topics } from './offsets.fixture.js';
import { parsePlan, parseSaved, planOffsets, type OffsetsPlan, type SavedPositions } from './offsets-plan.js';
import { savePositions } from './offsets-save.js';

const from = 1_800_000_000_000;
const seconds = (...times: readonly number[]): number[] => times.map((second) => from + second * 1_000);
const iso = (second: number): string => new Date(from + second * 1_000).toISOString();

let source: Cluster;
let mirror: Cluster;
beforeEach(async () => {
  const codec = await openCodec();
  [source, mirror] = [await Cluster.create(codec), await Cluster.create(codec)];
});

function commit(cluster: Cluster, partition: number, offset: number): void {
  const metadata = encodeSourcePosition({ incarnation: 3, fingerprint: null });
  cluster.log.commitsOf('p.dispatcher').set(`${topics.events}-${partition}`, { offset, metadata });
}
const save = async (cursors: readonly CursorRecord[], now = from + 900_000): Promise<SavedPositions> => {
  const request = { group: 'dispatcher', cursors, now: () => now } as const;
  return parseSaved(JSON.stringify(await savePositions(source.log, config, request)));
};
const plan = async (
  cursors: readonly CursorRecord[],
  saved: SavedPositions | number,
  marginSeconds = 0,
): Promise<OffsetsPlan> => {
  const request = { group: 'dispatcher', from: saved, marginSeconds, cursors } as const;
  return parsePlan(JSON.stringify(await planOffsets(mirror.log, config, request)));
};

describe('cursors in a move', () => {
  it('are saved with the append time of the first record that was not sent', async () => {
    source.appendEvents(0, seconds(0, 10, 20));
    source.appendEvents(1, seconds(5));
    await source.trim(topics.events, 1);
    const rows = [
      aCursor({ endpointId: 'a', position: 2 }),
      aCursor({ endpointId: 'b', position: 0 }),
      aCursor({ endpointId: 'c', position: 3 }),
      aCursor({ endpointId: 'a', partition: 1, position: 0 }),
    ];
    expect((await save(rows)).cursors).toEqual([
      { endpointId: 'a', partition: 0, offset: 2, at: iso(20) },
      { endpointId: 'b', partition: 0, offset: 0, at: iso(10) },
      { endpointId: 'c', partition: 0, offset: 3, at: iso(900) },
      { endpointId: 'a', partition: 1, offset: 0, at: iso(5) },
    ]);
  });

  it('go on at that time, less the margin, in a new incarnation and a new run', async () => {
    source.appendEvents(0, seconds(0, 10, 20, 30));
    mirror.appendEvents(0, seconds(20, 31, 32));
    commit(source, 0, 4);
    const row = aCursor({ position: 3, startedAt: 2 });
    mirror.cursors.rows = [row];
    const saved = await save([row]);
    expect((await plan([row], saved, 5)).cursors).toEqual([
      { endpointId: 'ep_1', partition: 0, at: iso(30), offset: 1 },
    ]);
    const made = await plan([row], saved, 10);
    expect(made.cursors).toMatchObject([{ offset: 0 }]);
    const lines = await mirror.apply(made);
    expect(lines.at(-1)).toMatch(/^1 positions of endpoints/);
    const run = expect.stringMatching(/^f_[0-9a-f]{32}$/) as string;
    expect(mirror.cursors.rows).toEqual([{ ...row, incarnation: 4, position: 0, startedAt: 0, run }]);
    // Again, as when it was cut short: by endpoint, since the run is another one now.
    await mirror.apply(made);
    expect(mirror.cursors.rows).toMatchObject([{ incarnation: 5, position: 0 }]);
    expect((await plan(mirror.cursors.rows, saved, 5)).cursors).toMatchObject([{ offset: 1 }]);
  });

  it('never pass over what was not sent, in a mirror that appends later and at other offsets (property)', async () => {
    const codec = await openCodec();
    const drawn = fc.record({
      records: fc.array(fc.record({ after: fc.nat(5_000), lag: fc.nat(3_000) }), { minLength: 1, maxLength: 20 }),
      sent: fc.nat(20),
      dispatched: fc.nat(20),
      trimmed: fc.nat(20),
      marginSeconds: fc.nat(4),
      isSaved: fc.boolean(),
      kind: fc.constantFrom('freeze', 'backfill'),
    });
    await fc.assert(
      fc.asyncProperty(drawn, async ({ records, marginSeconds, isSaved, kind, ...most }) => {
        [source, mirror] = [await Cluster.create(codec), await Cluster.create(codec)];
        const dispatched = Math.min(most.dispatched, records.length);
        // One that froze after the save has been sent what had been dispatched then.
        const least = isSaved || kind === 'backfill' ? 0 : dispatched;
        const position = Math.min(least + most.sent, records.length);
        const first = Math.min(most.trimmed, position, dispatched);
        let at = from;
        source.appendEvents(
          0,
          records.map(({ after }) => (at += after)),
        );
        commit(source, 0, dispatched);
        const row = aCursor({ kind: kind as 'freeze', position });
        const saved = await save(isSaved ? [row] : [], at + 60_000);
        let mirroredAt = from;
        for (const [i, { timestamp }] of source.log.recordsOf(topics.events).entries()) {
          if (i < first) continue;
          mirroredAt = Math.max(mirroredAt, timestamp) + (records[i]?.lag ?? 0);
          mirror.appendEvents(0, [mirroredAt]);
        }
        const [planned] = (await plan([row], saved, marginSeconds)).cursors ?? [];
        expect(planned?.offset).toBeLessThanOrEqual(position - first);
      }),
    );
  });

  it('that were not saved go on where their partition does, backfills at the start', async () => {
    source.appendEvents(0, seconds(0, 10, 20, 30));
    mirror.appendEvents(0, seconds(0, 10, 20, 30));
    commit(source, 0, 2);
    const rows = [
      aCursor({ endpointId: 'a', position: 3 }),
      aCursor({ endpointId: 'b', kind: 'backfill', position: 3 }),
    ];
    expect((await plan(rows, await save([]))).cursors).toEqual([
      { endpointId: 'a', partition: 0, at: iso(20), offset: 2 },
      { endpointId: 'b', partition: 0, at: null, offset: 0 },
    ]);
  });

  it('with an operator’s time go on where they froze, if that was earlier', async () => {
    mirror.appendEvents(0, seconds(0, 10, 20, 30));
    const rows = [
      aCursor({ endpointId: 'a', createdAt: from + 10_000 }),
      aCursor({ endpointId: 'b', createdAt: from + 30_000 }),
      aCursor({ endpointId: 'c', kind: 'backfill' }),
    ];
    const { cursors } = await plan(rows, from + 20_000);
    expect(cursors?.map(({ offset }) => offset)).toEqual([1, 2, 0]);
  });

  it('must all be known to the plan, at an offset that there is; else nothing is moved', async () => {
    mirror.appendEvents(0, seconds(0));
    const made = planOf(
      'dispatcher',
      [0, 1].map((partition) => ({ topic: topics.events, partition, at: null, offset: 0, start: 0, end: 1 })),
    );
    const row = aCursor({});
    mirror.cursors.rows = [row];
    await expect(mirror.apply(made)).rejects.toThrow(/where to go on for 1 endpoints.*ep_1 in partition 0/);
    const beyond = { ...made, cursors: [{ endpointId: 'ep_1', partition: 0, at: null, offset: 2 }] };
    await expect(mirror.apply(beyond)).rejects.toThrow(/partition 0 has no offset 2/);
    expect(mirror.cursors.rows).toEqual([row]);
    expect(mirror.commitOf('dispatcher', topics.events).offset).toBe(-1);
    const { cursors: _, ...older } = await save([row]);
    await expect(plan([row], older)).rejects.toThrow(/lack the endpoints/);
  });

  it('stay where they are while a dispatcher is there', async () => {
    mirror.appendEvents(0, seconds(0));
    const row = aCursor({});
    mirror.cursors.rows = [row];
    const made = await plan([row], from);
    const listener = {
      onGained: () => undefined,
      onLost: () => undefined,
      beforeJoin: () => Promise.resolve(),
      onFatal: () => undefined,
    };
    const dispatcher = mirror.log.membership({ groupId: 'p.dispatcher', topics: [topics.events], listener });
    await dispatcher.join();
    await expect(mirror.apply(made)).rejects.toThrow(/stop every dispatcher/);
    expect(mirror.cursors.rows).toEqual([row]);
    await dispatcher.leave();
  });

  it('are refused in a file that is not of these commands', () => {
    const file = { ...planOf('dispatcher', []), cursors: [{ endpointId: 'a', partition: 0, at: 'noon', offset: 0 }] };
    expect(() => parsePlan(JSON.stringify(file))).toThrow(/no plan/);
    expect(() => parsePlan(JSON.stringify({ ...file, cursors: {} }))).toThrow(/no plan/);
  });
});
