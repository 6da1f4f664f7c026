import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LaneQueue } from './lane-queue.js';

describe('LaneQueue', () => {
  it('is first in, first out within both bounds (model: an array)', () => {
    const script = fc.array(fc.oneof(fc.nat(40), fc.constant('shift' as const)), { maxLength: 400 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 1_000 }),
        script,
        (maxRecords, maxBytes, steps) => {
          const queue = new LaneQueue<number>({ maxRecords, maxBytes });
          const model: { item: number; bytes: number }[] = [];
          const held = () => model.reduce((sum, one) => sum + one.bytes, 0);
          const given: unknown[] = [];
          const expected: unknown[] = [];
          for (const [item, step] of steps.entries()) {
            if (step === 'shift') {
              given.push(queue.peek(), queue.shift());
              expected.push(model[0]?.item, model.shift()?.item);
            } else {
              const fits = model.length === 0 || (model.length < maxRecords && held() + step <= maxBytes);
              given.push(queue.offer(item, step));
              expected.push(fits);
              if (fits) model.push({ item, bytes: step });
            }
            expect(given).toEqual(expected);
            expect(queue.size).toBe(model.length);
            expect(queue.bytes).toBe(held());
          }
        },
      ),
    );
  });

  it('gives the lowest rank first, equal ones in the order they came, and takes out any (model: a sorted array)', () => {
    const step = fc.oneof(
      fc.record({ add: fc.nat(20), bytes: fc.nat(40), forced: fc.boolean() }),
      fc.constant('shift' as const),
      fc.constant('pop' as const),
      fc.record({ remove: fc.nat() }),
      fc.record({ takeOut: fc.array(fc.nat(), { maxLength: 10 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const bounds = { maxRecords: 30, maxBytes: 500 };
        const queue = new LaneQueue<number>(bounds);
        let model: { item: number; bytes: number; rank: number }[] = [];
        const held = () => model.reduce((sum, one) => sum + one.bytes, 0);
        for (const [item, what] of steps.entries()) {
          if (what === 'shift') expect(queue.shift()).toBe(model.shift()?.item);
          else if (what === 'pop') expect(queue.pop()).toBe(model.pop()?.item);
          else if ('takeOut' in what) {
            const these = new Set(what.takeOut.map((nth) => model[nth % Math.max(1, model.length)]?.item ?? -1));
            queue.takeOut(these.add(-2));
            model = model.filter((one) => !these.has(one.item));
          } else if ('remove' in what) {
            const one = model[what.remove % Math.max(1, model.length)];
            expect(queue.remove(one?.item ?? -1, one?.rank ?? 3)).toBe(one !== undefined);
            model = model.filter((other) => other !== one);
            expect(queue.remove(-1, 5)).toBe(false);
          } else {
            const { add: rank, bytes, forced } = what;
            const fits = model.length === 0 || (model.length < bounds.maxRecords && held() + bytes <= bounds.maxBytes);
            if (forced) queue.force(item, bytes, rank);
            else expect(queue.offer(item, bytes, rank)).toBe(fits);
            if (forced || fits) model = [...model, { item, bytes, rank }].sort((a, b) => a.rank - b.rank);
          }
          expect(queue.size).toBe(model.length);
          expect(queue.bytes).toBe(held());
          expect(queue.peek()).toBe(model[0]?.item);
          expect([...queue.items()]).toEqual(model.map((one) => one.item));
          const isOver = model.length > bounds.maxRecords || held() > bounds.maxBytes;
          expect(queue.overflows).toBe(model.length > 1 && isOver);
        }
      }),
    );
  });
});
