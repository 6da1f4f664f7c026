// Real: the command, the codec. Doubled: the log (in memory, one contract with Kafka), the registry.
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Delivery } from '#libs/contracts';
import { decodeCommitMetadata, deliveryIdOf } from '#libs/core';
import type { SchemaCodec } from '#libs/schema-codec';
import { aDelivery, Cluster, openCodec, topics, workerPlan } from './offsets.fixture.js';

const retryNames = topics.retry.map(({ name }) => name);
const retryName = (index: number): string => retryNames[index] ?? '';
const oldWriter = { writer: { era: 1, generation: 1 } };
let codec: SchemaCodec;
let cluster: Cluster;
beforeEach(async () => {
  codec = await openCodec();
  cluster = await Cluster.create(codec);
});

const metadataOf = ({ metadata } = cluster.commitOf('worker', topics.deliveries)) => decodeCommitMetadata(metadata);

/** What a worker restores from, by the commit: one copy of each delivery. */
function restored(from = cluster): Map<string, Delivery> {
  const { retries } = metadataOf(from.commitOf('worker', topics.deliveries));
  const found = new Map<string, Delivery>();
  for (const { name, delayMs } of topics.retry) {
    for (const { offset, value } of from.log.recordsOf(name)) {
      if (offset < (retries.get(delayMs)?.position ?? 0) || value === null || codec.platform.isFence(value)) continue;
      const delivery = codec.platform.delivery.decode(value);
      expect(found.has(deliveryIdOf(delivery))).toBe(false);
      found.set(deliveryIdOf(delivery), delivery);
    }
  }
  return found;
}

/** A delivery as the old cluster left it, and what of it was mirrored. */
const life = fc.record({
  /** Whether its first copy is in this cluster, and how often. */
  mirrored: fc.nat({ max: 2 }),
  /** Later copies: in which topic, by which generation. */
  copies: fc.array(fc.record({ topic: fc.nat(5), generation: fc.integer({ min: 2, max: 3 }) }), { maxLength: 3 }),
  /** A copy that a former owner appended behind a fence. */
  late: fc.boolean(),
  closed: fc.constantFrom('no', 'no', 'delivered', 'deadLetter', 'dead letter missing'),
});
type Life = typeof life extends fc.Arbitrary<infer T> ? T : never;

/** Writes what was mirrored, the deliveries in the order of the old cluster. @returns where first copies stand, the last of each */
function mirror(to: Cluster, lives: readonly Life[], deliveries: readonly Delivery[]): Map<Life, number> {
  const at = new Map<Life, number>();
  const fence = { era: 1, generation: 2, committed: 0, attemptsEnd: 0, workerId: 'w', at: 0 };
  for (const name of retryNames) to.append(name, codec.platform.fence.encode(fence), null);
  for (const [n, one] of lives.entries()) {
    const delivery = deliveries[n] ?? aDelivery({});
    const deliveryId = deliveryIdOf(delivery);
    for (let i = 0; i < one.mirrored; i += 1) at.set(one, to.appendDelivery(topics.deliveries, delivery));
    // In the old cluster its place was far from here.
    const copy = (hop: number, generation: number) => ({
      ...delivery,
      hop,
      pos: 5_000 + n,
      writer: { era: 1, generation },
    });
    for (const [i, { topic, generation }] of one.copies.entries())
      to.appendDelivery(retryName(topic), copy(i + 1, generation));
    if (one.late) to.appendDelivery(retryName(0), copy(one.copies.length + 5, 1));
    to.appendAttempt({ deliveryId, outcome: 'retry', final: false });
    if (one.closed === 'no') continue;
    to.appendAttempt({ deliveryId, outcome: one.closed === 'delivered' ? 'delivered' : 'deadLetter', final: true });
    if (one.closed !== 'deadLetter') continue;
    const letter = { deliveryId, delivery, reason: 'exhausted', at: 0, lastStatus: null, lastError: null };
    to.append(topics.deadLetters, codec.platform.deadLetter.encode(letter));
  }
  return at;
}

