import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StreamQueues } from './stream-queues.js';

interface Item {
  readonly stream: string;
  readonly rank: number;
  readonly bytes: number;
}

const always = (): boolean => true;
const stream = fc.constantFrom<string>('a', 'b', 'c', 'd');
const bounds = (maxRecords: number, maxBytes = Infinity) => ({ maxRecords, maxBytes });
const item = (of: string, rank: number, bytes = 1): Item => ({ stream: of, rank, bytes });

function add(queues: StreamQueues<Item>, one: Item, most?: number): readonly Item[] {
  return queues.offer(one.stream, one, one.bytes, one.rank, most);
}

describe('StreamQueues', () => {
  it('holds what it took and did not give back, within both bounds, lowest rank of a stream first (model: a list)', () => {
    const step = fc.oneof(
      fc.record({
        add: stream,
        rank: fc.nat(20),
        bytes: fc.integer({ min: 1, max: 40 }),
        most: fc.integer({ min: 1, max: 30 }),
      }),
      fc.record({ take: fc.uniqueArray(stream) }),
      fc.record({ remove: fc.nat(30) }),
      fc.record({ takeAll: stream }),
      fc.record({ takeOut: stream, these: fc.array(fc.nat(), { maxLength: 5 }) }),
      fc.constant('pop' as const),
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 300 }),
        fc.array(step, { maxLength: 200 }),
        (maxRecords, maxBytes, steps) => {
          const queues = new StreamQueues<Item>({ maxRecords, maxBytes });
          let model: Item[] = [];
          const without = (gone: readonly Item[]) => (model = model.filter((one) => !gone.includes(one)));
          const firstOf = (of: string) => Math.min(...model.filter((one) => one.stream === of).map((one) => one.rank));
          for (const one of steps) {
            if (one === 'pop') {
              const last = queues.pop();
              expect(last === undefined).toBe(model.length === 0);
              if (last !== undefined) without([last]);
            } else if ('add' in one) {
              const added = item(one.add, one.rank, one.bytes);
              model.push(added);
              without(add(queues, added, one.most));
              expect(model.length <= maxRecords).toBe(true);
              expect(model.length === 1 || queues.bytes <= maxBytes).toBe(true);
            } else if ('takeOut' in one) {
              const these = one.these.flatMap((nth) => model[nth % Math.max(1, model.length)] ?? []);
              queues.takeOut(one.takeOut, new Set(these));
              without(these.filter((gone) => gone.stream === one.takeOut));
            } else if ('take' in one) {
              const taken = queues.take((of) => one.take.includes(of));
              expect(taken === undefined).toBe(!model.some((waiting) => one.take.includes(waiting.stream)));
              if (taken === undefined) continue;
              expect(one.take).toContain(taken.stream);
              expect(taken.rank).toBe(firstOf(taken.stream));
              without([taken]);
            } else if ('remove' in one) {
              const waiting = model[one.remove];
              if (waiting === undefined) continue;
              expect(queues.remove(waiting.stream, waiting, waiting.rank)).toBe(true);
              expect(queues.remove(waiting.stream, waiting, waiting.rank)).toBe(false);
              without([waiting]);
            } else {
              const all = queues.takeAll(one.takeAll);
              expect([...all].sort((a, b) => a.rank - b.rank)).toEqual(all);
              expect(new Set(all)).toEqual(new Set(model.filter((waiting) => waiting.stream === one.takeAll)));
              without(all);
            }
            expect(queues.size).toBe(model.length);
            expect(queues.bytes).toBe(model.reduce((sum, waiting) => sum + waiting.bytes, 0));
            expect(new Set(queues.streams())).toEqual(new Set(model.map((waiting) => waiting.stream)));
            const ofA = model.filter((waiting) => waiting.stream === 'a');
            expect(new Set(queues.items('a'))).toEqual(new Set(ofA));
            expect(queues.peek('a')?.rank ?? Infinity).toBe(firstOf('a'));
            expect(queues.bytesOf('a')).toBe(ofA.reduce((sum, waiting) => sum + waiting.bytes, 0));
          }
        },
      ),
    );
  });

  it('serves its streams in turn, those that may not go aside', () => {
    const queues = new StreamQueues<Item>(bounds(100));
    for (const of of ['a', 'b', 'c']) for (let rank = 0; rank < 9; rank += 1) add(queues, item(of, rank));
    const turns = (count: number, mayGo: (of: string) => boolean) =>
      Array.from({ length: count }, () => queues.take(mayGo)?.stream).join('');
    expect(turns(6, always)).toBe('abcabc');
    expect(turns(4, (of) => of !== 'b')).toBe('acac');
    // One that had to wait has its turn next, and no more than its turn.
    expect(turns(6, always)).toBe('bacbac');
  });

  it('gives each stream its even share of the room, whoever came first', () => {
    fc.assert(
      fc.property(
        fc.array(stream, { minLength: 1, maxLength: 300 }),
        fc.integer({ min: 4, max: 40 }),
        (arrivals, maxRecords) => {
          const queues = new StreamQueues<Item>(bounds(maxRecords));
          const offered = new Map<string, number>();
          for (const [rank, of] of arrivals.entries()) {
            add(queues, item(of, rank));
            offered.set(of, (offered.get(of) ?? 0) + 1);
          }
          for (const [of, count] of offered) {
            expect(queues.sizeOf(of)).toBeGreaterThanOrEqual(Math.min(count, Math.floor(maxRecords / offered.size)));
          }
        },
      ),
    );
  });

  it('takes nothing away when there is less room than before, but as much as a newcomer needs', () => {
    const queues = new StreamQueues<Item>(bounds(10));
    for (let rank = 0; rank < 10; rank += 1) expect(add(queues, item('a', rank))).toEqual([]);
    expect(add(queues, item('b', 3), 1).map((one) => [one.stream, one.rank])).toEqual([['a', 9]]);
    expect(add(queues, item('a', 2), 1).map((one) => [one.stream, one.rank])).toEqual([['a', 8]]);
    expect(queues.size).toBe(10);
    expect([queues.fills('a', 1), queues.fills('b', 0.5), queues.fills('c', 0)]).toEqual([true, false, false]);
  });

  it('does not let two of the same size push each other out', () => {
    const queues = new StreamQueues<Item>(bounds(1));
    add(queues, item('a', 0));
    const newcomer = item('b', 1);
    expect(add(queues, newcomer)).toEqual([newcomer]);
  });

  it('knows the least of what is said of its streams', () => {
    const queues = new StreamQueues<Item>(bounds(10));
    expect(queues.least(() => 1)).toBe(Infinity);
    for (const of of ['a', 'b']) add(queues, item(of, 0));
    expect(queues.least((of) => (of === 'a' ? 7 : 5))).toBe(5);
  });
});
