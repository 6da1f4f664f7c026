import { describe, expect, it } from 'vitest';
import { errorKindOf, errorMessageOf } from './error-kind.js';

const failed = (code: string, message = 'no'): Error => Object.assign(new Error(message), { code });

describe('errorKindOf', () => {
  it.each([
    [failed('UND_ERR_CONNECT_TIMEOUT'), 'connect-timeout'],
    [failed('ENOTFOUND'), 'dns'],
    [failed('ECONNREFUSED'), 'refused'],
    [failed('ECONNRESET'), 'reset'],
    [failed('DEPTH_ZERO_SELF_SIGNED_CERT'), 'tls'],
    [failed('CERT_HAS_EXPIRED'), 'tls'],
    [failed('ERR_TLS_CERT_ALTNAME_INVALID'), 'tls'],
    [failed('ECONNRESET', 'Client network socket disconnected before secure TLS connection was established'), 'tls'],
    [Object.assign(new Error('no'), { name: 'HTTPParserError' }), 'protocol'],
    [failed('UND_ERR_INVALID_ARG'), 'undeliverable'],
    [failed('UND_ERR_DESTROYED'), 'aborted'],
    [new AggregateError([failed('ECONNREFUSED'), failed('ENETUNREACH')]), 'refused'],
    [new Error('outer', { cause: failed('EAI_AGAIN') }), 'dns'],
    [failed('E_NEW'), 'reset'],
    ['a string', 'reset'],
  ])('%s', (error, kind) => {
    expect(errorKindOf(error)).toBe(kind);
  });

  it('finds words for it, not too many', () => {
    expect(errorMessageOf(new AggregateError([failed('ECONNREFUSED', 'refused at ::1')]))).toBe('refused at ::1');
    expect(errorMessageOf(null)).toBe('the connection failed');
    expect(errorMessageOf(new Error('x'.repeat(1_000)))).toHaveLength(500);
  });
});
