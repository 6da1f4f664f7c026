import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OffsetTracker } from './offset-tracker.js';

type Step =
  | { readonly kind: 'read' }
  | { readonly kind: 'append'; readonly own: boolean }
  | { readonly kind: 'attempt' }
  | { readonly kind: 'settle'; readonly nth: number };

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('read' as const) }),
    fc.record({ kind: fc.constant('append' as const), own: fc.boolean() }),
    fc.record({ kind: fc.constant('attempt' as const) }),
    fc.record({ kind: fc.constant('settle' as const), nth: fc.nat(50) }),
  ),
  { maxLength: 200 },
) satisfies fc.Arbitrary<Step[]>;

interface Modelled {
  readonly offset: number;
  /** End of attempts when it was appended: a stamp must not exceed what was known when it was settled, see below. */
  stamp: number;
  own: boolean;
  read: boolean;
  settled: boolean;
}

describe('OffsetTracker', () => {
  it('never lets a commit pass an unsettled record, settles once, and keeps the stamps (model: a list)', () => {
    fc.assert(
      fc.property(fc.nat(1_000), steps, (start, script) => {
        const tracker = new OffsetTracker(start);
        const log: Modelled[] = [];
        let attempts = 0;
        for (const step of script) {
          const unread = log.find((one) => !one.read);
          if (step.kind === 'attempt') attempts += 1;
          else if (step.kind === 'append') {
            const offset = start + log.length;
            log.push({ offset, stamp: attempts, own: step.own, read: false, settled: false });
            if (step.own) tracker.appended(offset, attempts);
          } else if (step.kind === 'read' && unread !== undefined) {
            unread.read = true;
            const ownAhead = log.find((one) => one.own && !one.read);
            if (!unread.own) unread.stamp = Math.min(attempts, ownAhead?.stamp ?? Infinity);
            expect(tracker.track(unread.offset, attempts)).toBe(!unread.settled);
          } else if (step.kind === 'settle') {
            const known = log.filter((one) => one.read || one.own);
            const chosen = known[step.nth % Math.max(1, known.length)];
            if (chosen === undefined) continue;
            expect(tracker.settle(chosen.offset)).toBe(!chosen.settled);
            chosen.settled = true;
          }
          const read = log.filter((one) => one.read);
          const committable = read.find((one) => !one.settled)?.offset ?? start + read.length;
          expect(tracker.committable).toBe(committable);
          expect(tracker.outstanding).toBe(read.filter((one) => !one.settled).length);
          // What a reader would find from there on, and is known of: none of it may be stamped lower.
          const found = log.filter((one) => (one.read ? !one.settled : one.own)).map((one) => one.stamp);
          expect(tracker.lowestStamp).toBe(Math.min(Infinity, ...found));
        }
      }),
    );
  });

  it('takes the stamp of an own copy from its append, not from its reading', () => {
    const tracker = new OffsetTracker(0);
    tracker.appended(0, 5);
    expect(tracker.lowestStamp).toBe(5);
    tracker.settle(0);
    // Until it is read a successor would find it, and must learn that it is closed.
    expect(tracker.lowestStamp).toBe(5);
    expect(tracker.track(0, 9)).toBe(false);
    expect(tracker.lowestStamp).toBe(Infinity);
    tracker.appended(0, 9);
    expect(tracker.lowestStamp).toBe(Infinity);
  });

  it('lets one that was acknowledged late not hide the stamp of one above it that is closed', () => {
    const tracker = new OffsetTracker(100);
    tracker.appended(101, 5);
    tracker.settle(101);
    tracker.appended(100, 9);
    expect(tracker.lowestStamp).toBe(5);
    tracker.track(100, 20);
    tracker.track(101, 20);
    // From 100 on a reader finds both, and must learn of 101 that it is closed.
    expect(tracker.lowestStamp).toBe(5);
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
