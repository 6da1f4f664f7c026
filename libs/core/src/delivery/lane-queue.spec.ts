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
});
