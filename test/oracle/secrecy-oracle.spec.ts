import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatPrivateKey, formatSecret } from '#libs/core';
import { sightingsOf } from './secrecy-oracle.js';

const bytes = fc.uint8Array({ minLength: 24, maxLength: 64 });
const around = fc.uint8Array({ maxLength: 50 });
const formsIn = (secret: string, haystack: Buffer): string[] =>
  sightingsOf(new Map([['it', secret]]), [{ place: 'here', bytes: haystack }]).map(({ form }) => form);
const join = (...parts: (Uint8Array | string)[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)));

describe('the secrecy oracle', () => {
  it('finds a secret in every form, whatever stands around it', () => {
    fc.assert(
      fc.property(bytes, around, around, (key, before, after) => {
        const secret = formatSecret(key);
        const text = secret.slice('whsec_'.length);
        const inside = (...parts: (Uint8Array | string)[]) => formsIn(secret, join(before, ...parts, after));
        expect(inside(secret)).toContain('text');
        expect(inside(text.replace(/=+$/, ''))).toContain('text');
        expect(inside(key)).toContain('bytes');
        expect(inside(Buffer.from(key).toString('hex').toUpperCase())).toContain('hex of bytes');
        expect(inside(Buffer.from(text).toString('hex'))).toContain('hex of text');
        for (const encoding of ['base64', 'base64url'] as const) {
          expect(formsIn(secret, join(join(before, key, after).toString(encoding)))).toContain('base64 of bytes');
          expect(formsIn(secret, join(join(before, secret, after).toString(encoding)))).toContain('base64 of text');
        }
      }),
    );
  });

  it('finds nothing where there is nothing', () => {
    fc.assert(
      fc.property(bytes, bytes, (key, other) => {
        fc.pre(Buffer.compare(key, other) !== 0);
        expect(formsIn(formatSecret(key), join(formatSecret(other), randomBytes(500).toString('hex')))).toEqual([]);
      }),
    );
  });

  it('names the place and the secret, and does not show it', () => {
    const secrets = new Map([
      ['master key', `12:${randomBytes(32).toString('base64')}`],
      ['key pair', formatPrivateKey(randomBytes(32))],
      ['operator key', 'of-an-operator-0123456789'],
    ]);
    const readables = [...secrets].map(([name, text]) => ({
      place: `log of ${name}`,
      bytes: Buffer.from(`key=${text};`),
    }));
    const found = sightingsOf(secrets, readables);
    for (const name of secrets.keys())
      expect(found).toContainEqual({ place: `log of ${name}`, secret: name, form: 'text' });
    for (const text of secrets.values()) expect(JSON.stringify(found)).not.toContain(text);
  });

  it('takes no secret that it would find by chance', () => {
    expect(() => formsIn('short', Buffer.from(''))).toThrow(RangeError);
  });
});
