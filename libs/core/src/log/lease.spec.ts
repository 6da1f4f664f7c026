import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Lease } from './lease.js';

describe('Lease', () => {
  it('is not held before the first confirmation, and ends two thirds of a session after the send time', () => {
    const lease = new Lease(9_000);
    expect(lease.isHeld(0)).toBe(false);
    lease.confirmed(100);
    expect(lease.isHeld(6_099)).toBe(true);
    expect(lease.isHeld(6_100)).toBe(false);
  });

  it('is never held longer than the latest confirmation since its last end allows', () => {
    const step = fc.oneof(fc.record({ sentAt: fc.nat(100_000) }), fc.constant('ended' as const));
    fc.assert(
      fc.property(fc.array(step), fc.nat(120_000), (steps, now) => {
        const lease = new Lease(9_000);
        let latest = Number.NEGATIVE_INFINITY;
        for (const one of steps) {
          if (one === 'ended') {
            lease.ended();
            latest = Number.NEGATIVE_INFINITY;
          } else {
            lease.confirmed(one.sentAt);
            latest = Math.max(latest, one.sentAt);
          }
        }
        expect(lease.isHeld(now)).toBe(now < latest + 6_000);
      }),
    );
  });
});
