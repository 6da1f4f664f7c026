import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultRetryPolicy, nextDelayMs, retryPolicyFaults } from './retry-policy.js';

const delay = fc.integer({ min: 1_000, max: 2_592_000_000 });
const policy = fc.record({
  delaysMs: fc.array(delay, { maxLength: 20 }),
  jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  maxDelayMs: delay,
});
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('retry policy', () => {
  it('waits the wait of its schedule, within the jitter; after the last there is none', () => {
    fc.assert(
      fc.property(policy, fc.integer({ min: 1, max: 30 }), random, (p, attempt, r) => {
        const wait = nextDelayMs(p, attempt, r);
        const planned = p.delaysMs[attempt - 1];
        const fits =
          planned === undefined
            ? wait === null
            : wait !== null && wait >= planned * (1 - p.jitter) - 1 && wait <= planned * (1 + p.jitter) + 1;
        expect(fits).toBe(true);
      }),
    );
  });

  it('is 75:35:05 in all by default (Standard Webhooks)', () => {
    expect(defaultRetryPolicy.delaysMs.reduce((sum, one) => sum + one, 0)).toBe(((75 * 60 + 35) * 60 + 5) * 1_000);
    expect(retryPolicyFaults(defaultRetryPolicy)).toEqual([]);
  });

  it('names each fault of a policy', () => {
    fc.assert(fc.property(policy, (p) => retryPolicyFaults(p).length === 0));
    const faults = retryPolicyFaults({ delaysMs: [999, 1_000, 1.5, Number.NaN], jitter: 1.1, maxDelayMs: Infinity });
    expect(faults.map((fault) => fault.split(' ')[0])).toEqual([
      'delaysMs[0]',
      'delaysMs[2]',
      'delaysMs[3]',
      'jitter',
      'maxDelayMs',
    ]);
    expect(retryPolicyFaults({ delaysMs: [], jitter: Number.NaN, maxDelayMs: 1_000 })).toHaveLength(1);
    expect(retryPolicyFaults({ ...defaultRetryPolicy, delaysMs: Array<number>(101).fill(5_000) })).toHaveLength(1);
  });
});
