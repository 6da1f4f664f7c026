import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OffsetTracker } from './offset-tracker.js';

type Step = { readonly kind: 'track'; readonly gap: number } | { readonly kind: 'settle'; readonly nth: number };

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('track' as const), gap: fc.integer({ min: 0, max: 3 }) }),
    fc.record({ kind: fc.constant('settle' as const), nth: fc.nat(50) }),
  ),
  { maxLength: 200 },
) satisfies fc.Arbitrary<Step[]>;

describe('OffsetTracker', () => {
  it('never lets a commit pass an unsettled record, and always reaches the lowest one (model: a list)', () => {
    fc.assert(
      fc.property(fc.nat(1_000), steps, (start, script) => {
        const tracker = new OffsetTracker(start);
        const read: { offset: number; settled: boolean }[] = [];
        let next = start;
        const answers: [boolean, boolean][] = [];
        for (const step of script) {
          if (step.kind === 'track') {
            const offset = next + step.gap;
            tracker.track(offset);
            read.push({ offset, settled: false });
            next = offset + 1;
          } else {
            const chosen = read[step.nth % Math.max(1, read.length)];
            if (chosen === undefined) continue;
            answers.push([tracker.settle(chosen.offset), !chosen.settled]);
            chosen.settled = true;
          }
          expect(tracker.committable).toBe(read.find((one) => !one.settled)?.offset ?? next);
          expect(tracker.outstanding).toBe(read.filter((one) => !one.settled).length);
        }
        expect(answers.every(([given, expected]) => given === expected)).toBe(true);
      }),
    );
  });

  it('refuses what was read already, and passes ends without records', () => {
    const tracker = new OffsetTracker(5);
    tracker.track(7);
    expect(() => tracker.track(7)).toThrow(RangeError);
    tracker.reached(12);
    expect(tracker.committable).toBe(7);
    tracker.settle(7);
    expect(tracker.committable).toBe(12);
    tracker.reached(3);
    expect(tracker.next).toBe(12);
  });
});
