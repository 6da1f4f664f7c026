import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseMasterKeys } from './master-keys.js';
import { openSecret, sealSecret } from './secret-box.js';

const keyText = (version: number): string => `${version}:${randomBytes(32).toString('base64')}`;

describe('sealed secrets', () => {
  it('open again, and show nothing of the secret', () => {
    const keys = parseMasterKeys(keyText(1));
    fc.assert(
      fc.property(fc.string({ minLength: 8 }), fc.string(), (secret, context) => {
        const sealed = sealSecret(keys, secret, context, randomBytes(12));
        expect(sealed).not.toContain(secret);
        expect(openSecret(keys, sealed, context)).toBe(secret);
        expect(() => openSecret(keys, sealed, `${context}x`)).toThrow();
      }),
    );
  });

  it('are sealed with the highest version, and open with the version that sealed them', () => {
    const [one, two] = [keyText(1), keyText(2)];
    const old = sealSecret(parseMasterKeys(one), 'secret', 'ep', randomBytes(12));
    const both = parseMasterKeys(`${one}, ${two}`);
    expect(openSecret(both, old, 'ep')).toBe('secret');
    expect(sealSecret(both, 'secret', 'ep', randomBytes(12))).toMatch(/^v2\./);
    expect(() => openSecret(parseMasterKeys(two), old, 'ep')).toThrow(/version 1/);
  });

  it('do not open when a bit was changed', () => {
    const keys = parseMasterKeys(keyText(1));
    const sealed = sealSecret(keys, 'secret', 'ep', randomBytes(12));
    const bytes = Buffer.from(sealed.slice(3), 'base64url');
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    expect(() => openSecret(keys, `v1.${bytes.toString('base64url')}`, 'ep')).toThrow();
  });

  it('name the master key that is wrong without showing it', () => {
    expect(() => parseMasterKeys(`${keyText(1)},2:short`)).toThrow(/no\. 2/);
    expect(() => parseMasterKeys('2:c2hvcnQ=')).toThrow(RangeError);
  });
});
