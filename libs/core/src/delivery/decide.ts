import type { PostResult } from './post-result.js';
import { nextDelayMs, type RetryPolicy } from './retry-policy.js';

/** What follows from the outcome of a POST. `dueAt` is Unix milliseconds. */
export type Decision =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'retry'; readonly dueAt: number }
  | { readonly kind: 'deadLetter'; readonly reason: 'exhausted' | 'expired' | 'undeliverable' }
  | { readonly kind: 'disable'; readonly reason: 'gone' };

/**
 * Decides what follows (DESIGN §3, Outcome; Standard Webhooks 1.0.0): 2xx is success and nothing else is; a redirect is
 * a failure; 410 asks to be disabled; 429 and 503 may ask for a longer wait by Retry-After, up to the policy's
 * `maxDelayMs`, never for a shorter one.
 * @param attempt number of this POST in its schedule, from 1
 * @param now Unix milliseconds
 * @param random in [0, 1)
 * @param until no POST is made later than this, Unix milliseconds; null: no limit
 */
export function decide(
  result: PostResult,
  attempt: number,
  policy: RetryPolicy,
  now: number,
  random: number,
  until: number | null = null,
): Decision {
  if (result.kind === 'response') {
    if (result.status >= 200 && result.status < 300) return { kind: 'delivered' };
    if (result.status === 410) return { kind: 'disable', reason: 'gone' };
  } else if (result.error.kind === 'undeliverable') {
    // It cannot be put into a request, whenever it is tried.
    return { kind: 'deadLetter', reason: 'undeliverable' };
  }
  const delay = nextDelayMs(policy, attempt, random);
  if (delay === null) return { kind: 'deadLetter', reason: 'exhausted' };
  const dueAt = now + Math.max(delay, Math.min(askedDelayMs(result, now), policy.maxDelayMs));
  return until !== null && dueAt > until ? { kind: 'deadLetter', reason: 'expired' } : { kind: 'retry', dueAt };
}

/** What Retry-After asks for, in ms; 0 where there is none that counts. */
function askedDelayMs(result: PostResult, now: number): number {
  if (result.kind !== 'response' || (result.status !== 429 && result.status !== 503)) return 0;
  const header = result.headers['retry-after'];
  return header === undefined ? 0 : (parseRetryAfter(header, now) ?? 0);
}

/** Retry-After (RFC 9110 §10.2.3), seconds or an HTTP date, as milliseconds from `now`; null when it is neither. */
export function parseRetryAfter(header: string, now: number): number | null {
  const text = header.trim();
  if (/^\d{1,12}$/.test(text)) return Number(text) * 1_000;
  if (!/^[A-Za-z]{3,9},? .{8,30}$/.test(text)) return null;
  const at = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}
