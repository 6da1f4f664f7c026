import { describe, expect, it } from 'vitest';
import { checkSource, decodeSourcePosition, encodeSourcePosition } from '#libs/core';
import { InMemoryLog, type GainedPartition } from '#libs/kafka';
import { aCursor, CursorTable } from './offsets.fixture.js';
import { openIncarnationIn, type IncarnationRequest } from './open-incarnation.js';

const topic = 'p.events';
const config = { topicPrefix: 'p' };

/** A log of two partitions with five records in partition 1, and a position there. */
async function withPosition(offset: number, metadata: string): Promise<InMemoryLog> {
  const log = new InMemoryLog();
  log.createTopic(topic, 2);
  const sender = log.sender();
  await sender.send(
    Array.from({ length: 5 }, (_, i) => ({ topic, partition: 1, key: `k${i}`, value: Buffer.from(`v${i}`) })),
  );
  const { membership } = await joined(log);
  await membership.commit([{ topic, partition: 1, offset, metadata }]);
  await membership.leave();
  return log;
}

async function joined(log: InMemoryLog) {
  const gained: GainedPartition[] = [];
  const membership = log.membership({
    groupId: 'p.dispatcher',
    topics: [topic],
    listener: {
      onGained: (partitions) => gained.push(...partitions),
      onLost: () => undefined,
      beforeJoin: () => Promise.resolve(),
      onFatal: () => undefined,
    },
  });
  await membership.join();
  for (let i = 0; i < 50 && gained.length === 0; i += 1) await new Promise((resolve) => setImmediate(resolve));
  return { membership, gained };
}

/** What a dispatcher finds that takes the partition over. */
async function found(log: InMemoryLog) {
  const { membership, gained } = await joined(log);
  await membership.leave();
  const { committed, bounds } = gained.find(({ partition }) => partition === 1)!;
  const before = log.recordsOf(topic).find(({ offset }) => offset === (committed?.offset ?? 0) - 1) ?? null;
  return { committed, check: checkSource({ committed, bounds, before }) };
}

const open = async (
  kafka: InMemoryLog,
  request: Partial<IncarnationRequest>,
  cursors = new CursorTable(),
): Promise<string[]> => {
  const lines: string[] = [];
  const whole = { partition: 1, at: 'latest', ...request } as const;
  await openIncarnationIn({ kafka, cursors }, config, whole, (line) => lines.push(line));
  return lines;
};
const elsewhere = encodeSourcePosition({ incarnation: 3, fingerprint: 'abcdefghijklmnop' });

describe('opening an incarnation', () => {
  it.each([
    ['latest', 5],
    ['earliest', 0],
    [3, 3],
  ] as const)('goes on at %s with a position that a dispatcher accepts', async (at, offset) => {
    const log = await withPosition(99, elsewhere);
    expect((await found(log)).check).toMatchObject({ kind: 'alarm' });
    expect(await open(log, { at })).toEqual([`p.events-1: was at 99, goes on at ${offset} as incarnation 4`]);
    expect((await found(log)).check).toEqual({ kind: 'ok', incarnation: 4, offset });
  });

  it('needs a number where the old incarnation cannot be read, and never takes a lower one', async () => {
    const log = await withPosition(2, 'by another program');
    await expect(open(log, {})).rejects.toThrow(/--incarnation/);
    await open(log, { incarnation: 8 });
    expect(decodeSourcePosition((await found(log)).committed!.metadata)).toMatchObject({ incarnation: 8 });
    await expect(open(log, { incarnation: 8 })).rejects.toThrow(/at least 9/);
  });

  it('refuses what is not there, and leaves the position as it was', async () => {
    const log = await withPosition(2, elsewhere);
    await expect(open(log, { at: 6 })).rejects.toThrow(/from 0 to 5/);
    await expect(open(log, { partition: 2 })).rejects.toThrow(/partitions 0 to 1/);
    await expect(open(new InMemoryLog(), {})).rejects.toThrow(/topics create/);
    expect((await found(log)).committed).toEqual({ offset: 2, metadata: elsewhere });
  });

  it('takes along the endpoints that do not follow the partition live, and says what that means', async () => {
    const log = await withPosition(99, elsewhere);
    const behind = aCursor({ partition: 1, position: 77 });
    const elsewhereAndNewer = [
      aCursor({ position: 78 }),
      aCursor({ endpointId: 'ep_2', partition: 1, incarnation: 4 }),
    ];
    const cursors = new CursorTable([behind, ...elsewhereAndNewer]);
    expect((await open(log, { at: 3 }, cursors)).slice(1)).toEqual([
      'ep_1 (paused) was at 77 of incarnation 3, and goes on there too: ' +
        "of what lay between that and the old log's end, it is sent only what stands at 3 or later",
    ]);
    const [moved, ...others] = cursors.rows;
    expect(moved).toEqual({ ...behind, incarnation: 4, position: 3, startedAt: 3, run: expect.any(String) as string });
    expect(moved?.run).toMatch(/^f_[0-9a-f]{32}$/);
    expect(others).toEqual(elsewhereAndNewer);
  });

  it('refuses while a dispatcher is there, and moves nothing', async () => {
    const log = await withPosition(2, elsewhere);
    const dispatcher = await joined(log);
    const cursors = new CursorTable([aCursor({ partition: 1 })]);
    await expect(open(log, {}, cursors)).rejects.toThrow(/stop every dispatcher/);
    expect(cursors.rows).toEqual([aCursor({ partition: 1 })]);
    await dispatcher.membership.leave();
  });
});
