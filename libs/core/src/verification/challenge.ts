import { timingSafeEqual } from 'node:crypto';
import type { PostResult } from '../delivery/index.js';
import { refusedFor, unanswered, type VerificationVerdict } from './verification-verdict.js';

/** Type of the signed message that carries a challenge. */
export const verificationType = 'posthorn.endpoint.verification';

/** The payload of Standard Webhooks, whatever format the endpoint gets its events in. @param now Unix milliseconds */
export const challengeBody = (challenge: string, now: number): Buffer =>
  Buffer.from(
    JSON.stringify({ type: verificationType, timestamp: new Date(now).toISOString(), data: { challenge } }),
    'utf8',
  );

/**
 * What an answer to it means: a 2xx that gives the challenge back, as the member `challenge` of a JSON object or as the
 * whole text. A server that echoes whole requests does not: it is below `data` there.
 */
export function challengeVerdict(challenge: string, result: PostResult): VerificationVerdict {
  if (result.kind === 'error') return unanswered(result);
  const { status, body } = result;
  if (status < 200 || status >= 300) return refusedFor('status', `It answered ${status}.`);
  const echo = echoOf(body.toString('utf8'));
  if (echo === null) return refusedFor('no-echo', 'The answer must be the challenge, or JSON with it as "challenge".');
  return isSame(echo, challenge)
    ? { verified: true, allowedRate: null }
    : refusedFor('wrong-echo', 'The answer holds something else in the challenge’s place.');
}

/** Null: nothing that could be one. */
function echoOf(text: string): string | null {
  const trimmed = text.trim();
  if (!/^[{["]/.test(trimmed)) return trimmed === '' ? null : trimmed;
  try {
    const value: unknown = JSON.parse(trimmed);
    if (typeof value === 'string') return value;
    const echo: unknown = typeof value === 'object' && value !== null && 'challenge' in value ? value.challenge : null;
    return typeof echo === 'string' ? echo : null;
  } catch {
    return null;
  }
}

/** In a time that tells nothing of where they differ. */
function isSame(given: string, expected: string): boolean {
  const [one, other] = [Buffer.from(given, 'utf8'), Buffer.from(expected, 'utf8')];
  return one.length === other.length && timingSafeEqual(one, other);
}
