import { createHmac, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseMasterKeys } from '../signing/index.js';
import { portalKeysOf, signPortalToken, verifyPortalToken, type PortalClaims } from './portal-token.js';

const masterKey = (version: number): string => `${version}:${randomBytes(32).toString('base64')}`;
const [first, second] = [masterKey(1), masterKey(2)];
const keysOf = (...texts: string[]) => portalKeysOf(parseMasterKeys(texts.join(',')));
const keys = keysOf(first);

const now = 1_800_000_000;
const claims: PortalClaims = {
  tokenId: 'ptk_1',
  tenantId: 'acme',
  scopes: ['endpoints:read', 'deliveries:read'],
  endpointIds: null,
  generation: 3,
  issuedAt: now,
  expiresAt: now + 3_600,
};
const partOf = (token: string, part: number): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[part] ?? '', 'base64url').toString()) as Record<string, unknown>;
const encode = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString('base64url');
/** Signed with our own key, whatever it says. */
const signed = (header: unknown, payload: unknown): string => {
  const text = `${encode(header)}.${encode(payload)}`;
  return `${text}.${createHmac('sha256', keys.get(1)!).update(text).digest('base64url')}`;
};

describe('a portal token', () => {
  it('is a JSON Web Token that gives back its claims', () => {
    const token = signPortalToken(keys, { ...claims, endpointIds: ['ep_1'] });
    expect(partOf(token, 0)).toEqual({ alg: 'HS256', typ: 'JWT', kid: '1' });
    expect(partOf(token, 1)).toEqual({
      iss: 'posthorn',
      aud: 'posthorn-portal',
      sub: 'acme',
      jti: 'ptk_1',
      iat: now,
      exp: now + 3_600,
      scope: 'endpoints:read deliveries:read',
      gen: 3,
      endpoints: ['ep_1'],
    });
    expect(verifyPortalToken(keys, token, now)).toEqual({ claims: { ...claims, endpointIds: ['ep_1'] } });
    expect(verifyPortalToken(keys, signPortalToken(keys, claims), now)).toEqual({ claims });
  });

  it('ends on time, does not begin early, and never lives longer than a day', () => {
    const token = signPortalToken(keys, claims);
    expect(verifyPortalToken(keys, token, now + 3_599)).toHaveProperty('claims');
    expect(verifyPortalToken(keys, token, now + 3_600)).toEqual({ fault: 'expired' });
    expect(verifyPortalToken(keys, token, now - 60)).toHaveProperty('claims');
    expect(verifyPortalToken(keys, token, now - 61)).toEqual({ fault: 'not-yet' });
    expect(() => signPortalToken(keys, { ...claims, expiresAt: now + 86_401 })).toThrow(RangeError);
    const long = { ...partOf(token, 1), exp: now + 86_401 };
    expect(verifyPortalToken(keys, signed(partOf(token, 0), long), now)).toEqual({ fault: 'malformed' });
  });

  it('is signed with the newest key, and goes with the key that signed it', () => {
    const both = keysOf(first, second);
    const [older, newer] = [signPortalToken(keys, claims), signPortalToken(both, claims)];
    expect(partOf(newer, 0)).toMatchObject({ kid: '2' });
    expect(verifyPortalToken(both, older, now)).toEqual({ claims });
    expect(verifyPortalToken(keysOf(second), older, now)).toEqual({ fault: 'unknown-key' });
    expect(verifyPortalToken(keysOf(masterKey(1)), older, now)).toEqual({ fault: 'forged' });
  });

  it('property: no change of a character goes unseen', () => {
    const token = signPortalToken(keys, claims);
    fc.assert(
      fc.property(
        fc.nat(token.length - 1),
        fc.constantFrom('a', 'b', 'X', 'Y', '0', '9', '-', '_', '.', '='),
        (at, letter) => {
          const changed = `${token.slice(0, at)}${letter}${token.slice(at + 1)}`;
          // The last letter has two bits that mean nothing: base64url has four spellings of it.
          fc.pre(changed !== token && at !== token.length - 1);
          expect(verifyPortalToken(keys, changed, now)).toHaveProperty('fault');
        },
      ),
      { numRuns: 500 },
    );
  });

  it.each([
    ['no signature', { alg: 'none', typ: 'JWT', kid: '1' }],
    ['another algorithm', { alg: 'HS512', typ: 'JWT', kid: '1' }],
    ['a key of its own', { alg: 'HS256', typ: 'JWT', kid: '1', jwk: { kty: 'oct', k: 'AAAA' } }],
    ['a key that is not there', { alg: 'HS256', typ: 'JWT', kid: '3' }],
  ])('does not choose how it is verified: %s', (_what, header) => {
    const payload = partOf(signPortalToken(keys, claims), 1);
    expect(verifyPortalToken(keys, signed(header, payload), now)).toEqual({ fault: 'unknown-key' });
  });

  it.each([
    ['another issuer', { iss: 'other' }],
    ['another audience', { aud: 'api' }],
    ['no tenant', { sub: '' }],
    ['endpoints that are no list', { endpoints: 'ep_1' }],
  ])('is refused with %s, though it is signed', (_what, change) => {
    const token = signPortalToken(keys, claims);
    const other = signed(partOf(token, 0), { ...partOf(token, 1), ...change });
    expect(verifyPortalToken(keys, other, now)).toEqual({ fault: 'malformed' });
  });

  it('is refused when it is none', () => {
    for (const text of ['', 'a.b', 'a.b.c', `${signPortalToken(keys, claims)}.x`, 'x'.repeat(20_000)])
      expect(verifyPortalToken(keys, text, now)).toEqual({ fault: 'malformed' });
  });
});
