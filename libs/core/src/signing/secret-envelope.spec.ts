import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseMasterKeys } from './master-keys.js';
import { masterKeyVersionOf, newestSeal, reseal } from './reseal.js';
import { openSecret, sealSecret } from './secret-box.js';
import { sealEnvelope } from './secret-envelope.js';

const keyText = (version: number): string => `${version}:${randomBytes(32).toString('base64')}`;
const [one, two] = [keyText(1), keyText(2)];
const [first, both, second] = [one, `${one},${two}`, two].map(parseMasterKeys) as [
  ReturnType<typeof parseMasterKeys>,
  ReturnType<typeof parseMasterKeys>,
  ReturnType<typeof parseMasterKeys>,
];

describe('a secret in an envelope', () => {
  it('opens at its place and nowhere else, and shows nothing', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 8 }), fc.string(), (secret, context) => {
        const sealed = sealEnvelope(first, secret, context, randomBytes);
        expect(sealed).not.toContain(secret);
        expect(sealed).toMatch(/^e1\./);
        expect(openSecret(first, sealed, context)).toBe(secret);
        expect(() => openSecret(first, sealed, `${context}x`)).toThrow();
        expect(() => openSecret(second, sealed, context)).toThrow(/version 1/);
      }),
    );
  });

  it('does not open when any character of it was changed', () => {
    const sealed = sealEnvelope(first, 'secret', 'ep', randomBytes);
    for (let at = 3; at < sealed.length; at += 1) {
      if (sealed[at] === '.') continue;
      // They differ in a bit that counts, also in the last character, of which base64 leaves some out.
      const other = (letter: string) => (letter === 'A' ? 'Q' : 'A');
      const changed = sealed.slice(0, at) + other(sealed[at]!) + sealed.slice(at + 1);
      expect(() => openSecret(first, changed, 'ep')).toThrow();
    }
  });

  it('does not open with the data key of another secret of the same endpoint', () => {
    const [a = '', b = ''] = ['a', 'b'].map((secret) => sealEnvelope(first, secret, 'ep', randomBytes));
    const [version, key] = a.split('.');
    expect(() => openSecret(first, `${version}.${key}.${b.split('.')[2]}`, 'ep')).toThrow();
  });

  it('is sealed anew by its data key alone', () => {
    const old = sealEnvelope(first, 'secret', 'ep', randomBytes);
    const anew = reseal(both, old, 'ep', randomBytes);
    expect(anew).toMatch(/^e2\./);
    expect(anew.split('.')[2]).toBe(old.split('.')[2]);
    expect(openSecret(second, anew, 'ep')).toBe('secret');
    expect(() => openSecret(first, anew, 'ep')).toThrow(/version 2/);
  });

  it('is left as it is when it is sealed anew already', () => {
    const sealed = sealEnvelope(both, 'secret', 'ep', randomBytes);
    expect(reseal(both, sealed, 'ep', randomBytes)).toBe(sealed);
  });

  it('comes also of a secret that was sealed directly, of the same version too', () => {
    const old = sealSecret(first, 'secret', 'ep', randomBytes(12));
    for (const [keys, version] of [
      [first, 1],
      [both, 2],
    ] as const) {
      const anew = reseal(keys, old, 'ep', randomBytes);
      expect(anew.startsWith(newestSeal(keys))).toBe(true);
      expect(masterKeyVersionOf(anew)).toBe(version);
      expect(openSecret(keys, anew, 'ep')).toBe('secret');
    }
  });

  it('is not sealed anew for another endpoint, or without the key that sealed it', () => {
    const sealed = sealEnvelope(first, 'secret', 'ep', randomBytes);
    expect(() => reseal(both, sealed, 'other', randomBytes)).toThrow();
    expect(() => reseal(second, sealed, 'ep', randomBytes)).toThrow(/version 1/);
  });

  it('tells its version, and what is none', () => {
    expect(masterKeyVersionOf(sealSecret(both, 'x', 'ep', randomBytes(12)))).toBe(2);
    expect(masterKeyVersionOf('whsec_abc')).toBeNull();
    expect(() => openSecret(both, 'e1.short.AAAA', 'ep')).toThrow(RangeError);
  });
});
