import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FailureWindow } from './failure-window.js';

describe('FailureWindow', () => {
  it('counts the running tenth and the nine before it (model: a list of all POSTs)', () => {
    const step = fc.record({ pause: fc.oneof(fc.nat(30), fc.nat(3_000)), failed: fc.boolean() });
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 5_000 }), fc.array(step, { maxLength: 200 }), (windowMs, steps) => {
        const window = new FailureWindow();
        const tenth = (at: number) => Math.floor(at / (windowMs / 10));
        const all: { at: number; failed: boolean }[] = [];
        let now = 12_345;
        for (const { pause, failed } of steps) {
          now += pause;
          const counted = all.filter(({ at }) => tenth(at) > tenth(now) - 10);
          expect(window.requests(windowMs, now)).toBe(counted.length);
          expect(window.failures(windowMs, now)).toBe(counted.filter((one) => one.failed).length);
          window.add(failed, windowMs, now);
          all.push({ at: now, failed });
        }
      }),
    );
  });

  it('begins anew when its length changes', () => {
    const window = new FailureWindow();
    window.add(true, 1_000, 5_000);
    expect(window.failures(1_000, 5_000)).toBe(1);
    expect(window.failures(2_000, 5_000)).toBe(0);
  });
});
