import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  defaultGrowth,
  defaultRetryPolicy,
  nextDelayMs,
  retryPolicyFaults,
  retryPreview,
  scheduleOf,
} from './retry-policy.js';
import type { RetryPolicy } from './retry-policy.js';

const day = 86_400_000;
const delay = fc.integer({ min: 1_000, max: 30 * day });
const share = fc.double({ min: 0, max: 1, noNaN: true });
const jittering = fc.oneof(
  share.map((jitter) => ({ jitterKind: 'proportional' as const, jitter })),
  fc.constantFrom('full' as const, 'equal' as const).map((jitterKind) => ({ jitterKind, jitter: 0 })),
);
const limits = fc.record({
  maxDelayMs: delay,
  maxTotalMs: fc.option(fc.integer({ min: 1_000, max: 60 * day }), { nil: null }),
});
const schedule = fc
  .tuple(fc.array(delay, { maxLength: 20 }), jittering, limits)
  .map(([delaysMs, jitter, limit]): RetryPolicy => scheduleOf(delaysMs, { ...jitter, ...limit }));
const exponential = fc
  .tuple(delay, fc.double({ min: 1, max: 10, noNaN: true }), fc.integer({ min: 1, max: 100 }), jittering, limits)
  .map(([baseMs, factor, maxAttempts, jitter, limit]): RetryPolicy => ({
    ...scheduleOf([], { ...jitter, ...limit, maxDelayMs: Math.max(baseMs, limit.maxDelayMs) }),
    kind: 'exponential',
    baseMs,
    factor,
    maxAttempts,
  }));
const policy = fc.oneof(schedule, exponential);
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

/** The model: the waits one after the other, each grown from the one before. */
function plannedWaits(p: RetryPolicy): number[] {
  if (p.kind === 'schedule') return [...p.delaysMs];
  const waits: number[] = [];
  for (let next = p.baseMs; waits.length < p.maxAttempts - 1; next *= p.factor)
    waits.push(Math.min(next, p.maxDelayMs));
  return waits;
}

function rangeOf(p: RetryPolicy, planned: number): { least: number; most: number } {
  if (p.jitterKind === 'full') return { least: 0, most: planned };
  if (p.jitterKind === 'equal') return { least: planned / 2, most: planned };
  return { least: planned * (1 - p.jitter), most: planned * (1 + p.jitter) };
}

/** Growth by multiplying and growth by powers differ in the last digits. */
const near = (planned: number): number => 1 + planned * 1e-9;

describe('retry policy', () => {
  it('waits what it plans, within the jitter; after the last there is none', () => {
    fc.assert(
      fc.property(policy, fc.integer({ min: 1, max: 120 }), random, (p, attempt, r) => {
        const wait = nextDelayMs(p, attempt, r);
        const planned = plannedWaits(p)[attempt - 1];
        if (planned === undefined) {
          expect(wait).toBeNull();
          return;
        }
        const { least, most } = rangeOf(p, planned);
        expect(wait).toSatisfy(Number.isSafeInteger);
        expect(wait).toBeGreaterThanOrEqual(least - near(planned));
        expect(wait).toBeLessThanOrEqual(most + near(planned));
      }),
    );
  });

  it('is 75:35:05 in all by default (Standard Webhooks)', () => {
    expect(defaultRetryPolicy.delaysMs.reduce((sum, one) => sum + one, 0)).toBe(((75 * 60 + 35) * 60 + 5) * 1_000);
    expect(retryPolicyFaults(defaultRetryPolicy)).toEqual([]);
  });

  it('grows by its factor up to its longest wait', () => {
    const grown: RetryPolicy = { ...scheduleOf([]), kind: 'exponential', ...defaultGrowth, maxDelayMs: 60_000 };
    expect(retryPolicyFaults(grown)).toEqual([]);
    expect([1, 2, 3, 4, 14, 15].map((attempt) => nextDelayMs(grown, attempt, 0.5))).toEqual([
      5_000,
      15_000,
      45_000,
      60_000,
      60_000,
      null,
    ]);
  });
});

