import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PostResult } from '../delivery/index.js';
import { challengeBody, challengeVerdict } from './challenge.js';

const challenge = 'Zm9vYmFyYmF6cXV4';
const answer = (body: string | Buffer, status = 200): PostResult => ({
  kind: 'response',
  status,
  headers: {},
  body: Buffer.from(body),
  truncated: false,
  durationMs: 1,
});
const reasonOf = (body: string, status = 200): string => {
  const verdict = challengeVerdict(challenge, answer(body, status));
  return verdict.verified ? 'verified' : verdict.reason;
};

describe('a challenge', () => {
  it('is given back as text, or as a member of a JSON object', () => {
    for (const body of [
      challenge,
      ` ${challenge}\n`,
      JSON.stringify({ challenge, more: 1 }),
      JSON.stringify(challenge),
    ])
      for (const status of [200, 201, 202, 299]) expect(reasonOf(body, status)).toBe('verified');
  });

  it('is not given back by a server that echoes what it gets', () => {
    const request = challengeBody(challenge, 0).toString();
    for (const echo of [
      request,
      JSON.stringify({ json: JSON.parse(request) as unknown, data: request }),
      `got ${request}`,
    ])
      expect(reasonOf(echo)).not.toBe('verified');
  });

  it('tells apart a status, no echo and a wrong one', () => {
    for (const status of [301, 302, 400, 401, 404, 500]) expect(reasonOf(challenge, status)).toBe('status');
    for (const body of ['', ' ', '{', '{}', '[]', '{"challenge":1}', '{"data":{"challenge":"x"}}'])
      expect(reasonOf(body)).toBe('no-echo');
    for (const body of ['ok', '{"challenge":""}', challenge.slice(1), `${challenge}x`])
      expect(reasonOf(body)).toBe('wrong-echo');
  });

  it('is met by itself alone', () => {
    fc.assert(
      fc.property(fc.base64String({ minLength: 8 }), fc.string(), fc.uint8Array(), (own, text, bytes) => {
        expect(challengeVerdict(own, answer(own)).verified).toBe(true);
        expect(challengeVerdict(own, answer(text)).verified).toBe(text.trim() === own);
        expect(challengeVerdict(own, answer(Buffer.from(bytes))).verified).toBe(false);
      }),
    );
  });

  it('has the reason of what kept its answer', () => {
    const verdict = challengeVerdict(challenge, {
      kind: 'error',
      error: { kind: 'guard', message: 'loopback' },
      durationMs: 0,
    });
    expect(verdict).toEqual({ verified: false, reason: 'guard', detail: 'loopback' });
  });
});
