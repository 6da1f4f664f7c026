import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PostResult } from '../delivery/post-result.js';
import { basicPair, bearerCredential, credentialOf } from './credential.js';
import { withoutCredential } from './without-credential.js';

describe('credentialOf', () => {
  it('is the header of RFC 6750, RFC 7617, or its own', () => {
    expect(credentialOf({ kind: 'bearer', token: 'mF_9.B5f-4.1JqM' })).toMatchObject({
      name: 'authorization',
      value: 'Bearer mF_9.B5f-4.1JqM',
    });
    // Both examples of RFC 7617: §2, and §2.1 in UTF-8.
    expect(credentialOf({ kind: 'basic', username: 'Aladdin', password: 'open sesame' }).value).toBe(
      'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==',
    );
    expect(basicPair('test', '123£')).toBe('dGVzdDoxMjPCow==');
    expect(credentialOf({ kind: 'header', name: 'x-api-key', value: 'k' })).toEqual({
      name: 'x-api-key',
      value: 'k',
      hidden: [],
    });
  });
});

const answer = (body: string | Buffer, headers: Record<string, string> = {}, truncated = false): PostResult => ({
  kind: 'response',
  status: 200,
  headers,
  body: Buffer.from(body),
  truncated,
  durationMs: 1,
});
const bodyOf = (result: PostResult): string => (result.kind === 'response' ? result.body.toString('utf8') : '');

describe('withoutCredential', () => {
  const { hidden } = credentialOf({ kind: 'basic', username: 'Aladdin', password: 'open sesame' });

  it('takes out of an answer what it repeats, encoded or not', () => {
    const echo = answer('{"authorization":"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==","password":"open sesame","ä":1}', {
      'x-echo': 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==',
      server: 'echo',
    });
    const clean = withoutCredential(echo, hidden);
    expect(bodyOf(clean)).toBe('{"authorization":"Basic ***","password":"***","ä":1}');
    expect(clean).toMatchObject({ headers: { 'x-echo': 'Basic ***', server: 'echo' } });
  });

  it('takes it out as it stands in JSON, and without its scheme', () => {
    const password = 'open "sesame" \\o/';
    const basic = credentialOf({ kind: 'basic', username: 'Aladdin', password }).hidden;
    expect(bodyOf(withoutCredential(answer(JSON.stringify({ password })), basic))).toBe('{"password":"***"}');
    const own = credentialOf({ kind: 'header', name: 'x-auth', value: 'Key 0123456789' }).hidden;
    expect(bodyOf(withoutCredential(answer('no such key: 0123456789'), own))).toBe('no such key: ***');
  });

  it('takes its beginning from the end of an answer that was cut', () => {
    expect(bodyOf(withoutCredential(answer('you sent open sesa', {}, true), hidden))).toBe('you sent ***');
    expect(bodyOf(withoutCredential(answer('you sent open sesa', {}, false), hidden))).toBe('you sent open sesa');
  });

  it('cleans what is said of a failure', () => {
    const error = { kind: 'protocol', message: 'invalid: open sesame' } as const;
    expect(withoutCredential({ kind: 'error', error, durationMs: 1 }, hidden)).toMatchObject({
      error: { kind: 'protocol', message: 'invalid: ***' },
    });
  });

  it('leaves all else as it is, the very same', () => {
    const result = answer(Buffer.from([0xff, 0, 0x80]));
    expect(withoutCredential(result, hidden)).toBe(result);
    expect(
      withoutCredential(answer('short'), credentialOf({ kind: 'header', name: 'x', value: 'hort' }).hidden),
    ).toEqual(answer('short'));
  });

  it('property: nothing of 6 letters or more of a token is left at a cut, whatever stands around it', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', 'é'), maxLength: 30 });
    fc.assert(
      fc.property(text, text, fc.integer({ min: 0, max: 90 }), (before, after, cut) => {
        const token = 'T0ken-0123456789';
        const whole = Buffer.from(`${before}${token}${after}${token}`);
        const kept = answer(whole.subarray(0, Math.min(cut, whole.length)), {}, cut < whole.length);
        expect(bodyOf(withoutCredential(kept, bearerCredential(token).hidden))).not.toContain(token.slice(0, 6));
      }),
    );
  });
});