describe('retryPolicyFaults', () => {
  const faultyFields = (p: RetryPolicy): string[] => retryPolicyFaults(p).map((fault) => fault.split(' ')[0] ?? '');

  it('finds none in a policy of either kind', () => {
    fc.assert(fc.property(policy, (p) => retryPolicyFaults(p).length === 0));
  });

  it('names each fault of a schedule', () => {
    const faulty = scheduleOf([999, 1_000, 1.5, Number.NaN], { jitter: 1.1, maxDelayMs: Infinity, maxTotalMs: 999 });
    expect(faultyFields(faulty)).toEqual([
      'delaysMs[0]',
      'delaysMs[2]',
      'delaysMs[3]',
      'jitter',
      'maxDelayMs',
      'maxTotalMs',
    ]);
    expect(faultyFields(scheduleOf([], { jitter: Number.NaN }))).toEqual(['jitter']);
    expect(faultyFields(scheduleOf(Array<number>(101).fill(5_000)))).toEqual(['delaysMs']);
    expect(faultyFields(scheduleOf([30 * day + 1], { maxTotalMs: 60 * day + 1 }))).toEqual([
      'delaysMs[0]',
      'maxTotalMs',
    ]);
  });

  it('names each fault of an exponential one', () => {
    const good: RetryPolicy = { ...scheduleOf([]), kind: 'exponential', ...defaultGrowth };
    expect(faultyFields({ ...good, baseMs: 999, factor: 0.9, maxAttempts: 0 })).toEqual([
      'baseMs',
      'factor',
      'maxAttempts',
    ]);
    expect(faultyFields({ ...good, factor: 10.1, maxAttempts: 101 })).toEqual(['factor', 'maxAttempts']);
    expect(faultyFields({ ...good, factor: Number.NaN, maxAttempts: 1.5 })).toEqual(['factor', 'maxAttempts']);
    expect(faultyFields({ ...good, baseMs: 60_000, maxDelayMs: 59_999 })).toEqual(['maxDelayMs']);
  });

  it('refuses what belongs to another kind', () => {
    expect(faultyFields(scheduleOf([], { baseMs: 1_000, factor: 2, maxAttempts: 3 }))).toEqual([
      'baseMs',
      'factor',
      'maxAttempts',
    ]);
    expect(faultyFields({ ...scheduleOf([5_000]), kind: 'exponential', ...defaultGrowth })).toEqual(['delaysMs']);
    expect(faultyFields(scheduleOf([], { jitterKind: 'full', jitter: 0.2 }))).toEqual(['jitter']);
  });
});

describe('retryPreview', () => {
  it('lists the posts whose earliest time is within the total, with the sums of their waits', () => {
    fc.assert(
      fc.property(policy, (p) => {
        const posts = retryPreview(p);
        const total = p.maxTotalMs ?? Infinity;
        const waits = plannedWaits(p).map((planned) => rangeOf(p, planned));
        let [least, most, expected] = [0, 0, 1];
        for (const [index, range] of waits.entries()) {
          least += range.least;
          most += range.most;
          const slack = near(most) * (index + 1);
          const post = posts[index + 1];
          // Where the sum falls on the limit, rounding may decide either way.
          if (post === undefined) {
            expect(least).toBeGreaterThan(total - slack);
            break;
          }
          expect(least).toBeLessThanOrEqual(total + slack);
          expect(post.number).toBe(index + 2);
          expect(Math.abs(post.offset.least - least)).toBeLessThanOrEqual(slack);
          expect(Math.abs(post.offset.most - Math.min(most, total))).toBeLessThanOrEqual(slack);
          expect(post.offset.most).toBeLessThanOrEqual(total);
          if (Math.abs(most - total) > slack) expect(post.certain).toBe(most < total);
          expected += 1;
        }
        expect(posts).toHaveLength(expected);
        expect(posts[0]).toEqual({
          number: 1,
          delay: { least: 0, mean: 0, most: 0 },
          offset: { least: 0, most: 0 },
          certain: true,
        });
      }),
    );
  });

  it('holds every wait that may be drawn, and its mean', () => {
    fc.assert(
      fc.property(policy, random, (p, r) => {
        for (const { number, delay: shown } of retryPreview(p).slice(1)) {
          const wait = nextDelayMs(p, number - 1, r);
          expect(wait).toBeGreaterThanOrEqual(shown.least);
          expect(wait).toBeLessThanOrEqual(shown.most);
          expect(Math.abs(shown.mean - (shown.least + shown.most) / 2)).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});
