import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partitionName, type TopicPartition } from './ports.js';
import { assignSticky, decodeHeld, encodeHeld, type GroupMember } from './sticky-assignment.js';

const topic = 'deliveries';
const all = (count: number): TopicPartition[] =>
  Array.from({ length: count }, (_, partition) => ({ topic, partition }));
const next = (
  assignment: ReadonlyMap<string, readonly TopicPartition[]>,
  ids: readonly string[],
  generation: number,
): GroupMember[] =>
  ids.map((id) => ({ id, generation: assignment.has(id) ? generation : -1, held: assignment.get(id) ?? [] }));

describe('the sticky assignment', () => {
  it('gives each partition to one member, evenly, and moves no more than it must', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 60 }),
        fc.array(fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'), { minLength: 1 }), {
          minLength: 1,
          maxLength: 8,
        }),
        (count, rounds) => {
          let assignment: ReadonlyMap<string, readonly TopicPartition[]> = new Map();
          rounds.forEach((ids, round) => {
            const before = assignment;
            assignment = assignSticky(next(before, ids, round), all(count));
            const given = [...assignment.values()].flat().map(partitionName);
            expect(new Set(given).size).toBe(count);
            expect(given).toHaveLength(count);
            const sizes = ids.map((id) => assignment.get(id)?.length ?? -1);
            expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
            // Whoever stays keeps all that it held, as far as the even share allows.
            const largest = Math.ceil(count / ids.length);
            const smallest = Math.floor(count / ids.length);
            for (const id of ids) {
              const held = before.get(id) ?? [];
              const mine = new Set(assignment.get(id)?.map(partitionName));
              const kept = held.filter((one) => mine.has(partitionName(one)));
              expect(kept.length).toBeGreaterThanOrEqual(Math.min(held.length, smallest));
              expect(kept.length).toBeLessThanOrEqual(largest);
            }
          });
        },
      ),
    );
  });

  it('168 partitions, members 1-2-3-2: only what must move moves', () => {
    const one = assignSticky(next(new Map(), ['a'], 0), all(168));
    const two = assignSticky(next(one, ['a', 'b'], 1), all(168));
    const three = assignSticky(next(two, ['a', 'b', 'c'], 2), all(168));
    const back = assignSticky(next(three, ['a', 'c'], 3), all(168));
    const moved = (from: typeof one, to: typeof one) =>
      [...to].reduce(
        (sum, [id, of]) =>
          sum + of.filter((p) => from.get(id)?.some((q) => partitionName(p) === partitionName(q)) !== true).length,
        0,
      );
    expect([moved(one, two), moved(two, three), moved(three, back)]).toEqual([84, 56, 56]);
  });

  it('believes the later generation where two claim the same', () => {
    const members = [
      { id: 'zombie', generation: 4, held: all(2) },
      { id: 'owner', generation: 5, held: all(1) },
    ];
    expect(assignSticky(members, all(2)).get('owner')).toEqual([{ topic, partition: 0 }]);
  });

  it('forgets partitions that are no more', () => {
    expect(assignSticky([{ id: 'a', generation: 1, held: all(9) }], all(2)).get('a')).toEqual(all(2));
  });

  it("travels as the member's user data", () => {
    const present = { generation: 12, held: [...all(3), { topic: 'other', partition: 0 }] };
    expect(decodeHeld(encodeHeld(present))).toEqual(present);
    expect(decodeHeld(Buffer.from('not ours'))).toEqual({ generation: -1, held: [] });
  });
});
