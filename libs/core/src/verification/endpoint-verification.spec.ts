import { expect, it } from 'vitest';
import {
  awaitsVerification,
  judged,
  mostTries,
  nextTryInMs,
  unverified,
  verificationAfter,
} from './endpoint-verification.js';
import { isMethodAllowed, standardMethod } from './verification-rules.js';

const begun = unverified('handshake', 4, 100);

it('is awaited until it is verified, also after a failure', () => {
  expect(awaitsVerification(null)).toBe(false);
  expect(awaitsVerification(begun)).toBe(true);
  const failed = judged(begun, { verified: false, reason: 'guard', detail: 'x'.repeat(900) }, 'o', 200);
  expect(failed).toMatchObject({ state: 'failed', reason: 'guard', at: 200, round: 4, origin: null });
  expect(failed.detail).toHaveLength(500);
  expect(awaitsVerification(failed)).toBe(true);
  const odd = judged(begun, { verified: false, reason: 'auth-token', detail: 'a\0b\ud800' }, null, 200);
  expect(odd.detail).toBe('a\u{fffd}b\u{fffd}');
  const verified = judged(failed, { verified: true, allowedRate: 60 }, 'o', 150);
  expect(verified).toEqual({ ...begun, state: 'verified', at: 200, origin: 'o', allowedRate: 60 });
  expect(awaitsVerification(verified)).toBe(false);
});

it('begins anew with another URL or another method, and with nothing else', () => {
  const verified = judged(begun, { verified: true, allowedRate: null }, 'o', 150);
  const before = { url: 'https://a/', verification: verified };
  expect(verificationAfter(before, { url: 'https://a/', method: undefined }, 5, 200)).toBe(verified);
  expect(verificationAfter(before, { url: 'https://a/', method: 'handshake' }, 5, 200)).toBe(verified);
  expect(verificationAfter(before, { url: 'https://b/', method: undefined }, 5, 200)).toEqual(
    unverified('handshake', 5, 200),
  );
  expect(verificationAfter(before, { url: 'https://a/', method: 'challenge' }, 5, 200)).toEqual(
    unverified('challenge', 5, 200),
  );
  expect(verificationAfter(before, { url: 'https://b/', method: null }, 5, 200)).toBeNull();
  const none = { url: 'https://a/', verification: null };
  expect(verificationAfter(none, { url: 'https://b/', method: undefined }, 5, 200)).toBeNull();
  expect(verificationAfter(none, { url: 'https://a/', method: 'challenge' }, 5, 200)).toEqual(
    unverified('challenge', 5, 200),
  );
});

it('is tried again a bounded number of times, further and further apart', () => {
  const waits = Array.from({ length: mostTries }, (_, index) => nextTryInMs(index + 1));
  expect(waits.at(-1)).toBeNull();
  const some = waits.slice(0, -1).map(Number);
  expect(some.every((ms) => ms > 0)).toBe(true);
  expect(some).toEqual(some.toSorted((a, b) => a - b));
});

it('has a method that the operator allows', () => {
  expect([standardMethod('off'), standardMethod('any')]).toEqual([null, 'challenge']);
  for (const method of ['handshake', 'challenge'] as const) {
    expect(standardMethod(method)).toBe(method);
    expect(['off', 'any', method].every((rule) => isMethodAllowed(rule as 'off', method))).toBe(true);
    expect(isMethodAllowed(method === 'handshake' ? 'challenge' : 'handshake', method)).toBe(false);
  }
});
