import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DispatchWindow, type SourceMark } from './dispatch-window.js';

describe('DispatchWindow', () => {
  it('never lets more than the limit beyond the commit; the floor only rises', () => {
    const step = fc.constantFrom('take', 'acknowledge', 'commit');
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.tuple(step, fc.nat(9)), { maxLength: 200 }),
        (limit, steps) => {
          const window = new DispatchWindow(limit, 5);
          const marks: SourceMark[] = [];
          let [offset, acknowledged, committed] = [5, 0, 0];
          for (const [what, by] of steps) {
            const floor = window.floor;
            if (what === 'take') {
              offset += by;
              if (marks.length - committed < limit) marks.push(window.take(offset++));
              else expect(() => window.take(offset)).toThrow(RangeError);
            } else if (what === 'acknowledge') {
              acknowledged = Math.min(marks.length, acknowledged + by);
              const mark = marks[acknowledged - 1];
              if (mark !== undefined) window.acknowledge(mark);
            } else if (acknowledged > committed) {
              committed = acknowledged;
              window.commit(window.acknowledged);
            }
            expect(window.room).toBe(limit - (marks.length - committed));
            expect(window.uncommitted).toBe(acknowledged - committed);
            expect(window.floor).toBe(committed === 0 ? 5 : marks[committed - 1]?.offset);
            expect(window.floor).toBeGreaterThanOrEqual(floor);
          }
        },
      ),
    );
  });

  it('does not commit what is not acknowledged, nor acknowledge what was not sent', () => {
    const window = new DispatchWindow(10, 0);
    const mark = window.take(0);
    expect(() => window.commit(mark)).toThrow(RangeError);
    expect(() => window.acknowledge({ offset: 2, count: 2 })).toThrow(RangeError);
    expect(() => window.take(0)).toThrow(RangeError);
  });
});
