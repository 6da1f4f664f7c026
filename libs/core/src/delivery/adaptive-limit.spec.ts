import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AdaptiveLimit, loadSign, type LoadSign } from './adaptive-limit.js';
import type { AttemptErrorKind, PostResult } from './post-result.js';

const answer = (status: number): PostResult => ({
  kind: 'response',
  status,
  headers: {},
  body: Buffer.alloc(0),
  truncated: false,
  durationMs: 1,
});
const failure = (kind: AttemptErrorKind): PostResult => ({
  kind: 'error',
  error: { kind, message: '' },
  durationMs: 1,
});

describe('loadSign', () => {
  it('takes 429, 503 and timeouts for overload, 2xx for success and the rest for neither', () => {
    const signs = [200, 204, 301, 400, 408, 410, 429, 500, 502, 503].map((status) => loadSign(answer(status)));
    expect(signs).toEqual([
      'success',
      'success',
      'neither',
      'neither',
      'neither',
      'neither',
      'overload',
      'neither',
      'neither',
      'overload',
    ]);
    const kinds = ['connect-timeout', 'headers-timeout', 'body-timeout', 'total-timeout', 'refused', 'guard'] as const;
    expect(kinds.map((kind) => loadSign(failure(kind)))).toEqual([
      'overload',
      'overload',
      'overload',
      'overload',
      'neither',
      'neither',
    ]);
  });
});

describe('AdaptiveLimit', () => {
  it('halves once for a burst of overload, and creeps up by one for as many successes as it allows', () => {
    const limit = new AdaptiveLimit();
    expect(limit.within(16)).toBe(16);
    for (let left = 15; left >= 0; left -= 1) limit.landed('overload', 16, left);
    expect(limit.within(16)).toBe(8);
    for (let nth = 0; nth < 8; nth += 1) {
      expect(limit.within(16)).toBe(8);
      limit.landed('success', 16, 7);
    }
    expect(limit.within(16)).toBe(9);
    for (let nth = 0; nth < 9 + 10 + 11 + 12 + 13 + 14 + 15 - 1; nth += 1) limit.landed('success', 16, 7);
    expect(limit.within(16)).toBe(15);
    expect(limit.isAtRest).toBe(false);
    limit.landed('success', 16, 7);
    expect(limit.isAtRest).toBe(true);
    expect(limit.within(32)).toBe(32);
  });

  it('stays between 1 and the configured limit, and never halves twice within one round trip (model: a list of answers)', () => {
    const sign = fc.constantFrom<LoadSign>('success', 'overload', 'overload', 'neither');
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.array(fc.tuple(sign, fc.nat()), { maxLength: 300 }),
        (most, answers) => {
          const limit = new AdaptiveLimit();
          let allowed = most;
          let deafUntil = -1;
          let successes = 0;
          for (const [index, [what, random]] of answers.entries()) {
            const inFlight = random % allowed;
            limit.landed(what, most, inFlight);
            if (index > deafUntil && what === 'overload') {
              allowed = Math.max(1, Math.floor(allowed / 2));
              deafUntil = index + inFlight;
              successes = 0;
            } else if (index > deafUntil && what === 'success' && allowed < most) {
              successes += 1;
              if (successes === allowed) {
                allowed += 1;
                successes = 0;
              }
            }
            expect(limit.within(most)).toBe(allowed);
            expect(allowed >= 1 && allowed <= most).toBe(true);
          }
        },
      ),
    );
  });
});
