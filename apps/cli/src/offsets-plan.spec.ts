// Real: the commands, the codec. Doubled: the log (in memory, one contract with Kafka), the registry.
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { decodeSourcePosition, encodeSourcePosition, fingerprintOf } from '#libs/core';
import { Cluster, config, openCodec, planOf, topics, workerPlan } from './offsets.fixture.js';
import { parsePlan, parseSaved, planOffsets } from './offsets-plan.js';
import { savePositions } from './offsets-save.js';

const from = 1_800_000_000_000;
let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.create(await openCodec());
});

describe('offsets plan', () => {
  it('goes back by the margin from each time, and never leaves the log', async () => {
    cluster.appendEvents(0, [from, from + 10_000, from + 20_000, from + 30_000]);
    cluster.appendEvents(1, [from + 25_000]);
    const offsets = async (at: number, marginSeconds: number): Promise<number[]> => {
      const { partitions } = await planOffsets(cluster.log, config, {
        group: 'dispatcher',
        from: at,
        marginSeconds,
        cursors: [],
      });
      return partitions.map(({ offset }) => offset);
    };
    expect(await offsets(from + 20_000, 0)).toEqual([2, 0]);
    expect(await offsets(from + 20_000, 10)).toEqual([1, 0]);
    expect(await offsets(from + 20_000, 900)).toEqual([0, 0]);
    expect(await offsets(from + 60_000, 5)).toEqual([4, 1]);
    await cluster.trim(topics.events, 3);
    expect(await offsets(from, 0)).toEqual([3, 0]);
  });

  it('never passes over what was not done, in a mirror that appends later and at other offsets (property)', async () => {
    const codec = await openCodec();
    const drawn = fc.record({
      records: fc.array(fc.record({ after: fc.nat(5_000), lag: fc.nat(3_000) }), { minLength: 1, maxLength: 20 }),
      done: fc.nat(20),
      trimmed: fc.nat(20),
      marginSeconds: fc.nat(4),
    });
    await fc.assert(
      fc.asyncProperty(drawn, async ({ records, marginSeconds, ...most }) => {
        const offset = Math.min(most.done, records.length);
        const first = Math.min(most.trimmed, offset);
        const original = await Cluster.create(codec);
        let at = from;
        original.appendEvents(
          0,
          records.map(({ after }) => (at += after)),
        );
        const metadata = encodeSourcePosition({ incarnation: 3, fingerprint: null });
        original.log.commitsOf('p.dispatcher').set(`${topics.events}-0`, { offset, metadata });
        const saved = await savePositions(original.log, config, {
          group: 'dispatcher',
          cursors: [],
          now: () => at + 60_000,
        });
        const mirror = await Cluster.create(codec);
        let mirroredAt = from;
        for (const [i, { timestamp }] of original.log.recordsOf(topics.events).entries()) {
          if (i < first) continue;
          mirroredAt = Math.max(mirroredAt, timestamp) + (records[i]?.lag ?? 0);
          mirror.appendEvents(0, [mirroredAt]);
        }
        const request = {
          group: 'dispatcher',
          from: parseSaved(JSON.stringify(saved)),
          marginSeconds,
          cursors: [],
        } as const;
        const [one, other] = (await planOffsets(mirror.log, config, request)).partitions;
        expect(one?.offset).toBeLessThanOrEqual(offset - first);
        expect(one?.above).toBe(3);
        // Without a position everything is still to be done.
        expect(other).toMatchObject({ at: null, offset: 0 });
      }),
    );
  });

  it('refuses what is not a file of its own, or of another group or platform', async () => {
    const saved = await savePositions(cluster.log, config, { group: 'worker', cursors: [], now: () => from });
    const plan = (group: 'worker' | 'dispatcher', positions: typeof saved): Promise<unknown> =>
      planOffsets(cluster.log, config, { group, from: positions, marginSeconds: 0, cursors: [] });
    await expect(plan('dispatcher', saved)).rejects.toThrow(/not of p, dispatcher/);
    await expect(plan('worker', { ...saved, partitions: [] })).rejects.toThrow(/lack p\.deliveries-0/);
    expect(() => parsePlan(JSON.stringify(saved))).toThrow(/no plan/);
    expect(() => parsePlan('{')).toThrow(/no JSON/);
    expect(() => parsePlan('null')).toThrow(/no plan/);
    await expect(cluster.apply({ ...workerPlan(0), topicPrefix: 'q' })).rejects.toThrow(/for q, not for p/);
    await expect(cluster.apply(planOf('worker', []))).rejects.toThrow(/must name each of p\.deliveries-0/);
    await expect(cluster.apply(workerPlan(1))).rejects.toThrow(/has no offset 1/);
  });
});

describe('offsets apply for dispatchers', () => {
  it('opens an incarnation above every one that left a trace, behind the right record', async () => {
    cluster.appendEvents(0, [1, 2, 3]);
    cluster.appendEvents(1, [4]);
    cluster.appendDelivery(topics.deliveries, { sourcePartition: 1, incarnation: 4 });
    cluster.appendAttempt({ deliveryId: 'ep_1.replay.x.7.0.5' });
    cluster.append(topics.attempts, Buffer.from('junk'));
    const places = [2, 0].map((offset, partition) => {
      return { topic: topics.events, partition, at: null, offset, start: 0, end: 9 };
    });
    expect(await cluster.apply(planOf('dispatcher', places))).toEqual([
      'p.events-0: goes on at 2 as incarnation 8',
      'p.events-1: goes on at 0 as incarnation 5',
    ]);
    const before = cluster.log.recordsOf(topics.events)[1]!;
    expect(decodeSourcePosition(cluster.commitOf('dispatcher', topics.events).metadata)).toEqual({
      incarnation: 8,
      fingerprint: fingerprintOf(before),
    });
    const saved = places.map((place) => ({ ...place, above: 20 }));
    expect(await cluster.apply(planOf('dispatcher', saved))).toContain('p.events-1: goes on at 0 as incarnation 21');
  });
});
