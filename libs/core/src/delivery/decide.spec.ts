import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, parseRetryAfter } from './decide.js';
import type { AttemptErrorKind, PostResult } from './post-result.js';
import { scheduleOf } from './retry-policy.js';

const policy = scheduleOf([5_000, 60_000], { jitter: 0.2, maxDelayMs: 3_600_000 });
const now = Date.UTC(2026, 0, 1);
const answer = (status: number, headers: Record<string, string> = {}): PostResult => ({
  kind: 'response',
  status,
  headers,
  body: Buffer.alloc(0),
  truncated: false,
  durationMs: 1,
});
const failure = (kind: AttemptErrorKind): PostResult => ({
  kind: 'error',
  error: { kind, message: '' },
  durationMs: 1,
});

describe('decide', () => {
  it('takes 2xx for success and nothing else', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), fc.integer({ min: 1, max: 5 }), (status, attempt) => {
        const success = status >= 200 && status <= 299;
        expect(decide(answer(status), attempt, policy, now, 0.5).kind === 'delivered').toBe(success);
      }),
    );
  });

  it.each([301, 302, 307, 400, 404, 429, 500, 503])('tries again after %d, then gives up', (status) => {
    expect(decide(answer(status), 1, policy, now, 0.5)).toEqual({ kind: 'retry', dueAt: now + 5_000 });
    expect(decide(answer(status), 2, policy, now, 0)).toEqual({ kind: 'retry', dueAt: now + 48_000 });
    expect(decide(answer(status), 3, policy, now, 0.5)).toEqual({ kind: 'deadLetter', reason: 'exhausted' });
  });

  it('gives up where the next try would come after the total time', () => {
    expect(decide(answer(500), 1, policy, now, 0.5, now + 5_000)).toEqual({ kind: 'retry', dueAt: now + 5_000 });
    expect(decide(answer(500), 1, policy, now, 0.5, now + 4_999)).toEqual({ kind: 'deadLetter', reason: 'expired' });
    expect(decide(answer(200), 1, policy, now, 0.5, now - 1)).toEqual({ kind: 'delivered' });
  });

  it('asks to disable the endpoint at 410, gives up what cannot be sent, tries again after other errors', () => {
    expect(decide(answer(410), 1, policy, now, 0.5)).toEqual({ kind: 'disable', reason: 'gone' });
    expect(decide(failure('undeliverable'), 1, policy, now, 0.5)).toEqual({
      kind: 'deadLetter',
      reason: 'undeliverable',
    });
    for (const kind of ['dns', 'refused', 'reset', 'tls', 'total-timeout', 'guard', 'protocol'] as const) {
      expect(decide(failure(kind), 1, policy, now, 0.5).kind).toBe('retry');
    }
  });

  it('obeys Retry-After for 429 and 503 up to the maximum, and never before the schedule', () => {
    const seconds = fc.nat(10_000);
    fc.assert(
      fc.property(fc.constantFrom(429, 503), seconds, fc.nat(999), (status, asked, permille) => {
        const random = permille / 1_000;
        const plain = decide(answer(status), 1, policy, now, random);
        const decision = decide(answer(status, { 'retry-after': String(asked) }), 1, policy, now, random);
        if (decision.kind !== 'retry' || plain.kind !== 'retry') throw new Error('expected a retry');
        expect(decision.dueAt).toBe(Math.max(plain.dueAt, now + Math.min(asked * 1_000, policy.maxDelayMs)));
      }),
    );
    expect(decide(answer(500, { 'retry-after': '600' }), 1, policy, now, 0.5)).toEqual({
      kind: 'retry',
      dueAt: now + 5_000,
    });
  });
});

describe('parseRetryAfter', () => {
  it.each([
    ['120', 120_000],
    [' 0 ', 0],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Thu, 01 Jan 2015 00:00:30 GMT', 0],
    ['Thursday, 01-Jan-26 00:01:00 GMT', 60_000],
    ['Thu Jan  1 00:00:05 2026', 5_000],
    ['soon', null],
    ['-5', null],
    ['1.5', null],
    ['', null],
    ['Xyz, 99 Foo 2026 00:00:30 GMT', null],
  ])('%s', (header, expected) => {
    expect(parseRetryAfter(header, now)).toBe(expected);
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseRetryAfter(text, now) ?? 0).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
