import { createPrivateKey, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatPrivateKey,
  formatSecret,
  parsePrivateKey,
  parsePublicKey,
  parseSecret,
  publicKeyOf,
  secretFault,
  secretKindOf,
  signingKey,
} from './webhook-keys.js';

const bytes = fc.uint8Array({ minLength: 24, maxLength: 64 });
const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
const base64 = (text: Uint8Array) => Buffer.from(text).toString('base64');

describe('webhook keys (Standard Webhooks 1.0.0)', () => {
  it('keep their form', () => {
    fc.assert(
      fc.property(bytes, seed, (secret, key) => {
        expect([...parseSecret(formatSecret(secret))]).toEqual([...secret]);
        expect([...parsePrivateKey(formatPrivateKey(key))]).toEqual([...key]);
        expect([...parsePrivateKey(`whsk_${base64(key)}`)]).toEqual([...key]);
        expect(parsePublicKey(publicKeyOf(formatPrivateKey(key))).asymmetricKeyType).toBe('ed25519');
      }),
    );
  });

  it('sign as what their prefix says', () => {
    const [shared, pair] = [formatSecret(randomBytes(24)), formatPrivateKey(randomBytes(32))];
    expect([secretKindOf(shared), secretKindOf(pair)]).toEqual(['hmac', 'ed25519']);
    expect([signingKey(shared).type, signingKey(pair).type]).toEqual(['secret', 'private']);
  });

  it('give the public key that RFC 8032 gives (test 1)', () => {
    const secret = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
    const key = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex');
    expect(publicKeyOf(formatPrivateKey(secret))).toBe(`whpk_${base64(key)}`);
    expect(formatPrivateKey(secret)).toBe(`whsk_${base64(Buffer.concat([secret, key]))}`);
    const pem = signingKey(formatPrivateKey(secret)).export({ format: 'pem', type: 'pkcs8' });
    expect(createPrivateKey(pem).export({ format: 'jwk' })).toMatchObject({ crv: 'Ed25519' });
  });

  it.each([
    ['whsec_not base64!', parseSecret],
    [`whsec_${base64(randomBytes(23))}`, parseSecret],
    [`whsec_${base64(randomBytes(65))}`, parseSecret],
    [base64(randomBytes(32)), parsePrivateKey],
    [`whsk_${base64(randomBytes(31))}`, parsePrivateKey],
    [`whsk_${base64(randomBytes(64))}`, parsePrivateKey],
    [`whpk_${base64(randomBytes(31))}`, parsePublicKey],
    [`whsk_${base64(randomBytes(32))}`, parsePublicKey],
  ])('refuse %s, without showing it', (text, parse) => {
    expect(() => parse(text)).toThrow(RangeError);
    expect(() => parse(text)).toThrow(expect.not.objectContaining({ message: expect.stringContaining(text) }));
  });
});

describe('a secret that somebody else has made', () => {
  it('is taken when it is random', () => {
    fc.assert(
      fc.property(fc.constantFrom(24, 32, 64), (length) => {
        expect(secretFault(formatSecret(randomBytes(length)))).toBeNull();
        expect(secretFault(formatPrivateKey(randomBytes(32)))).toBeNull();
      }),
    );
  });

  it.each([
    ['all bytes the same', formatSecret(Buffer.alloc(32, 7))],
    ['a short text again and again', formatSecret(Buffer.from('secret'.repeat(6)))],
    ['counting up', formatSecret(Buffer.from(Array.from({ length: 32 }, (_, n) => n)))],
    ['counting down in threes', formatSecret(Buffer.from(Array.from({ length: 64 }, (_, n) => 250 - 3 * n)))],
    ['a key of zeros', formatPrivateKey(Buffer.alloc(32))],
  ])('is refused when it is weak: %s', (_, secret) => {
    expect(secretFault(secret)).toMatch(/random/);
  });

  it.each([
    ['', /begin/],
    ['hunter2', /begin/],
    [base64(randomBytes(32)), /begin/],
    ['whsec_', /24 to 64/],
    [`whsec_${base64(randomBytes(23))}`, /24 to 64/],
    [`whsec_${base64(randomBytes(32))}\n`, /24 to 64/],
    [`whsk_${base64(randomBytes(64))}`, /whsk_/],
  ])('is refused when it is none: %j', (text, message) => {
    expect(secretFault(text)).toMatch(message);
  });
});