describe('offsets apply for workers', () => {
  it('carries over exactly what has no final outcome, once, in order, in a new era (property)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(life, { maxLength: 12 }), fc.nat(12), fc.boolean(), async (drawn, most, twice) => {
        const here = await Cluster.create(codec);
        // Those whose first copy was mirrored are newer than those of which it was not.
        const lives = drawn.toSorted((a, b) => Math.sign(a.mirrored) - Math.sign(b.mirrored));
        const deliveries = lives.map((_, n) => aDelivery({ sourceOffset: n, orderingKey: 'k' }));
        const at = mirror(here, lives, deliveries);
        const from = Math.min(most, here.log.recordsOf(topics.deliveries).length);
        await here.apply(workerPlan(from));
        if (twice) await here.apply(workerPlan(from));

        const isOpen = (one: Life): boolean =>
          one.closed !== 'delivered' &&
          one.closed !== 'deadLetter' &&
          (one.copies.length > 0 || (at.get(one) ?? -1) >= from);
        const wanted = [...lives.entries()].filter(([, one]) => isOpen(one));
        const idOf = (n: number): string => deliveryIdOf(deliveries[n] ?? aDelivery({}));
        const found = restored(here);
        expect([...found.keys()].sort()).toEqual(wanted.map(([n]) => idOf(n)).sort());
        const commit = here.commitOf('worker', topics.deliveries);
        const { era, a, b } = metadataOf(commit);
        expect(era).toBe(twice ? 3 : 2);
        expect(a).toBe(here.log.recordsOf(topics.attempts).length);
        expect([b, commit.offset]).toEqual(Array(2).fill(here.log.recordsOf(topics.deliveries).length));
        let last = -1;
        for (const [n, { copies }] of wanted) {
          const { pos, hop, writer, configVersion } = found.get(idOf(n)) ?? aDelivery({});
          expect(pos).toBeGreaterThan(last);
          last = pos ?? commit.offset;
          const hops = copies.length + (twice ? 2 : 1);
          expect({ hop, writer, configVersion }).toEqual({
            hop: hops,
            writer: { era, generation: 0 },
            configVersion: 0,
          });
        }
        // What is read next in `deliveries` comes after all of them.
        expect(last).toBeLessThan(commit.offset);
      }),
      { numRuns: 300 },
    );
  });

  it('puts each where its time is right: due ones at once, late and halted ones where they come back from', async () => {
    const now = Date.now();
    const given = { due: { dueAt: now - 1 }, hours: { dueAt: now + 8_000_000 }, halted: { haltedAt: 1 } };
    for (const [stream, change] of Object.entries(given))
      cluster.appendDelivery(retryName(0), { stream, hop: 3, pos: 7, ...oldWriter, ...change });
    await cluster.apply(workerPlan(0));
    const placed = retryNames.flatMap((topic) =>
      cluster.log.recordsOf(topic).flatMap(({ value }) => {
        const { hop, stream } = codec.platform.delivery.decode(value ?? Buffer.alloc(0));
        return hop === 4 ? [[stream, topic]] : [];
      }),
    );
    expect(Object.fromEntries(placed)).toEqual({ due: 'p.retry.5s', hours: 'p.retry.2h', halted: 'p.retry.5m' });
  });

  it('carries over what a batch has open, one by one, as far as the batch had got', async () => {
    const members = [0, 1, 2, 3].map((nth) => aDelivery({ sourceOffset: nth, pos: 5_000 + nth, eventId: `e-${nth}` }));
    const [first, second, third, fourth] = members as [Delivery, Delivery, Delivery, Delivery];
    cluster.appendDelivery(topics.deliveries, { ...third, pos: null });
    // Its own copy is lower than the batch that it is in.
    cluster.appendDelivery(retryName(1), { ...first, hop: 1, ...oldWriter });
    const batch = { ...first, body: null, hop: 2, attempt: 3, ...oldWriter };
    cluster.appendDelivery(retryName(0), { ...batch, members: [first, second, third, { ...fourth, pos: null }] });
    cluster.appendAttempt({ deliveryId: deliveryIdOf(second), outcome: 'delivered', final: true });
    await cluster.apply(workerPlan(1));
    const carried = [...restored().values()];
    const inShort = carried.map(({ eventId, attempt, hop, members: none, body }) => ({
      eventId,
      attempt,
      hop,
      none,
      body,
    }));
    const rest = { attempt: 3, hop: 3, none: null, body: Buffer.from('{}') };
    expect(inShort).toEqual([
      { eventId: 'e-0', ...rest },
      { eventId: 'e-2', ...rest },
    ]);
    const [before, after] = carried.map(({ pos }) => pos ?? -1);
    expect(before).toBeLessThan(after ?? -1);
  });

  it('takes an era above all that is known, also of a run that was cut short, which nobody can start from', async () => {
    // Nothing is outstanding, so only the position tells the era.
    await cluster.apply(workerPlan(0, { above: 11 }));
    expect(metadataOf().era).toBe(12);
    cluster.append(retryName(2), Buffer.from('junk'));
    await expect(cluster.apply(workerPlan(0))).rejects.toThrow(
      /p\.retry\.5m-0 holds a record at 0 that cannot be read/,
    );
    expect(() => metadataOf()).toThrow();
    await cluster.trim(retryName(2), 1);
    await cluster.apply(workerPlan(0));
    expect(metadataOf().era).toBe(13);
  });

  it('leaves behind what attempts can no longer judge, and nothing else', async () => {
    const append = (stream: string): number =>
      cluster.appendDelivery(retryName(5), { stream, hop: 1, pos: 1, ...oldWriter });
    append('old');
    cluster.time += 40 * 86_400_000;
    for (let n = 0; n < 2; n += 1) cluster.appendAttempt({ deliveryId: `x.0.0.${n}` });
    cluster.time += 1_000;
    append('new');
    await cluster.trim(topics.attempts, 1);
    expect(await cluster.apply(workerPlan(0))).toEqual([
      expect.stringMatching(/1 deliveries carried over into era 2; 1 are older than what attempts still tell/),
    ]);
    // With all attempts gone it is the newest copy that tells.
    await cluster.trim(topics.attempts, 2);
    await cluster.apply(workerPlan(0));
    expect([...restored().values()].map(({ stream }) => stream)).toEqual(['new']);
  });

  it('does nothing while endpoints are missing, unless told to leave their deliveries behind', async () => {
    cluster.appendDelivery(topics.deliveries, { endpointId: 'ep_2' });
    await expect(cluster.apply(workerPlan(0))).rejects.toThrow(
      /1 deliveries of endpoints .*\(ep_2\): publish the configuration/,
    );
    expect(retryNames.flatMap((name) => cluster.log.recordsOf(name))).toEqual([]);
    await cluster.apply(workerPlan(0), true);
    expect(restored().size).toBe(0);
    // One that was deleted is known: workers drop what it has.
    cluster.append(topics.endpoints, null, 'ep_2');
    await cluster.apply(workerPlan(0));
    expect(restored().size).toBe(1);
  });

  it('stops when something is still mirrored', async () => {
    cluster.appendDelivery(topics.deliveries, {});
    const open = cluster.log.reader.bind(cluster.log);
    let asked = 0;
    cluster.log.reader = () => {
      const reader = open();
      const bounds: typeof reader.bounds = (places) => {
        asked += places.length > 2 ? 1 : 0;
        if (asked === 2) cluster.appendAttempt({});
        return reader.bounds(places);
      };
      return { ...reader, bounds };
    };
    await expect(cluster.apply(workerPlan(0))).rejects.toThrow(/p\.attempts-0 still grows: stop the mirror/);
    expect(() => metadataOf()).toThrow();
  });

  it('refuses while a worker is there, and changes nothing then', async () => {
    cluster.appendDelivery(topics.deliveries, {});
    const listener = {
      onGained: () => undefined,
      onLost: () => undefined,
      beforeJoin: () => Promise.resolve(),
      onFatal: () => undefined,
    };
    const worker = cluster.log.membership({ groupId: 'p.worker', topics: [topics.deliveries], listener });
    await worker.join();
    const before = cluster.commitOf('worker', topics.deliveries);
    await expect(cluster.apply(workerPlan(0))).rejects.toThrow(/stop every worker/);
    expect(cluster.commitOf('worker', topics.deliveries)).toEqual(before);
    expect(retryNames.flatMap((name) => cluster.log.recordsOf(name))).toEqual([]);
    await worker.leave();
    await cluster.apply(workerPlan(0));
    expect(metadataOf().era).toBe(2);
  });
});
