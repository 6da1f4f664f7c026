import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue } from './fair-queue.js';

describe('FairQueue', () => {
  it('gives each key its turn before any gets a second one', () => {
    const queue = new FairQueue<number>();
    for (let i = 0; i < 100; i += 1) queue.push('flood', i);
    queue.push('b', 1);
    queue.push('c', 1);
    const turns: string[] = [];
    for (let turn = queue.take(10); turn !== null && turns.length < 6; turn = queue.take(10)) {
      turns.push(turn.key);
      queue.release(turn.key);
    }
    expect(turns).toEqual(['flood', 'b', 'c', 'flood', 'flood', 'flood']);
  });

  it('gives a key no second turn while it is taken', () => {
    const queue = new FairQueue<number>();
    queue.push('a', 1);
    queue.push('a', 2);
    expect(queue.take(1)).toEqual({ key: 'a', jobs: [1] });
    expect(queue.take(1)).toBeNull();
    queue.push('a', 3);
    expect(queue.take(1)).toBeNull();
    queue.release('a');
    expect(queue.take(9)).toEqual({ key: 'a', jobs: [2, 3] });
  });

  it('puts back what was not begun before what has come meanwhile', () => {
    const queue = new FairQueue<number>();
    for (const job of [1, 2, 3]) queue.push('a', job);
    queue.take(3);
    queue.push('a', 4);
    queue.release('a', [2, 3]);
    expect(queue.size).toBe(3);
    expect(queue.take(9)).toEqual({ key: 'a', jobs: [2, 3, 4] });
    queue.release('a', [9]);
    expect(queue.clear()).toEqual([9]);
    expect([queue.size, queue.take(1)]).toEqual([0, null]);
  });

  it('gives out every job once, in the order of its key, and holds none back while a key is free', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ push: fc.constantFrom('a', 'b', 'c', 'd') }) },
      { weight: 2, arbitrary: fc.record({ take: fc.integer({ min: 1, max: 4 }) }) },
      { weight: 2, arbitrary: fc.record({ release: fc.nat(3), begun: fc.nat(4) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new FairQueue<number>();
        const pushed = new Map<string, number[]>();
        const done = new Map<string, number[]>();
        const taken: { key: string; jobs: readonly number[] }[] = [];
        const list = (lists: Map<string, number[]>, key: string): number[] => {
          if (!lists.has(key)) lists.set(key, []);
          return lists.get(key) ?? [];
        };
        const release = ({ key, jobs }: { key: string; jobs: readonly number[] }, begun: number): void => {
          list(done, key).push(...jobs.slice(0, begun));
          queue.release(key, jobs.slice(begun));
        };
        steps.forEach((one, i) => {
          if ('push' in one) {
            list(pushed, one.push).push(i);
            queue.push(one.push, i);
          } else if ('take' in one) {
            const turn = queue.take(one.take);
            if (turn !== null) {
              expect(taken.every(({ key }) => key !== turn.key)).toBe(true);
              taken.push(turn);
            }
          } else {
            const [turn] = taken.splice(one.release, 1);
            if (turn !== undefined) release(turn, one.begun);
          }
        });
        for (const turn of taken) release(turn, turn.jobs.length);
        for (let turn = queue.take(3); turn !== null; turn = queue.take(3)) release(turn, 3);
        expect(queue.size).toBe(0);
        for (const [key, jobs] of pushed) expect(list(done, key)).toEqual(jobs);
      }),
    );
  });
});
