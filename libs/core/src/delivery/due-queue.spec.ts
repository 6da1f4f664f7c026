import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DueQueue } from './due-queue.js';

describe('DueQueue', () => {
  it('gives what is due, earliest first and in order of arrival, and nothing else (model: a sorted list)', () => {
    const script = fc.array(fc.oneof(fc.record({ add: fc.nat(30) }), fc.record({ now: fc.nat(30) })), {
      maxLength: 300,
    });
    fc.assert(
      fc.property(script, (steps) => {
        const queue = new DueQueue<number>();
        const model: { dueAt: number; item: number }[] = [];
        const given: (number | undefined)[] = [];
        const expected: (number | undefined)[] = [];
        for (const [item, step] of steps.entries()) {
          if ('add' in step) {
            queue.add(step.add, item);
            model.push({ dueAt: step.add, item });
            model.sort((a, b) => a.dueAt - b.dueAt || a.item - b.item);
          } else {
            given.push(queue.takeDue(step.now));
            expected.push(model[0] !== undefined && model[0].dueAt <= step.now ? model.shift()?.item : undefined);
          }
          expect(queue.nextAt).toBe(model[0]?.dueAt ?? Infinity);
          expect(queue.size).toBe(model.length);
        }
        expect(given).toEqual(expected);
      }),
    );
  });
});
